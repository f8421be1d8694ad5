"""What every kind of agent is to this program: one Protocol, the job that it is given, and how its work ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from parallel_impl.agents.budget import Budget
from parallel_impl.agents.seen import Seen
from parallel_impl.processes.launch import Launch
from parallel_impl.processes.process import Ended, Reason
from parallel_impl.record.activity import Usage
from parallel_impl.record.codes import Failure
from parallel_impl.record.result import AgentRecord

ENDINGS = {
    Reason.TIMEOUT: Failure.TIMEOUT,
    Reason.SILENT: Failure.SILENT,
    Reason.STOPPED: Failure.INTERRUPTED,
}


@dataclass(frozen=True, slots=True)
class Resume:
    """The conversation that a retry goes on with: `message` is said in it. `spent`: what it has used until now."""

    session: str
    message: Path
    spent: Usage = field(default_factory=Usage)


@dataclass(frozen=True, slots=True)
class AgentJob:
    """One piece of work for an agent. `attempt` counts from 1; `launch` says how its process starts, in the worktree.

    An agent that starts a process tells `started` its pid. `home` is the private HOME of the package, `activity` and
    `raw` the files for what a client does and for its own lines; `budget` is what is left of the package's; `heard` is
    told what it has done until now, by whichever thread hears it. `answer`: the one file that it is asked for ("": it
    works on a package).
    """

    package_id: str
    change_id: str
    attempt: int
    prompt_file: Path
    result_file: Path
    log: Path
    launch: Launch
    started: Callable[[int], None]
    home: Path
    activity: Path
    raw: Path
    write_allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    may_be_empty: bool = False
    resume: Resume | None = None
    budget: Budget = field(default_factory=Budget)
    heard: Callable[[Seen], None] = lambda _: None
    answer: str = ""

    @property
    def worktree(self) -> Path:
        """The folder of its files, for this process."""
        return self.launch.view.files if self.launch.view else self.launch.cwd


@dataclass(frozen=True, slots=True)
class Worked:
    """How an agent's work ended: `code` is None when it says that it is done. `seen` is what it did.

    `notes` are for the summary: a conversation that could not go on, say.
    """

    ended: Ended
    code: Failure | None = None
    why: str = ""
    seen: Seen = field(default_factory=Seen)
    notes: tuple[str, ...] = ()


class Agent(Protocol):
    """A kind of agent, with what was configured for it."""

    @property
    def starts_processes(self) -> bool:
        """Whether there is something to contain."""

    @property
    def record(self) -> AgentRecord:
        """What results say about it."""

    @property
    def provider(self) -> str:
        """Whose limits hold for it; "" when that is not known."""

    @property
    def most(self) -> int:
        """How many of it may work at once; 0: no limit."""

    def work(self, job: AgentJob) -> Worked:
        """Do the job in `job.worktree` and return when nothing of it runs any more. Threads call this in parallel."""


def judged(ended: Ended, printed: str = "") -> Worked:
    """The work of a program of which nothing is known but how it ended, with the useful end of what it printed."""
    if ended.clean:
        return Worked(ended)
    return Worked(ended, ENDINGS.get(ended.reason, Failure.AGENT_FAILED), f"the agent: {ended}\n{printed}".rstrip())
