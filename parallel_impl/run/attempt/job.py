"""One attempt at one package: what its worker is handed, what it has got so far, what it hands back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from parallel_impl import environment
from parallel_impl.agents.agent import Agent
from parallel_impl.agents.budget import Budget
from parallel_impl.agents.client import Client
from parallel_impl.agents.seen import Seen
from parallel_impl.gates.steps import Verification
from parallel_impl.git.repo import Change
from parallel_impl.git.staging import Ignored, Violation, Work
from parallel_impl.git.union import Layer
from parallel_impl.plan.model import Package, Plan
from parallel_impl.processes.launch import Launch, Stop
from parallel_impl.processes.slots import SlotWait
from parallel_impl.record.activity import Usage
from parallel_impl.record.agent_report import AgentReport
from parallel_impl.record.codes import Failure
from parallel_impl.record.events import Event, Noted
from parallel_impl.record.journal import now
from parallel_impl.record.result import AgentRecord, Result, SideWorkRecord
from parallel_impl.record.times import Times
from parallel_impl.run.gate_runs import Reports
from parallel_impl.run.on_base import OnBase
from parallel_impl.run.places import AttemptFiles
from parallel_impl.run.spec import PlanInForce, RunSpec, Workspace


@dataclass(frozen=True, slots=True)
class Working:
    """What the agent of a live attempt has done until now."""

    package: str
    number: int
    seen: Seen


Post = Callable[[Event | Working], None]  # from a worker to the main thread, which journals the events


class Cutoff:
    """Ends the agent of one attempt for a reason of the run's; the first reason stays. Any thread may call it."""

    def __init__(self) -> None:
        self.stop = Stop()
        self.code: Failure | None = None
        self.why = ""

    def cut(self, code: Failure, why: str) -> None:
        """End the agent; what it did until now is taken, and judged by this code."""
        if self.code is None:
            self.why, self.code = why, code
            self.stop.set()


@dataclass(frozen=True, slots=True)
class Previous:
    """The attempt that failed before this one; `start` is the commit that a retry goes on from ("": the base).

    `agent` and `model` are those that were chosen for it, `session` is its conversation, which used `spent` until now
    and lies in the package's own HOME (`private_home`) or the user's.
    """

    number: int
    code: str
    why: str
    start: str = ""
    agent: str = ""
    model: str = ""
    session: str = ""
    private_home: bool = False
    spent: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class Kept:
    """Work of an earlier attempt that is judged again: an agent did it in attempt `number`, and it is `commit`.

    `files_ignored` is what that attempt left out, as its result lists it.
    """

    number: int
    commit: str
    agent: AgentRecord
    files_ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """What one attempt is about, and the plan that it is judged by.

    `above` is the dependencies' accepted work, transitively, in topological order. `budget` is what is left for it.
    `on_base` is what gates and steps do on the run's base, as far as it is known; `known_reports` gets what the gates
    found on the attempt's tree. `slot_wait` is how long it has waited for slots, which its limits do not count. With
    `kept` that work is judged, and no agent is started.
    """

    package: Package
    number: int
    in_force: PlanInForce
    above: tuple[Layer, ...] = ()
    previous: Previous | None = None
    budget: Budget = field(default_factory=Budget)
    cutoff: Cutoff = field(default_factory=Cutoff)
    on_base: OnBase | None = None
    known_reports: dict[str, Reports] = field(default_factory=dict)
    slot_wait: SlotWait = field(default_factory=SlotWait)
    kept: Kept | None = None

    def done_by(self, spec: RunSpec) -> AgentRecord:
        """Who does the work of this attempt, or did it in an earlier one."""
        return self.kept.agent if self.kept else spec.agent_record(self.package.id)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended; `code` is None when its work may be accepted. `changes` are those of `commit`.

    `waited_seconds` are those of its `seconds` in which it waited for slots. `seen` is what its agent did, as far as it
    tells. `tests` is the digest of the record of the tests of its steps. `view_failed`: its checkout could not be
    mounted or entered. `whole`: all that its agent did is in `commit`. `layer` is the name of the prepared checkout
    that its steps ran on. `times` is where its seconds went.
    """

    result: Result
    commit: str = ""
    changes: tuple[Change, ...] = ()
    code: Failure | None = None
    why: str = ""
    seconds: float = 0.0
    setup_seconds: float = 0.0
    waited_seconds: float = 0.0
    seen: Seen = field(default_factory=Seen)
    private_home: bool = False
    tests: str = ""
    view_failed: bool = False
    whole: bool = True
    layer: str = ""
    times: Times = field(default_factory=Times)

    @property
    def from_base(self) -> bool:
        """Whether a retry starts from the package's base rather than from this attempt's work."""
        return self.code is None or self.code.from_base


@dataclass(slots=True)
class Attempt:
    """What an attempt has got so far: each stage fills in its part.

    `elsewhere` is work that its agent did not leave in the worktree; it was looked for where `searched` is set.
    """

    spec: RunSpec
    workspace: Workspace
    launch: Launch
    job: Job
    post: Post
    base: str = ""
    commit: str = ""
    code: Failure | None = None
    why: str = ""
    work: Work = field(default_factory=lambda: Work(""))
    outside: tuple[Violation, ...] = ()
    left_out: tuple[Ignored, ...] = ()
    elsewhere: tuple[SideWorkRecord, ...] = ()
    searched: bool = False
    verification: Verification | None = None
    agent_started: bool = False
    view_failed: bool = False
    seen: Seen = field(default_factory=Seen)
    report: AgentReport | None = None
    began: float = 0.0
    setup_seconds: float = 0.0
    layer: str = ""

    @property
    def files(self) -> AttemptFiles:
        return self.workspace.places.attempt_files(self.package.id, self.job.number)

    @property
    def agent_files(self) -> AttemptFiles:
        """The files of the attempt in which the agent worked: this one, unless that work is judged again."""
        number = self.job.kept.number if self.job.kept else self.job.number
        return self.workspace.places.attempt_files(self.package.id, number)

    @property
    def package(self) -> Package:
        return self.job.package

    @property
    def plan(self) -> Plan:
        return self.job.in_force.plan

    @property
    def agent(self) -> Agent:
        return self.spec.agents[self.package.id]

    @property
    def private_home(self) -> bool:
        """Whether its agent has a HOME of its own: one with a key has."""
        return isinstance(self.agent, Client) and bool(self.agent.account.key)

    def note(self, text: str) -> None:
        """Something that the summary must say."""
        told = environment.masked(text, self.launch.mask)  # it may quote a path, which an agent may name as it likes
        self.post(Noted(at=now(), text=told, package=self.package.id))
