"""Files that are written whole, the user's state directory, and disks that take or give nothing more.

A full disk is the machine's fault, reported as such: it costs no attempt and is no bug.
"""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import shlex
import shutil
import stat
import tempfile
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from parallel_impl.errors import Problem, UserError
from parallel_impl.text import masked

if TYPE_CHECKING:
    from _typeshed import StrOrBytesPath

WHAT_TO_DO = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space, or ask for a larger quota",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it readable and writable for you",
    errno.EPERM: "make it readable and writable for you",
    errno.EIO: "look at the disk (dmesg)",
}
OWN, WORKTREES = "parallel-impl", ".worktrees"  # the folders that are this tool's: in a repository, beside it
LARGEST_MASKED = 64_000_000  # bytes; a log of ours has 50 MB at most
LEAST = 1_000_000  # bytes; with less a disk counts as full: a program that failed for it may have freed a little


def home_directory() -> Path | None:
    """The user's home: HOME, else what the system knows; None for a user that it does not know (in a container)."""
    if home := os.environ.get("HOME"):
        return Path(home)
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None


def config_directory() -> Path | None:
    """Where programs look for the user's configuration; None without a home."""
    home = home_directory()
    usual = str(home / ".config") if home else ""
    folder = os.environ.get("XDG_CONFIG_HOME") or usual
    return Path(folder) if folder else None


def expand(path: str) -> Path:
    """The path with a leading `~` replaced; as it is where there is no such home."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - `Path.expanduser` raises without a home


def real(path: Path) -> Path:
    """The path with every link followed; a link that leads to itself stays, where `Path.resolve` raises."""
    return Path(os.path.realpath(path))


def state_directory() -> Path:
    """Where this tool keeps things of the user's that belong in no repository: worktrees, logs of bugs.

    Without a home that can be written it is `parallel-impl-<uid>` below TMPDIR, made here. UserError where that is a
    link or another user's.
    """
    if folder := os.environ.get("XDG_STATE_HOME"):
        return Path(folder) / "parallel-impl"
    home = home_directory()
    usual = home / ".local/state" if home else None
    if usual and os.access(nearest(usual), os.W_OK | os.X_OK):
        return usual / "parallel-impl"
    place = Path(tempfile.gettempdir()) / f"parallel-impl-{os.geteuid()}"
    with contextlib.suppress(FileExistsError):
        place.mkdir(mode=0o700)
    found = place.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        what = "there is no home folder, and the one for its place is a link, another user's or open to others"
        raise UserError(what, where=str(place), hint="set HOME to a folder of yours, or remove that one")
    return place


def is_of_disk(error: OSError) -> bool:
    """Whether the disk itself refuses: it is full, read-only or broken; a closed or odd file is somebody's doing."""
    return error.errno in WHAT_TO_DO and error.errno not in (errno.EACCES, errno.EPERM)


def what_to_do(error: OSError) -> str:
    """What a person does about a disk that refuses, a verb first; "" where the error is none of a disk's."""
    return WHAT_TO_DO.get(error.errno or 0, "")


def problem(error: OSError) -> Problem | None:
    """What to report when the machine, not this program, is why a file could not be read or written; else None."""
    where = str(error.filename or "")
    if error.errno not in WHAT_TO_DO or (error.errno in (errno.EACCES, errno.EPERM) and not where):
        return None  # without a file it is something else that is not permitted
    hint = f"{WHAT_TO_DO[error.errno]}, then give the same command again: nothing is lost, it goes on where it was"
    return Problem(str(error.strerror), where=where, hint=hint)


def misplaced(error: OSError) -> Problem | None:
    """What to report when something else lies where a file or folder of this tool's is due; else None.

    Only there: anywhere else such an error is a bug.
    """
    path, odd = Path(str(error.filename or "")), (errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EEXIST)
    if error.errno not in odd or not any(part == OWN or part.endswith(WORKTREES) for part in path.parts):
        return None
    there = path if error.errno == errno.EISDIR else obstruction(path) or path
    aside = f"mv {shlex.quote(str(there))} {shlex.quote(f'{there}.old')}"
    what = f"{error.strerror}: a {'file' if there == path else 'folder'} of this tool is due there"
    return Problem(what, where=str(there), hint=f"put it aside, and give the same command again: {aside}")


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
        there = nearest(folder)
        if shutil.disk_usage(there).free < LEAST:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(there))


