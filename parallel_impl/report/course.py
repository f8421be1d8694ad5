"""What whoever watches a run must remember of it: the fold of its events and of what agents do. Pure: no clock.

`picture` draws it. An event that cannot follow what happened before (of a damaged journal) is counted and passed over:
who only looks is not stopped by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from parallel_impl.record import activity as a
from parallel_impl.record import events as e
from parallel_impl.record.activity import Activity, Usage
from parallel_impl.record.state import ImpossibleError, State
from parallel_impl.report.active_time import ActiveTime
from parallel_impl.report.outline import Outline, PackageOutline


class Stage(StrEnum):
    """What an attempt is at."""

    SET_UP = "set-up"
    AGENT = "agent"
    STEPS = "steps"


@dataclass(slots=True)
class Stretch:
    """A stage of an attempt, in active seconds of the run; without an `end` it is not over."""

    stage: Stage
    start: float
    end: float | None = None


@dataclass(slots=True)
class Try:
    """One attempt as it is watched. `at` is when it started; `code` is None while it is not over, "" when it passed.

    `waits`: its set-up or its next step waits for a slot.
    """

    number: int
    agent: str
    model: str
    at: float
    start: float
    end: float | None = None
    code: str | None = None
    why: str = ""
    stretches: list[Stretch] = field(default_factory=list)
    step: str = ""
    waits: bool = False
    usage: Usage = field(default_factory=Usage)
    did: str = ""
    did_at: float = 0.0


@dataclass(slots=True)
class Check:
    """A set-up or a gate on the base or the whole: when it began, how long it took, what it showed.

    `waits`: it has no slot yet, and has not begun.
    """

    on: str
    name: str
    at: float
    seconds: float | None = None
    verdict: str = ""
    waits: bool = False


@dataclass(slots=True)
class Course:
    """A run so far, filled by `take` and `hear`. `began`: the last start; `skipped` counts events that did not fit.

    `tried` is the step that is at work on the base, or waits for that. `live` are the last tries that are not over.
    """

    outline: Outline | None = None
    about: dict[str, PackageOutline] = field(default_factory=dict)
    state: State = field(default_factory=State)
    active: ActiveTime = field(default_factory=ActiveTime)
    tries: dict[str, list[Try]] = field(default_factory=dict)
    live: dict[str, Try] = field(default_factory=dict)
    setups: dict[str, Check] = field(default_factory=dict)
    gates: dict[tuple[str, str], Check] = field(default_factory=dict)
    tried: Check | None = None
    providers: dict[str, float] = field(default_factory=dict)
    jobs: int = 1
    only: str = ""
    first: float | None = None
    began: float = 0.0
    last: float = 0.0
    skipped: int = 0

    def begin(self, outline: Outline) -> None:
        """The plan that the run follows from now on."""
        self.outline = outline
        self.about = {one.id: one for one in outline.packages}

    def take(self, event: e.Event) -> None:
        """An event of the journal, in its order."""
        self.first = event.at if self.first is None else self.first
        self.last = max(self.last, event.at)
        if not isinstance(event, e.Watched) or self.state.started:  # set-up of the base comes before the run
            self.active.take(event)
        try:
            self.state.apply(event)
        except (ImpossibleError, KeyError):
            self.skipped += 1
            return
        self._show(event)

    def hear(self, package: str, number: int, done: Activity) -> None:
        """Something that the agent of an attempt did."""
        found = self.find(package, number)
        if found is None:
            return
        found.did_at = max(found.did_at, done.at)
        match done:
            case a.Used():
                found.usage = done.usage if done.whole else found.usage + done.usage
            case a.Opened():
                found.model = done.model or found.model
            case a.Called():
                found.did = f"{done.tool} {done.target}".rstrip()
            case a.Said() | a.Complained():
                found.did = done.text
            case a.Denied():
                found.did = f"refused: {done.tool} {done.target}".rstrip()
            case a.Retrying() | a.Limited():
                found.did = f"its provider refuses: {done.why or 'no reason reported'}"
            case _:
                pass

    def find(self, package: str, number: int) -> Try | None:
        """An attempt that started."""
        return next((one for one in reversed(self.tries.get(package, [])) if one.number == number), None)

    def _show(self, event: e.Event) -> None:
        match event:
            case e.RunStarted() | e.RunContinued():
                self.jobs, self.began, self.only = event.jobs, event.at, event.only
                self._break_off()
            case e.AttemptStarted():
                one = Try(event.number, event.agent, event.model, event.at, self.active.seconds)
                self.tries.setdefault(event.package, []).append(one)
                self.live[event.package] = one
                self._turn(one, Stage.STEPS if event.judges else Stage.AGENT)
            case e.AttemptVerifying():
                if found := self.find(event.package, event.number):
                    self._turn(found, Stage.STEPS)
            case e.AttemptEnded():
                self._end(event)
            case e.StepStarted() if not event.on:
                if found := self.find(event.package, event.number):
                    found.step = f"{event.step} ({event.place} of {event.steps})" if event.steps > 1 else event.step
                    found.waits = False
            case e.SlotAwaited():
                self._wait(event)
            case _:
                self._check(event)

    def _check(self, event: e.Event) -> None:
        match event:
            case e.SetupStarted() | e.SetupEnded():
                self._set_up(event)
            case e.GateStarted():
                self.gates[event.on, event.gate] = Check(event.on, event.gate, event.at)
            case e.GateEnded():
                at = event.at - event.seconds
                self.gates[event.on, event.gate] = Check(event.on, event.gate, at, event.seconds, event.state)
            case e.GatesEnded():
                self._compare(event)
            case e.StepStarted():
                self.tried = Check(event.on, f"step {event.step} of {event.package}", event.at)
            case e.StepEnded() if event.on:
                self.tried = None
            case e.ProviderLimited():
                self.providers[event.provider] = event.until
            case _:
                pass

    def _wait(self, event: e.SlotAwaited) -> None:
        if event.on and event.package:
            self.tried = Check(event.on, f"step {event.what} of {event.package}", event.at, waits=True)
        elif event.package:
            if found := self.find(event.package, event.number):
                found.waits = True
        elif event.what == "set-up":
            self.setups[event.on] = Check(event.on, event.what, event.at, waits=True)
        else:
            self.gates[event.on, event.what] = Check(event.on, event.what, event.at, waits=True)

    def _turn(self, one: Try, stage: Stage) -> None:
        """An attempt goes on to another stage."""
        now, one.waits = self.active.seconds, False
        if one.stretches and one.stretches[-1].start == now:
            one.stretches.pop()
        elif one.stretches:
            one.stretches[-1].end = now
        one.stretches.append(Stretch(stage, now))

    def _set_up(self, event: e.SetupStarted | e.SetupEnded) -> None:
        if event.package:
            if found := self.find(event.package, event.number):
                verifies = any(one.stage is Stage.STEPS for one in found.stretches)
                after = Stage.STEPS if verifies else Stage.AGENT
                self._turn(found, Stage.SET_UP if isinstance(event, e.SetupStarted) else after)
        elif isinstance(event, e.SetupStarted):
            self.setups[event.on] = Check(event.on, "set-up", event.at)
        else:
            verdict = "failed" if event.why else "done"
            self.setups[event.on] = Check(event.on, "set-up", event.at - event.seconds, event.seconds, verdict)

    def _end(self, event: e.AttemptEnded) -> None:
        found = self.find(event.package, event.number)
        if found is None:
            return
        found.end = self.active.seconds if found.end is None else found.end
        if self.live.get(event.package) is found:
            del self.live[event.package]
        found.code, found.why = event.code, event.why
        found.usage = event.usage if event.usage != Usage() else found.usage
        found.model = event.model or found.model
        if found.stretches and found.stretches[-1].end is None:
            found.stretches[-1].end = found.end

    def _compare(self, event: e.GatesEnded) -> None:
        """Verdicts are worth more than what each gate showed on its own."""
        for gate, verdict in event.verdicts.items():
            known = self.gates.get((event.on, gate)) or Check(event.on, gate, event.at, 0.0)
            seconds = known.seconds if known.seconds is not None else max(0.0, event.at - known.at)
            self.gates[event.on, gate] = Check(event.on, gate, known.at, seconds, verdict)

    def _break_off(self) -> None:
        """What was live when another start began was broken off when the last one ended; gates run again."""
        self.gates.clear()
        self.tried = None
        for one in self.live.values():
            one.end = self.active.seconds
            if one.stretches:
                one.stretches[-1].end = one.end
        self.live.clear()


def course(happened: Iterable[e.Event], outline: Outline | None = None) -> Course:
    """The course of a run after all these events."""
    found = Course()
    if outline:
        found.begin(outline)
    for event in happened:
        found.take(event)
    return found
