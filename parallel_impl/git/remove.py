"""Removing folders that an agent had: whatever it made of them, and never through a symlink.

What is small is removed in this process, by descriptors. `rm` takes what is large, deep or closed: it walks by
descriptors too, so that neither a symlink swapped in meanwhile nor a path deeper than may be long (or than Python
recurses) is a problem, and worker threads run beside it.
"""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from itertools import islice
from pathlib import Path

WHY = (errno.EACCES, errno.EROFS, errno.EBUSY, errno.ENOTEMPTY)  # as `rm` says it; else it is not permitted
TRIES = 3  # a process that outlived its agent may still write
SMALL = 500  # entries of a tree that costs less than a process
DEEPEST = 40
AS_IT_IS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def remove(*places: Path) -> None:
    """Remove files, symlinks and folder trees; absent ones are fine. OSError names what is still there, and why."""
    left = [str(place) for place in places if not _remove_small(place)]
    for _ in range(TRIES):
        if not left:
            return
        done = _run("rm", "-rf", "--", *left)
        left = [place for place in left if os.path.lexists(place)]
        for place in left:
            open_folders(Path(place))
    if left:
        said = done.stderr.decode(errors="replace").strip()[:500]
        why = next((number for number in WHY if os.strerror(number) in said), errno.EPERM)
        raise OSError(why, f"could not be removed: {left[0]}: {said}", str(left[0]))


def open_folders(place: Path) -> None:
    """Give the user back the folders at and below `place` that an agent left without permission.

    Files stay alone: one may be a hard link to the user's.
    """
    _run("find", str(place), "-type", "d", "!", "-perm", "-700", "-exec", "chmod", "u+rwx", "{}", ";")


def try_remove(*places: Path) -> str:
    """The same, for what is in nobody's way: why something is still there, in words, "" when nothing is."""
    try:
        remove(*places)
    except OSError as error:
        return str(error.strerror)
    return ""


def _remove_small(place: Path) -> bool:
    """Remove a place unless it is large; False where something of it is left, for whatever reason."""
    try:
        if not stat.S_ISDIR(place.lstat().st_mode):
            place.unlink()
            return True
        folder = os.open(place, AS_IT_IS)
        try:
            if _empty(folder, SMALL, 0) < 0:
                return False
        finally:
            os.close(folder)
        place.rmdir()
    except FileNotFoundError:
        return not os.path.lexists(place)
    except OSError:
        return False
    return True


def _empty(folder: int, room: int, depth: int) -> int:
    """Remove what is in a folder as long as there is `room` for its entries; how much is left, -1 for too little."""
    with os.scandir(folder) as found:
        entries = list(islice(found, room + 1))
    room -= len(entries)
    if room < 0 or depth > DEEPEST:
        return -1
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.name, dir_fd=folder)
            continue
        below = os.open(entry.name, AS_IT_IS, dir_fd=folder)
        try:
            room = _empty(below, room, depth + 1)
        finally:
            os.close(below)
        if room < 0:
            return -1
        os.rmdir(entry.name, dir_fd=folder)
    return room


def _run(*command: str) -> subprocess.CompletedProcess[bytes]:
    """In a process group of its own: Ctrl-C at a terminal is for us, not for what clears up."""
    env = {**os.environ, "LC_ALL": "C", "PATH": f"{os.environ.get('PATH', '')}{os.pathsep}{os.defpath}"}
    return subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, process_group=0, env=env)
