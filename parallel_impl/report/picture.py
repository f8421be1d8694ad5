"""A run as people see it: rows with their answer, bars, critical path, time left, what needs a person, gates.

Pure: a course and a given `now` become frozen data, without any layout. A board, a page, a status and a summary render
it and decide nothing. Texts are on one line and hold no control sequence, whoever wrote them.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from pathlib import PurePosixPath

from parallel_impl.errors import count
from parallel_impl.plan import order as ordering
from parallel_impl.record.activity import Activity, Usage
from parallel_impl.record.codes import Failure, Halt, describe_halt
from parallel_impl.record.events import Event
from parallel_impl.record.state import LIVE, WAITING, PackageState, Progress, RunState
from parallel_impl.report.course import Check, Course, Stage, Try, course
from parallel_impl.report.outline import Outline, PackageOutline
from parallel_impl.text import one_line, shorten

TELLING = 5  # lines of a failure
LONGEST = 300  # characters of an answer or a telling line
TELLS = re.compile(r"E\s|FAILED\b|ERROR\b|\S+:\d+(?::\d+)?:")
UNENDED = ("waiting", "running")  # of a set-up or a gate
OVER = (RunState.LANDED, RunState.HALTED, RunState.ABORTED)
WORDS = {
    RunState.PREFLIGHT: "getting ready",
    RunState.EXECUTING: "running",
    RunState.PROVING: "checking the whole",
    RunState.HALTED: "not landed",
}


@dataclass(frozen=True, slots=True)
class BarPart:
    """A part of a bar, from second to second of the run."""

    stage: Stage
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One attempt on the axis of the run: `outcome` is passed, failed, live or interrupted."""

    number: int
    outcome: str
    parts: tuple[BarPart, ...]
    why: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One package. `answer` says what its reader wants to know: what it does, waits for, or why it failed.

    `waits_for` are those of its `depends_on` that are not accepted, `held_by` what really holds it up. `seconds` are of
    the attempt at work, else of all; `quiet` how long its agent has not been heard of, None where nothing is to hear.
    `left` is the work that is estimated to be left, None where nothing is known.
    """

    id: str
    title: str
    tasks: tuple[str, ...]
    state: str
    wave: int
    weight: float = 1.0
    agent: str = ""
    model: str = ""
    attempts: int = 0
    stage: str = ""
    started: float = 0.0
    seconds: float = 0.0
    quiet: float | None = None
    usage: Usage = field(default_factory=Usage)
    answer: str = ""
    telling: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    held_by: tuple[str, ...] = ()
    bars: tuple[Bar, ...] = ()
    critical: bool = False
    left: float | None = None
    commit: str = ""


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A set-up or a gate of the base or of the whole: `state` is waiting, running, or what it showed.

    Of the steps that are tried on the base, the one that is at work.
    """

    on: str
    name: str
    state: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a person has to do: what, the lines that tell why, what to type."""

    what: str
    lines: tuple[str, ...] = ()
    command: str = ""


@dataclass(frozen=True, slots=True)
class Picture:
    """A run at one time. `left` are seconds until its end if nothing fails; None where nothing can be estimated."""

    change_id: str
    title: str
    run_id: str
    state: str
    now: float
    began: float
    elapsed: float
    left: float | None
    jobs: int
    rows: tuple[Row, ...]
    waves: tuple[tuple[str, ...], ...]
    critical_path: tuple[str, ...]
    setups: tuple[CheckRow, ...]
    gates: tuple[CheckRow, ...]
    needs: tuple[Need, ...]
    usage: Usage
    why: str = ""
    commit: str = ""
    skipped: int = 0

    def counted(self, *states: str) -> int:
        """How many packages are in one of these states."""
        return sum(row.state in states for row in self.rows)

    @property
    def accepted(self) -> int:
        return self.counted(PackageState.ACCEPTED)

    @property
    def running(self) -> int:
        return self.counted(*LIVE)

    @property
    def stopped(self) -> int:
        return self.counted(PackageState.FAILED, PackageState.CANCELLED, "interrupted")

    @property
    def waiting(self) -> int:
        return len(self.rows) - self.accepted - self.running - self.stopped

    @property
    def busy(self) -> bool:
        """Whether something runs now, so that the clocks go on."""
        return bool(self.running) or any(mark.state in UNENDED for mark in (*self.setups, *self.gates))

    @property
    def sentence(self) -> str:
        """`13 of 24 packages accepted, 2 running, 1 failed, 8 waiting`, only with what there is."""
        failed, cancelled = self.counted(PackageState.FAILED), self.counted(PackageState.CANCELLED)
        told = [f"{self.accepted} of {count(len(self.rows), 'package')} accepted"]
        told += [f"{self.running} running"] * bool(self.running)
        told += [f"{failed} failed"] * bool(failed)
        told += [f"{cancelled} cancelled"] * bool(cancelled)
        told += [f"{self.counted('interrupted')} interrupted"] * bool(self.counted("interrupted"))
        told += [f"{self.waiting} waiting"] * bool(self.waiting)
        return ", ".join(told)

    @property
    def heartbeat(self) -> str:
        """`12 of 20, 4 running, 2 wait for wp-x`: that it goes on, and what most of the others wait for."""
        told = [f"{self.accepted} of {len(self.rows)}"] if self.rows else []
        told += [f"{self.running} running"] * bool(self.running)
        told += [f"{self.stopped} stopped"] * bool(self.stopped)
        holders = Counter(name for row in self.rows for name in (row.held_by or row.waits_for))
        if holders:
            name, held = min(holders.items(), key=lambda one: (-one[1], one[0]))
            told.append(f"{held} wait{'s' * (held == 1)} for {name}")
        at = [f"{mark.name} on the {named(mark.on)}" for mark in (*self.setups, *self.gates) if mark.state == "running"]
        return ", ".join([*told, *at]) or self.state


def draw(
    happened: Iterable[Event],
    activity: Iterable[tuple[str, int, Activity]],
    now: float,
    *,
    outline: Outline | None = None,
    alive: bool = True,
) -> Picture:
    """The picture after these events, with what agents did as (package, attempt, activity)."""
    found = course(happened, outline)
    for package, number, done in activity:
        found.hear(package, number, done)
    return picture(found, now, alive=alive)


def picture(course: Course, now: float, *, alive: bool = True) -> Picture:
    """The picture at a time; of a run that nobody works on any more (not `alive`) that of its last event."""
    state, outline = course.state, course.outline
    goes_on = alive and state.run not in OVER
    now = max(now, course.last) if goes_on else course.last
    estimate = _Estimate.of(course, now if goes_on else None)
    path, _ = ordering.critical_path(state.order.depends_on, estimate.whole) if state.packages else ((), 0.0)
    rows = tuple(_rows(course, estimate, frozenset(path), now, goes_on=goes_on))
    change = state.started.change_id if state.started else outline.change_id if outline else ""
    ended = state.halted.code if state.halted and state.run is RunState.HALTED else ""
    return Picture(
        change_id=change,
        title=one_line(outline.title) if outline else "",
        run_id=state.run_id,
        state=_word(course, goes_on=goes_on),
        now=now,
        began=course.began or course.first or 0.0,
        elapsed=_elapsed(course, now, goes_on=goes_on),
        left=estimate.left(course, now) if goes_on else None,
        jobs=course.jobs,
        rows=rows,
        waves=state.order.waves() if state.packages else outline.waves if outline else (),
        critical_path=path,
        setups=tuple(_mark(one, now, goes_on=goes_on) for one in (*course.setups.values(), course.tried) if one),
        gates=tuple(_mark(one, now, goes_on=goes_on) for one in course.gates.values()),
        needs=tuple(_needs(course, rows, change)),
        usage=reduce(add, (row.usage for row in rows), Usage()),
        why=one_line(f"{describe_halt(ended)}: {state.halted.why}" if ended and state.halted else ""),
        commit=state.landed.commit if state.landed else "",
        skipped=course.skipped,
    )


def named(on: str) -> str:
    """The tree that a gate runs on, for people."""
    return "whole" if on == "candidate" else on


@dataclass(frozen=True, slots=True)
class Roots:
    """What is the same in all paths of a run: the folder of its worktrees, the name of each, its own folder."""

    home: str = ""
    repository: str = ""
    state: str = ""

    @classmethod
    def of(cls, course: Course) -> Roots:
        """Those of a run, as far as they are known."""
        started, outline = course.state.started, course.outline
        return cls(course.state.home, started.repository_name if started else "", outline.state if outline else "")


def telling(why: str, roots: Roots) -> tuple[str, ...]:
    """At most five lines of a failure that tell why; its own first line is the row's answer."""
    lines = [text for line in why.split("\n")[1:] if (text := one_line(line))]
    telling = [line for line in lines if TELLS.match(line)]
    rest = [line for line in lines if not line.startswith("log: ")]
    return tuple(shorten(relative(line, roots), LONGEST) for line in (telling[:TELLING] or rest[-TELLING:]))


