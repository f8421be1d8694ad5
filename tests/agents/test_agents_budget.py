"""Budgets: what is over, and what a client never reports."""

from __future__ import annotations

import pytest

from parallel_impl.agents.budget import Budget, Tell, watched
from parallel_impl.agents.dialects.catalogue import DIALECTS
from parallel_impl.agents.seen import Seen
from parallel_impl.record.activity import Usage

ALL = frozenset(Tell)


@pytest.mark.parametrize(
    ("budget", "seen", "over"),
    [
        (Budget(dollars=5.0), Seen(usage=Usage(dollars=5.2)), "$5.20 of $5.00 used"),
        (Budget(dollars=5.0), Seen(usage=Usage(dollars=5.0)), ""),
        (Budget(dollars=5.0), Seen(), ""),
        (Budget(tokens=100), Seen(usage=Usage(input=50, cache_write=30, output=21)), "101 of 100 tokens used"),
        (Budget(tokens=100), Seen(usage=Usage(input=50, cache_read=90_000)), ""),
        (Budget(turns=3), Seen(usage=Usage(turns=4)), "4 of 3 turns used"),
        (Budget(turns=3), Seen(calls=9), ""),  # claude calls several tools in a turn, and counts turns at its end
        (Budget(), Seen(usage=Usage(dollars=1e6, input=10**9, turns=10**6)), ""),
    ],
)
def test_a_figure_over_its_limit_is_named(budget: Budget, seen: Seen, over: str) -> None:
    assert budget.exceeded(seen, ALL) == over


def test_calls_count_as_turns_where_turns_are_not_reported() -> None:
    assert Budget(turns=3).exceeded(Seen(calls=4), DIALECTS["codex"].tells) == "4 of 3 turns used"


def test_a_limit_that_the_client_never_reports_is_found() -> None:
    budget = Budget(turns=1, tokens=1, dollars=1.0, minutes=1.0, output_mb=1.0, disk_mb=1.0)
    assert budget.unwatched(DIALECTS["claude"].tells) == []
    assert budget.unwatched(DIALECTS["codex"].tells) == ["dollars"]
    assert budget.unwatched(DIALECTS["copilot"].tells) == ["tokens", "dollars"]
    assert budget.unwatched(frozenset()) == ["turns", "tokens", "dollars"]
    assert Budget(tokens=1).unwatched(DIALECTS["codex"].tells) == []
    assert watched(DIALECTS["gemini"].tells) == ["turns", "tokens"]
