"""Whether a process that prints nothing still works: by the CPU that it uses, and by the files that it writes.

Both are asked for rarely, and never while output or a caller's own signs of progress come in time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

WINDOW = 60.0  # seconds over which CPU is counted
BUSY = 1 / 60  # CPU-seconds a second: one a minute


class Busy:
    """When something was last busy with more than a CPU-second a minute (`time.monotonic`; 0: never yet).

    `used` gives the CPU-seconds that it has used so far, None while there is nothing to count. As long as there is, it
    is asked once in each window, a third of the silence at most: so what is busy all the time is never silent.
    """

    def __init__(self, used: Callable[[], float | None], silence: float) -> None:
        self._used = used
        self._window = min(WINDOW, silence / 3)
        self._since = time.monotonic()
        self._before: float | None = None
        self._last = 0.0

    def look(self) -> float:
        now = time.monotonic()
        if self._before is not None and now - self._since < self._window:
            return self._last
        used = self._used()
        if used is not None and self._before is not None and used - self._before > BUSY * (now - self._since):
            self._last = now
        self._since, self._before = now, used
        return self._last


def written(folder: Path, *, within: float) -> float:
    """When (`time.monotonic`) a file below `folder` was last written; 0 unless that is at most `within` seconds ago.

    `.git` is left out: a watcher of git's writes there all the time.
    """
    now, newest = time.time(), 0.0
    for at, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git"]
        for name in files:
            try:
                newest = max(newest, min(now, os.lstat(os.path.join(at, name)).st_mtime))  # noqa: PTH118
            except OSError:
                continue
    age = now - newest
    return time.monotonic() - age if age <= within else 0.0
