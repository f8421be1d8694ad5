"""Removing folders that an agent had: whatever it made of them, and never through a symlink.

`rm` walks by descriptors, so that neither a symlink swapped in meanwhile nor a path deeper than may be long (or than
Python recurses) is a problem, and worker threads run beside it.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

TRIES = 3  # a process that outlived its agent may still write


def remove(*places: Path) -> None:
    """Remove files, symlinks and folder trees; absent ones are fine. OSError when something is still there."""
    left = [str(place) for place in places if os.path.lexists(place)]
    for _ in range(TRIES):
        if not left:
            return
        done = _run("rm", "-rf", "--", *left)
        left = [place for place in left if os.path.lexists(place)]
        for place in left:
            # an agent may leave folders without permission; files stay alone: one may be a hard link to the user's
            closed = ["-type", "d", "!", "-perm", "-700", "-exec", "chmod", "u+rwx", "{}", ";"]
            _run("find", place, *closed)
    if left:
        raise OSError(f"could not be removed: {left[0]}: {done.stderr.decode(errors='replace').strip()[:500]}")


def _run(*command: str) -> subprocess.CompletedProcess[bytes]:
    """In a process group of its own: Ctrl-C at a terminal is for us, not for what clears up."""
    return subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, process_group=0)
