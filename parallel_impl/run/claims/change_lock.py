"""Who works on a change right now: one process at a time, and the lock ends with it, however it ends.

The lock is the operating system's. A file beside it says who holds it and which file the lock is on, so that nobody
else gets in where the lock file is unlinked under a process that lives.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from parallel_impl import storage
from parallel_impl.errors import UserError
from parallel_impl.record import json_form
from parallel_impl.run.claims import lock_file
from parallel_impl.run.claims.lock_file import FileIdentity, HeldError
from parallel_impl.run.claims.process_identity import Owner
from parallel_impl.run.places import Places
from parallel_impl.storage import write_atomically

PATIENCE = 0.5  # seconds: who only asks whether a lock is held has it for an instant


class Hold(msgspec.Struct, frozen=True):
    """The hold on a change: who has it, and the file that its lock is on."""

    owner: Owner
    lock: FileIdentity


@contextmanager
def hold(places: Places) -> Iterator[Hold]:
    """Hold the change for this process; UserError names who holds it when another one does."""
    try:
        lock = lock_file.acquire(_lock(places), seconds=PATIENCE)
    except HeldError:
        raise _refusal(places, find_owner(places) or "another process") from None
    try:
        if other := _elsewhere(places, lock.identity):
            raise _refusal(places, other)
        found = Hold(Owner.this(), lock.identity)
        write_atomically(_about(places), json_form.encode(found))
        try:
            yield found
        finally:
            _about(places).unlink(missing_ok=True)
    finally:
        lock.release()


def find_owner(places: Places) -> str:
    """Who holds the change, in words; "" when nobody does."""
    if lock_file.is_held(_lock(places)):
        noted = _noted(places)
        return str(noted.owner) if noted else "another process"
    return _elsewhere(places, FileIdentity.at(_lock(places)))


def _elsewhere(places: Places, lock: FileIdentity | None) -> str:
    """Who holds the change by another file than `lock`, which lies at the path now; "" when nobody does."""
    noted = _noted(places)
    if noted and noted.lock != lock and noted.owner.lives():
        return str(noted.owner)
    if lock_file.is_held(places.journal):  # the last barrier, where all of the lock files were removed
        return "another process, which writes its journal"
    return ""


def _noted(places: Places) -> Hold | None:
    """The hold that was recorded last; None when there is none, or when it was given back."""
    file = _about(places)
    try:
        return json_form.decode(storage.read(file), Hold)
    except FileNotFoundError:
        return None
    except ValueError as error:
        hint = f"if nobody works on {places.change_id}, remove this file"
        raise UserError("who holds the change cannot be read", where=str(file), hint=hint) from error


def _refusal(places: Places, who: str) -> UserError:
    hint = "wait for it, or stop it with Ctrl-C where it runs: its work is kept"
    return UserError(f"{places.change_id} is being worked on by {who}", where=str(places.state), hint=hint)


def _lock(places: Places) -> Path:
    return places.locks / f"{places.change_id}.lock"


def _about(places: Places) -> Path:
    return places.locks / f"{places.change_id}.json"


def has_files(places: Places) -> bool:
    """Whether lock files of the change are there: held, or left by a cleanup that was killed."""
    return _lock(places).exists() or _about(places).exists()


def forget(places: Places) -> None:
    """Remove the lock files of a change that is cleaned up, while they are held; folders that are empty then too."""
    for file in (_about(places), _lock(places), *places.locks.glob(f".{_about(places).name}.*.tmp")):
        file.unlink(missing_ok=True)
    remove_empty(places)


def remove_empty(places: Places) -> None:
    """Remove the folders of locks and states, as far as they are empty."""
    for folder in (places.locks, places.locks.parent):
        with contextlib.suppress(OSError):  # another run put something there
            folder.rmdir()
