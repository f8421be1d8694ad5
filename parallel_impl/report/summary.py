"""The execution summary: built once from the journal, the results and the gates, then written twice.

`summary.json` has the shape of these structs, which `schemas/execution-summary.schema.json` describes for others;
`markdown` renders the same for people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import Path

import msgspec

from parallel_impl import storage
from parallel_impl.errors import count, printable
from parallel_impl.git.diffstat import Diffstat
from parallel_impl.plan import order as ordering
from parallel_impl.plan.model import StepKind
from parallel_impl.record import events as e
from parallel_impl.record import result as results
from parallel_impl.record import times
from parallel_impl.record.activity import Usage
from parallel_impl.record.gate_row import GateRow
from parallel_impl.record.result import AgentRecord, Result, StepRecord
from parallel_impl.record.state import State, most_live
from parallel_impl.record.times import Times
from parallel_impl.report import figures, profile
from parallel_impl.report.course import Course
from parallel_impl.report.figures import Figures
from parallel_impl.report.profile import RunTimes
from parallel_impl.text import first_names

SHOWN_CHECKOUTS = 4


class ContractRow(msgspec.Struct, frozen=True):
    """One contract of the plan, and what was checked about it."""

    path: str
    status: str


class StepRow(msgspec.Struct, frozen=True, kw_only=True):
    """One verification step of a package's last attempt; `evidence` are paths of artifacts.

    `red_under_load`: it did not pass beside other heavy work of ours, and passed alone.
    """

    name: str
    kind: StepKind
    passed: bool
    exit_code: int | None = None
    seconds: float = 0.0
    why: str = ""
    evidence: tuple[str, ...] = ()
    red_under_load: bool = False


class AttemptRow(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt: `started` is seconds of the run until then, `code` "" when it passed, `logs` below the state.

    `usage` has what its agent reported; what it did not is absent, which is not 0.
    """

    number: int
    started: float
    seconds: float
    setup_seconds: float
    code: str
    why: str = ""
    commit: str = ""
    logs: str = ""
    agent: str = ""
    model: str = ""
    usage: Usage = Usage()
    denied: int = 0
    retries: int = 0
    times: Times = Times()


class PackageRow(msgspec.Struct, frozen=True, kw_only=True):
    """One package: its attempts, and what the last of them showed; `usage`, `retries` and `times` are of all.

    `denied` are tool calls that were refused, `report` is the agent's word, one line for each entry.
    """

    id: str
    state: str
    title: str = ""
    why: str = ""
    depends_on: tuple[str, ...]
    commit: str = ""
    changed: Diffstat = Diffstat()
    no_changes: bool = False
    attempts: tuple[AttemptRow, ...]
    files: tuple[str, ...]
    ignored: tuple[str, ...]
    tier: str = ""
    steps: tuple[StepRow, ...]
    escalations: tuple[Mapping[str, object], ...]
    agent: AgentRecord | str = ""
    usage: Usage = Usage()
    retries: int = 0
    denied: tuple[str, ...] = ()
    report: tuple[str, ...] = ()
    times: Times = Times()

    @property
    def seconds(self) -> float:
        """What all attempts took."""
        return sum(attempt.seconds for attempt in self.attempts)


class CriticalPath(msgspec.Struct, frozen=True):
    """The longest chain of dependencies, by the seconds of all attempts."""

    packages: tuple[str, ...]
    seconds: float


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """How a run went. `agent` and `jobs` are of the last start, `contracts_revision` of the plan in force.

    `changed_by_others`: what became of the user's repository and checkouts meanwhile, whoever did it.
    """

    schema_version: int = 1
    change_id: str
    run_id: str
    status: str
    code: str = ""
    headline: str
    base: str
    branch: str
    commit: str = ""
    changed: Diffstat = Diffstat()
    agent: str = ""
    plan_revision: int
    contracts_revision: int
    jobs: int
    makespan_seconds: float
    critical_path: CriticalPath
    bound_seconds: float
    packages: tuple[PackageRow, ...]
    usage: Usage = Usage()
    gates: tuple[GateRow, ...]
    contracts: tuple[ContractRow, ...]
    fence: str = "not fenced"
    switched_off: tuple[str, ...]
    for_a_person: tuple[str, ...]
    open_tasks: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    set_up: str = ""
    notes: tuple[str, ...]
    changed_by_others: tuple[str, ...] = ()
    figures: Figures = Figures()
    times: RunTimes = RunTimes()