def relative(text: str, roots: Roots) -> str:
    """Paths of worktrees and of the run's own folder without what is the same in all of them."""
    if roots.home and roots.home in text:
        below = rf"/{re.escape(roots.repository)}(?:/|\b)" if roots.repository else r"(?:/|\b)"
        text = re.sub(re.escape(roots.home) + r"/[A-Za-z0-9._-]+" + below, "", text)
    return text.replace(f"{roots.state}/", "") if roots.state else text


# -- time


@dataclass(frozen=True, slots=True)
class _Estimate:
    """How long packages take: `whole` is in seconds where `rate` (seconds of a weight) is known, else in weights.

    `remaining` are seconds of those that are not over; both rest on what the accepted ones took.
    """

    rate: float | None
    whole: Mapping[str, float]
    remaining: Mapping[str, float]

    @classmethod
    def of(cls, course: Course, now: float | None) -> _Estimate:
        packages = course.state.packages
        weights = {name: max(_about(course, name).weight, 0.0) for name in packages}
        spent = {name: _spent(course, name, now) for name in packages}
        done = [name for name, one in packages.items() if one.state is PackageState.ACCEPTED and spent[name]]
        weighed = sum(weights[name] for name in done)
        rate = sum(spent[name] for name in done) / weighed if weighed else None
        unit, remaining, whole = rate or 1.0, {}, {}
        for name, one in packages.items():
            expected = weights[name] * unit
            over = one.state in (PackageState.ACCEPTED, PackageState.FAILED, PackageState.CANCELLED)
            here = _live_seconds(course, name, now) if one.state in LIVE and rate else 0.0
            remaining[name] = 0.0 if over else max(expected - here, expected / 10)
            whole[name] = spent[name] if over and rate else spent[name] + remaining[name] if rate else expected
        return cls(rate, whole, remaining)

    def left(self, course: Course, now: float) -> float | None:
        """Seconds until the end, if nothing fails: the longest chain, or the work by jobs; then the gates."""
        state = course.state
        if state.paused or (self.rate is None and state.run is not RunState.PROVING):
            return None
        base = max((one.seconds or 0.0 for one in course.gates.values() if one.on == "base"), default=0.0)
        running = [one.at for one in course.gates.values() if one.on == "candidate" and one.seconds is None]
        gates = max(base - (now - min(running)), 0.0) if running else base
        if state.run is RunState.PROVING:
            return gates if base else None
        paths = ordering.longest_paths(state.order.depends_on, self.remaining)
        chain = max(paths.values(), default=0.0)
        return max(chain, sum(self.remaining.values()) / max(course.jobs, 1)) + gates


