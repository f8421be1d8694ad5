"""One run in memory: what it is made from, its journal, and the one state that the journal folds to.

Only the main thread calls `record`; other threads post events to it, and hand back what they found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Protocol

from parallel_impl import environment
from parallel_impl.agents import spending
from parallel_impl.gates.gate_report import GateReport
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.remove import remove
from parallel_impl.git.union import Layer, Occupied
from parallel_impl.processes.launch import Launch, Stop
from parallel_impl.record.codes import Failure, Halt
from parallel_impl.record.events import (
    CheckoutsMade,
    Event,
    LayersChanged,
    Noted,
    PackageFailed,
    RepositoryChanged,
    SetUpRun,
)
from parallel_impl.record.journal import Journal, now
from parallel_impl.record.state import State
from parallel_impl.report.outline import Outline
from parallel_impl.run.feature_branch import Move
from parallel_impl.run.spec import PlanInForce, RunSpec, Workspace


class Listener(Protocol):
    """A view of a run: it hears of every event, and of what is only for people."""

    def begin(self, outline: Outline, earlier: Sequence[Event]) -> None:
        """The plan of the run, and what happened in its earlier starts; then its own first event comes."""

    def event(self, event: Event) -> None:
        """An event is on disk."""

    def say(self, text: str) -> None:
        """Something for people, on stderr."""

    def end(self) -> None:
        """No event of the run comes any more; what is said from now on are the last lines.

        What becomes of a landed run on its forge is recorded behind it, and is for whoever still shows lines: neither
        progress.json nor a program that hears of the run has a place for it.
        """


@dataclass(frozen=True, slots=True)
class Listeners:
    """Several listeners as one."""

    each: Sequence[Listener]

    def begin(self, outline: Outline, earlier: Sequence[Event]) -> None:
        for listener in self.each:
            listener.begin(outline, earlier)

    def event(self, event: Event) -> None:
        for listener in self.each:
            listener.event(event)

    def say(self, text: str) -> None:
        for listener in self.each:
            listener.say(text)

    def end(self) -> None:
        for listener in self.each:
            listener.end()


@dataclass(slots=True)
class Run:
    """One execution of a change: `in_force` is its plan, `layers` its accepted work by package.

    `stop` ends it and all that it started. `fail_fast`: once a package has failed in this start, nothing more starts.
    `base_checkout` is made ready for the gates on the base; `known_reports` has what gates found, by the tree's id.
    `move` is how the feature branch was moved since the run began, found at this start: then nothing starts.
    `obstacle` is why nothing more starts in this start, found after the first packages may have started: what is at
    work ends, then the run halts with it.
    """

    spec: RunSpec
    workspace: Workspace
    launch: Launch
    stop: Stop
    in_force: PlanInForce
    journal: Journal
    state: State
    listener: Listener
    jobs: int = 1
    fail_fast: bool = False
    base_checkout: Checkout | None = None
    move: Move | None = None
    obstacle: tuple[Halt, str] | None = None
    views_failed: int = 0  # attempts in a row
    known_reports: dict[str, dict[str, GateReport]] = field(default_factory=dict)
    layers: dict[str, Layer] = field(default_factory=dict)
    occupied: Occupied = field(default_factory=Occupied)  # by the layers, as far as the loop has seen them
    posted: SimpleQueue[Event] = field(default_factory=SimpleQueue)
    told_of: list[str] = field(default_factory=list)  # what lies around the checkouts
    doubted: set[str] = field(default_factory=set)  # the layers that were changed, as far as that is recorded
    compared: bool = False  # the user's checkouts, with what they were

    def record(self, *events: Event, sync: bool = True) -> None:
        """Write events to the journal, durably with `sync`; then take them into the state and show them."""
        self.journal.append(*events, sync=sync)
        for event in events:
            self.state.apply(event)
            self.listener.event(event)

    def post(self, event: Event) -> None:
        """Something that another thread has to tell and nothing relies on: `record_posted` journals it."""
        self.posted.put(event)

    def record_posted(self) -> None:
        """Write what other threads posted until now, without a sync."""
        waiting = [self.posted.get() for _ in range(self.posted.qsize())]
        if waiting:
            self.record(*waiting, sync=False)

    def note(self, text: str, package: str = "") -> None:
        """Something that the summary must say, of this start or a later one."""
        told = environment.masked(text, self.launch.mask)  # it may quote a path, which anybody may name as they like
        self.record(Noted(at=now(), text=told, package=package))

    def fail_if_spent(self, package: str) -> None:
        """A package whose last attempt failed, and that has no retry or nothing of its limits left, has failed."""
        progress, retries = self.state.packages[package], self.in_force.plan.package(package).retry_budget
        code, why = progress.code, progress.why
        if progress.may_retry(retries):
            limits = spending.budget(self.spec.config.limits.package)
            if progress.to_judge or not (over := spending.used_up(limits, spending.of_package(progress))):
                return
            code, why = Failure.BUDGET_EXCEEDED, f"{over}; its last attempt: {code}: {why}"
        self.record(PackageFailed(at=now(), package=package, code=code, why=why))
        self.end_conversations(package)

    def end_conversations(self, package: str) -> None:
        """Remove the private HOME of a package's agent: the package is accepted, or given up."""
        try:
            remove(self.workspace.places.client_home(package))
        except OSError as error:
            self.note(str(error), package=package)

    def look_at_checkouts(self) -> None:
        """What became of the user's checkouts since this start, once and at its end: reported, never halting."""
        if not self.compared and (found := self.workspace.watch.compare_checkouts()):
            self.record(RepositoryChanged(at=now(), what=[*map(str, found)], running=[], halts=False, checkouts=True))
        self.compared = True

    def count_checkouts(self) -> None:
        """How the checkouts of this start were made ready, at its end."""
        mounts = self.workspace.source.mounts
        made = mounts.made if mounts else ()
        rows = [SetUpRun(checkout=one.name, seconds=one.layer.about.seconds, why=one.why) for one in made if one.layer]
        number = mounts.opened if mounts else 0
        self.record(CheckoutsMade(at=now(), how=self.spec.checkouts, number=number, set_ups=rows))

    def changed_layers(self) -> dict[str, str]:
        """The prepared checkouts that were changed and that nothing says so of yet, with what to say of each."""
        changed = self.workspace.changed_layers()
        return {name: told for name, told in changed.items() if name not in self.doubted}

    def look_at_layers(self) -> str:
        """What was changed in prepared checkouts since this was asked last, and which packages that makes unproven.

        "" for nothing.
        """
        new = self.changed_layers()
        if not new:
            return ""
        self.doubted |= new.keys()
        accepted = {name: self.state.packages[name].ended for name in self.state.accepted()}
        packages = [name for name, ended in accepted.items() if ended and ended[-1].layer in new]
        what = [environment.masked(told, self.launch.mask) for told in new.values()]
        self.record(LayersChanged(at=now(), what=what, packages=packages))
        if mounts := self.workspace.source.mounts:
            mounts.discard_changed()
        verified = f"\nverified on it: {', '.join(packages)}" if packages else ""
        return "\n".join(what) + verified

    def look_below_views(self) -> str:
        """What tells that something that ran in this start left its view, and what ran; "" when nothing did.

        Nothing that ran meanwhile shows anything.
        """
        mounts = self.workspace.source.mounts
        found = mounts.look_below() if mounts else ()
        if not found:
            return ""
        names = {self._package_of(name) for one in found for name in one.checkouts}
        told = [environment.masked(str(one), self.launch.mask) for one in found]
        who = "it ran in" if len(names) == 1 else "it was one of"
        return "\n".join([*told, f"{who}: {', '.join(sorted(names))}"])

    def _package_of(self, checkout: str) -> str:
        """The package that has a checkout of this name; the name where it is one for gates."""
        places = self.workspace.places
        return next((name for name in self.state.packages if checkout in places.checkouts_of(name)), checkout)

    def look_at_repository(self, *ended: str) -> None:
        """Compare the user's repository with what it was; what could run programs or redirect starts nothing more.

        `ended` are packages whose attempts have just ended: they were running until then, and others go on, so many
        refs need not be listed each time.
        """
        running = [*ended, *self.state.live()]
        mask = self.launch.mask
        if why := self.journal.take_disturbance():
            told = f"journal: {self.journal.path} {why}; it is written again, whole"
            self.record(RepositoryChanged(at=now(), what=[told], running=running, halts=True))
        if (
            around := [environment.masked(str(one), mask) for one in self.workspace.foreign()]
        ) and around != self.told_of:
            self.told_of = around
            self.record(RepositoryChanged(at=now(), what=around, running=running, halts=True, around=True))
        if found := self.workspace.watch.compare(seldom=bool(ended)):
            halts = any(tamper.halts for tamper in found)
            what = [environment.masked(str(tamper), mask) for tamper in found]
            self.record(RepositoryChanged(at=now(), what=what, running=running, halts=halts))
