"""Which agent may start when, by literals: no clock, no agents."""

from __future__ import annotations

import math

from parallel_impl.run.throttle import APART, FIRST_WAIT, LONGEST_WAIT, Refusal, Terms, Throttle

CLAUDE = Terms("claude", "anthropic")
OTHER = Terms("codex", "openai")
HOUR = 3600.0


def test_starts_of_one_provider_are_a_second_apart_and_those_of_others_are_not() -> None:
    throttle = Throttle(HOUR)
    assert throttle.earliest(CLAUDE, 10.0) <= 10.0
    throttle.start("a", CLAUDE, 10.0)
    assert throttle.earliest(CLAUDE, 10.0) == 10.0 + APART
    assert throttle.earliest(OTHER, 10.0) <= 10.0
    assert throttle.earliest(CLAUDE, 11.0) <= 11.0


def test_an_agent_without_a_known_provider_waits_for_nobody() -> None:
    throttle, command = Throttle(HOUR), Terms("command")
    throttle.start("a", command, 10.0)
    assert throttle.earliest(command, 10.0) == 10.0


def test_no_more_of_an_agent_work_at_once_than_its_table_says() -> None:
    throttle, twice = Throttle(HOUR), Terms("cheap", "anthropic", most=2)
    throttle.start("a", twice, 1.0)
    throttle.start("b", twice, 2.0)
    assert throttle.earliest(twice, 9.0) == math.inf
    assert throttle.earliest(CLAUDE, 9.0) <= 9.0
    throttle.end("a")
    assert throttle.earliest(twice, 9.0) <= 9.0


def test_a_limit_holds_until_the_provider_says_and_then_one_start_is_the_probe() -> None:
    throttle = Throttle(HOUR)
    throttle.start("a", CLAUDE, 0.0)
    assert throttle.refuse("a", 5.0, told=300.0) == Refusal(300.0)
    throttle.end("a")
    assert throttle.earliest(CLAUDE, 6.0) == 300.0
    assert throttle.earliest(OTHER, 6.0) <= 6.0
    throttle.start("a", CLAUDE, 300.0)
    assert throttle.earliest(CLAUDE, 310.0) == math.inf
    throttle.work("a")
    assert throttle.earliest(CLAUDE, 310.0) <= 310.0


def test_a_probe_that_ends_without_a_word_of_the_provider_leaves_the_next_start_as_the_probe() -> None:
    throttle = Throttle(HOUR)
    throttle.start("a", CLAUDE, 0.0)
    throttle.refuse("a", 5.0, told=300.0)
    throttle.end("a")
    throttle.start("b", CLAUDE, 300.0)
    throttle.end("b")
    assert throttle.earliest(CLAUDE, 310.0) <= 310.0
    throttle.start("c", CLAUDE, 310.0)
    assert throttle.earliest(CLAUDE, 320.0) == math.inf


def test_where_no_time_is_told_the_wait_doubles_up_to_ten_minutes() -> None:
    throttle, now, waits = Throttle(24 * HOUR), 0.0, list[float]()
    for _ in range(8):
        throttle.start("a", CLAUDE, now)
        refusal = throttle.refuse("a", now)
        throttle.end("a")
        waits.append(refusal.until - now)
        now = refusal.until
    assert waits[:3] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert waits[-2:] == [LONGEST_WAIT, LONGEST_WAIT]


def test_agents_that_were_refused_together_are_one_refusal() -> None:
    throttle = Throttle(HOUR)
    throttle.start("a", CLAUDE, 0.0)
    throttle.start("b", CLAUDE, 1.0)
    assert throttle.refuse("a", 5.0) == Refusal(5.0 + FIRST_WAIT)
    assert throttle.refuse("b", 6.0) == Refusal(5.0 + FIRST_WAIT)


def test_an_agent_from_before_the_limit_that_goes_on_working_does_not_lift_it() -> None:
    throttle = Throttle(HOUR)
    throttle.start("a", CLAUDE, 0.0)
    throttle.start("b", CLAUDE, 1.0)
    throttle.refuse("a", 5.0, told=300.0)
    throttle.work("b")
    assert throttle.earliest(CLAUDE, 6.0) == 300.0


def test_waits_of_our_own_are_spread() -> None:
    throttle = Throttle(HOUR)
    throttle.start("a", CLAUDE, 0.0)
    assert throttle.refuse("a", 5.0, spread=0.5) == Refusal(5.0 + FIRST_WAIT / 2)


def test_a_longer_wait_than_ours_pauses_at_once_and_one_that_lasts_pauses_in_the_end() -> None:
    throttle = Throttle(60.0)
    throttle.start("a", CLAUDE, 0.0)
    assert throttle.refuse("a", 5.0, told=5.0 + 61.0) == Refusal(66.0, pauses=True)
    throttle = Throttle(30.0)
    throttle.start("a", CLAUDE, 0.0)
    assert throttle.refuse("a", 5.0) == Refusal(25.0)
    throttle.end("a")
    throttle.start("a", CLAUDE, 25.0)
    assert throttle.refuse("a", 26.0) == Refusal(35.0)  # the last probe comes when our patience ends
    throttle.end("a")
    throttle.start("a", CLAUDE, 35.0)
    assert throttle.refuse("a", 36.0) == Refusal(35.0, pauses=True)


def test_a_provider_that_had_paused_the_run_is_tried_by_one_agent_first() -> None:
    throttle = Throttle(60.0, ["anthropic"])
    assert throttle.earliest(CLAUDE, 10.0) <= 10.0
    throttle.start("a", CLAUDE, 10.0)
    assert throttle.earliest(CLAUDE, 20.0) == math.inf
    throttle.work("a")
    assert throttle.earliest(CLAUDE, 20.0) <= 20.0


def test_a_provider_that_refuses_again_after_a_pause_is_waited_for_as_long_as_before() -> None:
    throttle = Throttle(60.0, ["anthropic"])
    throttle.start("a", CLAUDE, 10.0)
    assert throttle.refuse("a", 11.0) == Refusal(11.0 + FIRST_WAIT)
