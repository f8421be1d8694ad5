"""The gates on one tree: run in a checkout of it, kept beside their logs, and read back in the same run.

A gate is not run twice on one tree in a run.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, wait
from pathlib import Path

import msgspec

from parallel_impl import storage
from parallel_impl.gates import quality
from parallel_impl.gates.gate_report import GateReport, GateState
from parallel_impl.gates.quality import Gate
from parallel_impl.gates.verdict import GateVerdict, VerdictStatus
from parallel_impl.git.checkout import Checkout
from parallel_impl.openspec import change_folder
from parallel_impl.processes.launch import Launch, Stop
from parallel_impl.record import events as e
from parallel_impl.record import json_form
from parallel_impl.record.journal import now
from parallel_impl.run.launch import equip, make_ready
from parallel_impl.run.places import CANDIDATE_CHECKOUT
from parallel_impl.run.spec import RunSpec, Workspace
from parallel_impl.storage import write_atomically

BASE, CANDIDATE = "base", "candidate"
SETTLED = (GateState.GREEN, GateState.NOT_RUN, GateState.OFF)
LOOK_SECONDS = 0.5  # between two looks at whether the run was stopped, while only the gates on the base are missing
SHOWN = 20

Reports = dict[str, GateReport]
BaseProof = Future[Reports]


class KeptReports(msgspec.Struct, frozen=True):
    """What the gates found on a tree, as it is kept beside their logs."""

    gates: tuple[Gate, ...]
    reports: tuple[GateReport, ...]


def look(
    spec: RunSpec,
    workspace: Workspace,
    launch: Launch,
    commit: str,
    *,
    tell: Callable[[e.Event], None],
    base: Checkout | None = None,
) -> Reports:
    """The reports of all gates on a commit; read back where the same gates looked at its tree in this run already.

    `base` is its checkout, ready, where it is the base that is looked at. `tell` hears what runs, in any thread.
    """
    on_base, places = base is not None, workspace.places
    kept = places.gate_reports(workspace.repo.tree(commit))
    if known := _read_back(spec, kept):
        return known
    if not spec.gates:
        return {}
    checkout = base or workspace.source.open(CANDIDATE_CHECKOUT, commit)
    try:
        found = _run(spec, workspace, launch, checkout, on=BASE if on_base else CANDIDATE, tell=tell)
    finally:
        checkout.remove()
    if any(report.state in (GateState.RED, GateState.BROKEN) for report in found.values()):
        storage.check_full(workspace.home, places.state, Path(tempfile.gettempdir()))  # that is no verdict
    if not any(launch.stops):
        keep(spec, kept, found, believed=(*SETTLED, GateState.RED) if on_base else SETTLED)
    return found


def wait_for(
    looking: Future[Reports], stops: Sequence[Stop], *, meanwhile: Callable[[], None] = lambda: None
) -> Reports | None:
    """What the gates found, as soon as that is known; None when the run was stopped before.

    `meanwhile` is called between two looks, and once at the end.
    """
    while not any(stops) and not looking.done():
        wait([looking], timeout=LOOK_SECONDS)
        meanwhile()
    meanwhile()
    return None if any(stops) else looking.result()


def explain(one: GateVerdict, report: GateReport) -> str:
    """A gate that blocks: what is new, where the log is, and for unreadable output how to go on."""
    lines = [f"gate {one.gate}: {one.status}: {one.why}", *(f"  {failure}" for failure in one.new_failures[:SHOWN])]
    if len(one.new_failures) > SHOWN:
        lines.append(f"  and {len(one.new_failures) - SHOWN} more")
    if one.status is VerdictStatus.NOT_PROVEN:
        lines.append(f"  give it a parser, or {quality.switch_off(one.gate)}")
    return "\n".join([*lines, f"  log: {report.log}"])


def _read_back(spec: RunSpec, kept: Path) -> Reports:
    known = read_kept(kept)
    return {report.gate: report for report in known.reports} if known and known.gates == spec.gates else {}


def read_kept(file: Path) -> KeptReports | None:
    """What was kept of a tree; None when nothing was that can be read, and then the gates run again."""
    try:
        return json_form.decode(file.read_bytes(), KeptReports)
    except (FileNotFoundError, ValueError):
        return None


def keep(spec: RunSpec, kept: Path, found: Reports, *, believed: Collection[GateState] = SETTLED) -> None:
    """Keep what may be believed the next time.

    A gate that broke runs again, and so does one that is red on a candidate when the command is given again (its
    reason may be gone).
    """
    if all(report.state in believed for report in found.values()):
        write_atomically(kept, json_form.encode(KeptReports(spec.gates, tuple(found.values()))))


def _run(
    spec: RunSpec,
    workspace: Workspace,
    launch: Launch,
    checkout: Checkout,
    *,
    on: str,
    tell: Callable[[e.Event], None],
) -> Reports:
    if on != BASE:  # the base was made ready in preflight
        with equip(launch, spec, workspace, checkout) as inside:
            outcome = make_ready(spec, inside, checkout, workspace.places.gate_setup_log(on), tell=tell, on=on)
        if outcome.failure:
            return {gate.name: _without_set_up(gate, outcome.failure) for gate in spec.gates}
    with equip(launch, spec, workspace, checkout) as inside:
        return run_in(spec, inside, checkout, workspace.places.gate_logs(on), on=on, tell=tell)


def run_in(
    spec: RunSpec, launch: Launch, checkout: Checkout, logs: Path, *, on: str, tell: Callable[[e.Event], None]
) -> Reports:
    """Run all gates in a checkout that is ready, their logs in the folder `logs`."""
    return quality.run_gates(
        checkout.path,
        spec.gates,
        env=launch.env,
        folder=logs,
        stop=launch.stop,
        mask=launch.mask,
        own=change_folder.check,
        slot=lambda gate, alone: spec.slots.take(
            launch.stops, alone=alone, waits=lambda: tell(e.SlotAwaited(at=now(), what=gate.name, on=on))
        ),
        started=lambda gate: tell(e.GateStarted(at=now(), on=on, gate=gate.name)),
        ended=lambda report: tell(_gate_ended(on, report)),
    )


def _gate_ended(on: str, report: GateReport) -> e.GateEnded:
    return e.GateEnded(at=now(), on=on, gate=report.gate, state=str(report.state), seconds=report.seconds)


def _without_set_up(gate: Gate, why: str) -> GateReport:
    state = GateState.OFF if gate.off else GateState.NOT_RUN if gate.absent and not gate.is_own else GateState.BROKEN
    return GateReport(gate.name, state, why=why if state is GateState.BROKEN else "")
