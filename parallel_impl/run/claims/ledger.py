"""The ledger: what each run of a repository claims, in one file that is replaced as a whole.

    <common>/parallel-impl/.locks/_claims.json          the entries, by change (an id never begins with `_`)
    <common>/parallel-impl/.locks/_claims.lock          its guard: one process at a time reads and replaces it
    <common>/parallel-impl/.locks/_claims.inside.*      the process that is inside, and by which guard file

Reading alone needs no guard. A guard file that was unlinked while somebody was inside lets the next one acquire a new
file; therefore a process that enters marks that first, and goes on only when no other that lives is inside by another
file. Both mark it before they look, so two can't miss each other.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from parallel_impl import storage
from parallel_impl.errors import UserError
from parallel_impl.plan import ids
from parallel_impl.plan.lock_keys import claim_order
from parallel_impl.plan.model import Locks, Package, Scope
from parallel_impl.processes.procfs import boot_id, lives, start_time
from parallel_impl.record import json_form
from parallel_impl.run.claims import lock_file
from parallel_impl.run.claims.lock_file import FileIdentity, HeldError, LockFile
from parallel_impl.run.claims.process_identity import Owner
from parallel_impl.storage import write_atomically

FILE, GUARD, INSIDE = "_claims.json", "_claims.lock", "_claims.inside"
FORMAT = 1
PATIENCE = 60.0  # seconds that others may be inside; comparing plans of 1,000 packages takes about three


class PackageClaims(msgspec.Struct, frozen=True, kw_only=True):
    """What a package writes and locks; each list in the canonical order of claims."""

    write_allow: tuple[str, ...]
    deny: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    @classmethod
    def of(cls, package: Package) -> PackageClaims:
        """The claims of a package of a plan."""
        return cls(
            write_allow=tuple(claim_order(package.scope.write_allow, ())),
            deny=tuple(claim_order(package.scope.deny, ())),
            files=tuple(claim_order(package.locks.files, ())),
            keys=tuple(claim_order((), package.locks.keys)),
        )


class RunClaims(msgspec.Struct, frozen=True):
    """The claims of one run: whose, which file its lock is on, and what each package claims."""

    owner: Owner
    lock: FileIdentity
    packages: Mapping[str, PackageClaims]

    @classmethod
    def of(cls, owner: Owner, lock: FileIdentity, packages: Iterable[Package]) -> RunClaims:
        """All that the packages of a plan claim."""
        return cls(owner, lock, {one.id: PackageClaims.of(one) for one in sorted(packages, key=lambda one: one.id)})

    def as_packages(self) -> list[Package]:
        """The packages as far as claims tell about them, to be compared with those of another plan."""
        return [
            Package(name, "", Scope(one.write_allow, deny=one.deny), locks=Locks(one.files, one.keys))
            for name, one in self.packages.items()
        ]


Entries = Mapping[str, RunClaims]


class Ledger(msgspec.Struct, frozen=True):
    """The file: the claims of each run by its change."""

    format: int
    runs: Mapping[str, RunClaims]


def read(folder: Path) -> dict[str, RunClaims]:
    """The claims by change, sorted; none when there is no ledger. UserError when it is damaged."""
    file = folder / FILE
    try:
        found = json_form.decode(storage.read(file), Ledger)
        if found.format != FORMAT:
            raise ValueError(f"format {found.format!r} is unknown")
        for change in found.runs:
            if wrong := ids.problem(change):
                raise ValueError(wrong.what)
        return dict(sorted(found.runs.items()))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        hint = "let the runs of this repository end, then remove the file"
        raise UserError(f"the ledger of claims is damaged: {error}", where=str(file), hint=hint) from error


def update(folder: Path, change: Callable[[Entries], Entries]) -> None:
    """Replace the entries by what `change` makes of them, with nobody else inside; equal ones are not written.

    `change` may be called again, when the guard was unlinked meanwhile. UserError when others stay inside for long.
    """
    until = time.monotonic() + PATIENCE
    while True:
        with _inside(folder, until) as guard:
            if not guard.is_in_place():
                continue
            before = read(folder)
            after = dict(change(before))
            if guard.is_in_place():
                if after != before:
                    _write(folder, after)
                if not after:  # nothing is left behind; who waits for this guard sees that it is gone
                    guard.path.unlink(missing_ok=True)
                return


def _write(folder: Path, entries: Entries) -> None:
    for left in folder.glob(f".{FILE}.*.tmp"):  # by a process that was killed: the process that is inside is alone here
        left.unlink(missing_ok=True)
    if not entries:
        (folder / FILE).unlink(missing_ok=True)
        return
    write_atomically(folder / FILE, json_form.encode(Ledger(FORMAT, dict(sorted(entries.items()))), indent=1))


@contextmanager
def _inside(folder: Path, until: float) -> Iterator[LockFile]:
    """Be the one process that is inside, if the guard is still in place then.

    Two that came in by different files, one of them unlinked before its mark was there, see each other: the one whose
    file is gone does not wait, else both wait to the end of their patience.
    """
    try:
        guard = lock_file.acquire(folder / GUARD, seconds=until - time.monotonic())
    except HeldError:
        raise _occupied(folder, "another process") from None
    try:
        mark = _mark(folder, guard.identity)
        mark.touch()
        try:
            while guard.is_in_place() and (others := _others(folder, guard.identity)):
                if time.monotonic() > until:
                    raise _occupied(folder, f"process {others[0]}")
                time.sleep(lock_file.POLL)
            yield guard
        finally:
            mark.unlink(missing_ok=True)
    finally:
        guard.release()


def _mark(folder: Path, guard: FileIdentity) -> Path:
    """An empty file that says all by its name, so that it is there as a whole or not at all."""
    pid = os.getpid()
    return folder / f"{INSIDE}.{guard.device}.{guard.inode}.{boot_id()}.{pid}.{start_time(pid)}"


def _others(folder: Path, guard: FileIdentity) -> list[int]:
    """The pids of living processes that are inside by another guard file; marks of dead ones are removed."""
    found = []
    for mark in folder.glob(f"{INSIDE}.*"):
        device, inode, boot, pid, started = mark.name.removeprefix(f"{INSIDE}.").split(".")
        if not lives(int(pid), started=int(started), boot=boot):
            mark.unlink(missing_ok=True)
        elif FileIdentity(int(device), int(inode)) != guard:
            found.append(int(pid))
    return found


def _occupied(folder: Path, who: str) -> UserError:
    hint = "let it go on or end it, then start again"
    return UserError(f"{who} is inside the ledger of claims for {PATIENCE:.0f} s", where=str(folder / FILE), hint=hint)
