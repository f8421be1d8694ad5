"""The repository's gates as the steps of a package that has the whole change: on its commit, against the base.

What failed on the base already does not fail the attempt, and neither does a gate that cannot tell old from new: the
same gates decide about the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from parallel_impl.errors import printable
from parallel_impl.gates import verdict
from parallel_impl.gates.found import unreadable
from parallel_impl.gates.gate_report import GateReport
from parallel_impl.gates.lost_tests import ChangedPaths
from parallel_impl.gates.quality import Gate
from parallel_impl.gates.steps import StepResult, StepStatus, Verification
from parallel_impl.gates.verdict import GateVerdict, VerdictStatus
from parallel_impl.git.checkout import Checkout
from parallel_impl.plan.model import StepKind
from parallel_impl.processes.launch import Launch
from parallel_impl.record import events as e
from parallel_impl.record.journal import now
from parallel_impl.record.times import TimePhase
from parallel_impl.run import gate_runs
from parallel_impl.run.attempt.job import Attempt
from parallel_impl.run.gate_runs import Reports
from parallel_impl.run.stopwatch import phase

AGAINST = (VerdictStatus.FAILED, VerdictStatus.GONE)  # what an agent can do something about
JUDGED = (VerdictStatus.PASSED, *AGAINST)
STOPPED = Verification(passed=False, steps=(), stopped=True)


def runs_any(attempt: Attempt) -> bool:
    """Whether there is a gate to ask."""
    return any(gate.runs for gate in attempt.spec.gates)


def run(attempt: Attempt, launch: Launch, checkout: Checkout) -> Verification:
    """Run the gates in a checkout of the attempt's commit that is ready; their verdict against the base."""
    spec = attempt.spec
    after = gate_runs.run_in(
        spec, attempt.workspace, launch, checkout, attempt.files.gates, on="", tell=partial(_tell, attempt)
    )
    with phase(TimePhase.BASE):
        before = gate_runs.wait_for(attempt.job.on_base.gates, launch.stops) if attempt.job.on_base else {}
    if before is None or any(launch.stops):
        return STOPPED
    failed = gate_runs.to_confirm(before, after)
    again = gate_runs.run_again(spec, launch, checkout, attempt.files.gates, failed)
    if any(launch.stops):
        return STOPPED
    if all(report.state in gate_runs.SETTLED for report in after.values()):
        attempt.job.known_reports[attempt.workspace.repo.tree(attempt.commit)] = after
    changes = attempt.work.changes
    removed = frozenset(change.path for change in changes if change.status == "D")
    changed = ChangedPaths(frozenset(change.path for change in changes), removed)
    off = unreadable.unreadable(spec.gates, before)
    compared = (
        verdict.compare(before.get(name), report, changed, gate_runs.seen_again(report, again))
        for name, report in after.items()
    )
    verdicts = [unreadable.dropped(one, off) for one in compared]
    _note_undecided(attempt, verdicts)
    for one in verdicts:
        if one.status in JUDGED:
            attempt.post(_ended(attempt, one, after[one.gate]))
    return _summed_up(spec.gates, verdicts, after)


def _tell(attempt: Attempt, event: e.Event) -> None:
    """A gate that begins is shown as a step of the attempt; how it ends is told with its verdict."""
    if isinstance(event, e.SlotAwaited):
        attempt.post(e.SlotAwaited(at=event.at, what=event.what, package=attempt.package.id, number=attempt.job.number))
    if isinstance(event, e.GateStarted):
        names = [gate.name for gate in attempt.spec.gates if gate.runs]
        package, number, place = attempt.package.id, attempt.job.number, names.index(event.gate) + 1
        attempt.post(
            e.StepStarted(at=event.at, package=package, number=number, step=event.gate, place=place, steps=len(names))
        )


def _ended(attempt: Attempt, one: GateVerdict, report: GateReport) -> e.StepEnded:
    return e.StepEnded(
        at=now(),
        package=attempt.package.id,
        number=attempt.job.number,
        step=one.gate,
        passed=not one.blocks,
        seconds=report.seconds,
    )


def _note_undecided(attempt: Attempt, verdicts: Sequence[GateVerdict]) -> None:
    """A gate that cannot tell whether its failures are new costs no try: the agent could not do anything about it."""
    for one in verdicts:
        if one.status in (VerdictStatus.NOT_PROVEN, VerdictStatus.FLAKY):
            attempt.note(f"gate {one.gate} on its work: {one.status}: {one.why}; it is asked again before landing")


def _summed_up(gates: Sequence[Gate], verdicts: Sequence[GateVerdict], reports: Reports) -> Verification:
    commands = {gate.name: gate.shown for gate in gates}
    steps, why = [], []
    for one in verdicts:
        report = reports[one.gate]
        if one.status not in JUDGED:
            continue
        failed = one.status in AGAINST
        steps.append(
            StepResult(
                one.gate,
                StepKind.COMMAND,
                StepStatus.FAILED if failed else StepStatus.PASSED,
                commands[one.gate],
                exit_code=report.exit_code,
                seconds=report.seconds,
                log=Path(report.log) if report.log else None,
                why=one.why,
            )
        )
        why += [gate_runs.explain(one, report)] if failed else []
    return Verification(not why, tuple(steps), why=printable("\n".join(why)))
