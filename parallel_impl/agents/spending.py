"""What packages and the run have used of their limits, and what is left of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from parallel_impl.agents.budget import Budget
from parallel_impl.agents.seen import Seen
from parallel_impl.record.activity import Usage
from parallel_impl.record.events import AttemptEnded
from parallel_impl.record.state import Progress, State

LEAST = 1e-6  # of a limit that is used up: 0 is no limit


@dataclass(frozen=True, slots=True)
class Spent:
    """What attempts used. A client that does not report its turns is counted by its tool calls.

    Waiting for a slot uses no time.
    """

    usage: Usage = field(default_factory=Usage)
    turns: int = 0
    seconds: float = 0.0

    @classmethod
    def ended(cls, attempt: AttemptEnded) -> Spent:
        return cls(attempt.usage, _turns(attempt.usage, attempt.calls), attempt.seconds - attempt.waited_seconds)

    @classmethod
    def seen(cls, seen: Seen, seconds: float = 0.0) -> Spent:
        """What an agent that is at work has used until now."""
        return cls(seen.usage, _turns(seen.usage, seen.calls), seconds)

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.usage + other.usage, self.turns + other.turns, self.seconds + other.seconds)


def budget(limits: Mapping[str, float]) -> Budget:
    """The limits of the configuration as a budget."""
    return msgspec.convert(limits, Budget)


def of_package(progress: Progress) -> Spent:
    """What a package has used since it was last begun, or given new tries."""
    return total(Spent.ended(one) for one in progress.ended if one.number > progress.counts_from)


def of_run(state: State) -> Spent:
    """What all attempts that are over have used, of packages too that an edit of the plan removed."""
    return total(Spent.ended(one) for each in (state.packages, state.removed) for p in each.values() for one in p.ended)


def total(parts: Iterable[Spent]) -> Spent:
    """The sum."""
    return sum(parts, Spent())


def used_up(limit: Budget, spent: Spent) -> str:
    """Which limit has been reached, for people; "" when none has. Sizes are measured where files are."""
    dollars, tokens = spent.usage.dollars or 0.0, spent.usage.tokens or 0
    if limit.dollars and dollars >= limit.dollars:
        return f"${dollars:.2f} of ${limit.dollars:.2f} used"
    if limit.tokens and tokens >= limit.tokens:
        return f"{tokens} of {limit.tokens} tokens used"
    if limit.turns and spent.turns >= limit.turns:
        return f"{spent.turns} of {limit.turns} turns used"
    if limit.minutes and spent.seconds >= limit.minutes * 60:
        return f"{spent.seconds / 60:.1f} of {limit.minutes:g} minutes used"
    return ""


def left(limit: Budget, spent: Spent) -> Budget:
    """What is left of a limit that is not used up; what has no limit (0) has none."""
    dollars, tokens = spent.usage.dollars or 0.0, spent.usage.tokens or 0
    return replace(
        limit,
        dollars=limit.dollars and max(limit.dollars - dollars, LEAST),
        tokens=limit.tokens and max(limit.tokens - tokens, 1),
        turns=limit.turns and max(limit.turns - spent.turns, 1),
        minutes=limit.minutes and max(limit.minutes - spent.seconds / 60, LEAST),
    )


def narrower(one: Budget, other: Budget) -> Budget:
    """Of each of the client's figures the lower limit; the sizes are those of `one`."""
    return replace(
        one,
        dollars=_lower(one.dollars, other.dollars),
        tokens=int(_lower(one.tokens, other.tokens)),
        turns=int(_lower(one.turns, other.turns)),
    )


def _lower(one: float, other: float) -> float:
    return min(one, other) if one and other else one or other


def _turns(usage: Usage, calls: int) -> int:
    return calls if usage.turns is None else usage.turns
