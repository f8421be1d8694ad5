"""Machines that can do less than this one: what to put before a command, so that it and all it starts run on one.

`lacking(words)` skips a test where this machine cannot be made one of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
IN_NAMESPACE = ("unshare", "--user", "--map-root-user")
NO_MORE = "echo 0 >/proc/sys/user/max_user_namespaces; exec"
ON_OVERLAY = """\
mkdir -p "$1" "$1.upper" "$1.work"
mount -t overlay overlay -o lowerdir="$1",upperdir="$1.upper",workdir="$1.work" "$1"
shift; cd "$PWD"; exec "$@"
"""  # (cd: the folder in which it was started is what is below the mount)

# the kernel refuses unshare and mount by a filter
FILTERED = (sys.executable, str(HERE / "refused_calls.py"))
# root of a container that may not administer
NO_ADMIN = ("setpriv", "--bounding-set=-sys_admin")
# root of a user namespace, as in a container that a user started
ROOT_OF_NAMESPACE = IN_NAMESPACE
# an ordinary user's (what is root there may nothing), and no further user namespaces
NO_NAMESPACES = (*IN_NAMESPACE, "sh", "-ec", f'{NO_MORE} setpriv --bounding-set=-all --inh-caps=-all "$@"', "sh")
# root may mount, but no overlay: it is no real root, and there are no further user namespaces
NO_OVERLAY = (*IN_NAMESPACE, "sh", "-ec", f'{NO_MORE} "$@"', "sh")


def overlay_at(folder: Path) -> tuple[str, ...]:
    """This folder is on an overlay, as everything in a container that is on no volume."""
    return "unshare", "--mount", "sh", "-ec", ON_OVERLAY, "sh", str(folder)


def noatime_at(folder: Path) -> tuple[str, ...]:
    """Nobody learns when a file in this folder was last read."""
    mounts = 'mount --bind "$1" "$1"; mount -o remount,bind,noatime "$1"; shift; cd "$PWD"; exec "$@"'
    return "unshare", "--mount", "sh", "-ec", mounts, "sh", str(folder)


def lacking(words: tuple[str, ...]) -> tuple[str, ...]:
    """The words, where a command starts behind them; skips where none does."""
    try:
        done = subprocess.run([*words, "true"], check=False, capture_output=True, text=True)
    except FileNotFoundError as error:
        pytest.skip(f"no such machine can be made here: {error}")
    if done.returncode or (words == NO_ADMIN and os.geteuid() != 0):
        pytest.skip(f"no such machine can be made here: {done.stderr.strip() or 'only root gives capabilities up'}")
    return words
