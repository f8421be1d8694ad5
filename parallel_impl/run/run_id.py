"""The random id of a run, which marks each of its processes, and what tells a repository from a copy of it."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from parallel_impl.record.state import State
from parallel_impl.run.places import Places
from parallel_impl.storage import write_atomically

MARK = "PARALLEL_IMPL_RUN"


def ensure(places: Places, state: State) -> str:
    """The id of this run: the journal's, or one that is kept beside the journal until that has it.

    From here on this process marks whatever it starts itself (git, rm).
    """
    found = find(places, state)
    if not found:
        found = secrets.token_hex(16)
        write_atomically(places.run_id, found.encode())
    os.environ[MARK] = found
    return found


def find(places: Places, state: State) -> str:
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
