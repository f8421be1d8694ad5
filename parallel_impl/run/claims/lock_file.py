"""A lock of the operating system on a file. It counts only for the file that lies at its path now.

A lock file that was unlinked under the process that holds it lets a second one in (measured), so all that rely on one
remember which file it was: its device and inode. The descriptor is close-on-exec, so no child keeps the lock (a child
that is forked and starts no other program would; we have none).
"""

from __future__ import annotations

import fcntl
import os
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from parallel_impl.errors import UserError

POLL = 0.02


class HeldError(Exception):
    """Another process holds the lock."""


class FileIdentity(msgspec.Struct, frozen=True, array_like=True):
    """Which file it is, whatever lies at its path by now; in JSON `[device, inode]`."""

    device: int
    inode: int

    @classmethod
    def at(cls, path: Path) -> FileIdentity | None:
        """The file that lies at `path` now; None when there is none."""
        try:
            return cls.of(path.stat())
        except FileNotFoundError:
            return None

    @classmethod
    def of(cls, status: os.stat_result) -> FileIdentity:
        return cls(status.st_dev, status.st_ino)


@dataclass(frozen=True, slots=True)
class LockFile:
    """A lock that this process holds."""

    path: Path
    identity: FileIdentity
    lock: FileLock

    def is_in_place(self) -> bool:
        """Whether the file that is held still lies at the path, so that others meet it there."""
        return FileIdentity.at(self.path) == self.identity

    def release(self) -> None:
        self.lock.release()


def acquire(path: Path, *, seconds: float) -> LockFile:
    """Lock the file at `path`, made with its folder when absent. HeldError when it is held for all of `seconds`.

    UserError where the file system knows no locks.
    """
    until = time.monotonic() + seconds
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=max(0.0, until - time.monotonic()), poll_interval=POLL)
        except Timeout:
            raise HeldError(path) from None
        except FileNotFoundError:
            continue  # another run that ended removed the empty folder in between
        descriptor = lock._context.lock_file_fd  # filelock has no public way to the file that it holds
        if type(lock) is not FileLock or descriptor is None:  # it falls back to a lock that outlives its process
            lock.release()
            raise UserError("the file system knows no locks", where=str(path), hint="move the repository to another")
        found = LockFile(path, FileIdentity.of(os.fstat(descriptor)), lock)
        if found.is_in_place():
            return found
        lock.release()


def is_held(path: Path, identity: FileIdentity | None = None) -> bool:
    """Whether a process holds the lock on the file at `path`, and that file is `identity` where one is given.

    Asked with a shared lock for an instant: a process that acquires at that very moment must try more than once.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return False
    try:
        if identity and FileIdentity.of(os.fstat(descriptor)) != identity:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return True
    finally:
        os.close(descriptor)
    return False
