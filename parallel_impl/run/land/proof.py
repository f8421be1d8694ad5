"""What the gates mean for the whole: run on the base early, and on every candidate before it lands.

What fails is seen twice before it counts: on the candidate while its checkout is there, on the base when no
agent lives.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from parallel_impl import environment
from parallel_impl.errors import count
from parallel_impl.gates import verdict
from parallel_impl.gates.found import unreadable
from parallel_impl.gates.lost_tests import ChangedPaths
from parallel_impl.gates.verdict import GateVerdict, VerdictStatus
from parallel_impl.git.checkout import Checkout
from parallel_impl.processes.launch import Launch
from parallel_impl.record import events as e
from parallel_impl.record.gate_row import GateRow
from parallel_impl.record.journal import now
from parallel_impl.record.times import TimePhase
from parallel_impl.run import gate_runs, own_tests
from parallel_impl.run.gate_runs import BASE, CANDIDATE, BaseProof, Reports
from parallel_impl.run.land import acceptance, judges
from parallel_impl.run.own_tests import OwnTests
from parallel_impl.run.run import Run
from parallel_impl.run.spec import own_files
from parallel_impl.run.stopwatch import measuring, phase

TOLD = (  # of a verdict, in its row: without secrets
    "why", "new_failures", "gone", "flaky", "unstable", "renamed", "removed", "accepted", "judges", "differs",
    "red_under_load",
)  # fmt: skip
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Proof:
    """What the gates say about one candidate; `rows` are for the summary.

    `foreign` is what lay around its checkout and is not of the run ("": nothing): then they say nothing.
    """

    rows: tuple[GateRow, ...]
    passed: bool
    why: str = ""
    foreign: str = ""

    @property
    def headline(self) -> str:
        """One clause for people: which gates passed, who checked the texts, and what became of the base's tests."""
        parts = [f"proven by {', '.join(self.by)}" if self.by else "no gate ran on the whole tree"]
        if not any(row.tests and row.name in self.by for row in self.rows):
            parts.append("no test gate on the whole")
        parts += [f"gate {row.name} was switched off: {row.why}" for row in self.rows if row.dropped]
        checked = ", ".join(row.texts for row in self.rows if row.texts and row.verdict == VerdictStatus.PASSED)
        parts += [f"texts checked by {checked}"] if checked else []
        parts += [f"{row.name}: {one}" for row in self.rows for one in _changed_tests(row)]
        return "; ".join([*parts, *judges.clauses(self.rows)])

    @property
    def by(self) -> tuple[str, ...]:
        """The gates that passed and ran more than a check of texts."""
        return tuple(row.name for row in self.rows if row.verdict == VerdictStatus.PASSED and not row.texts)


def _changed_tests(row: GateRow) -> Iterator[str]:
    if row.accepted:
        yield f"accepted by name: {', '.join(row.accepted[:5])}" + (" …" if len(row.accepted) > 5 else "")
    yield from row.removed
    if row.renamed:
        yield f"{count(len(row.renamed), 'test')} renamed or replaced"
    if row.unstable:
        yield f"{count(len(row.unstable), 'test')} unstable on the base"
    if row.red_under_load:
        yield f"{count(len(row.red_under_load), 'test')} red under load"


@dataclass(slots=True)
class _Observed:
    """What was seen of one candidate: `second` has what ran once more, `own` what packages' steps showed on it.

    `tests` are those that passed in these steps before.
    """

    tests: Sequence[OwnTests]
    first: Reports = field(default_factory=dict)
    second: Reports = field(default_factory=dict)
    own: list[GateVerdict] = field(default_factory=list)


