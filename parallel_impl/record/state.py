"""The state of a run: the fold of its events, and what may start next. Pure: no git, no process, no clock.

`State.apply` is the only place where a state changes. The rules that are kept here: one live attempt per package,
nothing starts before all its dependencies are accepted in the plan's current revision, an accepted result never
changes in a revision, nothing starts below a failure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from parallel_impl.plan.order import Order, order
from parallel_impl.record import events as e
from parallel_impl.record.codes import Failure, costs_retry, judges, tries_again, undecided
from parallel_impl.record.gate_row import GateRow
from parallel_impl.record.start_queue import StartQueue


class PackageState(StrEnum):
    """Where a package is."""

    PLANNED = "planned"
    QUEUED = "queued"
    RUNNING = "running"
    VERIFYING = "verifying"
    ACCEPTED = "accepted"
    FAILED = "failed"
    CANCELLED = "cancelled"
    STALE = "stale"  # what it had is of an older revision, and what it waits for is not accepted yet


class RunState(StrEnum):
    """Where the run is."""

    PREFLIGHT = "preflight"
    EXECUTING = "executing"
    PAUSED = "paused"
    PROVING = "proving"
    LANDED = "landed"
    HALTED = "halted"
    ABORTED = "aborted"


ENDED = (PackageState.ACCEPTED, PackageState.FAILED, PackageState.CANCELLED)
LIVE = (PackageState.RUNNING, PackageState.VERIFYING)
WAITING = (PackageState.PLANNED, PackageState.STALE)
LOST = (PackageState.FAILED, PackageState.CANCELLED)  # what waits for such a package never starts


class ImpossibleError(Exception):
    """An event that cannot follow what happened before it: a bug, or a journal that was edited."""


@dataclass(slots=True)
class Progress:
    """One package so far. `attempts` counts all, `failures` those that used up a try.

    `tests` has, by attempt, the digest of what passed in its own steps, where it may have been accepted.

    Attempts up to `outdated` were made for an older revision: nothing goes on from them. What attempts up to
    `counts_from` used is not held against the package's limits any more. Attempts up to `made_otherwise` did other
    work than what is asked for now, those up to `judged_otherwise` are judged by something else now.
    """

    depends_on: tuple[str, ...]
    state: PackageState = PackageState.PLANNED
    attempts: int = 0
    failures: int = 0
    outdated: int = 0
    counts_from: int = 0
    made_otherwise: int = 0
    judged_otherwise: int = 0
    verified: set[int] = field(default_factory=set)
    commit: str = ""
    code: str = ""
    why: str = ""
    started: dict[int, e.AttemptStarted] = field(default_factory=dict)
    ended: list[e.AttemptEnded] = field(default_factory=list)
    tests: dict[int, str] = field(default_factory=dict)

    @property
    def last_failure(self) -> e.AttemptEnded | None:
        """The attempt of this revision whose failure says something about the latest work; the next goes on from it."""
        ours = [one for one in self.ended if one.number > self.outdated]
        failed = [one for one in ours if costs_retry(one.code) or one.code == Failure.STEP_CANNOT_START]
        return max(failed, key=lambda one: (self.done_in(one.number), one.number), default=None)

    @property
    def finished(self) -> list[e.AttemptEnded]:
        """The attempts whose agent did what is asked for now, and ended well: their commits have all of it.

        The latest comes first, and each work once.
        """
        ours = (one for one in self.ended if one.number > self.made_otherwise)
        found = {self.done_in(one.number): one for one in ours if one.commit and self._agent_was_done(one)}
        return sorted(found.values(), key=lambda one: self.done_in(one.number), reverse=True)

    @property
    def judged_anew(self) -> list[e.AttemptEnded]:
        """The attempts whose work is judged by something else now, and was not yet, as long as no agent tried since."""
        since = [one for one in self.ended if one.number > self.judged_otherwise]
        known = {self.done_in(one.number) for one in since if costs_retry(one.code) or not self._left_open(one)}
        if max(known, default=0) > self.judged_otherwise:
            return []
        found = ((one, self.done_in(one.number)) for one in self.finished)
        return [one for one, made in found if made <= self.judged_otherwise and made not in known]

    @property
    def to_judge(self) -> list[e.AttemptEnded]:
        """The attempts whose work is judged again before an agent is paid, in this order.

        Where nothing was found out about the latest work it is that.
        """
        return self.judged_anew or [one for one in self.finished[:1] if self._left_open(one)]

    def done_in(self, number: int) -> int:
        """The attempt in which an agent did the work of this attempt: itself, unless that was only judged again."""
        began = self.started.get(number)
        return began.judges or number if began else number

    def may_retry(self, retry_budget: int) -> bool:
        """Whether another attempt may start: `retry_budget` counts attempts beyond the first.

        Work that is judged by something else now needs no agent, so it may be judged in any case.
        """
        if self.judged_anew:
            return True
        return self.failures <= retry_budget and (not self.failures or tries_again(self.code))

    def _agent_was_done(self, ended: e.AttemptEnded) -> bool:
        """Whether the attempt got beyond its agent, with nothing left behind."""
        if ended.whole is False or (ended.whole is None and ended.code == Failure.SCOPE_VIOLATION):
            return False
        return not ended.code or judges(ended.code) or self._got_to_its_steps(ended)

    def _left_open(self, ended: e.AttemptEnded) -> bool:
        """Whether it was not found out what the work is worth; a step that could not start twice is an agent's turn."""
        twice = ended.code == Failure.STEP_CANNOT_START and self.done_in(ended.number) != ended.number
        return undecided(ended.code) and not twice

    def _got_to_its_steps(self, ended: e.AttemptEnded) -> bool:
        return undecided(ended.code) and (ended.number in self.verified or self.done_in(ended.number) != ended.number)


