"""A package that changed its own judge: named, and the candidate judged once more by the base's.

Where accepted work changed what steers a gate, that gate runs again on the candidate with the base's version of it laid
over. It is laid over after set-up, which needs what the packages added (a dependency of their tests, say).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial

import msgspec

from parallel_impl.gates import divergence, pytest_plugin, steering
from parallel_impl.gates.divergence import Divergence
from parallel_impl.gates.gate_report import GateReport, GateState
from parallel_impl.gates.quality import Gate
from parallel_impl.gates.steering import Steered
from parallel_impl.gates.verdict import GateVerdict, VerdictStatus
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.edits import Edits
from parallel_impl.git.overlay import Version, lay
from parallel_impl.git.repo import Repo
from parallel_impl.git.union import Layer
from parallel_impl.record import events as e
from parallel_impl.record.gate_row import GateRow
from parallel_impl.run import gate_runs
from parallel_impl.run.gate_runs import CANDIDATE, SHOWN, Reports
from parallel_impl.run.launch import equip, noted
from parallel_impl.run.places import CANDIDATE_CHECKOUT
from parallel_impl.run.run import Run
from parallel_impl.run.spec import own_files

JUDGED = "base-judge"
RAN = (GateState.GREEN, GateState.RED, GateState.BROKEN)


@dataclass(frozen=True, slots=True)
class Judged:
    """What steers one gate on the candidate in another way: which packages and files, and what comes of it."""

    steered: tuple[Steered, ...]
    packages: tuple[str, ...]
    differ: Divergence = field(default_factory=Divergence)

    @property
    def named(self) -> tuple[str, ...]:
        """One clause for each file: who changed what."""
        return tuple(f"{who} changed {what}" for who, what in zip(self.packages, self.steered, strict=True))


def find(run: Run, candidate: str) -> dict[str, Judged]:
    """By gate, what accepted packages changed of what steers it; gates that nobody steers are left out."""
    repo, base, ours = run.workspace.repo, run.spec.base, own_files(run.spec, run.workspace.places, run.in_force.plan)
    changed = {change.path for change in repo.changes(base, candidate) if change.path not in ours}
    writers = _writers(run.layers.values(), changed)
    before, after = (cache(partial(repo.read, commit)) for commit in (base, candidate))
    found = {}
    for gate in run.spec.gates:
        if gate.runs and not gate.texts:
            steered = steering.differences(steering.of(gate.command, before), writers, base=before, candidate=after)
            if steered:
                found[gate.name] = Judged(tuple(steered), tuple(writers[one.path] for one in steered))
    return found


def _writers(layers: Collection[Layer], changed: Collection[str]) -> dict[str, str]:
    """The paths that differ from the base, and the accepted packages that changed each."""
    found: dict[str, list[str]] = {}
    for layer in layers:
        for change in layer.changes:
            if change.path in changed:
                found.setdefault(change.path, []).append(layer.package)
    return {path: " and ".join(packages) for path, packages in found.items()}


def compare(
    run: Run,
    candidate: str,
    steered: Mapping[str, Judged],
    *,
    before: Reports,
    after: Reports,
    of_steps: Collection[str] = (),
    tell: Callable[[e.Event], None],
) -> dict[str, Judged]:
    """Run these gates once more by the base's judge, one after the other, and compare with what they found.

    `before` are the reports on the base, `after` those on the candidate; `of_steps` are tests of packages' own steps.
    A difference counts that is there twice.
    """
    changed = {change.path for layer in run.layers.values() for change in layer.changes}
    files = {entry.path for entry in run.workspace.repo.entries(run.spec.base, recurse=True)}
    compared = partial(divergence.compare, changed=changed, files=files, of_steps=of_steps)
    court, found = _Court(run, candidate, tell), dict(steered)
    try:
        for gate in (gate for gate in run.spec.gates if gate.name in steered):
            old, now = before.get(gate.name), after[gate.name]
            if old is None or old.state not in RAN or now.state not in RAN:
                continue
            judged = steered[gate.name]
            differ = compared(old, now, court.ask(gate, judged.steered))
            if differ.blocking and not any(run.launch.stops):
                again = compared(old, now, court.ask(gate, judged.steered))
                differ = replace(again, blocking=tuple(one for one in again.blocking if one in differ.blocking))
            found[gate.name] = replace(judged, differ=differ)
    finally:
        court.close()
    return found


class _Court:
    """One checkout of the candidate, made ready once, in which the base's judges take the place of the candidate's."""

    def __init__(self, run: Run, candidate: str, tell: Callable[[e.Event], None]) -> None:
        self._run, self._candidate, self._tell = run, candidate, tell
        self._checkout: Checkout | None = None

    def ask(self, gate: Gate, steered: Sequence[Steered]) -> GateReport:
        """The report of the gate with the base's version of these files."""
        run, repo = self._run, self._run.workspace.repo
        checkout, why = self._open()
        if why:
            return GateReport(gate.name, GateState.BROKEN, why=why)
        versions = {one.path: _version(repo, run.spec.base, self._candidate, one) for one in steered}
        environment = run.workspace.source.environment
        lay(repo, checkout, versions, environment)
        edits = Edits(run.workspace.trees, checkout)
        # what is new may need the new judge to be read at all: that must not keep what the base had from running
        goes_on = replace(run.launch, env={**run.launch.env, pytest_plugin.GOES_ON: "1"})
        with equip(goes_on, run.spec, run.workspace, checkout, tell=self._tell) as launch:
            logs = run.workspace.places.gate_logs(JUDGED)
            found = gate_runs.start_gates(run.spec, [gate], launch, checkout, logs, on=CANDIDATE, tell=self._tell)
        if edits.touched():
            self.close()
        else:
            lay(repo, checkout, {path: _entry(repo, self._candidate, path) for path in versions}, environment)
        return found[gate.name]

    def close(self) -> None:
        """Remove the checkout; the next question makes it again."""
        if self._checkout:
            self._run.workspace.put_away(CANDIDATE_CHECKOUT, 1, noted(self._tell))
        self._checkout = None

    def _open(self) -> tuple[Checkout, str]:
        run = self._run
        if self._checkout:
            return self._checkout, ""
        checkout = self._checkout = run.workspace.open_checkout(CANDIDATE_CHECKOUT, self._candidate)
        log = run.workspace.places.gate_setup_log(JUDGED)
        why = gate_runs.prepare(run.spec, run.workspace, run.launch, checkout, log, on=CANDIDATE, tell=self._tell)
        return checkout, why


