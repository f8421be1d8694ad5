"""What killed processes of a run left and nobody needs: known as ours by where it lies, and removed.

Worktrees of packages are not debris: `run.resume.attempts` saves what is in them first.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

from parallel_impl.git import home as homes
from parallel_impl.git.remove import remove
from parallel_impl.record.state import State
from parallel_impl.run.places import Places
from parallel_impl.run.run import sweep
from parallel_impl.run.start import base_check
from parallel_impl.storage import write_atomically

LOCK_SECONDS = 1.0  # git holds the lock of a ref for milliseconds


def run_id(places: Places, state: State) -> str:
    """The random id that marks every process of this run: journalled, or kept beside the journal until it is.

    This process marks what it starts itself (git, rm) from here on.
    """
    found = known_run_id(places, state)
    if not found:
        found = secrets.token_hex(16)
        write_atomically(places.run_id, found.encode())
    os.environ["PARALLEL_IMPL_RUN"] = found
    return found


def known_run_id(places: Places, state: State) -> str:
    """The id of a run as far as it has one yet; of a run that was copied with its repository not the original's."""
    if state.started and not _is_copy(places, state):
        return state.run_id
    return places.run_id.read_text() if places.run_id.is_file() else ""


def place(places: Places) -> str:
    """What tells the repository from a copy of it: device and inode of its common dir, and the path."""
    status = places.common.stat()
    return f"{status.st_dev}:{status.st_ino}:{places.common}"


def _is_copy(places: Places, state: State) -> bool:
    """Whether the repository that the journal was written in is still there, and is another one than this."""
    if not state.place or state.place == place(places):
        return False
    there = Places(Path(state.place.split(":", 2)[2]), places.change_id)
    return there.common.is_dir() and place(there) == state.place


def clear(places: Places, state: State, marked: str, home: Path) -> None:
    """Remove private TMPDIRs (of the run id `marked`), scratch folders, checkouts for gates, and our lock files.

    `home` is where the worktrees lie now: in a copy of a repository that is not where they were at the first start.
    """
    sweep(marked)
    remove(places.trees)
    if state.started:
        close(places, home)
    for lock in _locks(places, state):
        lock.unlink(missing_ok=True)


def close(places: Places, home: Path) -> None:
    """Remove the checkouts for gates, and the folders of worktrees as far as they are empty then."""
    for name in (base_check.BASE, base_check.CANDIDATE):
        remove(home / name, home / f"{name}.git", places.indexes / name)
    homes.remove_empty(home)


def _locks(places: Places, state: State) -> Iterator[Path]:
    """Lock files of a git process of ours that was killed with us: nobody else writes these refs and indexes.

    The feature branch may be the user's too: its lock is ours only if it was made after the journal's last word, which
    was that everything is proven.
    """
    for folder in (places.common / places.refs, places.indexes):
        yield from folder.rglob("*.lock")
    branch = places.common / f"{places.branch_ref}.lock"
    if not state.proven or state.landed:
        return
    until = time.monotonic() + LOCK_SECONDS
    while _is_younger(branch, places.journal):
        if time.monotonic() > until:
            yield branch
            return
        time.sleep(0.01)


def _is_younger(lock: Path, journal: Path) -> bool:
    try:
        return lock.stat().st_mtime_ns >= journal.stat().st_mtime_ns
    except FileNotFoundError:
        return False  # whoever held it is done