@dataclass(frozen=True, slots=True)
class Facts:
    """What a summary is built from, beside the journal's events.

    `changed` is what the commit changed on the base, `diffs` what the commits of packages changed on theirs; `lacking`
    is what the machine cannot do, with what that means for the run.
    """

    change_id: str
    branch: str
    order: Sequence[str]
    state: State
    attempts: Path
    status: str
    code: str
    headline: str
    commit: str
    gates: tuple[GateRow, ...] = ()
    contracts: tuple[ContractRow, ...] = ()
    switched_off: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    open_tasks: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    changed: Diffstat = field(default_factory=Diffstat)
    diffs: Mapping[str, Diffstat] = field(default_factory=dict)


def build(facts: Facts, happened: Sequence[e.Event], course: Course) -> Summary:
    """The summary. `facts.attempts` is the folder with `<package>/<n>/result.json`; `course` is of the events."""
    state, starts = facts.state, [one for one in happened if isinstance(one, e.RunStarted | e.RunContinued)]
    if state.started is None or not starts:
        raise ValueError("a run that never started has no summary")
    packages = tuple(_package(name, facts, course) for name in facts.order)
    seconds = {package.id: package.seconds for package in packages}
    path, longest = ordering.critical_path({name: state.packages[name].depends_on for name in facts.order}, seconds)
    return Summary(
        change_id=facts.change_id,
        run_id=state.run_id,
        status=facts.status,
        code=facts.code,
        headline=facts.headline,
        base=state.started.base,
        branch=facts.branch,
        commit=facts.commit,
        changed=facts.changed,
        agent=starts[-1].agent,
        plan_revision=state.plan_revision,
        contracts_revision=(state.revised or state.started).contracts_revision,
        jobs=starts[-1].jobs,
        makespan_seconds=round(_last_end(course), 3),
        critical_path=CriticalPath(tuple(path), round(longest, 3)),
        bound_seconds=round(max(longest, sum(seconds.values()) / max(most_live(start.jobs) for start in starts)), 3),
        packages=packages,
        usage=total(package.usage for package in packages),
        gates=facts.gates,
        contracts=facts.contracts,
        switched_off=facts.switched_off,
        for_a_person=tuple(
            f"{package.id}: {step.name}"
            for package in packages
            for step in package.steps
            if step.kind is not StepKind.COMMAND
        ),
        notes=facts.notes,
        changed_by_others=tuple(dict.fromkeys(_changed_by_others(happened))),
        open_tasks=facts.open_tasks,
        lacking=facts.lacking,
        set_up=describe_set_up(happened),
        figures=figures.measure(happened, course),
        times=profile.measure(happened),
    )


def describe_set_up(happened: Iterable[e.Event]) -> str:
    """How all checkouts were made ready: `once, 3.1 s, for 42 checkouts; again for wp-b (uv.lock), 2.9 s`, and how."""
    starts = [one for one in happened if isinstance(one, e.CheckoutsMade)]
    number, ran = sum(one.number for one in starts), [run for one in starts for run in one.set_ups]
    if not starts:
        return ""
    if not number:
        return starts[-1].how
    whole = [run for run in ran if not run.why]
    times = {0: "found ready, from an earlier run", 1: "once"}.get(len(whole), f"{len(whole)} times")
    took = f", {sum(run.seconds for run in whole):.1f} s" if whole else ""
    again = dict.fromkeys(run.why for run in ran if run.why)
    more = f"; again for {'; '.join(_again(why, ran) for why in again)}" if again else ""
    how = starts[-1].how.removeprefix("set-up once, ")
    return printable(f"{times}{took}, for {count(number, 'checkout')}{more}{'; ' if how else ''}{how}")


