"""Git's index files that are ours alone, and the settings by which files are written and looked at with them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from parallel_impl import storage

CONFIG = (
    "core.sparseCheckout=false", "index.sparse=false", "submodule.recurse=false", "core.checkStat=default",
    "core.trustctime=true", "core.ignoreStat=false", "core.fileMode=true",
)  # fmt: skip


def copy_index(source: Path, target: Path, *, later_ns: int = 0) -> None:
    """Copy an index with its time: git compares that with the files' times, a newer one hides edits of that second.

    With `later_ns` it is so much newer all the same.
    """
    with storage.named(target):
        shutil.copyfile(source, target)
    times = source.stat()
    os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns + later_ns))
