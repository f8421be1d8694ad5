"""Whether a process that prints nothing still works: by the CPU that it uses, and by the files that it writes.

Both are asked for rarely, and never while output or a caller's own signs of progress come in time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from parallel_impl.processes import procfs

WINDOW = 60.0  # seconds over which CPU is counted
BUSY = 1 / 60  # CPU-seconds a second: one a minute


class Busy:
    """When everything below a process was last busy with more than a CPU-second a minute (`time.monotonic`).

    `process` names it, 0: there is none now. It is looked at once in each window, a third of the silence at most.
    """

    def __init__(self, process: Callable[[], int], silence: float) -> None:
        self._process = process
        self._window = min(WINDOW, silence / 3)
        self._since, self._used, self._pid = time.monotonic(), 0.0, 0
        self.last = 0.0

    def look(self) -> float:
        now, pid = time.monotonic(), self._process()
        if pid and pid == self._pid and now - self._since < self._window:
            return self.last
        used = procfs.cpu_seconds(pid) if pid else 0.0
        if pid and pid == self._pid and used - self._used > BUSY * (now - self._since):
            self.last = now
        self._since, self._used, self._pid = now, used, pid
        return self.last


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
