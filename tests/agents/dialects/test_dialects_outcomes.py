"""How each recorded start of a real client is judged, and what is said of it."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from parallel_impl.agents.dialect import judge, spent
from parallel_impl.agents.seen import Seen
from parallel_impl.record.activity import Usage
from tests.agents.dialects.recording import recording, recordings

QUESTION = "it ended without using a single tool: I have a question first: which tone should I use?"


class Outcome(NamedTuple):
    client: str
    case: str
    code: str
    why: str = ""
    calls: int = 0
    denied: int = 0
    retries: int = 0


OUTCOMES = [
    Outcome("claude", "done", "", calls=2),
    Outcome("claude", "resumed", "", calls=1),
    Outcome("claude", "nothing", "NO_WORK", QUESTION),
    Outcome("claude", "denied", "", calls=3, denied=1),
    Outcome("claude", "429x2", "", calls=2, retries=2),
    Outcome("claude", "429", "PROVIDER_LIMIT", "API Error: Request rejected (429) · stub 429", retries=2),
    Outcome("claude", "429long", "PROVIDER_LIMIT", "API Error: Request rejected (429) · stub 429"),
    Outcome("claude", "limit5h", "PROVIDER_LIMIT", "API Error: Request rejected (429) · stub 429"),
    Outcome("claude", "529", "PROVIDER_LIMIT", "API Error: Repeated 529 Overloaded errors.", retries=2),
    Outcome("claude", "quota", "PROVIDER_QUOTA", "Credit balance is too low"),
    Outcome("claude", "401", "PROVIDER_AUTH", "API Error: 401 authentication_failed", retries=6),
    Outcome("claude", "403", "PROVIDER_AUTH", "Failed to authenticate. API Error: 403 stub 403"),
    Outcome("claude", "no_key", "PROVIDER_AUTH", "Not logged in · Please run /login"),
    Outcome("claude", "500", "AGENT_FAILED", "API Error: 500 stub 500.", retries=2),
    Outcome("claude", "cut", "", calls=2, retries=6),
    Outcome("claude", "turns", "BUDGET_EXCEEDED", "Reached maximum number of turns (3)", calls=3),
    Outcome("claude", "dollars", "BUDGET_EXCEEDED", "Reached maximum budget ($0.01)", calls=7),
    Outcome("claude", "sigterm", "AGENT_FAILED", "it ended without its result event (exit 143)", calls=1),
    Outcome("claude", "sigint", "AGENT_FAILED", "[ede_diagnostic]", calls=1),
    Outcome("claude", "bad_flag", "AGENT_FAILED", "error: unknown option '--nonsense'"),
    Outcome("codex", "done", "", calls=2),
    Outcome("codex", "resumed", "", calls=1),
    Outcome("codex", "nothing", "NO_WORK", QUESTION),
    Outcome("codex", "denied", "", calls=1, denied=1),
    Outcome("codex", "denied_outside", "", calls=2, denied=1),
    Outcome("codex", "429x2", "", calls=2, retries=2),
    Outcome("codex", "429", "PROVIDER_LIMIT", "exceeded retry limit, last status: 429 Too Many Requests"),
    Outcome("codex", "quota", "PROVIDER_QUOTA", "Quota exceeded. Check your plan and billing details."),
    Outcome("codex", "401", "PROVIDER_AUTH", "unexpected status 401 Unauthorized: stub 401", retries=2),
    Outcome("codex", "no_key", "PROVIDER_AUTH", "Missing environment variable: `CODEX_API_KEY`."),
    Outcome("codex", "403", "AGENT_FAILED", "unexpected status 403 Forbidden: stub 403", retries=2),
    Outcome("codex", "500", "AGENT_FAILED", "We’re currently experiencing high demand", retries=2),
    Outcome("codex", "cut", "", calls=2),
    Outcome("codex", "sigterm", "AGENT_FAILED", "it ended without its turn.completed (killed by SIGTERM)", calls=1),
    Outcome("codex", "bad_flag", "AGENT_FAILED", "error: unexpected argument '--nonsense' found"),
    Outcome("opencode", "done", "", calls=2),
    Outcome("opencode", "resumed", "", calls=1),
    Outcome("opencode", "nothing", "NO_WORK", QUESTION),
    Outcome("opencode", "denied", "", calls=2, denied=1),
    Outcome("opencode", "429", "PROVIDER_LIMIT", "AI_APICallError: stub 429", retries=3),
    Outcome("opencode", "quota", "PROVIDER_QUOTA", "You exceeded your current quota", retries=1),
    Outcome("opencode", "401", "PROVIDER_AUTH", "stub 401 (HTTP 401)", retries=1),
    Outcome("opencode", "500", "AGENT_FAILED", "it ended without its last step (killed by SIGKILL)", retries=3),
    Outcome("opencode", "sigterm", "AGENT_FAILED", "it ended without its last step (killed by SIGTERM)"),
    Outcome("opencode", "bad_flag", "AGENT_FAILED", "opencode run [message..]"),
    Outcome("gemini", "done", "", calls=2),
    Outcome("gemini", "nothing", "NO_WORK", QUESTION),
    Outcome("gemini", "denied", "", calls=3, denied=1),
    Outcome("gemini", "429", "PROVIDER_LIMIT", "failed with status 429. Retrying with backoff... stub 429", retries=1),
    Outcome("gemini", "quota", "PROVIDER_QUOTA", "You have exhausted your daily quota on this model."),
    Outcome("gemini", "401", "PROVIDER_AUTH", "API key not valid. Please pass a valid API key."),
    Outcome("gemini", "no_key", "PROVIDER_AUTH", "Please set an Auth method in your"),
    Outcome("gemini", "500", "AGENT_FAILED", "it ended without its result event (exit 0)", retries=1),
    Outcome("gemini", "sigterm", "AGENT_FAILED", "it ended without its result event (exit 0)", calls=1),
    Outcome("gemini", "bad_flag", "AGENT_FAILED", "Unknown argument: nonsense"),
    Outcome("copilot", "done", "", calls=2),
    Outcome("copilot", "resumed", "", calls=1),
    Outcome("copilot", "nothing", "NO_WORK", QUESTION),
    Outcome("copilot", "denied", "", calls=2, denied=1),
    Outcome("copilot", "429", "PROVIDER_LIMIT", "stub 429", retries=2),
    Outcome("copilot", "quota", "PROVIDER_QUOTA", "You exceeded your current quota", retries=2),
    Outcome("copilot", "401", "PROVIDER_AUTH", "Authentication failed with provider", retries=3),
    Outcome("copilot", "no_key", "PROVIDER_AUTH", "Error: No authentication information found."),
    Outcome("copilot", "500", "AGENT_FAILED", "killed by SIGTERM", retries=5),
    Outcome("copilot", "sigterm", "AGENT_FAILED", "Cannot invoke native session after disposal", calls=1),
    Outcome("copilot", "bad_flag", "AGENT_FAILED", "error: unexpected argument '--nonsense' found"),
    Outcome("qwen", "done", "", calls=2),
    Outcome("qwen", "resumed", "", calls=1),
    Outcome("qwen", "nothing", "NO_WORK", QUESTION),
    Outcome("qwen", "401", "PROVIDER_AUTH", "[API Error: 401 stub 401]"),
    Outcome("qwen", "no_key", "PROVIDER_AUTH", "No auth type is selected."),
    Outcome("qwen", "429", "AGENT_FAILED", "it ended without its result event"),  # it says nothing of it
    Outcome("qwen", "quota", "AGENT_FAILED", "it ended without its result event"),
    Outcome("qwen", "500", "AGENT_FAILED", "it ended without its result event"),
    Outcome("qwen", "turns", "BUDGET_EXCEEDED", "Reached max session turns for this session.", calls=3),
    Outcome("qwen", "sigterm", "AGENT_FAILED", "Operation cancelled.", calls=1),
    Outcome("qwen", "bad_flag", "AGENT_FAILED", "Unknown argument: nonsense"),
    Outcome("aider", "done", ""),
    Outcome("aider", "nothing", ""),  # it reports no tool calls: that nothing changed is found later
    Outcome("aider", "429", "PROVIDER_LIMIT", "OpenAIException - stub 429", retries=3),
    Outcome("aider", "quota", "PROVIDER_QUOTA", "You exceeded your current quota", retries=4),
    Outcome("aider", "401", "PROVIDER_AUTH", "OpenAIException - stub 401"),
    Outcome("aider", "no_key", "PROVIDER_AUTH", "The api_key client option must be set"),
    Outcome("aider", "500", "AGENT_FAILED", "InternalServerError: OpenAIException - stub 500", retries=4),
    Outcome("aider", "bad_flag", "AGENT_FAILED", "unrecognized arguments: --nonsense"),
]


@pytest.mark.parametrize("outcome", OUTCOMES, ids=lambda outcome: f"{outcome.client}-{outcome.case}")
def test_a_recorded_end_is_judged(outcome: Outcome) -> None:
    recorded = recording(outcome.client, outcome.case)
    seen = recorded.seen()
    judgement = judge(recorded.dialect, seen, recorded.ended)
    assert (judgement.code, seen.calls, len(seen.denied), seen.retries) == outcome[2:3] + outcome[4:]
    assert outcome.why in judgement.why


def test_every_recording_has_an_expected_outcome() -> None:
    assert recordings() == sorted((outcome.client, outcome.case) for outcome in OUTCOMES)


@pytest.mark.parametrize(("client", "case"), recordings())
def test_what_is_said_of_a_failure_is_no_json_and_at_most_six_lines(client: str, case: str) -> None:
    recorded = recording(client, case)
    why = judge(recorded.dialect, recorded.seen(), recorded.ended).why
    assert '{"' not in why
    assert len(why.splitlines()) <= 6


@pytest.mark.parametrize(
    ("client", "usage"),
    [
        ("claude", Usage(input=300, output=150, cache_read=900, cache_write=60, dollars=0.00468, turns=3)),
        ("codex", Usage(input=300, output=150, cache_read=0)),
        ("opencode", Usage(input=300, output=150, cache_read=0, cache_write=0, dollars=0.0, turns=3)),
        ("gemini", Usage(input=300, output=150, cache_read=0)),
        ("copilot", Usage(turns=3)),
        ("qwen", Usage(input=300, output=150, cache_read=0, turns=3)),
        ("aider", Usage(input=100, output=50, turns=1)),
    ],
)
def test_usage_is_what_the_client_reports_and_none_where_it_does_not(client: str, usage: Usage) -> None:
    assert recording(client, "done").seen().usage == usage


@pytest.mark.parametrize(
    ("client", "usage"),
    [
        ("claude", Usage(input=200, output=100, cache_read=600, cache_write=40, dollars=0.00312, turns=2)),
        ("codex", Usage(input=200, output=100, cache_read=0)),
        ("opencode", Usage(input=200, output=100, cache_read=0, cache_write=0, dollars=0.0, turns=2)),
        ("qwen", Usage(input=200, output=100, cache_read=0, turns=2)),
    ],
)
def test_a_resumed_conversation_is_not_charged_twice(client: str, usage: Usage) -> None:
    first, resumed = recording(client, "done"), recording(client, "resumed")
    seen = resumed.seen(Seen(spent=spent(first.dialect, first.seen().usage)))
    found = seen.usage
    assert found.dollars == pytest.approx(usage.dollars)
    assert (found.input, found.output, found.turns) == (usage.input, usage.output, usage.turns)


@pytest.mark.parametrize("client", ["claude", "codex", "opencode", "copilot", "qwen"])
def test_a_resumed_conversation_has_the_same_session(client: str) -> None:
    assert recording(client, "done").seen().session == recording(client, "resumed").seen().session != ""
