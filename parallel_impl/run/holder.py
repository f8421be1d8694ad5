"""Who works on a change right now: one process at a time, and the lock ends with it, however it ends.

The lock is the operating system's (a child that clears descriptors does not keep it); a file beside it says who
holds it, for messages only. Used by `run.preflight`, `run.cleanup` and `run.past`.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from parallel_impl.errors import UserError
from parallel_impl.record.journal import write_atomically
from parallel_impl.run.places import Places


@contextmanager
def held(places: Places) -> Iterator[None]:
    """Hold the change for this process; UserError names who holds it when another one does."""
    folder = _folder(places)
    try:
        lock = _acquire(folder / f"{places.change_id}.lock")
    except Timeout:
        who = holder(places) or "another process"
        hint = "wait for it, or stop it with Ctrl-C where it runs: its work is kept"
        raise UserError(f"{places.change_id} is being worked on by {who}", where=str(places.state), hint=hint) from None
    about = folder / f"{places.change_id}.json"
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    told = {"pid": os.getpid(), "host": socket.gethostname(), "since": since, "command": " ".join(sys.argv)}
    write_atomically(about, json.dumps(told).encode())
    try:
        yield
    finally:
        about.unlink(missing_ok=True)
        lock.release()


def _acquire(path: Path) -> FileLock:
    """The lock, on the file that lies at `path` now: one that was unlinked under its holder excludes nobody."""
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        lock.acquire(timeout=0)
        descriptor = lock._context.lock_file_fd  # filelock has no public way to the file that it holds
        try:
            if descriptor is not None and os.path.samestat(os.fstat(descriptor), path.stat()):
                return lock
        except FileNotFoundError:
            pass
        lock.release()


def holder(places: Places) -> str:
    """Who holds the change, in words; "" when nobody does."""
    folder = _folder(places)
    if not (folder / f"{places.change_id}.lock").exists():
        return ""
    lock = FileLock(folder / f"{places.change_id}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return _told(folder / f"{places.change_id}.json")
    lock.release()
    return ""


def _told(about: Path) -> str:
    try:
        told = json.loads(about.read_bytes())
        return f"process {told['pid']} on {told['host']} since {told['since']}: {told['command']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"


def _folder(places: Places) -> Path:
    return places.state.parent / ".locks"


def forget(places: Places) -> None:
    """Remove the lock files of a change that is cleaned up, while they are held; folders that are empty then too."""
    folder = _folder(places)
    for ending in ("json", "lock"):
        (folder / f"{places.change_id}.{ending}").unlink(missing_ok=True)
    for place in (folder, folder.parent):
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()
