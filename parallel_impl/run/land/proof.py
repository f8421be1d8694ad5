"""What the gates mean for the whole: run on the base early, and on every candidate before it lands."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

from parallel_impl.gates import verdict
from parallel_impl.gates.found import unreadable
from parallel_impl.gates.verdict import GateVerdict, VerdictStatus
from parallel_impl.processes.launch import Stop
from parallel_impl.record import events as e
from parallel_impl.record import json_form
from parallel_impl.record.journal import now
from parallel_impl.report.summary import GateRow
from parallel_impl.run import gate_runs
from parallel_impl.run.gate_runs import BASE, CANDIDATE, BaseProof, Reports
from parallel_impl.run.run import Run
from parallel_impl.run.spec import RunSpec, own_files
from parallel_impl.storage import write_atomically


@dataclass(frozen=True, slots=True)
class Proof:
    """What the gates say about one candidate; `rows` are for the summary."""

    rows: tuple[GateRow, ...]
    passed: bool
    why: str = ""

    @property
    def headline(self) -> str:
        """One clause for people: which gates passed, and who checked the texts."""
        parts = [f"proven by {', '.join(self.by)}" if self.by else "no gate ran on the whole tree"]
        if not any(row.tests and row.name in self.by for row in self.rows):
            parts.append("no test gate on the whole")
        parts += [f"gate {row.name} was switched off: {row.why}" for row in self.rows if row.dropped]
        checked = ", ".join(row.texts for row in self.rows if row.texts and row.verdict == VerdictStatus.PASSED)
        return "; ".join([*parts, f"texts checked by {checked}"] if checked else parts)

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
            yield pool.submit(
                gate_runs.look, run.spec, run.workspace, launch, run.spec.base, tell=run.post, base=run.base_checkout
            )
        finally:
            stop.set()


def prove(run: Run, candidate: str, base_proof: BaseProof) -> Proof:
    """Run the gates on a checkout of the candidate and compare with the base. Blocks until both are done."""
    spec, repo, began = run.spec, run.workspace.repo, time.monotonic()
    after = _look_while_telling(run, candidate)
    before = gate_runs.wait_for(base_proof, (run.stop,), meanwhile=run.record_posted)
    if before is None:
        return Proof((), passed=False, why="the run was stopped")
    states = {name: report.state.replace("-", " ") for name, report in before.items()}  # as verdicts are spelt
    run.record(e.GatesEnded(at=now(), on=BASE, tree=repo.tree(spec.base), verdicts=states))
    ours = own_files(spec, run.workspace.places, run.in_force.plan)
    changed = {change.path for change in repo.changes(spec.base, candidate)}.difference(ours)
    off = unreadable.unreadable(spec.gates, before)
    compared = (verdict.compare(before.get(name), report, changed) for name, report in after.items())
    verdicts = [unreadable.dropped(one, off) for one in compared]
    rows = _rows(spec, verdicts, after, off)
    for row in rows:
        if row.dropped:
            run.listener.say(unreadable.warning(row.name, row.why))
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
    return Proof(rows, not blocking, "\n".join(gate_runs.explain(one, after[one.gate]) for one in blocking))


def _look_while_telling(run: Run, candidate: str) -> Reports:
    """The reports on a candidate; what its gates do is journalled meanwhile, by this thread."""
    with ThreadPoolExecutor(1, "candidate-gates") as pool:
        looking = pool.submit(gate_runs.look, run.spec, run.workspace, run.launch, candidate, tell=run.post)
        try:
            gate_runs.wait_for(looking, (), meanwhile=run.record_posted)
        except BaseException:
            run.stop.set()  # or the end of the pool would wait for the gates
            raise
    return looking.result()


def _rows(
    spec: RunSpec, verdicts: Sequence[GateVerdict], reports: Reports, off: Collection[str]
) -> tuple[GateRow, ...]:
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
            gates[one.gate].tests,
            one.gate in off and one.status is VerdictStatus.SWITCHED_OFF,
        )
        for one in verdicts
    )


def remembered(run: Run) -> Proof:
    """The proof of the last candidate, as it was kept: for a run that was killed between landing and its summary."""
    file = run.workspace.places.verdicts
    rows = json_form.decode(file.read_bytes(), tuple[GateRow, ...]) if file.is_file() else ()
    return Proof(rows, passed=True)
