"""What a signal does to a run: Ctrl-C, TERM, or the hang-up of a terminal that was closed.

Before there are workers the first one is a KeyboardInterrupt: whatever preflight opened is closed on its way out, and
nothing has been paid. From `defer` on it only sets the stop, and the loop ends in order. A second one ends the program
at once, in either case: then agents in a PID namespace end too, since their line to us hangs up; others are ended by
the next start. What comes within a second of the first is the same one: `timeout` of coreutils signals its child and
then the group that the child is in, and a closed terminal sends HUP from the kernel and from the shell.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from parallel_impl.processes.launch import Stop

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SAME_SECONDS = 1.0  # a person does not press Ctrl-C again that soon


class Interruption:
    """The handlers, as a context; `stop` is set by the first signal. `clock` gives seconds, and never goes back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.stop = Stop()
        self._clock = clock
        self._came = 0.0
        self._deferred = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        for number in SIGNALS:
            # nohup: the terminal may close; `tool &` of a script: Ctrl-C is for the script
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._first)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def defer(self) -> None:
        """From now on a signal ends nothing by itself: the loop looks at `stop`."""
        self._deferred = True

    def _first(self, _number: int, _frame: FrameType | None) -> None:
        self._came = self._clock()
        for again in self._before:
            signal.signal(again, self._again)
        self.stop.set()
        if not self._deferred:
            raise KeyboardInterrupt

    def _again(self, number: int, _frame: FrameType | None) -> None:
        if self._clock() - self._came < SAME_SECONDS:
            return
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
