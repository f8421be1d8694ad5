"""The gates on one tree, run in a checkout of it; and what failed there, run once more.

A report is believed by the process that made it only: an agent can write to whatever lies on the disk.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from pathlib import Path
from typing import TypeVar

from msgspec.structs import replace

from parallel_impl import config, environment, storage
from parallel_impl.errors import printable
from parallel_impl.gates import quality, tool_command, verdict
from parallel_impl.gates.gate_report import GateReport, GateState, Test
from parallel_impl.gates.quality import Gate
from parallel_impl.gates.verdict import Again, GateVerdict, VerdictStatus
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.repo import GitError
from parallel_impl.git.surroundings import Foreign
from parallel_impl.openspec import change_folder
from parallel_impl.processes.launch import Launch, Stop
from parallel_impl.record import events as e
from parallel_impl.record.journal import now
from parallel_impl.run import undisturbed
from parallel_impl.run.launch import equip, fresh_changes, make_ready, noted
from parallel_impl.run.places import BASE_CHECKOUT, CANDIDATE_CHECKOUT
from parallel_impl.run.spec import RunSpec, Workspace
from parallel_impl.text import first_names

BASE, CANDIDATE = "base", "candidate"
STOPPED = "stopped"  # how a gate ended that was ended with its run
SETTLED = (GateState.GREEN, GateState.NOT_RUN, GateState.OFF)  # what this process believes of a tree a second time
LOOK_SECONDS = 0.5  # between two looks at whether the run was stopped, while only the gates on the base are missing
SHOWN = 20
ACCEPTABLE = (VerdictStatus.NOT_PROVEN, VerdictStatus.GONE, VerdictStatus.FLAKY)  # by name, by a person

T = TypeVar("T")
Reports = dict[str, GateReport]
Failed = Mapping[str, Sequence[Test]]  # by gate
BaseProof = Future[Reports]


def look(
    spec: RunSpec,
    workspace: Workspace,
    launch: Launch,
    commit: str,
    *,
    tell: Callable[[e.Event], None],
    base: Checkout | None = None,
    known: dict[str, Reports] | None = None,
    then: Callable[[Launch, Checkout, Reports], None] = lambda _launch, _checkout, _reports: None,
) -> Reports:
    """The reports of all gates on a commit.

    `base` is its checkout, ready, where it is the base that is looked at. `tell` hears what runs, in any thread.
    `known` has what this process found on other trees. `then` gets the reports while their checkout is there.
    """
    on_base, tree = base is not None, workspace.repo.tree(commit)
    if known and tree in known and known[tree].keys() == {gate.name for gate in spec.gates}:
        return known[tree]
    if not spec.gates:
        return {}
    checkout = base or workspace.open_checkout(CANDIDATE_CHECKOUT, commit)
    try:
        found = _run(spec, workspace, launch, checkout, on=BASE if on_base else CANDIDATE, tell=tell, then=then)
    finally:
        workspace.put_away(checkout.folder.name, 1, noted(tell))
    if any(report.state in (GateState.RED, GateState.BROKEN) for report in found.values()):
        storage.check_full(workspace.home, workspace.places.state, Path(tempfile.gettempdir()))  # that is no verdict
    return found


def look_again_at_base(
    spec: RunSpec, workspace: Workspace, launch: Launch, failed: Failed, *, tell: Callable[[e.Event], None]
) -> Reports:
    """A second session of what failed on the base, in a fresh checkout; nothing where it cannot be made ready."""
    found: Reports = {}

    def look_again(inside: Launch, checkout: Checkout) -> None:
        found.update(run_again(spec, inside, checkout, workspace.places.gate_logs(BASE), failed))

    in_checkout(spec, workspace, launch, spec.base, look_again, on=BASE, tell=tell)
    return found


def in_checkout(
    spec: RunSpec,
    workspace: Workspace,
    launch: Launch,
    commit: str,
    do: Callable[[Launch, Checkout], None],
    *,
    on: str,
    tell: Callable[[e.Event], None],
) -> str:
    """Do something in a fresh checkout that was made ready; why that could not be, "" when it was done."""
    checkout = workspace.open_checkout(BASE_CHECKOUT if on == BASE else CANDIDATE_CHECKOUT, commit)
    try:
        log = workspace.places.gate_setup_log(on)
        if not (failure := prepare(spec, workspace, launch, checkout, log, on=on, tell=tell)):
            with equip(launch, spec, workspace, checkout, tell=tell) as inside:
                do(inside, checkout)
    finally:
        workspace.put_away(checkout.folder.name, 1, noted(tell))
    return failure


def run_again(spec: RunSpec, launch: Launch, checkout: Checkout, logs: Path, failed: Failed) -> Reports:
    """Run what failed once more, in a checkout that is ready."""
    wanted = {name: tests for name, tests in failed.items() if not any(launch.stops)}
    return quality.run_again(
        checkout.files,
        spec.gates,
        wanted,
        view=checkout.view,
        env=launch.env,
        folder=logs,
        stop=launch.stop,
        mask=launch.mask,
        slot=lambda _gate, alone: spec.slots.take(launch.stops, alone=alone),
    )


def seen_again(report: GateReport, candidate: Reports, base: Reports | None = None) -> Again:
    """The second observations of a gate; `base` is given where it was asked: what gave no report saw nothing fail."""
    second = candidate.get(report.gate)
    on_base = base[report.gate].tests if base and report.gate in base else ()
    return Again(
        base=None if base is None else {test.id: test.outcome for test in on_base},
        candidate={test.id: test.outcome for test in second.tests} if second else None,
        exit_code=second.exit_code if second and not report.lists_tests else None,
    )


def to_confirm(before: Reports, after: Reports) -> Failed:
    """What is to run once more on the tree that `after` is about, by gate; an empty list: the whole command."""
    failed = {name: verdict.to_confirm(before.get(name), report) for name, report in after.items()}
    return {
        name: tests
        for name, tests in failed.items()
        if tests or verdict.runs_whole_again(before.get(name), after[name])
    }


def advice(gates: Sequence[Gate], reports: Reports) -> Iterator[str]:
    """What to write where a gate is red on the base and cannot tell old failures from new ones, one line each."""
    for gate in gates:
        report = reports.get(gate.name)
        if not report or report.foreign:
            continue
        if report.state is GateState.RED and (report.stopped or not report.explained):
            why = report.stopped or report.unexplained
            line = tool_command.whole_line(gate.name, gate.parser, gate.command)
            write = f"; one command for each gate: {line}" if line else ""
            yield f"gate {gate.name} is red on the base, and nothing can land until it is green: {why}{write}"


def wait_for(looking: Future[T], stops: Sequence[Stop], *, meanwhile: Callable[[], None] = lambda: None) -> T | None:
    """What the gates found, as soon as that is known; None when the run was stopped before.

    `meanwhile` is called between two looks, and once at the end.
    """
    while not any(stops) and not looking.done():
        wait([looking], timeout=LOOK_SECONDS)
        meanwhile()
    meanwhile()
    return None if any(stops) else looking.result()


def explain(one: GateVerdict, report: GateReport | None) -> str:
    """A gate that blocks: what is new, where the log is, and for unreadable output how to go on."""
    listed = (*one.new_failures, *one.gone, *one.flaky)
    lines = [f"gate {one.gate}: {one.status}: {one.why}", *(f"  {line}" for line in listed[:SHOWN])]
    if len(listed) > SHOWN:
        lines.append(f"  and {len(listed) - SHOWN} more")
    lines += [f"  as the base judges: {line}" for line in one.differs[:SHOWN]]
    if one.status is VerdictStatus.NOT_PROVEN and report and not (one.differs or report.stopped):
        lines.append(f"  let it be one command with a parser and --maxfail=0, or {quality.switch_off(one.gate)}")
    if one.status in ACCEPTABLE:
        lines.append(f"  or accept all of that by name: --accept {shlex.quote(one.gate)}")
    return "\n".join([*lines, *([f"  log: {report.log}"] if report else [])])


def explain_broken(report: GateReport, source: str) -> str:
    """A gate that is broken on the base, and what to write so that it is not asked."""
    lines = f"gate {report.gate} is broken on the base: {report.why}".rstrip(": ").splitlines()
    hint = f"repair it in the base, or write gates.{config.toml_key(report.gate)} = false{_into(source)}"
    return "\n".join([lines[0], *(f"  {line}" for line in lines[1:]), f"  {hint}", f"  log: {report.log}"])


def explain_unreadable(gate: Gate, report: GateReport, why: str, source: str) -> str:
    """A gate that somebody asked for and that is red on the base and cannot be read, and what to write."""
    let = f" give it a parser (one command: {tool_command.line_to_write(gate.name, 'pytest')}),"
    hint = f"repair it in the base,{let} or write gates.{config.toml_key(gate.name)} = false{_into(source)}"
    return f"gate {report.gate} is {why}\n  {hint}\n  log: {report.log}"


def _into(source: str) -> str:
    return f"; such a line stands in {source or config.FILE}; commit that, and give the same command again"


def _run(
    spec: RunSpec,
    workspace: Workspace,
    launch: Launch,
    checkout: Checkout,
    *,
    on: str,
    tell: Callable[[e.Event], None],
    then: Callable[[Launch, Checkout, Reports], None],
) -> Reports:
    logs, why = workspace.places.gate_logs(on), ""
    if on != BASE:  # the base was made ready in preflight
        why = prepare(spec, workspace, launch, checkout, workspace.places.gate_setup_log(on), on=on, tell=tell)
    if why:
        return {gate.name: _without(gate, why) for gate in spec.gates}
    with equip(launch, spec, workspace, checkout, tell=tell) as inside:
        found = run_in(spec, workspace, inside, checkout, logs, on=on, tell=tell)
        then(inside, checkout, found)
    return found


def prepare(
    spec: RunSpec,
    workspace: Workspace,
    launch: Launch,
    checkout: Checkout,
    log: Path,
    *,
    on: str,
    tell: Callable[[e.Event], None],
) -> str:
    """Make a fresh checkout ready for gates; why that failed, "" when it did not."""
    changes = fresh_changes(spec, workspace, checkout)
    with equip(launch, spec, workspace, checkout, tell=tell) as inside:
        return make_ready(spec, inside, checkout, log, tell=tell, on=on, changes=changes).failure or ""


def run_in(
    spec: RunSpec,
    workspace: Workspace,
    launch: Launch,
    checkout: Checkout,
    logs: Path,
    *,
    on: str,
    tell: Callable[[e.Event], None],
) -> Reports:
    """Run all gates in a checkout that is ready, their logs in the folder `logs`; none sees what another one writes.

    Where something lies around the checkout that is not of this run, no report is believed.
    """

    def reopen() -> str:
        workspace.open_checkout(checkout.folder.name, checkout.commit)
        return prepare(spec, workspace, launch, checkout, logs / "setup.log", on=on, tell=tell)

    def start(inside: Checkout, gates: Sequence[Gate]) -> Reports:
        return start_gates(spec, gates, launch, inside, logs, on=on, tell=tell)

    before = workspace.foreign(checkout, usual=spec.beside)
    try:
        found = undisturbed.run(spec.gates, checkout, workspace.trees, start=start, reopen=reopen)
    except (GitError, OSError) as error:  # a gate closed or removed its checkout, say
        if isinstance(error, OSError) and storage.is_of_disk(error):
            raise
        found = {gate.name: _without(gate, f"what the gates left cannot be looked at: {error}") for gate in spec.gates}
    around = before or workspace.foreign(checkout, usual=spec.beside)
    return {name: _unproven(report, around) for name, report in found.items()} if around else found


def start_gates(
    spec: RunSpec,
    gates: Sequence[Gate],
    launch: Launch,
    checkout: Checkout,
    logs: Path,
    *,
    on: str,
    tell: Callable[[e.Event], None],
) -> Reports:
    """Run these gates side by side in a checkout that is ready."""
    return quality.run_gates(
        checkout.files,
        gates,
        view=checkout.view,
        env=launch.env,
        folder=logs,
        stop=launch.stop,
        mask=launch.mask,
        own=change_folder.check,
        slot=lambda gate, alone: spec.slots.take(
            launch.stops, alone=alone, waits=lambda: tell(e.SlotAwaited(at=now(), what=gate.name, on=on))
        ),
        started=lambda gate: tell(e.GateStarted(at=now(), on=on, gate=gate.name)),
        ended=lambda report: tell(_gate_ended(on, report, launch.mask, stopped=any(launch.stops))),
    )


def _unproven(report: GateReport, around: Sequence[Foreign]) -> GateReport:
    if report.state in (GateState.NOT_RUN, GateState.OFF):
        return report
    why = "\n".join(map(str, around))
    return replace(report, state=GateState.RED, stopped=why, tests=(), findings=(), foreign=True)


def _gate_ended(on: str, report: GateReport, mask: tuple[bytes, ...], *, stopped: bool) -> e.GateEnded:
    """A gate that was ended with the run is not broken."""
    state = STOPPED if stopped and report.state is GateState.BROKEN else str(report.state)
    red = report.state is GateState.RED
    found = first_names([*map(str, report.findings), *(test.id for test in report.failed)], 1) if red else ""
    shown = environment.masked(printable(found), mask)
    return e.GateEnded(at=now(), on=on, gate=report.gate, state=state, seconds=report.seconds, found=shown)


def _without(gate: Gate, why: str) -> GateReport:
    state = GateState.OFF if gate.off else GateState.NOT_RUN if gate.absent and not gate.is_own else GateState.BROKEN
    return GateReport(gate.name, state, why=why if state is GateState.BROKEN else "")
