"""Git's index files that are ours alone, and the settings by which files are written and looked at with them."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from parallel_impl import storage

CONFIG = (
    "core.sparseCheckout=false", "index.sparse=false", "submodule.recurse=false", "core.checkStat=default",
    "core.trustctime=true", "core.ignoreStat=false", "core.fileMode=true",
)  # fmt: skip


COARSE_NS = 50_000_000  # file systems stamp with a clock that lags behind
# Most builds of git know only the second in which a file was written, and read again what is as new as the index.
A_SECOND = 10**9


def later_ns(index: Path) -> int:
    """By how much a copy of this index may be newer, so that git believes what it says of files of the same second.

    A second where that second is over; nothing before: an edit of a file in it would not be seen.
    """
    over = (time.time_ns() - COARSE_NS) // A_SECOND > index.stat().st_mtime_ns // A_SECOND
    return A_SECOND if over else 0


def copy_index(source: Path, target: Path, *, later_ns: int = 0) -> None:
    """Copy an index with its time: git compares that with the files' times, a newer one hides edits of that second.

    With `later_ns` it is so much newer all the same.
    """
    with storage.named(target):
        shutil.copyfile(source, target)
    times = source.stat()
    os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns + later_ns))
