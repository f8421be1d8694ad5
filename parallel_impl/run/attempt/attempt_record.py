"""An attempt in flight, as its worker keeps it in `attempt.json`: enough to end it and to save its work after a crash.

It is written before the agent starts, and again when the agent's process is there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from parallel_impl import storage
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.staging import Snapshot
from parallel_impl.processes.procfs import boot_id, start_time
from parallel_impl.processes.procfs import lives as lives_still
from parallel_impl.record import json_form
from parallel_impl.views.view import View


class DamagedError(Exception):
    """A record that a power cut tore."""


class AttemptRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a crashed attempt had: the commit it started from, its worktree as it was then, its agent's process.

    `tree`, `odd`, `ignored`, `submodules` and `taken_ns` are the snapshot of the worktree. `at`, `layers`, `upper`,
    `copy` and `user` are its view's ("": it has none).
    """

    start: str
    tree: str
    odd: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    submodules: Mapping[str, str] = {}
    taken_ns: int = 0
    pid: int = 0
    start_time: int = 0
    boot_id: str = ""
    at: str = ""
    layers: tuple[str, ...] = ()
    upper: str = ""
    copy: str = ""
    user: bool = False

    @property
    def view(self) -> View | None:
        """The view of its worktree, as far as its work is found by that."""
        if not self.at:
            return None
        return View(Path(self.at), Path(), Path(), self.layers, self.upper, copy=self.copy, user=self.user)

    @property
    def snapshot(self) -> Snapshot:
        """The worktree immediately before the agent."""
        return Snapshot(
            self.tree,
            odd=frozenset(map(os.fsencode, self.odd)),
            ignored=frozenset(map(os.fsencode, self.ignored)),
            submodules={os.fsencode(path): fingerprint for path, fingerprint in self.submodules.items()},
            taken_ns=self.taken_ns,
        )


def note(file: Path, checkout: Checkout, before: Snapshot, *, pid: int = 0) -> None:
    """Write the record, replaced atomically. It need not outlive a power cut: no process of the attempt does."""
    about = checkout.mounted.about if checkout.mounted else None
    record = AttemptRecord(
        start=checkout.commit,
        tree=before.tree,
        odd=tuple(map(os.fsdecode, sorted(before.odd))),
        ignored=tuple(map(os.fsdecode, sorted(before.ignored))),
        submodules={os.fsdecode(path): fingerprint for path, fingerprint in before.submodules.items()},
        taken_ns=before.taken_ns,
        pid=pid,
        start_time=start_time(pid) if pid else 0,
        boot_id=boot_id(),
        at=str(about.at) if about else "",
        layers=about.layers if about else (),
        upper=about.upper if about else "",
        copy=about.copy if about else "",
        user=about is not None and about.user,
    )
    temporary = file.with_name(f".{file.name}.tmp")
    storage.write(temporary, json_form.encode(record))
    storage.replace(temporary, file)


def read(file: Path) -> AttemptRecord | None:
    """The record of an attempt; None when its agent had not been started yet. DamagedError when it cannot be read."""
    try:
        return json_form.decode(storage.read(file), AttemptRecord)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DamagedError(str(file)) from error


def lives(record: AttemptRecord) -> bool:
    """Whether its agent is alive: the pid, its start time and the machine's start, so never a recycled pid."""
    return bool(record.pid) and lives_still(record.pid, started=record.start_time, boot=record.boot_id)
