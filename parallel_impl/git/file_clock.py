"""The clock that a file system stamps its files with.

It moves in ticks (4 or 10 ms on Linux's own disks, two seconds at worst), and on a network it is the server's: the
time of day of this machine says nothing about which of two files was written first.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

from parallel_impl import storage

LONGEST = 2.5  # seconds; the coarsest clock counts in twos
LOOK = 0.0005


def pass_tick(folder: Path) -> int:
    """Wait until the clock of the file system of `folder` has moved on; its time then, in nanoseconds.

    What was written before the call has an earlier ctime, what is written after it has this one or a later. Only
    where the clock stands still for longer than any does, the two cannot be told apart.
    """
    with storage.named(folder), tempfile.TemporaryFile(dir=folder) as file:
        begun, deadline = os.fstat(file.fileno()).st_ctime_ns, time.monotonic() + LONGEST
        while (now := _stamp(file.fileno())) == begun and time.monotonic() < deadline:
            time.sleep(LOOK)
    return now


def _stamp(file: int) -> int:
    """The time that a change of the file gets now. Linux from 6.13 on gives a new one to a file that was looked at."""
    os.utime(file)
    return os.fstat(file).st_ctime_ns
