"""A copy of a layer for one checkout, where there is no overlay.

File by file in this process, so that what is in the way has its error number and its file, and no program is needed.
Blocks are shared where the file system can do that; a file never is: an edit in one copy would reach the others.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from parallel_impl import storage

FICLONE = 0x40049409  # ioctl(2): have the blocks of another file
# what kernels and file systems answer that cannot copy between these two files by themselves
UNABLE = (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM)
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
PRIVATE = 0o600


def copy_tree(source: Path, target: Path) -> None:
    """Copy a folder to a path where nothing is: contents, links, modes, times, attributes, and owners where it may.

    OSError names the file; nothing of the copy stays then, of a disk that is full others need what is left.
    """
    try:
        _Copy().tree(os.fsencode(source), os.fsencode(target))
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


@dataclass(slots=True)
class _Copy:
    """Whether files of this copy can share blocks, as far as it is known."""

    shares: bool = True

    def tree(self, source: bytes, target: bytes) -> None:
        os.mkdir(target, 0o700)  # noqa: PTH102 - bytes
        waiting, folders = [(source, target)], list[tuple[bytes, bytes]]()
        while waiting:
            folders.append(above := waiting.pop())
            with os.scandir(above[0]) as entries:
                for entry in entries:
                    place = above[1] + b"/" + entry.name
                    if entry.is_dir(follow_symlinks=False):
                        os.mkdir(place, 0o700)  # noqa: PTH102
                        waiting.append((entry.path, place))
                    else:
                        with storage.named(Path(os.fsdecode(entry.path))):
                            self.file(entry.path, place, entry.stat(follow_symlinks=False))
        for folder, place in reversed(folders):  # what is written in one gives it a time
            _dress(folder, place, os.lstat(folder))

    def file(self, source: bytes, target: bytes, found: os.stat_result) -> None:
        if stat.S_ISLNK(found.st_mode):
            os.symlink(os.readlink(source), target)  # noqa: PTH115, PTH211
        elif stat.S_ISREG(found.st_mode):
            self.content(source, target, found)
        else:
            os.mknod(target, found.st_mode, found.st_rdev)
        _dress(source, target, found)

    def content(self, source: bytes, target: bytes, found: os.stat_result) -> None:
        read = os.open(source, READ)
        try:
            written = os.open(target, NEW, PRIVATE)
            try:
                if not (self.shares and self.share(read, written)):
                    _fill(read, written, found)
            finally:
                os.close(written)
        finally:
            os.close(read)

    def share(self, read: int, written: int) -> bool:
        try:
            fcntl.ioctl(written, FICLONE, read)
        except OSError:  # what else is wrong with this file is told when it is copied
            self.shares = False
        return self.shares


def _fill(read: int, written: int, found: os.stat_result) -> None:
    """Copy what is in a file; the holes of a sparse one stay."""
    at, size = 0, found.st_size
    sparse = found.st_blocks * 512 < size
    while at < size:
        if sparse and (at := _next_data(read, at, size)) == size:
            break
        end = os.lseek(read, at, os.SEEK_HOLE) if sparse else size
        while at < end:
            at += _piece(read, written, at, end - at)
    if sparse:
        os.ftruncate(written, size)


def _next_data(read: int, at: int, size: int) -> int:
    try:
        return os.lseek(read, at, os.SEEK_DATA)
    except OSError as error:
        if error.errno != errno.ENXIO:
            raise
        return size  # a hole to the end


def _piece(read: int, written: int, at: int, size: int) -> int:
    """Copy some bytes; how many."""
    try:
        done = os.copy_file_range(read, written, size, at, at)
    except OSError as error:
        if error.errno not in UNABLE:
            raise
        done = 0
    if not done:
        os.lseek(written, at, os.SEEK_SET)
        done = os.sendfile(written, read, at, size)
    if not done:
        raise OSError(errno.EIO, "it has become shorter while it was copied")
    return done


def _dress(source: bytes, target: bytes, found: os.stat_result) -> None:
    """Give a copy its owner, its attributes, its mode and its times."""
    with storage.named(Path(os.fsdecode(target))):
        if (found.st_uid, found.st_gid) != (os.geteuid(), os.getegid()):
            with contextlib.suppress(PermissionError):  # an ordinary user's copy is the user's own
                os.chown(target, found.st_uid, found.st_gid, follow_symlinks=False)
        for name in _attributes(source):
            try:
                os.setxattr(target, name, os.getxattr(source, name, follow_symlinks=False), follow_symlinks=False)
            except OSError as error:
                if error.errno not in (*UNABLE, errno.ENODATA):
                    raise
        if not stat.S_ISLNK(found.st_mode):
            os.chmod(target, stat.S_IMODE(found.st_mode))  # noqa: PTH101
        os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns), follow_symlinks=False)


def _attributes(path: bytes) -> list[str]:
    try:
        return os.listxattr(path, follow_symlinks=False)
    except OSError:  # a file system without any
        return []
