"""Removing a folder that an agent had: whatever it made of it, and never through a symlink.

Used by `checkout` and `trees`, and by cleanup.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

TRIES = 3  # a process that outlived its agent may still write


def remove(folder: Path) -> None:
    """Remove a file, symlink or folder tree; absent is fine. OSError when it is still there after all.

    Folders without permission are opened first (an agent left mode 000); trees deeper than Python's recursion,
    or than a path may be long, go to `rm`, which walks by descriptors.
    """
    for last in (False,) * (TRIES - 1) + (True,):
        try:
            if not stat.S_ISDIR(folder.lstat().st_mode):
                folder.unlink()
            else:
                shutil.rmtree(folder)
            return
        except FileNotFoundError:
            if not os.path.lexists(folder):
                return
        except (OSError, RecursionError):
            if last:
                raise
        _force(folder)
    if os.path.lexists(folder):
        raise OSError(f"could not be removed: {folder}")


def _force(folder: Path) -> None:
    # folders only: a file may be a hard link to one of the user's, and would get its mode changed there
    closed = ["-type", "d", "!", "-perm", "-700", "-exec", "chmod", "u+rwx", "{}", ";"]
    for command in (["find", str(folder), *closed], ["rm", "-rf", "--", str(folder)]):
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True)