@phase(TimePhase.PROVING)
def prove(run: Run, candidate: str, base_proof: BaseProof) -> Proof:
    """Run the gates on a checkout of the candidate and compare with the base. Blocks until both are done."""
    spec, repo, began = run.spec, run.workspace.repo, time.monotonic()
    seen = _observe(run, candidate, base_proof)
    before = gate_runs.wait_for(base_proof, (run.stop,), meanwhile=run.record_posted)
    if before is None:
        return Proof((), passed=False, why="the run was stopped")
    states = {name: report.state.replace("-", " ") for name, report in before.items()}  # as verdicts are spelt
    run.record(e.GatesEnded(at=now(), on=BASE, tree=repo.tree(spec.base), verdicts=states))
    off = unreadable.unreadable(spec.gates, before)
    found = [unreadable.dropped(one, off) for one in _verdicts(run, candidate, before, seen)]
    verdicts = _judged(run, candidate, before, seen, found)
    if run.stop:
        return Proof((), passed=False, why="the run was stopped")
    rows = _rows(run, verdicts, seen.first, off)
    for row in rows:
        if row.dropped and (told := unreadable.line(row.name, row.why)) not in run.state.notes:
            run.note(told)  # said of the base already, unless it passes now
    run.record(
        e.GatesEnded(
            at=now(),
            on=CANDIDATE,
            tree=repo.tree(candidate),
            verdicts={row.name: row.verdict for row in rows},
            seconds=round(time.monotonic() - began, 3),
            rows=rows,
        )
    )
    blocking = [gate_runs.explain(one, seen.first.get(one.gate)) for one in verdicts if one.blocks]
    foreign = next((report.stopped for report in seen.first.values() if report.foreign), "")
    return Proof(rows, not blocking, environment.masked("\n".join(blocking), run.launch.mask), foreign)


def _observe(run: Run, candidate: str, base_proof: BaseProof) -> _Observed:
    """The gates on a candidate, and what failed once more."""
    seen, stops = _Observed(own_tests.read(run)), run.launch.stops
    logs = run.workspace.places.gate_logs(CANDIDATE)

    def look_again(launch: Launch, checkout: Checkout, first: Reports) -> None:
        with phase(TimePhase.BASE):
            before = gate_runs.wait_for(base_proof, stops)
        if before is not None:
            failed = gate_runs.to_confirm(before, first)
            seen.second = gate_runs.run_again(run.spec, launch, checkout, logs, failed)

    look = partial(gate_runs.look, run.spec, run.workspace, run.launch, candidate, tell=run.post)
    seen.first = _journalled(run, partial(look, known=run.known_reports, then=look_again))
    if any(one.lost or one.missing(seen.first.values()) for one in seen.tests):
        _journalled(run, partial(_ask_steps, run, candidate, seen))
    return seen


def _journalled(run: Run, do: Callable[[], T]) -> T:
    """What `do` returns, in a thread of its own; what it posts is journalled meanwhile, by this one."""

    def measured() -> T:
        with measuring(CANDIDATE, run.spec.slots.wait, TimePhase.GATES, run.post):
            return do()

    with ThreadPoolExecutor(1, "proof") as pool:
        try:
            doing = pool.submit(measured)
            gate_runs.wait_for(doing, (), meanwhile=run.record_posted)
            return doing.result()
        except BaseException:
            run.stop.set()  # or the end of the pool would wait for the gates
            raise


def _ask_steps(run: Run, candidate: str, seen: _Observed) -> None:
    """Packages' own steps on the candidate, where they ran tests that no gate did."""
    folder = run.workspace.places.gate_logs(CANDIDATE) / "steps"

    def ask(launch: Launch, checkout: Checkout) -> None:
        ask_one = partial(own_tests.run_missing, launch=launch, checkout=checkout, folder=folder, slots=run.spec.slots)
        answers = (ask_one(one, seen.first.values()) for one in seen.tests)
        seen.own += [answer for answer in answers if answer]

    failure = gate_runs.in_checkout(run.spec, run.workspace, run.launch, candidate, ask, on=CANDIDATE, tell=run.post)
    if failure:
        seen.own.append(GateVerdict("steps", VerdictStatus.NOT_PROVEN, why=failure))


