"""The gates on a whole tree, and what they mean: of the base early, of every candidate before it lands.

A gate is not run twice on one tree in a run: what a tree showed is kept beside the logs.
"""

from __future__ import annotations

import dataclasses
import json
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from parallel_impl import storage
from parallel_impl.gates import quality, verdict
from parallel_impl.gates.gate_report import GateReport, GateState
from parallel_impl.gates.quality import Gate
from parallel_impl.git.checkout import Checkout
from parallel_impl.processes.launch import Stop
from parallel_impl.record import events as e
from parallel_impl.report.summary import GateRow
from parallel_impl.run.run import Ground, Run, now, short_folder
from parallel_impl.run.start import base_check
from parallel_impl.storage import write_atomically

BASE = "base"
SETTLED = (GateState.GREEN, GateState.NOT_RUN, GateState.OFF)
LOOK_SECONDS = 0.5  # between two looks at whether the run was stopped, while only the gates on the base are missing

Reports = dict[str, GateReport]
BaseProof = Future[Reports]


class KeptReports(msgspec.Struct, frozen=True):
    """What gates said of a tree, as it lies beside their logs."""

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
        """One clause for people: which gates passed."""
        passed = [row.name for row in self.rows if row.verdict == "passed"]
        return f"proven by {', '.join(passed)}" if passed else "no gate ran on the whole tree"


@contextmanager
def on_base(run: Run) -> Iterator[BaseProof]:
    """The gates on the base, in a thread of their own, while agents work; ended when the run ends without them."""
    ground = replace(run.ground, stop=Stop())
    with ThreadPoolExecutor(1, "base-gates") as pool:
        try:
            yield pool.submit(_reports, ground, ground.base, run.base_checkout, BASE)
        finally:
            ground.stop.set()


def prove(run: Run, candidate: str, base_proof: BaseProof) -> Proof:
    """Run the gates on a checkout of the candidate and compare with the base. Blocks until both are done."""
    ground, began = run.ground, time.monotonic()
    tree = ground.repo.tree(candidate)
    after = _reports(ground, candidate, None, "candidate")
    while not ground.stop and not base_proof.done():
        wait([base_proof], timeout=LOOK_SECONDS)
    if ground.stop:
        return Proof((), passed=False, why="the run was stopped")
    before = base_proof.result()
    states = {name: str(report.state) for name, report in before.items()}
    run.record(e.GatesEnded(at=now(), on=BASE, tree=ground.repo.tree(ground.base), verdicts=states))
    changed = {change.path for change in ground.repo.changes(ground.base, candidate)}
    verdicts = [verdict.compare(before.get(name), report, changed) for name, report in after.items()]
    commands = {gate.name: gate.command for gate in ground.gates}
    rows = tuple(
        GateRow(
            one.gate,
            str(one.status),
            commands[one.gate],
            one.why,
            one.new_failures,
            one.gone,
            one.old_failures,
            after[one.gate].log,
        )
        for one in verdicts
    )
    run.record(
        e.GatesEnded(
            at=now(),
            on="candidate",
            tree=tree,
            verdicts={row.name: row.verdict for row in rows},
            seconds=round(time.monotonic() - began, 3),
        )
    )
    write_atomically(
        ground.places.gates / "verdicts.json", json.dumps([dataclasses.asdict(row) for row in rows]).encode()
    )
    blocking = [one for one in verdicts if one.blocks]
    return Proof(rows, not blocking, "\n".join(_explain(one, after[one.gate]) for one in blocking))


def remembered(run: Run) -> Proof:
    """The proof of the last candidate, as it was kept: for a run that had landed before it could say so."""
    file = run.ground.places.gates / "verdicts.json"
    rows = json.loads(file.read_bytes()) if file.is_file() else []
    lists = ("new_failures", "gone")
    return Proof(tuple(GateRow(**{**row, **{key: tuple(row[key]) for key in lists}}) for row in rows), passed=True)


def _explain(one: verdict.GateVerdict, report: GateReport) -> str:
    """A gate that blocks: what is new, where the log is, and for unreadable output how to go on."""
    lines = [f"gate {one.gate}: {one.status}: {one.why}", *(f"  {failure}" for failure in one.new_failures[:20])]
    if len(one.new_failures) > 20:
        lines.append(f"  and {len(one.new_failures) - 20} more")
    if one.status is verdict.VerdictStatus.NOT_PROVEN:
        lines.append(f"  give it a parser, or switch it off by name: gates.{one.gate} = false")
    return "\n".join([*lines, f"  log: {report.log}"])


def _reports(ground: Ground, commit: str, checkout: Checkout | None, name: str) -> Reports:
    """The reports of all gates on a commit; read back where the same gates looked at its tree in this run already.

    Only what may be believed is kept: a gate that broke runs again, and so does one that is red on a candidate when
    the command is given again (its reason may be gone).
    """
    kept = ground.places.gates / f"{ground.repo.tree(commit)}.json"
    if (known := read_kept(kept)) and known.gates == ground.gates:
        return {report.gate: report for report in known.reports}
    if not ground.gates:
        return {}
    checkout = checkout or ground.source.open(base_check.CANDIDATE, commit)
    try:
        found = _run(ground, checkout, name)
    finally:
        checkout.remove()
    if any(report.state in (GateState.RED, GateState.BROKEN) for report in found.values()):
        storage.check_full(ground.home, ground.places.state, Path(tempfile.gettempdir()))  # that is no verdict
    believed = (*SETTLED, GateState.RED) if name == BASE else SETTLED
    if not ground.stop and all(report.state in believed for report in found.values()):
        made = msgspec.to_builtins(KeptReports(ground.gates, tuple(found.values())))
        write_atomically(kept, json.dumps(made).encode())
    return found


def read_kept(file: Path) -> KeptReports | None:
    """What was kept of a tree; None when nothing was that can be read, and then the gates run again."""
    try:
        return msgspec.convert(json.loads(file.read_bytes()), KeptReports)
    except (FileNotFoundError, ValueError, RecursionError):
        return None


def _run(ground: Ground, checkout: Checkout, name: str) -> Reports:
    folder = ground.places.gates / name
    if name != BASE:  # the base was made ready in preflight
        outcome = base_check.make_ready(ground, checkout, name)
        if outcome.failure:
            return {gate.name: _without_set_up(gate, outcome.failure) for gate in ground.gates}
    with short_folder(ground.run_id) as temporary:
        environment = {**ground.environment, **ground.variables(), "TMPDIR": temporary}
        return quality.run_gates(
            checkout.path, ground.gates, env=environment, folder=folder, stop=ground.stop, mask=ground.mask
        )


def _without_set_up(gate: Gate, why: str) -> GateReport:
    state = GateState.OFF if gate.off else GateState.NOT_RUN if gate.absent else GateState.BROKEN
    return GateReport(gate.name, state, why=why if state is GateState.BROKEN else "")
