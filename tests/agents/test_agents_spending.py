"""What is used of limits and what is left, by literals."""

from __future__ import annotations

import pytest

from parallel_impl.agents import spending
from parallel_impl.agents.budget import Budget
from parallel_impl.agents.seen import Seen
from parallel_impl.agents.spending import Spent
from parallel_impl.config import LIMITS
from parallel_impl.record import events as e
from parallel_impl.record.activity import Usage
from parallel_impl.record.state import Progress


def ended(number: int, usage: Usage, calls: int = 0) -> e.AttemptEnded:
    return e.AttemptEnded(package="a", number=number, usage=usage, calls=calls, seconds=30.0)


def test_the_names_of_the_configuration_are_those_of_a_budget() -> None:
    assert spending.budget({}) == Budget()
    assert set(LIMITS) == set(Budget.__slots__)
    assert spending.budget({"dollars": 5, "turns": 200}) == Budget(dollars=5, turns=200)


def test_the_attempts_at_a_package_are_added_up_since_the_user_gave_it_new_tries() -> None:
    progress = Progress((), ended=[ended(number, Usage(dollars=1.0)) for number in (1, 2, 3)])
    assert spending.of_package(progress) == Spent(Usage(dollars=3.0), 0, 90.0)
    progress.counts_from = 2
    assert spending.of_package(progress).usage.dollars == 1.0


def test_tool_calls_count_where_turns_are_not_told_and_what_is_not_told_stays_so() -> None:
    both = Spent.ended(ended(1, Usage(turns=3), calls=9)) + Spent.seen(Seen(calls=4))
    assert (both.turns, both.usage.dollars, both.usage.tokens) == (7, None, None)


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        (Budget(), ""),
        (Budget(dollars=2.5), "$2.50 of $2.50 used"),
        (Budget(dollars=2.51), ""),
        (Budget(tokens=30), "30 of 30 tokens used"),
        (Budget(turns=7), "7 of 7 turns used"),
        (Budget(minutes=1.5), "1.5 of 1.5 minutes used"),
    ],
)
def test_what_is_used_up(limit: Budget, why: str) -> None:
    spent = Spent(Usage(input=10, output=20, dollars=2.5), 7, 90.0)
    assert spending.used_up(limit, spent) == why


def test_what_is_left_is_never_no_limit() -> None:
    limit, spent = Budget(dollars=2, tokens=100, turns=9, minutes=2), Spent(Usage(output=40, dollars=0.5), 4, 30.0)
    assert spending.left(limit, spent) == Budget(dollars=1.5, tokens=60, turns=5, minutes=1.5)
    assert spending.left(Budget(), spent) == Budget()
    gone = spending.left(limit, Spent(Usage(output=400, dollars=5.0), 40, 300.0))
    assert all((gone.dollars > 0, gone.tokens > 0, gone.turns > 0, gone.minutes > 0))


def test_the_narrower_limit_holds_for_an_agent() -> None:
    narrow = spending.narrower(Budget(dollars=5, turns=10, minutes=3), Budget(dollars=1, tokens=7, minutes=2))
    assert narrow == Budget(dollars=1, turns=10, tokens=7, minutes=3)
