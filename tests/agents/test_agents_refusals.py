"""What providers say when they refuse."""

from __future__ import annotations

import pytest

from parallel_impl.agents.refusals import refusal


@pytest.mark.parametrize(
    ("text", "status", "code", "terminal"),
    [
        ("Your credit balance is too low to access the Anthropic API.", 400, "PROVIDER_QUOTA", True),
        ("You exceeded your current quota, please check your plan and billing details.", 429, "PROVIDER_QUOTA", True),
        ('{"type": "insufficient_quota"}', 429, "PROVIDER_QUOTA", True),
        ("You have exhausted your daily quota on this model.", 429, "PROVIDER_QUOTA", True),
        ("You've hit your usage limit. Upgrade to Pro", 0, "PROVIDER_QUOTA", True),
        ("invalid x-api-key", 401, "PROVIDER_AUTH", True),
        ("Incorrect API key provided: sk-dum**. You can find your API key at", 401, "PROVIDER_AUTH", True),
        ("API key not valid. Please pass a valid API key.", 400, "PROVIDER_AUTH", True),
        ("Not logged in · Please run /login", 0, "PROVIDER_AUTH", True),
        ("OAuth token has expired. Please obtain a new token", 0, "PROVIDER_AUTH", True),
        ("anything", 401, "PROVIDER_AUTH", True),
        ("anything", 429, "PROVIDER_LIMIT", False),
        ("Overloaded", 529, "PROVIDER_LIMIT", False),
        ("Rate limit reached for gpt-6 in organization org-x on tokens per min", 0, "PROVIDER_LIMIT", False),
        ("exceeded retry limit, last status: 429 Too Many Requests", 0, "PROVIDER_LIMIT", False),
        ("429: unauthorized use of burst capacity", 429, "PROVIDER_LIMIT", False),
    ],
)
def test_a_refusal_is_told_from_its_words(text: str, status: int, code: str, *, terminal: bool) -> None:
    found = refusal(text, status=status)
    assert found is not None
    assert (found.code, found.terminal, found.why) == (code, terminal, text)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("API Error: 500 Internal server error", 500),
        ("prompt is too long: 210000 tokens > 200000 maximum", 400),
        ("We’re currently experiencing high demand, which may cause temporary errors.", 500),
        ("unexpected status 403 Forbidden", 403),
        ("line 4290 of app.py", 0),
        ("no answer after 401 ms", 0),
        ("", 0),
    ],
)
def test_another_error_is_no_refusal(text: str, status: int) -> None:
    assert refusal(text, status=status) is None