def _again(why: str, ran: Sequence[e.SetUpRun]) -> str:
    """The checkouts that had a set-up of their own for the same reason, and what that took."""
    those = [run for run in ran if run.why == why]
    names = dict.fromkeys(run.checkout.removesuffix(".verify") for run in those)
    return f"{first_names([*names], SHOWN_CHECKOUTS)} ({why}), {sum(run.seconds for run in those):.1f} s"


def _changed_by_others(happened: Iterable[e.Event]) -> Iterator[str]:
    """What was changed in the user's repository, each with the packages that were running then."""
    for event in happened:
        if isinstance(event, e.RepositoryChanged):
            running = f", while {', '.join(event.running)} ran" if event.running else ""
            yield from (f"{what}{running}" for what in event.what)


def total(used: Iterable[Usage]) -> Usage:
    """What was reported in all; what nobody reported stays unknown."""
    return reduce(add, used, Usage())


def _last_end(course: Course) -> float:
    """When the last attempt ended."""
    return max((one.end for tries in course.tries.values() for one in tries if one.end is not None), default=0.0)


def _package(name: str, facts: Facts, course: Course) -> PackageRow:
    progress, about = facts.state.packages[name], course.about.get(name)
    attempts = tuple(_attempt(ended, course) for ended in progress.ended)
    result = read_result(facts.attempts / name / str(progress.ended[-1].number)) if progress.ended else None
    return PackageRow(
        id=name,
        state=str(progress.state),
        title=about.title if about else "",
        why=progress.why,
        depends_on=progress.depends_on,
        commit=progress.commit,
        changed=facts.diffs.get(progress.commit, Diffstat()),
        no_changes=bool(result and result.no_changes),
        attempts=attempts,
        files=result.files_modified if result else (),
        ignored=result.files_ignored if result else (),
        tier=str(result.verification.tier or "") if result else "",
        steps=tuple(map(_step, result.verification.steps)) if result else (),
        escalations=result.escalations if result else (),
        agent=result.agent if result else "",
        usage=total(attempt.usage for attempt in attempts),
        retries=sum(attempt.retries for attempt in attempts),
        denied=tuple(f"{one.tool} {one.target}".rstrip() for one in result.denied) if result else (),
        report=tuple(result.report.lines()) if result and result.report else (),
        times=times.add_up(attempt.times for attempt in attempts),
    )


def _attempt(ended: e.AttemptEnded, course: Course) -> AttemptRow:
    found = course.find(ended.package, ended.number)
    return AttemptRow(
        number=ended.number,
        started=round(found.start if found else 0.0, 3),
        seconds=round(ended.seconds, 3),
        setup_seconds=round(ended.setup_seconds, 3),
        code=ended.code,
        why=ended.why,
        commit=ended.commit,
        logs=f"attempts/{ended.package}/{ended.number}",
        agent=ended.agent,
        model=ended.model,
        usage=ended.usage,
        denied=ended.denied,
        retries=ended.retries,
        times=ended.times,
    )


def read_result(folder: Path) -> Result | None:
    """The published result of an attempt, from its folder."""
    try:
        return results.load(storage.read(folder / results.FILE))
    except (OSError, ValueError):
        return None  # an attempt that ended before it had a result: its row says so by its code


def _step(step: StepRecord) -> StepRow:
    return StepRow(
        name=step.name,
        kind=step.kind,
        passed=step.passed,
        exit_code=step.exit_code,
        seconds=step.seconds,
        why=step.why,
        evidence=step.evidence.artifacts,
        red_under_load=bool(step.red_under_load),
    )