def _version(repo: Repo, base: str, candidate: str, one: Steered) -> Version:
    """What is laid over: the base's file, nothing where it has none, or the candidate's with the base's parts."""
    if one.whole:
        return _entry(repo, base, one.path)
    return Version(_entry(repo, candidate, one.path).mode, repo.write_blob(one.content))


def _entry(repo: Repo, commit: str, path: str) -> Version:
    found = next((entry for entry in repo.entries(commit, path) if entry.kind == "blob"), None)
    return Version(found.mode, found.oid) if found else Version()


def doubt(one: GateVerdict, judged: Judged | None) -> GateVerdict:
    """The verdict with what steers its gate; one that passes only by the changed judge is not proven."""
    if judged is None:
        return one
    named = msgspec.structs.replace(one, judges=judged.named, differs=judged.differ.blocking)
    if not named.differs or one.blocks:
        # the reason of what is not proven stays: by it that is accepted
        more = () if one.status is VerdictStatus.NOT_PROVEN else judged.differ.named[:SHOWN]
        return msgspec.structs.replace(named, why="; ".join((*filter(None, [one.why]), *more)))
    why = f"{' and '.join(judged.named)}; with the base's version: {named.differs[0]}"
    return msgspec.structs.replace(named, status=VerdictStatus.NOT_PROVEN, why=why)


def clauses(rows: Sequence[GateRow]) -> Iterator[str]:
    """One clause for people for each package and file that changed what judges it, with the gates."""
    for clause in dict.fromkeys(clause for row in rows for clause in row.judges):
        yield f"{clause}, which steers {', '.join(row.name for row in rows if clause in row.judges)}"
