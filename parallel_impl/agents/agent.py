"""What every kind of agent is to this program: one Protocol, and the job that it is given.

An agent works in its worktree and ends; how it ended is all that it tells.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from parallel_impl.errors import Problem
from parallel_impl.processes.launch import Launch
from parallel_impl.processes.process import Ended


@dataclass(frozen=True, slots=True)
class AgentJob:
    """One piece of work for an agent. `attempt` counts from 1; `launch` says how its process starts, in the worktree.

    An agent that starts a process tells `started` its pid.
    """

    package_id: str
    change_id: str
    attempt: int
    prompt_file: Path
    result_file: Path
    log: Path
    launch: Launch
    started: Callable[[int], None]

    @property
    def worktree(self) -> Path:
        return self.launch.cwd


class Agent(Protocol):
    """A kind of agent, with what was configured for it."""

    @property
    def starts_processes(self) -> bool:
        """Whether there is something to contain."""

    def check(self) -> Problem | None:
        """What keeps this agent from working on this machine; asked once, before any work."""

    def work(self, job: AgentJob) -> Ended:
        """Do the job in `job.worktree` and return when nothing of it runs any more. Threads call this in parallel."""