def nearest(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that exists: what a folder that is yet to be made would lie in."""
    above = (folder, *folder.parents)
    return next(place for place in above if os.path.isdir(place))  # noqa: PTH112 - `Path.is_dir` raises in a closed one


def obstruction(folder: Path) -> Path | None:
    """What lies where the folder, or one above it, is to be: a file, or a link that leads nowhere; None for nothing."""
    above = (folder, *folder.parents)
    found = next((place for place in above if os.path.lexists(place)), None)
    return found if found and not os.path.isdir(found) else None  # noqa: PTH112


def size(folder: Path) -> int:
    """Bytes of all files below a folder; links are not followed, and what cannot be read (any more) counts nothing."""
    total, folders = 0, [os.fspath(folder)]
    while folders:
        with contextlib.suppress(OSError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    with contextlib.suppress(OSError):
                        total += entry.stat(follow_symlinks=False).st_size
    return total


def read_regular(file: Path, largest: int) -> bytes | None:
    """What is in a file that somebody else wrote; None when it is a link, no regular file, or larger than `largest`.

    It is judged by what was opened: a FIFO would be waited for, a device never ends, and a name may mean another file
    in the next moment. FileNotFoundError when there is none.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a symlink; a socket
            return None
        raise
    with open(descriptor, "rb") as opened:  # noqa: PTH123  (a descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        content = opened.read(largest + 1)
    return content if len(content) <= largest else None


def read(file: Path) -> bytes:
    """What is in a file of ours that an agent can reach; OSError when there is none.

    ValueError for what is no regular file: a FIFO would be waited for.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO):  # a link to itself; a socket
            raise ValueError(f"{file} is no regular file") from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{file} is no regular file")
        with open(descriptor, "rb", closefd=False) as opened:
            return opened.read()
    finally:
        os.close(descriptor)


def open_to_append(file: Path) -> FileIO:
    """A file of ours, opened unbuffered to append to; what an agent made in its place is put aside.

    A FIFO would be waited for, and a link may lead anywhere.
    """
    with contextlib.suppress(FileNotFoundError):
        kind = stat.S_IFMT(file.lstat().st_mode)
        if kind in (stat.S_IFIFO, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFSOCK):
            put_aside(file, ".aside")
    return file.open("ab", buffering=0)


def mask_files(folder: Path, secrets: Collection[bytes], *, ours: Collection[Path] = ()) -> None:
    """Put `***` for secrets in the files below a folder that programs may write to, and in the names of what is there.

    Links are not followed. What is larger than a log of ours is left, and so are what cannot be read and `ours`, where
    a value may be a word that we read again.
    """
    if not secrets:
        return
    for above, folders, files in os.walk(os.fsencode(folder), topdown=False):
        for name in (*files, *folders):
            place = Path(os.fsdecode(above), os.fsdecode(name))
            with contextlib.suppress(FileNotFoundError, PermissionError):
                if place not in ours:
                    _mask(place, secrets)
                shown = masked(name, secrets)
                if shown != name and not os.path.lexists(target := place.with_name(os.fsdecode(shown))):
                    place.rename(target)


def _mask(file: Path, secrets: Collection[bytes]) -> None:
    if stat.S_ISREG(file.lstat().st_mode) and (content := read_regular(file, LARGEST_MASKED)):
        shown = masked(content, secrets)
        if shown != content:
            write_atomically(file, shown, durably=False)


def signature(file: StrOrBytesPath) -> tuple[int, ...]:
    """What changes when a file is written or replaced: mode, size, inode, times, of a symlink its own; () for none."""
    try:
        found = os.lstat(file)
    except OSError:
        return ()
    return found.st_mode, found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns


def put_aside(path: Path, ending: str) -> None:
    """Rename what somebody else put there, whatever it is, to its name with `ending`, or that with a number."""
    if not os.path.lexists(path):
        return
    number, aside = 1, path.with_name(path.name + ending)
    while os.path.lexists(aside):
        number, aside = number + 1, path.with_name(f"{path.name}{ending}.{number + 1}")
    with contextlib.suppress(FileNotFoundError):
        path.rename(aside)


def replace(temporary: Path, path: Path) -> None:
    """Rename a file of ours to its place; a folder that somebody made there is put aside."""
    try:
        temporary.replace(path)
    except IsADirectoryError:
        put_aside(path, ".aside")
        temporary.replace(path)


def write_atomically(path: Path, content: bytes, *, durably: bool = True) -> None:
    """Replace a file so that after a crash it is the old or the new one, whole: temp, fsync, rename, fsync folder.

    Not `durably`, it is so for whoever reads it meanwhile, and after a power cut it may be empty.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # two threads may write one file: gates on the base, and gates on a candidate that has the base's tree
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_native_id()}.tmp")
    try:
        with named(path):
            with temporary.open("wb") as file:
                file.write(content)
                file.flush()
                if durably:
                    os.fsync(file.fileno())
            replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    if durably:
        sync_folder(path.parent)


def write(path: Path, content: bytes) -> None:
    """Write a file in its place, for what a killed process may leave in part. An error names the file."""
    with named(path):
        path.write_bytes(content)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable (a rename without it can be undone by a power cut)."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with named(folder):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
