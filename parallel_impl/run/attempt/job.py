"""What a worker is handed, and what it hands back: one attempt at one package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from parallel_impl.git.repo import Change
from parallel_impl.git.union import Layer
from parallel_impl.plan.model import Package
from parallel_impl.record.codes import Failure
from parallel_impl.record.events import Event
from parallel_impl.record.result import Result
from parallel_impl.run.spec import PlanInForce

Post = Callable[[Event], None]  # from a worker to the main thread, which journals what it gets


@dataclass(frozen=True, slots=True)
class Previous:
    """The attempt that failed before this one; `start` is the commit that a retry goes on from ("": the base)."""

    number: int
    code: str
    why: str
    start: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """What one attempt is about, and the plan that it is judged by.

    `above` is the dependencies' accepted work, transitively, in topological order.
    """

    package: Package
    number: int
    in_force: PlanInForce
    above: tuple[Layer, ...] = ()
    previous: Previous | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended; `code` is None when its work may be accepted. `changes` are those of `commit`."""

    result: Result
    commit: str = ""
    changes: tuple[Change, ...] = ()
    code: Failure | None = None
    why: str = ""
    seconds: float = 0.0
    setup_seconds: float = 0.0

    @property
    def from_base(self) -> bool:
        """Whether a retry starts from the package's base rather than from this attempt's work."""
        return self.code is None or self.code.from_base
