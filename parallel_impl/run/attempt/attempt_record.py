"""An attempt in flight, as its worker keeps it in `attempt.json`: enough to end it and to save its work after a crash.

`run.attempt.attempt` writes it before the agent starts and again when its process is there; `run.resume.attempts` reads
it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from parallel_impl import storage
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.staging import Snapshot
from parallel_impl.processes.procfs import boot_id, start_time
from parallel_impl.processes.procfs import lives as lives_still

FILE = "attempt.json"


class DamagedError(Exception):
    """A note that a power cut tore."""


@dataclass(frozen=True, slots=True)
class Note:
    """What a crashed attempt had: the commit it started from, its worktree as it was then, its agent's process."""

    start: str
    snapshot: Snapshot
    pid: int = 0
    start_time: int = 0
    boot_id: str = ""


def note(folder: Path, checkout: Checkout, before: Snapshot, *, pid: int = 0) -> None:
    """Write the note, replaced atomically. It need not outlive a power cut: no process of the attempt does."""
    told = {
        "start": checkout.commit,
        "tree": before.tree,
        "odd": [os.fsdecode(path) for path in sorted(before.odd)],
        "ignored": [os.fsdecode(path) for path in sorted(before.ignored)],
        "submodules": {os.fsdecode(path): fingerprint for path, fingerprint in before.submodules.items()},
        "taken_ns": before.taken_ns,
        "pid": pid,
        "start_time": start_time(pid) if pid else 0,
        "boot_id": boot_id(),
    }
    temporary = folder / f".{FILE}.tmp"
    with storage.named(temporary):
        temporary.write_text(json.dumps(told))
    temporary.replace(folder / FILE)


def read(folder: Path) -> Note | None:
    """The note of an attempt; None when its agent had not been started yet. DamagedError when it cannot be read."""
    try:
        told = json.loads((folder / FILE).read_bytes())
        snapshot = Snapshot(
            told["tree"],
            odd=frozenset(os.fsencode(path) for path in told["odd"]),
            ignored=frozenset(os.fsencode(path) for path in told["ignored"]),
            submodules={os.fsencode(path): fingerprint for path, fingerprint in told["submodules"].items()},
            taken_ns=told["taken_ns"],
        )
        return Note(told["start"], snapshot, told["pid"], told["start_time"], told["boot_id"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError) as error:
        raise DamagedError(str(folder / FILE)) from error


def lives(noted: Note) -> bool:
    """Whether the noted process is alive: the pid, its start time and the machine's start, so never a recycled pid."""
    return bool(noted.pid) and lives_still(noted.pid, started=noted.start_time, boot=noted.boot_id)
