"""Removing folders that an agent had: whatever it made of them, and never through a symlink.

`rm` walks by descriptors, so that neither a symlink swapped in meanwhile nor a path deeper than may be long (or than
Python recurses) is a problem, and worker threads run beside it.
"""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

WHY = (errno.EACCES, errno.EROFS, errno.EBUSY, errno.ENOTEMPTY)  # as `rm` says it; else it is not permitted
TRIES = 3  # a process that outlived its agent may still write


def remove(*places: Path) -> None:
    """Remove files, symlinks and folder trees; absent ones are fine. OSError names what is still there, and why."""
    left = [str(place) for place in places if os.path.lexists(place)]
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


def _run(*command: str) -> subprocess.CompletedProcess[bytes]:
    """In a process group of its own: Ctrl-C at a terminal is for us, not for what clears up."""
    env = {**os.environ, "LC_ALL": "C", "PATH": f"{os.environ.get('PATH', '')}{os.pathsep}{os.defpath}"}
    return subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, process_group=0, env=env)
