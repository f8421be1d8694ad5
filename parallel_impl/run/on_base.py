"""What the gates and the packages' steps do on the base: known before an agent is paid, as far as waiting allows.

The gates run in the checkout that preflight made ready, the steps in one of their own, one after the other. Gates go on
beside the agents where they take longer than agents wait; steps are ended then, since nothing but news comes of them. A
step that allows old failures goes on: which these are is what an attempt waits for.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from parallel_impl import config, storage
from parallel_impl.errors import Problem, Severity, count, first_line, printable
from parallel_impl.gates import start_failure, steps
from parallel_impl.gates.found import unreadable
from parallel_impl.gates.gate_report import GateState
from parallel_impl.gates.steps import StepResult, StepStatus
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.repo import GitError
from parallel_impl.git.surroundings import Foreign
from parallel_impl.git.traces import Traces
from parallel_impl.plan.model import Package, Plan, Step, StepKind
from parallel_impl.processes.launch import Launch, Stop
from parallel_impl.processes.slots import SlotWait
from parallel_impl.record.events import Event, SlotAwaited, StepEnded, StepStarted
from parallel_impl.record.journal import now
from parallel_impl.record.times import TimePhase
from parallel_impl.run import gate_runs
from parallel_impl.run.gate_runs import BASE, BaseProof
from parallel_impl.run.launch import equip, make_ready, noted
from parallel_impl.run.places import STEPS_CHECKOUT
from parallel_impl.run.spec import PlanInForce, RunSpec, Workspace
from parallel_impl.run.stopwatch import measuring

STEPS = "base-steps"  # where their logs lie
SHOWN = 5
TOLD_AFTER = 1.0  # seconds of waiting that nobody needs to be told about, and between two looks at a signal


@dataclass(frozen=True, slots=True)
class StepsOnBase:
    """What each step of the plan did on the base. Steps that differ in their name only run once, for the first.

    `late` are those that were not through in time, `foreign` is what lay around their checkout: so nothing was shown.
    """

    owners: dict[Step, tuple[Package, Step]]
    results: dict[Step, Future[StepResult]]
    told: set[Step] = field(default_factory=set)
    late: list[Step] = field(default_factory=list)
    foreign: list[Foreign] = field(default_factory=list)

    @classmethod
    def of_plan(cls, in_force: PlanInForce, wanted: Collection[str]) -> StepsOnBase:
        """Nothing has run yet; `wanted` are the packages whose steps will."""
        packages = [in_force.plan.package(name) for name in in_force.order.topological if name in wanted]
        owners: dict[Step, tuple[Package, Step]] = {}
        for package in packages:
            for step in package.steps:
                if step.kind is StepKind.COMMAND:
                    owners.setdefault(_bare(step), (package, step))
        return cls(owners, {one: Future() for one in owners})

    def result(self, step: Step) -> Future[StepResult] | None:
        """What a step does on the base; None for one that another plan had then."""
        return self.results.get(_bare(step))

    def known(self, step: Step) -> StepResult | None:
        """What a step did there, where that is known by now."""
        found = self.results.get(_bare(step))
        return found.result() if found and found.done() and not found.cancelled() else None

    def news(self) -> Iterator[tuple[Package, Step, StepResult]]:
        """The steps that have ended since this was asked last."""
        for one, (package, step) in self.owners.items():
            if one not in self.told and (result := self.known(step)):
                self.told.add(one)
                yield package, step, result

    def news_of_late(self) -> list[tuple[Package, Step]]:
        """The steps that were not through in time, and of which that was not told yet."""
        fresh = [one for one in tuple(self.late) if one not in self.told]
        self.told.update(fresh)
        return [self.owners[one] for one in fresh]


def _bare(step: Step) -> Step:
    """A step without what makes no difference to how it ends."""
    return replace(step, name="", timeout_minutes=0, instructions="", result_keys=())


@dataclass(frozen=True, slots=True)
class OnBase:
    """The gates and the steps on the base, while they run and afterwards. `trying` ends with the last step."""

    spec: RunSpec
    gates: BaseProof
    steps: StepsOnBase
    trying: Future[None]

    def done(self) -> bool:
        """Whether all is known. Raises what went wrong in its threads."""
        running = [one for one in (self.gates, self.trying) if not (one.done() and one.exception() is None)]
        for one in running:
            if one.done():
                one.result()
        return not running

    def foreign(self) -> str:
        """What lies around a checkout of the base and is not of this run, with the lines that remove it, as far known.

        Nothing that ran there shows anything.
        """
        reports = self.gates.result().values() if self.gates.done() and not self.gates.exception() else ()
        found = [*(one.stopped for one in reports if one.foreign), *map(str, tuple(self.steps.foreign))]
        return "\n".join(dict.fromkeys(found))

    def broken(self, accepted: Collection[str] = ()) -> str:
        """The gates that can judge nothing, and what to write about them; "" as long as none is known.

        They are broken on the base, or somebody asked for them and they are red there and cannot be read, unless that
        is `accepted` by name.
        """
        if not self.gates.done() or self.gates.exception():
            return ""
        reports = self.gates.result()
        off, red = unreadable.unreadable(self.spec.gates, reports), unreadable.asked(self.spec.gates, reports)
        source = self.spec.config.source
        broken = [one for one in reports.values() if one.state is GateState.BROKEN and one.gate not in off]
        asked = [gate for gate in self.spec.gates if gate.name in red and gate.name not in accepted]
        told = [gate_runs.explain_unreadable(gate, reports[gate.name], red[gate.name], source) for gate in asked]
        return "\n".join([*(gate_runs.explain_broken(one, source) for one in broken), *told])

    def advice(self) -> list[str]:
        """What to write where a gate is red on the base and judges nothing or lets nothing land, as far as known."""
        if not self.gates.done() or self.gates.exception():
            return []
        reports = self.gates.result()
        off, red = unreadable.unreadable(self.spec.gates, reports), unreadable.asked(self.spec.gates, reports)
        judging = [gate for gate in self.spec.gates if gate.name not in off and gate.name not in red]
        return [*(unreadable.line(name, why) for name, why in off.items()), *gate_runs.advice(judging, reports)]

    def wait(
        self,
        minutes: float,
        stop: Stop,
        *,
        say: Callable[[str], None],
        meanwhile: Callable[[], None] = lambda: None,
        accepted: Collection[str] = (),
        whole: bool = False,
    ) -> None:
        """Until all is known, nothing can come of it (not with `whole`), the minutes are over, or a stop."""
        began, told = time.monotonic(), False
        while not (self.done() or ((self.foreign() or self.broken(accepted)) and not whole) or stop):
            left = minutes * 60 - (time.monotonic() - began)
            if left <= 0:
                if told:
                    say(f"agents start: gates and steps are not through on the base after {minutes:g} minutes")
                return
            running: list[Future[Any]] = [one for one in (self.gates, self.trying) if not one.done()]
            wait(running, min(left, TOLD_AFTER), FIRST_COMPLETED)
            if not told and time.monotonic() - began >= TOLD_AFTER and not self.done():
                limit = "" if math.isinf(minutes) else f", for {minutes:g} minutes at most (base_minutes)"
                say(f"gates and steps run on the base first{limit}")
                told = True
            meanwhile()


@dataclass(frozen=True, slots=True)
class BaseWork:
    """What they run with. `tell` hears what runs, in any thread; `checkout` is one of the base that is ready.

    `minutes` are all that steps get together; those that allow old failures have no such bound.
    """

    spec: RunSpec
    workspace: Workspace
    launch: Launch
    tell: Callable[[Event], None] = lambda _: None
    checkout: Checkout | None = None
    minutes: float = math.inf


@contextmanager
def running(work: BaseWork, in_force: PlanInForce, wanted: Collection[str]) -> Iterator[OnBase]:
    """Gates, and the steps of these packages, on the base, in threads of their own, which end with this context."""
    stop, tried = Stop(), StepsOnBase.of_plan(in_force, wanted)
    work = replace(work, launch=replace(work.launch, stop=(*work.launch.stops, stop)))
    spec, workspace, launch, checkout = work.spec, work.workspace, work.launch, work.checkout
    # where no gate works in the checkout that is ready, the steps do, and it need not be made twice
    ready = checkout if not any(gate.runs for gate in spec.gates) else None

    def look() -> gate_runs.Reports:
        if ready:
            trying.result()
        wait = SlotWait()
        with measuring(BASE, wait, TimePhase.GATES, work.tell):
            measured = replace(spec, slots=spec.slots.measured_by(wait))
            return gate_runs.look(measured, workspace, launch, spec.base, tell=work.tell, base=checkout)

    with (
        _after(work.minutes) as late,
        ThreadPoolExecutor(1, "base-gates") as first,
        ThreadPoolExecutor(1, "base-steps") as second,
    ):
        try:
            trying = second.submit(_try_steps, work, ready, tried, late)
            yield OnBase(spec, first.submit(look), tried, trying)
        finally:
            stop.set()


@contextmanager
def _after(minutes: float) -> Iterator[Stop]:
    """A stop that is set when so many minutes are over."""
    late = Stop()
    if minutes <= 0:
        late.set()
    timer = threading.Timer(min(minutes * 60, threading.TIMEOUT_MAX), late.set)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _try_steps(work: BaseWork, ready: Checkout | None, tried: StepsOnBase, late: Stop) -> None:
    """Run the steps in `ready`, or in a checkout that is made for them, and removed."""
    wait = SlotWait()
    work = replace(work, spec=replace(work.spec, slots=work.spec.slots.measured_by(wait)))
    try:
        if tried.results and not any(work.launch.stops):
            with measuring(BASE, wait, TimePhase.VERIFICATION, work.tell):
                if ready:
                    _try_each(work, ready, tried, late)
                else:
                    _try_apart(work, tried, late)
    except (GitError, OSError) as error:  # a step closed or removed its checkout, say: the others are not known then
        if isinstance(error, OSError) and storage.is_of_disk(error):
            raise
        left = f"steps on the base: what one left cannot be put back, so the others are not tried: {error}"
        noted(work.tell)(first_line(left))
    finally:
        for one in tried.results.values():
            one.cancel()  # those that did not run


def _try_apart(work: BaseWork, tried: StepsOnBase, late: Stop) -> None:
    spec, workspace, launch = work.spec, work.workspace, work.launch
    if not any(step.old_failures for step in tried.owners):
        launch = replace(launch, stop=(*launch.stops, late))
    if any(launch.stops):
        tried.late.extend(tried.owners)
        return
    checkout, log = workspace.open_checkout(STEPS_CHECKOUT, spec.base), workspace.places.gate_setup_log(STEPS)
    try:
        with equip(launch, spec, workspace, checkout, tell=work.tell) as inside:
            set_up = make_ready(spec, inside, checkout, log, tell=work.tell, on=BASE)
        if set_up.stopped and not any(work.launch.stops):
            tried.late.extend(tried.owners)
        elif not set_up.failure:
            _try_each(work, checkout, tried, late)
    finally:
        workspace.put_away(STEPS_CHECKOUT, 1, noted(work.tell))


def _try_each(work: BaseWork, checkout: Checkout, tried: StepsOnBase, late: Stop) -> None:
    """One after the other; what one left in tracked and unignored files is put back before the next.

    Not before the next of its package where it may write: that one may use it.
    """
    spec, workspace, before = work.spec, work.workspace, ""
    traces = Traces(workspace.trees, checkout, set_up=bool(spec.setup))
    with equip(work.launch, spec, workspace, checkout, tell=work.tell) as inside:
        attempt = _TriedStep(replace(work, launch=inside), checkout, traces, late)
        for place, (one, (package, step)) in enumerate(tried.owners.items(), 1):
            if late and not step.old_failures:
                tried.late.append(one)
                continue
            if before != package.id:
                traces.restore()
            around = workspace.foreign(checkout, usual=spec.beside)
            result = None if around else attempt.run(package, step, place)
            around = around or workspace.foreign(checkout, usual=spec.beside)
            if any(inside.stops):
                return
            if around:
                tried.foreign.extend(around)
                return
            if result:
                tried.results[one].set_result(result)
            else:
                tried.late.append(one)
            before = package.id if step.writes else ""


@dataclass(frozen=True, slots=True)
class _TriedStep:
    """How one step runs on the base, in a checkout that is ready."""

    work: BaseWork
    checkout: Checkout
    traces: Traces
    late: Stop

    def run(self, package: Package, step: Step, place: int) -> StepResult | None:
        """What it does; None where it was not through in time. What its plan may excuse is looked at twice."""
        folder = self.work.workspace.places.gate_logs(STEPS)
        result = self.once(package, step, place, folder)
        if result and step.old_failures and result.failing and not any(self.work.launch.stops):
            self.traces.restore()
            again = self.once(package, step, place, folder / "again", alone=True)
            failing = again.failing if again else ()
            result = replace(result, excused=tuple(one for one in result.failing if one in failing))
        return result

    def once(self, package: Package, step: Step, place: int, folder: Path, *, alone: bool = False) -> StepResult | None:
        launch, tell, slots, passed = self.work.launch, self.work.tell, self.work.spec.slots, False
        stops = launch.stops if step.old_failures else (*launch.stops, self.late)

        def waits() -> None:
            tell(SlotAwaited(at=now(), what=step.name, on=BASE, package=package.id))

        with slots.take(stops, alone=alone, waits=waits):
            tell(StepStarted(at=now(), package=package.id, number=0, step=step.name, on=BASE))
            try:
                result = steps.try_step(
                    step,
                    place,
                    checkout=self.checkout.files,
                    view=self.checkout.view,
                    folder=folder,
                    env=launch.env,
                    changed=self.traces.changed,
                    stop=stops,
                    mask=launch.mask,
                )
                passed = result.status is StepStatus.PASSED
            finally:
                tell(StepEnded(at=now(), package=package.id, number=0, step=step.name, passed=passed, on=BASE))
        return None if result.status is StepStatus.NOT_RUN else result


def describe_news(spec: RunSpec, plan: Plan, base: OnBase, *, red: bool) -> Iterator[Problem]:
    """What people must know about the steps that have ended since; `red`: that one only fails there, too."""
    for package, step, result in base.steps.news():
        yield from _describe(spec, package, step, result, where=_place(plan, package, step), red=red)
    if late := [f"step {step.name!r} of {package.id}" for package, step in base.steps.news_of_late()]:
        more = f" and {count(len(late) - SHOWN, 'more step')}" if len(late) > SHOWN else ""
        what = f"not finished in time on the base: {', '.join(late[:SHOWN])}{more}"
        hint = f"they were given base_minutes = {spec.config.base_minutes:g}"
        yield Problem(printable(what), hint=hint, severity=Severity.NOTICE)


def _describe(
    spec: RunSpec, package: Package, step: Step, result: StepResult, *, where: str, red: bool
) -> Iterator[Problem]:
    who = f"step {step.name!r} of {package.id}"
    if result.cannot_start:
        hint = correction(spec, result.cannot_start)
        yield Problem(f"{who} cannot start on the base: {result.cannot_start}", hint=hint, severity=Severity.WARNING)
    elif result.changed:
        what = f"{who} changes files of its checkout: {steps.listed(result.changed)}"
        yield Problem(printable(what), hint=steps.MAY_WRITE, severity=Severity.WARNING)
    elif red and result.status is StepStatus.FAILED:
        listed = f": {steps.listed(result.failing)}" if result.failing else ""
        hint = "old_failures: allowed on the step excuses what fails so twice" if result.failing else ""
        what = f"{who} is red before you: {first_word(result)}{listed}"
        yield Problem(printable(what), hint="" if step.old_failures else hint, severity=Severity.NOTICE)
    if result.excused:
        what = f"{who} may fail in what fails on the base, twice: {steps.listed(result.excused)}"
        yield Problem(printable(f"{what} (old_failures: allowed)"), where=where, severity=Severity.WARNING)


def _place(plan: Plan, package: Package, step: Step) -> str:
    """Where the plan lets a step fail so."""
    path = ("packages", plan.packages.index(package), "verification", "steps", package.steps.index(step))
    return plan.where(*path, "old_failures")


def first_word(result: StepResult) -> str:
    """How a step that failed ended, in some words: without its log and what it printed."""
    return result.why.partition("\n")[0].partition("; log: ")[0]


def correction(spec: RunSpec, wanted: str) -> str:
    """The line to write where a step cannot start."""
    source = spec.config.source or config.FILE
    return start_failure.correction(wanted, tuple(command.run for command in spec.setup), source)