def _about(course: Course, name: str) -> PackageOutline:
    return course.about.get(name) or PackageOutline(id=name)


def _live_seconds(course: Course, name: str, now: float | None) -> float:
    """For how long the attempt at work has been at it."""
    tries = course.tries.get(name)
    return max(0.0, now - tries[-1].at) if tries and now is not None and tries[-1].end is None else 0.0


def _spent(course: Course, name: str, now: float | None) -> float:
    ended = sum(one.end - one.start for one in course.tries.get(name, []) if one.end is not None)
    return max(0.0, ended) + _live_seconds(course, name, now)


def _elapsed(course: Course, now: float, *, goes_on: bool) -> float:
    """Seconds that the run was worked on, with the set-up before its last start."""
    if not course.state.started:
        return 0.0 if course.first is None else max(0.0, now - course.first)
    base = course.setups.get("base")
    lead = max(0.0, course.began - base.at) if base else 0.0
    return lead + (course.active.at(now) if goes_on else course.active.seconds)


# -- rows


def _rows(course: Course, estimate: _Estimate, critical: frozenset[str], now: float, *, goes_on: bool) -> Iterator[Row]:
    state, order, roots = course.state, course.state.order, Roots.of(course)
    bits = {name: 1 << place for name, place in order.index.items()}
    not_accepted = frontier = 0
    for name, one in state.packages.items():
        if one.state is not PackageState.ACCEPTED:
            not_accepted |= bits[name]
            frontier |= bits[name] if one.state not in (*WAITING, PackageState.CANCELLED) else 0
    waves = {name: number for number, wave in enumerate(order.waves(), 1) for name in wave}
    for name, progress in state.packages.items():
        waits = tuple(above for above in progress.depends_on if bits[above] & not_accepted)
        waiting = progress.state in WAITING
        held = order.members(order.ancestors[name] & frontier) if waiting else ()
        tries = course.tries.get(name, [])
        last = tries[-1] if tries else None
        live = last if last and progress.state in LIVE and last.end is None else None
        yield Row(
            id=name,
            title=one_line(_about(course, name).title),
            tasks=_about(course, name).tasks,
            state=str(progress.state) if goes_on or not live else "interrupted",
            wave=waves[name],
            weight=_about(course, name).weight,
            agent=one_line(last.agent) if last else "",
            model=one_line(last.model) if last else "",
            attempts=progress.attempts,
            stage=str(live.stretches[-1].stage) if live and live.stretches else "",
            started=last.at if last else 0.0,
            seconds=max(0.0, now - live.at) if live else _spent(course, name, None),
            quiet=max(0.0, now - live.did_at) if live and live.did_at and goes_on else None,
            usage=reduce(add, (one.usage for one in tries), Usage()),
            answer=shorten(relative(_answer(course, name, live, _waits(waits, held)), roots), LONGEST),
            telling=telling(progress.why, roots) if progress.state is PackageState.FAILED else (),
            depends_on=progress.depends_on,
            waits_for=waits if waiting else (),
            held_by=held,
            bars=tuple(_bar(course, one, now, goes_on=goes_on) for one in tries),
            critical=name in critical,
            left=round(estimate.remaining[name], 1) if estimate.rate and goes_on else None,
            commit=progress.commit,
        )


