"""A disk that takes or gives nothing more: the machine's fault, told as such, that costs no attempt and is no bug.

`cli` asks for the words; `run` asks whether a failure has shown anything; whoever writes names the file.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parallel_impl.errors import Problem

WHAT_TO_DO = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or ask for a larger quota",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it readable and writable for you",
    errno.EPERM: "make it readable and writable for you",
    errno.EIO: "look at the disk (dmesg)",
}
LEAST = 1_000_000  # bytes; with less a disk counts as full: a program that failed for it may have freed a little


def problem(error: OSError) -> Problem | None:
    """What to tell when the machine, not this program, is why a file could not be read or written; else None."""
    where = str(error.filename or "")
    if error.errno not in WHAT_TO_DO or (error.errno in (errno.EACCES, errno.EPERM) and not where):
        return None  # without a file it is something else that is not permitted
    hint = f"{WHAT_TO_DO[error.errno]}, then give the same command again: nothing is lost, it goes on where it was"
    return Problem(str(error.strerror), where=where, hint=hint)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Errors of the system in here are about `path`: the one of a failed `write` does not say which file it was."""
    try:
        yield
    except OSError as error:
        if error.filename is None or error.filename2 is not None:
            error.filename = str(path)
        raise


def check_full(*folders: Path) -> None:
    """OSError where one of the disks that these folders are on is full: what failed then has shown nothing."""
    for folder in folders:
        nearest = next(place for place in (folder, *folder.parents) if place.exists())
        if shutil.disk_usage(nearest).free < LEAST:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(nearest))
