"""progress.json: how far a run is, for other programs. `schemas/progress.schema.json` describes it.

It is a picture at the time of the last event, replaced whole, and says nothing that the journal does not say.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from parallel_impl.record import json_form
from parallel_impl.record.activity import Usage
from parallel_impl.record.events import Event
from parallel_impl.record.result import FILE as RESULT
from parallel_impl.record.state import PackageState
from parallel_impl.report.outline import Outline
from parallel_impl.report.picture import CheckRow, Need, Picture, Row, log_of
from parallel_impl.report.ticker import Ticker
from parallel_impl.report.viewer import Viewer
from parallel_impl.storage import write_atomically

FILE = "progress.json"
LEAST = 1.0  # seconds between two writes
SHARE = 50  # of the time it takes to write: at most a fiftieth of a core is spent on that


class CurrentAgent(msgspec.Struct, frozen=True, kw_only=True):
    """An agent at work: on which package, since when, and what it does."""

    package: str
    agent: str
    attempt: int
    since: float
    doing: str = ""


class ProgressCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A set-up or a gate, on the `base` or the `candidate`."""

    on: str
    name: str
    state: str
    seconds: float


class ProgressNeed(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a person has to do."""

    what: str
    lines: tuple[str, ...] = ()
    command: str = ""


class ProgressRow(msgspec.Struct, frozen=True, kw_only=True):
    """One package. `log` and `result` are paths below the folder of progress.json, "" before the first attempt."""

    id: str
    title: str = ""
    tasks: tuple[str, ...] = ()
    state: str
    wave: int
    weight: float = 1.0
    depends_on: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    held_by: tuple[str, ...] = ()
    critical: bool = False
    agent: str = ""
    model: str = ""
    attempts: int = 0
    stage: str = ""
    started: float = 0.0
    seconds: float = 0.0
    usage: Usage = Usage()
    answer: str = ""
    telling: tuple[str, ...] = ()
    commit: str = ""
    log: str = ""
    result: str = ""


class ProgressReport(msgspec.Struct, frozen=True, kw_only=True):
    """A run at `at` (seconds since 1970). `left_seconds` is None where nothing can be estimated."""

    schema_version: int = 1
    change_id: str
    title: str = ""
    run_id: str = ""
    state: str
    sentence: str
    at: float
    started: float
    elapsed_seconds: float
    left_seconds: float | None = None
    jobs: int
    counts: Mapping[str, int]
    current: tuple[CurrentAgent, ...] = ()
    waves: tuple[tuple[str, ...], ...]
    critical_path: tuple[str, ...] = ()
    packages: tuple[ProgressRow, ...]
    checks: tuple[ProgressCheck, ...] = ()
    needs: tuple[ProgressNeed, ...] = ()
    usage: Usage = Usage()
    commit: str = ""


def report(picture: Picture) -> ProgressReport:
    """What a picture says, in the shape of progress.json."""
    return ProgressReport(
        change_id=picture.change_id,
        title=picture.title,
        run_id=picture.run_id,
        state=picture.state,
        sentence=picture.sentence,
        at=picture.now,
        started=picture.began,
        elapsed_seconds=round(picture.elapsed, 3),
        left_seconds=None if picture.left is None else round(picture.left, 1),
        jobs=picture.jobs,
        counts=_counts(picture),
        current=tuple(
            CurrentAgent(package=row.id, agent=row.agent, attempt=row.attempts, since=row.started, doing=row.answer)
            for row in picture.rows
            if row.stage
        ),
        waves=picture.waves,
        critical_path=picture.critical_path,
        packages=tuple(map(_row, picture.rows)),
        checks=tuple(map(_check, (*picture.setups, *picture.gates))),
        needs=tuple(map(_need, picture.needs)),
        usage=picture.usage,
        commit=picture.commit,
    )


def _counts(picture: Picture) -> dict[str, int]:
    """Packages by what is with them, and tasks: those of accepted packages are done."""
    done = {task for row in picture.rows if row.state == PackageState.ACCEPTED for task in row.tasks}
    return {
        "packages": len(picture.rows),
        "accepted": picture.accepted,
        "running": picture.running,
        "stopped": picture.stopped,
        "waiting": picture.waiting,
        "tasks": len({task for row in picture.rows for task in row.tasks}),
        "tasks_done": len(done),
    }


def _row(row: Row) -> ProgressRow:
    log = log_of(row)
    return ProgressRow(
        id=row.id,
        title=row.title,
        tasks=row.tasks,
        state=row.state,
        wave=row.wave,
        weight=row.weight,
        depends_on=row.depends_on,
        waits_for=row.waits_for,
        held_by=row.held_by,
        critical=row.critical,
        agent=row.agent,
        model=row.model,
        attempts=row.attempts,
        stage=row.stage,
        started=row.started,
        seconds=round(row.seconds, 3),
        usage=row.usage,
        answer=row.answer,
        telling=row.telling,
        commit=row.commit,
        log=log,
        result=f"{log}/{RESULT}" if log else "",
    )


def _check(mark: CheckRow) -> ProgressCheck:
    return ProgressCheck(on=mark.on, name=mark.name, state=mark.state, seconds=round(mark.seconds, 3))


def _need(need: Need) -> ProgressNeed:
    return ProgressNeed(what=need.what, lines=need.lines, command=need.command)


class ProgressFile:
    """A listener that keeps progress.json in the folder of the run; where it cannot, the run goes on without."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.viewer, self.clock = Viewer(), clock
        self.ticker = Ticker(self.tick, self.finish, clock=clock)
        self._file: Path | None = None
        self._last = self._due = 0.0
        self._new = False

    def begin(self, outline: Outline, earlier: Sequence[Event]) -> None:
        self.viewer.begin(outline, earlier)
        self._file = Path(outline.state) / FILE
        self.ticker.start()

    def event(self, event: Event) -> None:
        self.viewer.event(event)
        if self.clock() >= self._due:  # else it looks in time, and need not be woken
            self.ticker.wake()

    def say(self, text: str) -> None:
        """Nothing: that is for people."""

    def end(self) -> None:
        self.ticker.stop()

    def tick(self, now: float) -> float:
        """Write what is new, at most once a second; returns the seconds until the next look.

        That is later where writing takes long: for a thousand packages it is a picture of each of them.
        """
        self._new = self.viewer.catch_up() or self._new
        if self._last <= now < self._due:
            return self._due - now
        if self._new:
            began = time.thread_time()
            self.write(now)
            self._due = now + max(LEAST, SHARE * (time.thread_time() - began))
            return self._due - now
        return LEAST

    def finish(self) -> None:
        """How it ended."""
        self.viewer.catch_up()
        self.write(self.clock(), alive=False)

    def write(self, now: float, *, alive: bool = True) -> None:
        self._last, self._new = now, False
        if self._file is None or not self.viewer.begun:
            return
        content = json_form.encode(report(self.viewer.picture(now, alive=alive)), indent=1)
        with contextlib.suppress(OSError):  # a full disk, say: what needs it to be written stops the run
            write_atomically(self._file, content, durably=False)