def _answer(course: Course, name: str, live: Try | None, waits: str) -> str:
    progress = course.state.packages[name]
    match progress.state:
        case PackageState.RUNNING | PackageState.VERIFYING:
            return _doing(live)
        case PackageState.FAILED:
            return one_line(f"{progress.code}: {progress.why.partition(chr(10))[0]}")
        case PackageState.CANCELLED:
            return one_line(progress.why)
        case PackageState.ACCEPTED:
            return _after(course, name)
        case PackageState.QUEUED:
            return _ready(course, progress)
        case _:
            return waits


def _doing(live: Try | None) -> str:
    if live is None or not live.stretches:
        return ""
    if live.waits:
        return "waits for a free slot"
    match live.stretches[-1].stage:
        case Stage.SET_UP:
            return "set-up"
        case Stage.STEPS:
            return f"step {one_line(live.step)}" if live.step else "its changes are checked"
        case _:
            return one_line(live.did) or "its agent works"


def _waits(waits: tuple[str, ...], held: tuple[str, ...]) -> str:
    """What a package waits for, and where that is: a chain of ten says which link is at work."""
    text = f"waits for {_listed(waits)}"
    behind = tuple(name for name in held if name not in waits)
    return f"{text} (now at {_listed(behind)})" if behind else text


def _listed(names: tuple[str, ...], most: int = 4) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "") if names else "nothing"


