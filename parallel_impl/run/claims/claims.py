"""Claims between runs: a run claims its whole plan before it starts, all or nothing, and others keep off.

A claim counts while the run that holds it is alive, for however long, and after that when it halted: then a person
decides. A claim of a run that is neither is taken over.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from parallel_impl import storage
from parallel_impl.errors import Problem, Severity, UserError, count
from parallel_impl.plan import feasibility
from parallel_impl.plan.conflicts import Conflict
from parallel_impl.plan.feasibility import Comparison
from parallel_impl.plan.globs.globs import quoted
from parallel_impl.plan.ids import STATE
from parallel_impl.plan.model import Package
from parallel_impl.record.journal import load_state
from parallel_impl.record.state import RunState
from parallel_impl.run import run_id
from parallel_impl.run.attempt import run_processes
from parallel_impl.run.claims import file_system, ledger, lock_file
from parallel_impl.run.claims.change_lock import Hold
from parallel_impl.run.claims.ledger import Entries, RunClaims
from parallel_impl.run.places import LOCKS, Places

POLL = 0.5  # seconds between two looks at what is waited for
LISTED = 10  # conflicts with one run


class Standing(StrEnum):
    """Whether the claims of a run count. Those of a dead one do not: they are taken over when somebody wants them."""

    LIVE = "live"
    HALTED = "halted"
    PAUSED = "paused"
    UNREADABLE = "unreadable"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class Active:
    """A run that the ledger lists, or that lives without being listed (`claims` is None)."""

    change_id: str
    standing: Standing
    claims: RunClaims | None = None

    @property
    def who(self) -> str:
        """Who holds the claims, and what ends it, in words."""
        clean_up = f"`parallel-cleanup {self.change_id}`"
        match self.standing:
            case Standing.LIVE:
                return f"held by {self.claims.owner}" if self.claims else "held by a living process"
            case Standing.HALTED | Standing.PAUSED:
                return (
                    f"{self.standing}: `parallel-implement {self.change_id} --abort` or {clean_up} gives its claims up"
                )
            case Standing.UNREADABLE:
                return f"its journal cannot be read, so its claims are kept: {clean_up} gives them up"
        return "its process is gone: the next run that wants its claims takes them over"


@dataclass(frozen=True, slots=True)
class Rival:
    """An active run, and what is in its way or ours."""

    run: Active
    comparison: Comparison

    def lines(self, change_id: str) -> Iterator[str]:
        """What conflicts and who holds it, for people."""
        other, found = self.run.change_id, self.comparison
        yield from (_told(conflict, change_id, other) for conflict in found.conflicts[:LISTED])
        if len(found.conflicts) > LISTED:
            yield f"and {len(found.conflicts) - LISTED} more claims of {change_id} conflict with {other}"
        yield from (f"{problem.what}" for problem in found.undecided)
        yield f"{other}: {self.run.who}"


def _told(conflict: Conflict, change_id: str, other: str) -> str:
    one, two = conflict.first, conflict.second
    both = f"{one.package} of {change_id} and {two.package} of {other} {conflict.both}"
    return f"{both}: {quoted(one.text)} overlaps {quoted(two.text)}"


@contextmanager
def hold(
    places: Places, hold: Hold, packages: Sequence[Package], *, wait: bool, say: Callable[[str], None]
) -> Iterator[bool]:
    """Hold the claims of all packages; whether others had to be waited for. Kept at the end when the run halted.

    UserError names what conflicts and who holds it, unless `wait`: then this returns when nobody does any more.
    """
    with release_at_end(places, say):
        found = _take(places, hold, packages, say)
        if found and not wait:
            raise UserError([_refusal(places, packages, found)])
        if found:
            if release(places):  # who waits holds nothing: two such runs would wait for each other for ever
                say(f"the earlier claims of {places.change_id} are given up while it waits")
            _wait(places, hold, packages, found, say)
        yield bool(found)


def confirm(places: Places, hold: Hold, packages: Sequence[Package], say: Callable[[str], None]) -> None:
    """Once the journal is open, by which others see this run without the ledger: enter what somebody removed there.

    UserError when another run came in between.
    """
    entry = ledger.read(places.locks).get(places.change_id)
    if entry and entry.owner == hold.owner:
        return
    if found := _take(places, hold, packages, say):
        raise UserError([_refusal(places, packages, found)])
    say(f"the claims of {places.change_id} had been removed from the ledger; they are entered again")


@contextmanager
def release_at_end(places: Places, say: Callable[[str], None]) -> Iterator[None]:
    """Give the claims up at the end, unless the run halted. Where that fails they end with this process anyway."""
    try:
        yield
    finally:
        try:
            if _standing_of_journal(places) is Standing.DEAD:
                release(places)
        except (UserError, OSError) as error:
            say(f"the claims of {places.change_id} could not be given up; they end with this process: {error}")


def check_file_system(places: Places) -> Iterator[Problem]:
    """A warning where locks are not to be relied on."""
    if kind := file_system.network(places.common):
        yield Problem(
            f"the repository lies on a network file system ({kind}): runs on other machines may not be noticed in time",
            where=str(places.common),
            hint="run all changes of it on one machine; claims of another one count as held until they are given up",
            severity=Severity.WARNING,
        )


def release(places: Places) -> bool:
    """Give the claims of a change up; whether it had any."""
    if places.change_id not in ledger.read(places.locks):
        return False
    ledger.update(places.locks, lambda entries: _without(entries, places.change_id))
    return True


def active(common: Path) -> list[Active]:
    """Every run with claims, and living ones whose claims somebody removed from the ledger."""
    while True:
        entries = ledger.read(common / STATE / LOCKS)
        found = _active(common, entries)
        # without the guard, one that is not listed may just have entered or given back its claims
        if all(run.claims for run in found) or ledger.read(common / STATE / LOCKS) == entries:
            return found


def rivals(places: Places, packages: Sequence[Package]) -> list[Rival]:
    """The live and halted runs that a change would meet, those without a conflict too."""
    return _rivals(places, packages, active(places.common))


def verdict(packages: Sequence[Package], found: Sequence[Rival]) -> feasibility.Verdict:
    """How feasible a change is beside these."""
    return feasibility.judge(packages, [rival.comparison for rival in found])


def describe(change_id: str, packages: Sequence[Package], found: Sequence[Rival]) -> list[str]:
    """The feasibility of a change, for people."""
    beside = ", ".join(rival.run.change_id for rival in found) or "no other run"
    lines = [f"{change_id} beside {beside}: {verdict(packages, found)}"]
    return lines + [f"  {line}" for rival in _in_the_way(found) for line in rival.lines(change_id)]


def beside(change_id: str, packages: Sequence[Package], found: Sequence[Rival]) -> list[str]:
    """The same where it is not what was asked for: whether the change could start now, and what is in its way."""
    others, conflicts = ", ".join(rival.run.change_id for rival in found), _in_the_way(found)
    if not found:
        return [f"{change_id}: no other run is in its way"]
    if not conflicts:
        return [f"{change_id} can run beside {others}"]
    judged = verdict(packages, found)
    what = f"{change_id} waits for {others}: {judged.conflicting} of its {count(judged.claims, 'claim')} held there"
    return [what] + [f"  {line}" for rival in conflicts for line in rival.lines(change_id)]


def _refusal(places: Places, packages: Sequence[Package], found: Sequence[Rival]) -> Problem:
    change, others = places.change_id, ", ".join(rival.run.change_id for rival in found)
    lines = [line for rival in found for line in rival.lines(change)]
    hint = f"--wait waits until that is over; see: parallel-impl runs --for {change}"
    what = f"{change} cannot run beside {others}: {verdict(packages, found)}"
    return Problem("\n    ".join([what, *lines]), hint=hint)


def _take(places: Places, hold: Hold, packages: Sequence[Package], say: Callable[[str], None]) -> list[Rival]:
    """Enter all claims of the run, or nothing where others are in the way: these."""
    found: list[Rival] = []
    taken_over: list[str] = []
    for run in active(places.common):  # what a killed run left may still work on what it had claimed
        if run.standing is Standing.DEAD and run.change_id != places.change_id and not _compare(packages, run).free:
            _end_processes(Places(places.common, run.change_id))

    def change(entries: Entries) -> Entries:
        runs = _active(places.common, entries)
        found[:] = _in_the_way(_rivals(places, packages, runs))
        if found:
            return entries
        dead = [run for run in runs if run.standing is Standing.DEAD and run.change_id != places.change_id]
        taken_over[:] = [run.change_id for run in dead if not _compare(packages, run).free]
        kept = _without(entries, *taken_over)
        return {**kept, places.change_id: RunClaims.of(hold.owner, hold.lock, packages)}

    ledger.update(places.locks, change)
    for other in taken_over:
        say(f"the claims of {other} are taken over: the process that held them is gone, and it did not halt")
    return found


def _end_processes(other: Places) -> None:
    state = load_state(other.journal)  # the run counts as dead, so its journal can be read
    if state.started:
        run_processes.end(other, state, run_id.find(other, state))


def _wait(
    places: Places, hold: Hold, packages: Sequence[Package], found: list[Rival], say: Callable[[str], None]
) -> None:
    """Until the claims could be taken. What is waited for is printed once, and again when that is something else."""
    said = ""
    while found:
        told = _list(places, found)
        if told != said:
            say(f"{places.change_id} waits:\n  {told}")
            said = told
        seen = _glance(places, found)
        again = _take(places, hold, packages, say)  # one may have ended before it was seen
        if _list(places, again) == told:
            while _glance(places, found) == seen:
                time.sleep(POLL)
            again = _take(places, hold, packages, say)
        found = again


def _list(places: Places, found: Sequence[Rival]) -> str:
    return "\n  ".join(line for rival in found for line in rival.lines(places.change_id))


def _glance(places: Places, found: Sequence[Rival]) -> list[object]:
    """What changes when it is worth to try again; costs a few calls of the system, whatever the size of the plans."""
    seen: list[object] = [storage.signature(places.locks / ledger.FILE)]
    for rival in found:
        other = Places(places.common, rival.run.change_id)
        live = _is_live(rival.run.claims, other) if rival.run.claims else lock_file.is_held(other.journal)
        seen += [live, None if live else storage.signature(other.journal)]
    return seen


def _in_the_way(found: Sequence[Rival]) -> list[Rival]:
    return [rival for rival in found if not rival.comparison.free]


def _rivals(places: Places, packages: Sequence[Package], runs: Sequence[Active]) -> list[Rival]:
    others = [run for run in runs if run.change_id != places.change_id]
    return [Rival(run, _compare(packages, run)) for run in others if run.standing is not Standing.DEAD]


def _compare(packages: Sequence[Package], run: Active) -> Comparison:
    if run.claims is None:
        what = f"{run.change_id} is alive, but somebody removed its claims from the ledger: nothing may start beside it"
        return Comparison(undecided=(Problem(what),))
    return feasibility.compare(packages, run.claims.as_packages())


def _active(common: Path, entries: Entries) -> list[Active]:
    network = bool(entries and file_system.network(common))
    found = []
    for change, entry in entries.items():
        other = Places(common, change)
        live = (network and entry.owner.is_foreign()) or _is_live(entry, other)
        found.append(Active(change, Standing.LIVE if live else _standing_of_journal(other), entry))
    # a run opens its journal after it claimed and closes it before it gives its claims up
    journals = {journal.parent.name: journal for journal in sorted((common / STATE).glob("*/journal.jsonl"))}
    lost = (name for name in journals if name not in entries and lock_file.is_held(journals[name]))
    return [*found, *(Active(name, Standing.LIVE) for name in lost)]


def _is_live(entry: RunClaims, places: Places) -> bool:
    """Whether the run's lock is held; where its lock file is gone or another one, whether its process lives."""
    path = places.locks / f"{places.change_id}.lock"
    if lock_file.FileIdentity.at(path) == entry.lock:
        return lock_file.is_held(path, entry.lock)
    return entry.owner.lives()


def _standing_of_journal(places: Places) -> Standing:
    """What a run that is not alive left: halted or paused by its journal, else dead; an unreadable one keeps them."""
    try:
        state = load_state(places.journal)
    except (UserError, OSError):
        return Standing.UNREADABLE
    waits = {RunState.HALTED: Standing.HALTED, RunState.PAUSED: Standing.PAUSED}
    return waits.get(state.run, Standing.DEAD)


def _without(entries: Entries, *changes: str) -> dict[str, RunClaims]:
    return {change: entry for change, entry in entries.items() if change not in changes}
