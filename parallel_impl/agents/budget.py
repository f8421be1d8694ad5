"""What an attempt or a run may use, and which of it a client reports.

Minutes and the two sizes are measured by us for every agent; turns, tokens and dollars are the client's word.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from enum import StrEnum

from parallel_impl.agents.seen import Seen


class Tell(StrEnum):
    """A thing that a client reports about its work."""

    CALLS = "tool calls"
    TURNS = "turns"
    TOKENS = "tokens"
    DOLLARS = "dollars"
    DENIALS = "denied tools"
    RETRIES = "retries"
    LIMITS = "limits of the provider"


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits of one package or of the run, in the words of the configuration; 0 is no limit."""

    minutes: float = 0.0
    turns: int = 0
    tokens: int = 0
    dollars: float = 0.0
    output_mb: float = 0.0
    disk_mb: float = 0.0

    def unwatched(self, tells: Set[Tell]) -> list[str]:
        """The limits in this budget that an agent which reports `tells` gives no figure for."""
        wanted = {"turns": self.turns, "tokens": self.tokens, "dollars": self.dollars}
        return [name for name, limit in wanted.items() if limit and name not in watched(tells)]

    def exceeded(self, seen: Seen, tells: Set[Tell]) -> str:
        """What of the client's own figures is over its limit, for people; "" when nothing is."""
        used = seen.usage
        turns = (used.turns or 0) if Tell.TURNS in tells else seen.calls
        if self.dollars and (used.dollars or 0) > self.dollars:
            return f"${used.dollars:.2f} of ${self.dollars:.2f} used"
        if self.tokens and (used.tokens or 0) > self.tokens:
            return f"{used.tokens} of {self.tokens} tokens used"
        if self.turns and turns > self.turns:
            return f"{turns} of {self.turns} turns used"
        return ""


def watched(tells: Set[Tell]) -> list[str]:
    """The limits that can be set for an agent which reports `tells`, beside minutes and sizes.

    Where turns are not reported, tool calls count as turns: each is one more request to the model, or a part of one.
    """
    figures = {"turns": {Tell.TURNS, Tell.CALLS}, "tokens": {Tell.TOKENS}, "dollars": {Tell.DOLLARS}}
    return [name for name, sources in figures.items() if sources & tells]