def _ready(course: Course, progress: Progress) -> str:
    if course.state.paused:
        return one_line(f"waits for {course.state.paused.by}: {course.state.paused.why.partition(chr(10))[0]}")
    if progress.ended and progress.ended[-1].code:
        last = progress.ended[-1]
        return one_line(f"again after {last.code}: {last.why.partition(chr(10))[0]}")
    return "ready, waits for a free place"


def _after(course: Course, name: str) -> str:
    """Of an accepted package: what failed before it passed."""
    failed = [one.code for one in course.tries.get(name, []) if one.code and one.code != Failure.INTERRUPTED]
    return f"after {', '.join(failed)}" if failed else ""


def _bar(course: Course, one: Try, now: float, *, goes_on: bool) -> Bar:
    until = course.active.at(now) if goes_on else course.active.seconds
    live = one.end is None and goes_on
    parts = (
        BarPart(part.stage, round(part.start, 3), round(max(part.start, until if part.end is None else part.end), 3))
        for part in one.stretches
    )
    unended = "live" if live else "interrupted"
    outcome = "passed" if one.code == "" else "failed" if one.code and one.code != Failure.INTERRUPTED else unended
    if one.end is not None and one.code in (None, Failure.INTERRUPTED):
        outcome = "interrupted"
    return Bar(one.number, outcome, tuple(parts), one_line(f"{one.code}: {one.why}") if one.code else "")


def _mark(one: Check, now: float, *, goes_on: bool) -> CheckRow:
    if one.seconds is not None:
        return CheckRow(one.on, one_line(one.name), one.verdict, one.seconds)
    unended = "waiting" if one.waits else "running"
    return CheckRow(one.on, one_line(one.name), unended if goes_on else "interrupted", max(0.0, now - one.at))


# -- what needs a person


def _word(course: Course, *, goes_on: bool) -> str:
    run = course.state.run
    if run in OVER or run is RunState.PAUSED or goes_on:
        return WORDS.get(run, str(run))
    return "interrupted"


def _needs(course: Course, rows: tuple[Row, ...], change: str) -> Iterator[Need]:
    state, again = course.state, f"parallel-implement {change}"
    only = f" --only {shlex.quote(course.only)}" if course.only else ""
    if state.tampering and state.run is not RunState.LANDED:
        yield Need("the repository was changed", tuple(map(one_line, state.tampering.what[:TELLING])))
    if state.paused:
        yield Need(one_line(f"paused by {state.paused.by}: {state.paused.why}"), (), again)
    failed = [row for row in rows if row.state == PackageState.FAILED]
    for row in failed:
        yield Need(f"{row.id} failed: {row.answer}", row.telling, f"{again}{only} --retry-failed")
    if state.halted and state.run is RunState.HALTED and not (failed and state.halted.code == Halt.NOT_ALL_ACCEPTED):
        first, *more = state.halted.why.split("\n")
        yield Need(
            one_line(f"{describe_halt(state.halted.code)}: {first}"), tuple(map(one_line, more[:TELLING])), again
        )
    if state.run is RunState.LANDED:
        for name in state.packages:
            for step in _about(course, name).manual:
                yield Need(one_line(f"{name}: {step}, a step that a person takes"))


def duration(seconds: float) -> str:
    """`0:07`, `12:40`, `1:02:40`."""
    whole = max(0, int(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def log_of(row: Row) -> str:
    """Where the files of a package's last attempt lie, relative to the run's own folder; "" before the first."""
    return str(PurePosixPath("attempts", row.id, str(row.attempts))) if row.attempts else ""
