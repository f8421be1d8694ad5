"""The ledger: what each run of a repository claims, in one file that is replaced as a whole.

    <common>/parallel-impl/.locks/_claims.json          the entries, by change (an id never begins with `_`)
    <common>/parallel-impl/.locks/_claims.lock          its guard: one process at a time reads and replaces it
    <common>/parallel-impl/.locks/_claims.inside.*      who is inside right now, and by which guard file

Reading alone needs no guard. A guard file that was unlinked while somebody was inside lets the next one acquire a new
file; therefore who enters says so first, and goes on only when nobody else who lives is inside by another file. Both
say it before they look, so two can't miss each other.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parallel_impl.errors import UserError
from parallel_impl.plan import ids
from parallel_impl.plan.lock_keys import claim_order
from parallel_impl.plan.model import Locks, Package, Scope
from parallel_impl.processes.procfs import boot_id, lives, start_time
from parallel_impl.run.claims import lock_file
from parallel_impl.run.claims.lock_file import HeldError, Identity, LockFile
from parallel_impl.run.claims.process_identity import Owner
from parallel_impl.storage import write_atomically

FILE, GUARD, INSIDE = "_claims.json", "_claims.lock", "_claims.inside"
FORMAT = 1
PATIENCE = 60.0  # seconds that others may be inside; comparing plans of 1,000 packages takes about three


@dataclass(frozen=True, slots=True)
class Entry:
    """The claims of one run: whose, which file its lock is on, and what each package writes and locks."""

    change_id: str
    owner: Owner
    lock: Identity
    packages: tuple[Package, ...]


Entries = Mapping[str, Entry]


def read(folder: Path) -> dict[str, Entry]:
    """The entries by change, sorted; none when there is no ledger. UserError when it is damaged."""
    file = folder / FILE
    try:
        told = json.loads(file.read_bytes())
        if told["format"] != FORMAT:
            raise ValueError(f"format {told['format']!r} is unknown")
        return {change: _entry(change, values) for change, values in sorted(told["runs"].items())}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "let the runs of this repository end, then remove the file"
        raise UserError(f"the ledger of claims is damaged: {error}", where=str(file), hint=hint) from error


def update(folder: Path, change: Callable[[Entries], Entries]) -> None:
    """Replace the entries by what `change` makes of them, with nobody else inside; equal ones are not written.

    `change` may be called again, when the guard was unlinked meanwhile. UserError when others stay inside for long.
    """
    until = time.monotonic() + PATIENCE
    while True:
        with _inside(folder, until) as guard:
            before = read(folder)
            after = dict(change(before))
            if guard.is_in_place():
                if after != before:
                    _write(folder, after)
                if not after:  # nothing is left behind; who waits for this guard sees that it is gone
                    guard.path.unlink(missing_ok=True)
                return


def _write(folder: Path, entries: Entries) -> None:
    for left in folder.glob(f".{FILE}.*.tmp"):  # by a process that was killed: who is inside is alone here
        left.unlink(missing_ok=True)
    if not entries:
        (folder / FILE).unlink(missing_ok=True)
        return
    runs = {change: _told(entries[change]) for change in sorted(entries)}
    write_atomically(folder / FILE, (json.dumps({"format": FORMAT, "runs": runs}, indent=1) + "\n").encode())


@contextmanager
def _inside(folder: Path, until: float) -> Iterator[LockFile]:
    """Be the one process that is inside."""
    try:
        guard = lock_file.acquire(folder / GUARD, seconds=until - time.monotonic())
    except HeldError:
        raise _occupied(folder, "another process") from None
    try:
        mark = _mark(folder, guard.identity)
        mark.touch()
        try:
            while others := _others(folder, guard.identity):
                if time.monotonic() > until:
                    raise _occupied(folder, f"process {others[0]}")
                time.sleep(lock_file.POLL)
            yield guard
        finally:
            mark.unlink(missing_ok=True)
    finally:
        guard.release()


def _mark(folder: Path, guard: Identity) -> Path:
    """An empty file that says all by its name, so that it is there as a whole or not at all."""
    pid = os.getpid()
    return folder / f"{INSIDE}.{guard.device}.{guard.inode}.{boot_id()}.{pid}.{start_time(pid)}"


def _others(folder: Path, guard: Identity) -> list[int]:
    """The pids of living processes that are inside by another guard file; marks of dead ones are removed."""
    found = []
    for mark in folder.glob(f"{INSIDE}.*"):
        device, inode, boot, pid, started = mark.name.removeprefix(f"{INSIDE}.").split(".")
        if not lives(int(pid), started=int(started), boot=boot):
            mark.unlink(missing_ok=True)
        elif Identity(int(device), int(inode)) != guard:
            found.append(int(pid))
    return found


def _occupied(folder: Path, who: str) -> UserError:
    hint = "let it go on or end it, then start again"
    return UserError(f"{who} is inside the ledger of claims for {PATIENCE:.0f} s", where=str(folder / FILE), hint=hint)


def _told(entry: Entry) -> dict[str, Any]:
    packages = {
        package.id: {
            "write_allow": claim_order(package.scope.write_allow, ()),
            "deny": claim_order(package.scope.deny, ()),
            "files": claim_order(package.locks.files, ()),
            "keys": claim_order((), package.locks.keys),
        }
        for package in sorted(entry.packages, key=lambda package: package.id)
    }
    lock = [entry.lock.device, entry.lock.inode]
    return {"owner": entry.owner.to_json(), "lock": lock, "packages": packages}


def _entry(change: str, values: Any) -> Entry:
    if wrong := ids.problem(change):
        raise ValueError(wrong.what)
    lock = Identity(*map(int, values["lock"]))
    packages = tuple(_package(name, told) for name, told in values["packages"].items())
    return Entry(change, Owner.from_json(values["owner"]), lock, packages)


def _package(name: str, values: Any) -> Package:
    scope = Scope(_texts(values["write_allow"]), deny=_texts(values["deny"]))
    return Package(name, "", scope, locks=Locks(_texts(values["files"]), _texts(values["keys"])))


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
        raise ValueError(f"{values!r} is not a list of texts")
    return tuple(values)
