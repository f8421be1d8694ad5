"""What the gates mean for the whole: run on the base early, and on every candidate before it lands."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import msgspec

from parallel_impl.gates import verdict
from parallel_impl.gates.verdict import GateVerdict, VerdictStatus
from parallel_impl.processes.launch import Stop
from parallel_impl.record import events as e
from parallel_impl.record import json_form
from parallel_impl.record.journal import now
from parallel_impl.report.summary import GateRow
from parallel_impl.run import gate_runs
from parallel_impl.run.gate_runs import BASE, CANDIDATE, SHOWN, BaseProof, Found, Reports
from parallel_impl.run.land import judges
from parallel_impl.run.land.judges import Judged
from parallel_impl.run.run import Run
from parallel_impl.run.spec import RunSpec
from parallel_impl.storage import write_atomically


@dataclass(frozen=True, slots=True)
class Proof:
    """What the gates say about one candidate; `rows` are for the summary."""

    rows: tuple[GateRow, ...]
    passed: bool
    why: str = ""
    judges: str = ""

    @property
    def headline(self) -> str:
        """One clause for people: which gates passed, and who checked the texts."""
        proven = f"proven by {', '.join(self.by)}" if self.by else "no gate ran on the whole tree"
        checked = ", ".join(row.texts for row in self.rows if row.texts and row.verdict == VerdictStatus.PASSED)
        texts = f"; texts checked by {checked}" if checked else ""
        return f"{proven}{texts}" + (f"; {self.judges}" if self.judges else "")

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
    after = _tell_while(run, partial(gate_runs.look, spec, run.workspace, run.launch, candidate))
    before = gate_runs.wait_for(base_proof, (run.stop,), meanwhile=run.record_posted)
    if before is None:
        return Proof((), passed=False, why="the run was stopped")
    states = {name: report.state.replace("-", " ") for name, report in before.items()}  # as verdicts are spelt
    run.record(e.GatesEnded(at=now(), on=BASE, tree=repo.tree(spec.base), verdicts=states))
    ours = run.workspace.places.own_files
    changed = {change.path for change in repo.changes(spec.base, candidate)}.difference(ours)
    verdicts = [verdict.compare(before.get(name), report, changed) for name, report in after.items()]
    judged = judges.find(run, candidate)
    if not run.stop and (doubtful := _undecided(verdicts, judged)):
        judged |= _tell_while(run, partial(judges.compare, run, candidate, doubtful, before=before, after=after))
    verdicts = [_doubted(one, judged.get(one.gate)) for one in verdicts]
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
    why = "\n".join(gate_runs.explain(one, after[one.gate]) for one in blocking)
    return Proof(rows, not blocking, why, judges.headline(judged))


def _undecided(verdicts: Sequence[GateVerdict], judged: Mapping[str, Judged]) -> dict[str, Judged]:
    """The gates to ask once more by the base's judge: one that blocks already decides without that."""
    return {one.gate: judged[one.gate] for one in verdicts if one.gate in judged and not one.blocks}


def _doubted(one: GateVerdict, judged: Judged | None) -> GateVerdict:
    """The verdict with what steers its gate; one that only the changed judge reaches is not proven."""
    if judged is None:
        return one
    named = msgspec.structs.replace(one, judges=judged.named, differs=judged.differ.blocking)
    if not named.differs or one.blocks:
        more = "; ".join((*filter(None, [one.why]), *judged.differ.named[:SHOWN]))
        return msgspec.structs.replace(named, why=more)
    why = f"{' and '.join(judged.named)}, and as the base judges: {named.differs[0]}"
    return msgspec.structs.replace(named, status=VerdictStatus.NOT_PROVEN, why=why)


def _tell_while(run: Run, look: Callable[..., Found]) -> Found:
    """What `look` finds in a thread of its own; what gates do is journalled meanwhile, by this one."""
    with ThreadPoolExecutor(1, "candidate-gates") as pool:
        looking = pool.submit(look, tell=run.post)
        try:
            gate_runs.wait_for(looking, (), meanwhile=run.record_posted)
        except BaseException:
            run.stop.set()  # or the end of the pool would wait for the gates
            raise
    return looking.result()


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
            one.judges,
            one.differs,
        )
        for one in verdicts
    )


def remembered(run: Run) -> Proof:
    """The proof of the last candidate, as it was kept: for a run that was killed between landing and its summary."""
    file = run.workspace.places.verdicts
    rows = json_form.decode(file.read_bytes(), tuple[GateRow, ...]) if file.is_file() else ()
    return Proof(rows, passed=True)
