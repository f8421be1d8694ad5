"""A thread that looks after a view of a run from time to time: it sleeps until the view asks to be looked after."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

PATIENCE = 2.0  # seconds that the end of a run waits for a terminal that takes nothing


class Ticker:
    """Calls `tick(now)` when it is woken, and when the seconds are over that the last call returned; then `finish`."""

    def __init__(
        self,
        tick: Callable[[float], float],
        finish: Callable[[], None] = lambda: None,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tick, self._finish, self._clock = tick, finish, clock
        self._woken, self._over = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="view", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Look now; from any thread."""
        self._woken.set()

    def stop(self) -> None:
        """No further call begins, but for `finish`; that is waited for, if it does not hang."""
        self._over = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        seconds = 0.0
        while True:
            self._woken.wait(seconds)
            self._woken.clear()
            if self._over:
                self._finish()
                return
            seconds = max(self._tick(self._clock()), 0.0)
