"""The gates on a whole tree, and what they mean: of the base early, of every candidate before it lands.

A gate is not run twice on one tree in a run: what a tree showed is kept beside the logs.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from parallel_impl import storage
from parallel_impl.gates import quality, verdict
from parallel_impl.gates.gate_report import GateReport, GateState
from parallel_impl.gates.quality import Gate
from parallel_impl.gates.verdict import GateVerdict, VerdictStatus
from parallel_impl.git.checkout import Checkout
from parallel_impl.openspec import change_folder
from parallel_impl.processes.launch import Launch, Stop
from parallel_impl.record import events as e
from parallel_impl.record import json_form
from parallel_impl.record.journal import now
from parallel_impl.report.summary import GateRow
from parallel_impl.run.launch import equip, make_ready
from parallel_impl.run.places import CANDIDATE_CHECKOUT
from parallel_impl.run.run import Run
from parallel_impl.run.spec import RunSpec, Workspace
from parallel_impl.storage import write_atomically

BASE, CANDIDATE = "base", "candidate"
SETTLED = (GateState.GREEN, GateState.NOT_RUN, GateState.OFF)
LOOK_SECONDS = 0.5  # between two looks at whether the run was stopped, while only the gates on the base are missing

Reports = dict[str, GateReport]
BaseProof = Future[Reports]


class KeptReports(msgspec.Struct, frozen=True):
    """What the gates found on a tree, as it is kept beside their logs."""

    gates: tuple[Gate, ...]
    reports: tuple[GateReport, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """What the gates say about one candidate; `rows` are for the summary."""

    rows: tuple[GateRow, ...]
    passed: bool
    why: str = ""

    @property
    def headline(self) -> str:
        """One clause for people: which gates passed, and who checked the texts."""
        proven = f"proven by {', '.join(self.by)}" if self.by else "no gate ran on the whole tree"
        checked = ", ".join(row.texts for row in self.rows if row.texts and row.verdict == VerdictStatus.PASSED)
        return f"{proven}; texts checked by {checked}" if checked else proven

    @property
    def by(self) -> tuple[str, ...]:
        """The gates that passed and ran more than a check of texts."""
        return tuple(row.name for row in self.rows if row.verdict == VerdictStatus.PASSED and not row.texts)


@contextmanager
def on_base(run: Run) -> Iterator[BaseProof]:
    """The gates on the base, in a thread of their own, while agents work; ended when the run ends without them."""
    stop = Stop()
    launch = replace(run.launch, stop=stop)
    with ThreadPoolExecutor(1, "base-gates") as pool:
        try:
            yield pool.submit(_look, run.spec, run.workspace, launch, run.spec.base, run.base_checkout)
        finally:
            stop.set()


def prove(run: Run, candidate: str, base_proof: BaseProof) -> Proof:
    """Run the gates on a checkout of the candidate and compare with the base. Blocks until both are done."""
    spec, repo, began = run.spec, run.workspace.repo, time.monotonic()
    after = _look(spec, run.workspace, run.launch, candidate)
    while not run.stop and not base_proof.done():
        wait([base_proof], timeout=LOOK_SECONDS)
    if run.stop:
        return Proof((), passed=False, why="the run was stopped")
    before = base_proof.result()
    states = {name: report.state.replace("-", " ") for name, report in before.items()}  # as verdicts are spelt
    run.record(e.GatesEnded(at=now(), on=BASE, tree=repo.tree(spec.base), verdicts=states))
    ours = run.workspace.places.own_files
    changed = {change.path for change in repo.changes(spec.base, candidate)}.difference(ours)
    verdicts = [verdict.compare(before.get(name), report, changed) for name, report in after.items()]
    rows = _rows(spec, verdicts, after)
    run.record(
        e.GatesEnded(
            at=now(),
            on=CANDIDATE,
            tree=repo.tree(candidate),
            verdicts={row.name: row.verdict for row in rows},
            seconds=round(time.monotonic() - began, 3),
        )
    )
    write_atomically(run.workspace.places.verdicts, json_form.encode(rows))
    blocking = [one for one in verdicts if one.blocks]
    return Proof(rows, not blocking, "\n".join(_explain(one, after[one.gate]) for one in blocking))


def _rows(spec: RunSpec, verdicts: Sequence[GateVerdict], reports: Reports) -> tuple[GateRow, ...]:
    """The verdicts as the summary shows them."""
    gates = {gate.name: gate for gate in spec.gates}
    return tuple(
        GateRow(
            one.gate,
            str(one.status),
            gates[one.gate].shown,
            one.why,
            one.new_failures,
            one.gone,
            one.old_failures,
            reports[one.gate].log,
            gates[one.gate].reader,
        )
        for one in verdicts
    )


def remembered(run: Run) -> Proof:
    """The proof of the last candidate, as it was kept: for a run that was killed between landing and its summary."""
    file = run.workspace.places.verdicts
    rows = json_form.decode(file.read_bytes(), tuple[GateRow, ...]) if file.is_file() else ()
    return Proof(rows, passed=True)


def _explain(one: GateVerdict, report: GateReport) -> str:
    """A gate that blocks: what is new, where the log is, and for unreadable output how to go on."""
    lines = [f"gate {one.gate}: {one.status}: {one.why}", *(f"  {failure}" for failure in one.new_failures[:20])]
    if len(one.new_failures) > 20:
        lines.append(f"  and {len(one.new_failures) - 20} more")
    if one.status is VerdictStatus.NOT_PROVEN:
        lines.append(f"  give it a parser, or switch it off by name: gates.{one.gate} = false")
    return "\n".join([*lines, f"  log: {report.log}"])


def _look(
    spec: RunSpec, workspace: Workspace, launch: Launch, commit: str, base_checkout: Checkout | None = None
) -> Reports:
    """The reports of all gates on a commit; read back where the same gates looked at its tree in this run already.

    `base_checkout` is ready where it is the base that is looked at.
    """
    on_base, places = base_checkout is not None, workspace.places
    kept = places.gate_reports(workspace.repo.tree(commit))
    if known := _read_back(spec, kept):
        return known
    if not spec.gates:
        return {}
    checkout = base_checkout or workspace.source.open(CANDIDATE_CHECKOUT, commit)
    try:
        found = _run(spec, workspace, launch, checkout, BASE if on_base else CANDIDATE)
    finally:
        checkout.remove()
    if any(report.state in (GateState.RED, GateState.BROKEN) for report in found.values()):
        storage.check_full(workspace.home, places.state, Path(tempfile.gettempdir()))  # that is no verdict
    if not any(launch.stops):
        _keep(spec, kept, found, believed=(*SETTLED, GateState.RED) if on_base else SETTLED)
    return found


def _read_back(spec: RunSpec, kept: Path) -> Reports:
    known = read_kept(kept)
    return {report.gate: report for report in known.reports} if known and known.gates == spec.gates else {}


def read_kept(file: Path) -> KeptReports | None:
    """What was kept of a tree; None when nothing was that can be read, and then the gates run again."""
    try:
        return json_form.decode(file.read_bytes(), KeptReports)
    except (FileNotFoundError, ValueError):
        return None


def _keep(spec: RunSpec, kept: Path, found: Reports, *, believed: Collection[GateState]) -> None:
    """Keep what may be believed the next time.

    A gate that broke runs again, and so does one that is red on a candidate when the command is given again (its
    reason may be gone).
    """
    if all(report.state in believed for report in found.values()):
        write_atomically(kept, json_form.encode(KeptReports(spec.gates, tuple(found.values()))))


def _run(spec: RunSpec, workspace: Workspace, launch: Launch, checkout: Checkout, on: str) -> Reports:
    if on != BASE:  # the base was made ready in preflight
        with equip(launch, spec, workspace, checkout) as inside:
            outcome = make_ready(spec, inside, checkout, workspace.places.gate_setup_log(on))
        if outcome.failure:
            return {gate.name: _without_set_up(gate, outcome.failure) for gate in spec.gates}
    with equip(launch, spec, workspace, checkout) as inside:
        return quality.run_gates(
            checkout.path,
            spec.gates,
            env=inside.env,
            folder=workspace.places.gate_logs(on),
            stop=inside.stop,
            mask=inside.mask,
            own=change_folder.check,
        )


def _without_set_up(gate: Gate, why: str) -> GateReport:
    state = GateState.OFF if gate.off else GateState.NOT_RUN if gate.absent and not gate.is_own else GateState.BROKEN
    return GateReport(gate.name, state, why=why if state is GateState.BROKEN else "")