@dataclass(slots=True)
class State:
    """The run so far; made empty and filled by `apply`, in the order of the journal.

    `agent` is that of the last start, `agent_from` the folder where it was typed. `notes` are for the summary, each
    once, `gate_rows` what the gates meant for the last candidate. `resumed` is the provider that had last paused it.

    `tip` is where the feature branch may be: where it was when the run began, or where the user agreed that it is; that
    is `consented` then. `asked` is where a halt found it, to which the next start agrees. `candidates` are the commits
    that the run made of all accepted work. ("": no branch; None: not known, or nothing.)
    """

    run: RunState = RunState.PREFLIGHT
    started: e.RunStarted | None = None
    home: str = ""
    run_id: str = ""
    place: str = ""
    revised: e.PlanRevised | None = None
    configured: e.ConfigurationRevised | None = None
    packages: dict[str, Progress] = field(default_factory=dict)
    order: Order = field(default_factory=lambda: order({}))
    removed: dict[str, Progress] = field(default_factory=dict)
    accepted_gates: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    tip: str | None = None
    consented: str | None = None
    asked: str | None = None
    candidates: set[str] = field(default_factory=set)
    proven: str = ""
    gate_rows: tuple[GateRow, ...] = ()
    landed: e.Landed | None = None
    halted: e.RunHalted | None = None
    paused: e.RunPaused | None = None
    resumed: str = ""
    tampering: e.RepositoryChanged | None = None
    agent: str = ""
    agent_from: str = ""
    notes: list[str] = field(default_factory=list)
    pushed: e.BranchPushed | None = None
    pull_request: e.PullRequestOpened | None = None
    checks: e.ChecksAnswered | None = None
    merged: e.Merged | None = None
    # what can be looked up of the packages, and is never to be looked for in all of them
    _names: dict[PackageState, set[str]] = field(default_factory=dict, compare=False, repr=False)
    _place: dict[str, int] = field(default_factory=dict, compare=False, repr=False)
    _waiting: StartQueue = field(default_factory=lambda: StartQueue(()), compare=False, repr=False)
    _doomed: list[tuple[str, str]] | None = field(default=None, compare=False, repr=False)  # None: not known

    @property
    def plan_commit(self) -> str:
        """The commit that holds the plan in force; "" before the run started."""
        return self.revised.commit if self.revised else self.started.base if self.started else ""

    @property
    def plan_blob(self) -> str:
        """The id of the plan in force."""
        pinned = self.revised or self.started
        return pinned.plan_blob if pinned else ""

    @property
    def single(self) -> bool:
        """Whether the plan was made from the change (`--single`), so that its blob lies in no commit."""
        return self.started is not None and self.started.single

    @property
    def plan_revision(self) -> int:
        """The number of the plan in force: the file's own, or the next one after an edit that did not raise it."""
        pinned = self.revised or self.started
        return pinned.plan_revision if pinned else 1

    def apply(self, event: e.Event) -> None:
        """Take one event in. ImpossibleError when it cannot follow what happened."""
        match event:  # the most frequent ones first
            case e.AttemptStarted() | e.AttemptVerifying() | e.AttemptEnded():
                self._attempt(event)
            case e.PackageAccepted() | e.PackageFailed() | e.PackageCancelled():
                self._end(event)
            case e.TestsKept():
                self.packages[event.package].tests[event.number] = event.digest
            case e.RunStarted():
                self.started, self.home, self.run = event, event.home, RunState.EXECUTING
                self.run_id, self.place = event.run_id, event.place
                self.agent, self.agent_from, self.tip = event.agent, event.agent_from, event.tip
                self.packages = {
                    name: Progress(tuple(above), attempts=event.attempts.get(name, 0))
                    for name, above in event.packages.items()
                }
                self._sort(event)
                self._queue(self.packages)
            case e.RunContinued():
                self.home = event.home or self.home
                self.run_id, self.place = event.run_id or self.run_id, event.place or self.place
                self.agent, self.agent_from = event.agent, event.agent_from
                self._continue()
            case e.FailedRetried() | e.PackagesRestarted() | e.PlanRevised():
                self._again(event)
            case e.ConfigurationRevised():
                self.configured = event
                self._reopen(event)
            case e.LayersChanged():
                self._doubt(event)
            case e.RepositoryChanged() if event.halts:
                self.tampering = event
            case _:
                self._integrate(event)

    def _integrate(self, event: e.Event) -> None:
        match event:
            case e.Noted():
                note = f"{event.package}: {event.text}" if event.package else event.text
                self.notes += [] if note in self.notes else [note]
            case e.GateAccepted():
                known = self.accepted_gates.get(event.gate, {})
                both = {kind: (*known.get(kind, ()), *ids) for kind, ids in event.kinds.items()}
                self.accepted_gates[event.gate] = {**known, **both}
            case e.RunPaused():
                self.paused, self.run = event, RunState.PAUSED
            case e.RunResumed():
                self.paused, self.resumed, self.run = None, event.by, RunState.EXECUTING
            case e.RunHalted():
                self.halted, self.run, self.asked = event, RunState.HALTED, event.tip
            case e.RunAborted():
                self.run = RunState.ABORTED
            case _:
                self._land(event)

    def _land(self, event: e.Event) -> None:
        """What became of the whole, and of the feature branch."""
        match event:
            case e.CandidateMade():
                self.run = RunState.PROVING
                self.candidates.add(event.commit)
            case e.GatesEnded() if event.rows:
                self.gate_rows = event.rows
            case e.CandidateProven():
                self.proven = event.commit
                self.candidates.add(event.commit)
            case e.BranchMoveAccepted():
                self.tip, self.consented, self.asked = event.commit, event.commit, None
            case e.Landed():
                self.landed, self.run, self.halted = event, RunState.LANDED, None
            case _:
                self._publish(event)

    def _publish(self, event: e.Event) -> None:
        """What became of the landed branch on a remote and on a forge."""
        match event:
            case e.BranchPushed():
                self.pushed = event
            case e.PullRequestOpened():
                self.pull_request = event
            case e.ChecksAnswered():
                self.checks = event
            case e.Merged():
                self.merged = event

    def start_in(self, order: Sequence[str]) -> None:
        """Let the packages start in this order of all of them; without it they start in that of the plan."""
        self._waiting = StartQueue(order, self._names[PackageState.QUEUED])

    def ready(self, *, only: frozenset[str] | None = None) -> Iterator[str]:
        """Which packages may start as soon as there is room for them, in their order; before the next event."""
        if self.run is not RunState.EXECUTING or self.tampering:
            return iter(())
        return (name for name in self._waiting if only is None or name in only)

    def room(self, jobs: int) -> int:
        """How many attempts may start beside those that are live: `jobs` are agents, what is verified has slots."""
        agents, live = self.count(PackageState.RUNNING), sum(map(self.count, LIVE))
        return max(min(jobs - agents, most_live(jobs) - live), 0)

    def count(self, at: PackageState) -> int:
        """How many packages are there."""
        return len(self._names.get(at, ()))

    def at(self, *states: PackageState) -> list[str]:
        """The packages that are in one of these states, in the order of the plan."""
        return sorted((name for one in states for name in self._names.get(one, ())), key=self._place.__getitem__)

    def doomed(self) -> list[tuple[str, str]]:
        """Packages that can never start, each with the dependency that ended so; in the order of the plan.

        Looked for where a package has ended so since it was last asked.
        """
        if self._doomed is None:
            self._doomed = self._find_doomed() if any(map(self.count, LOST)) else []
        return self._doomed

    def _find_doomed(self) -> list[tuple[str, str]]:
        lost: dict[str, str] = {}
        for name in self.order.topological:
            if self.packages[name].state in (*WAITING, PackageState.QUEUED):
                for above in self.order.depends_on[name]:
                    if above in lost or self.packages[above].state in LOST:
                        lost.setdefault(name, above)
        return [(name, lost[name]) for name in self.packages if name in lost]

    def accepted(self) -> dict[str, str]:
        """Accepted packages and their commits."""
        return {name: p.commit for name, p in self.packages.items() if p.state is PackageState.ACCEPTED}

    def with_descendants(self, names: Iterable[str]) -> list[str]:
        """The named packages and all that depend on them, in the order of the plan."""
        found = self.order.with_descendants(names)
        return [name for name in self.packages if name in found]

    def live(self) -> list[str]:
        """Packages with an attempt that is not over."""
        return self.at(*LIVE)

    def _continue(self) -> None:
        """A new start of the command: what was live is queued again, what was left by `--only` or a halt too."""
        self.run, self.halted, self.tampering, self.paused = RunState.EXECUTING, None, None, None
        for name in self.live():
            self._put(name, PackageState.QUEUED)

    def _attempt(self, event: e.AttemptStarted | e.AttemptVerifying | e.AttemptEnded) -> None:
        progress = self.packages[event.package]
        if isinstance(event, e.AttemptStarted):
            self._expect(event, progress.state is PackageState.QUEUED and event.number == progress.attempts + 1)
            self._put(event.package, PackageState.RUNNING)
            progress.attempts = event.number
            progress.started[event.number] = event
            return
        self._expect(event, progress.state in LIVE and event.number == progress.attempts)
        if isinstance(event, e.AttemptVerifying):
            self._put(event.package, PackageState.VERIFYING)
            progress.verified.add(event.number)
            return
        progress.ended.append(event)
        progress.code, progress.why = event.code, event.why
        if event.code:
            judged_again = progress.done_in(event.number) != event.number
            progress.failures += costs_retry(event.code) and not (judged_again and judges(event.code))
            self._put(event.package, PackageState.QUEUED)  # until the runner says that no try is left

    def _end(self, event: e.PackageAccepted | e.PackageFailed | e.PackageCancelled) -> None:
        progress = self.packages[event.package]
        self._expect(event, progress.state not in ENDED)
        if isinstance(event, e.PackageAccepted):
            above = all(self.packages[name].state is PackageState.ACCEPTED for name in progress.depends_on)
            self._expect(event, above and progress.state in LIVE and event.number == progress.attempts)
            self._put(event.package, PackageState.ACCEPTED)
            progress.commit, progress.code = event.commit, ""
            self._queue(self.order.dependents[event.package])
        elif isinstance(event, e.PackageFailed):
            self._expect(event, progress.state is PackageState.QUEUED and progress.attempts > 0)
            self._put(event.package, PackageState.FAILED)
            progress.code, progress.why = event.code, event.why
        else:
            self._put(event.package, PackageState.CANCELLED)
            progress.why = f"{event.because} ended without being accepted"

    def _again(self, event: e.FailedRetried | e.PackagesRestarted | e.PlanRevised) -> None:
        """Packages start again on the user's word, while none is live; what was cancelled waits again."""
        self._expect(event, not self.live())
        self.proven = ""
        if isinstance(event, e.FailedRetried):
            self._expect(event, all(self.packages[name].state is PackageState.FAILED for name in event.packages))
            for name in event.packages:
                self._put(name, PackageState.PLANNED)
                progress = self.packages[name]
                progress.failures, progress.counts_from = 0, progress.attempts
        elif isinstance(event, e.PackagesRestarted):
            self._outdate(event.packages)
            for progress in (self.packages[name] for name in self.with_descendants(event.packages)):
                progress.made_otherwise = progress.attempts
        else:
            self._revise(event)
        self._wait_again()

    def _revise(self, event: e.PlanRevised) -> None:
        known, again = self.packages | self.removed, [name for name in event.packages if name in self.removed]
        self.revised = event
        self.packages = {name: known.pop(name) if name in known else Progress(()) for name in event.packages}
        self.removed = known  # one that comes back goes on counting: the refs of its attempts are taken
        for name, above in event.packages.items():
            self.packages[name].depends_on = tuple(above)
        self._sort(event)
        outdated = [*event.changed, *again]
        self._outdate(outdated)
        for name in self.with_descendants(outdated):
            progress = self.packages[name]
            if name in outdated and name not in event.judged:
                progress.made_otherwise = progress.attempts
            progress.judged_otherwise = progress.attempts

    def _reopen(self, event: e.ConfigurationRevised) -> None:
        """What the edit gives another try: while none is live, and not what was accepted."""
        if not event.again and not event.judged:
            return
        reopened = {name: self.packages[name] for name in (*event.again, *event.judged)}
        accepted = any(progress.state is PackageState.ACCEPTED for progress in reopened.values())
        self._expect(event, not self.live() and not accepted)
        for name, progress in reopened.items():
            if name in event.judged:
                progress.judged_otherwise = progress.attempts
            else:
                progress.failures = 0
            if progress.state is PackageState.FAILED:
                self._put(name, PackageState.PLANNED)
        self._wait_again()

    def _doubt(self, event: e.LayersChanged) -> None:
        """What was found out about these packages is worth nothing; what their agents did is as it was."""
        self._expect(event, not self.live())
        self.proven = ""
        self._outdate(event.packages)
        for progress in (self.packages[name] for name in self.with_descendants(event.packages)):
            progress.judged_otherwise = progress.attempts
        self._queue(self.packages)

    def _outdate(self, names: Iterable[str]) -> None:
        """The results of these packages, and of all that depends on them, are of an older revision."""
        for name in self.with_descendants(names):
            progress = self.packages[name]
            self._put(name, PackageState.STALE if progress.attempts else PackageState.PLANNED)
            progress.failures, progress.outdated, progress.counts_from = 0, progress.attempts, progress.attempts
            progress.commit, progress.code, progress.why = "", "", ""

    def _sort(self, event: e.RunStarted | e.PlanRevised) -> None:
        """The order of the plan that the event names; ImpossibleError when it has none."""
        try:
            self.order = order({name: progress.depends_on for name, progress in self.packages.items()})
        except (KeyError, ValueError) as error:
            raise ImpossibleError(f"{event} names a plan that has no order: {error}") from error
        self._names = {state: set() for state in PackageState}
        for name, progress in self.packages.items():
            self._names[progress.state].add(name)
        self._place = {name: place for place, name in enumerate(self.packages)}
        self._doomed = None
        self.start_in(list(self.packages))

    def _queue(self, names: Iterable[str]) -> None:
        """Queue those of the named packages whose dependencies are all accepted."""
        for name in names:
            progress = self.packages[name]
            if progress.state in WAITING and all(
                self.packages[above].state is PackageState.ACCEPTED for above in progress.depends_on
            ):
                self._put(name, PackageState.QUEUED)

    def _wait_again(self) -> None:
        """What was cancelled waits again; what waits for nothing is queued."""
        for name in self.at(PackageState.CANCELLED):
            self._put(name, PackageState.PLANNED)
            self.packages[name].why = ""
        self._queue(self.packages)

    def _put(self, name: str, to: PackageState) -> None:
        """The only place where a package gets another state."""
        progress = self.packages[name]
        if progress.state is to:
            return
        self._names[progress.state].remove(name)
        self._names[to].add(name)
        if progress.state is PackageState.QUEUED:
            self._waiting.take(name)
        if to is PackageState.QUEUED:
            self._waiting.put(name)
        if {progress.state, to}.intersection(LOST):
            self._doomed = None
        progress.state = to

    @staticmethod
    def _expect(event: e.Event, possible: bool) -> None:
        if not possible:
            raise ImpossibleError(f"{event} does not fit what happened before it")


def most_live(jobs: int) -> int:
    """How many attempts may be live where `jobs` agents work at once: as many again are verified, each in one checkout.

    With one job everything is done one after the other, as whoever asks for that expects.
    """
    return 2 * jobs if jobs > 1 else 1


def fold(happened: Iterable[e.Event]) -> State:
    """The state after all these events."""
    state = State()
    for event in happened:
        state.apply(event)
    return state


def blocking(state: State, wanted: Sequence[str]) -> Mapping[str, PackageState]:
    """Wanted packages that are not accepted, with their states: empty when everything may be put together."""
    states = {name: state.packages[name].state for name in wanted}
    return {name: at for name, at in states.items() if at is not PackageState.ACCEPTED}
