"""Patterns of exponential time are told from those that only look like them."""

from __future__ import annotations

import pytest

from parallel_impl.plan.patterns import is_catastrophic


@pytest.mark.parametrize(
    "pattern",
    ["^(a+)+$", "(a*)*", "(a|a)*", "(a|aa)+$", "(.*-)*", r"^(\w+\s?)*$", "(x+x+)+y", "((a+)b?)+", "(?:a+|b)*",
     r"^(([a-z])+.)+[A-Z]([a-z])+$", "(?=(a+)+b)", "x" * 10_001],
)  # fmt: skip
def test_an_unbounded_repeat_that_can_be_split_in_two_ways_is_refused(pattern: str) -> None:
    assert is_catastrophic(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["^[a-z]+(-[a-z]+)*$", "([a-z]+-)*x", "(a|b)*", "(ab|ac)*", r"^(\d{1,3}\.){3}\d+$", "^([0-9a-f]{2}:)*$",
     r"^[^\s@]+@[^\s@]+\.[^\s@]+$", r"(https?://)?([\w-]+\.)+[a-z]{2,}", "^([^/]+/)*[^/]+$", r"^\p{L}+$", "(", ""],
)  # fmt: skip
def test_repeats_with_a_separator_are_harmless(pattern: str) -> None:
    assert not is_catastrophic(pattern)