def _verdicts(run: Run, candidate: str, before: Reports, seen: _Observed) -> list[GateVerdict]:
    """One verdict for each gate; failures of both sides run again on the base, unless that changes nothing."""
    repo, ours = run.workspace.repo, own_files(run.spec, run.workspace.places, run.in_force.plan)
    changes = [change for change in repo.changes(run.spec.base, candidate) if change.path not in ours]
    removed = frozenset(change.path for change in changes if change.status == "D")
    changed = ChangedPaths(frozenset(change.path for change in changes), removed)

    def compare(on_base: Mapping[str, Reports]) -> list[GateVerdict]:
        return [
            verdict.compare(
                before.get(name), report, changed, gate_runs.seen_again(report, seen.second, on_base.get(name))
            )
            for name, report in seen.first.items()
        ]

    found = compare({})
    twice = {
        name: verdict.to_confirm_on_base(before.get(name), report, gate_runs.seen_again(report, seen.second))
        for name, report in seen.first.items()
    }
    failed = {name: tests for name, tests in twice.items() if tests}
    if failed and not any(one.status is VerdictStatus.FAILED for one in (*found, *seen.own)) and not run.stop:
        look = partial(gate_runs.look_again_at_base, run.spec, run.workspace, run.launch, failed, tell=run.post)
        again = _journalled(run, look)
        found = compare(dict.fromkeys(failed, again))
    accepted, shown = run.state.accepted_gates, partial(environment.masked, secrets=run.launch.mask)
    return [acceptance.judge(one, accepted.get(one.gate, {}), shown) for one in (*found, *seen.own)]


def _judged(
    run: Run, candidate: str, before: Reports, seen: _Observed, verdicts: Sequence[GateVerdict]
) -> list[GateVerdict]:
    """The verdicts with what packages changed of their judges, and what the base's say; some have no need of it."""
    judged, accepted = judges.find(run, candidate), run.state.accepted_gates
    settled = {one.gate for one in verdicts if one.status in (VerdictStatus.FAILED, VerdictStatus.SWITCHED_OFF)}
    asked = {gate: one for gate, one in judged.items() if gate not in settled}
    if asked and not run.stop:
        of_steps = {test.id for own in seen.tests for tests in own.tests.values() for test in tests}
        look = partial(judges.compare, run, candidate, asked, before=before, after=seen.first, of_steps=of_steps)
        judged |= _journalled(run, partial(look, tell=run.post))
    doubted = [(one, judges.doubt(one, judged.get(one.gate))) for one in verdicts]
    shown = partial(environment.masked, secrets=run.launch.mask)
    return [acceptance.judge_divergence(one, doubt, accepted.get(one.gate, {}), shown) for one, doubt in doubted]


def _rows(run: Run, verdicts: Sequence[GateVerdict], reports: Reports, off: Collection[str]) -> tuple[GateRow, ...]:
    """The verdicts as the summary shows them, without secrets: these are compared, and then masked."""
    gates, mask = {gate.name: gate for gate in run.spec.gates}, run.launch.mask
    rows = []
    for one in verdicts:
        gate, report = gates.get(one.gate), reports.get(one.gate)
        told: dict[str, Any] = {name: _masked(getattr(one, name), mask) for name in TOLD}
        rows.append(
            GateRow(
                name=one.gate,
                verdict=str(one.status),
                command=environment.masked(gate.shown, mask) if gate else "",
                old_failures=one.old_failures,
                log=report.log if report else "",
                texts=gate.reader if gate else "",
                tests=gate.tests if gate else True,
                dropped=one.gate in off and one.status is VerdictStatus.SWITCHED_OFF,
                **told,
            )
        )
    return tuple(rows)


def _masked(value: str | tuple[str, ...], mask: tuple[bytes, ...]) -> str | tuple[str, ...]:
    if isinstance(value, str):
        return environment.masked(value, mask)
    return tuple(environment.masked(one, mask) for one in value)


def remembered(run: Run) -> Proof:
    """The proof of the last candidate, as journalled: for a run that was killed between landing and its summary."""
    return Proof(run.state.gate_rows, passed=True)
