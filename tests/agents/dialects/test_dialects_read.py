"""What the lines of each client mean, and that no line raises."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.agents.dialects.catalogue import DIALECTS
from parallel_impl.record.activity import (
    Activity,
    Answered,
    Called,
    Changed,
    Complained,
    Concluded,
    Denied,
    Limited,
    Opened,
    Retrying,
    Said,
    Usage,
    Used,
    from_line,
    to_line,
)
from tests.agents.dialects.recording import recording

STEP = Usage(input=100, output=50, cache_read=0, cache_write=0, dollars=0.0, turns=1)
DONE: dict[str, list[Activity]] = {
    "claude": [
        Opened(session="dcd416a4-a5e1-4197-980c-a443a2a9c364", model="claude-opus-5-5"),
        Said(text="I will write the file."),
        Called(tool="Write", target="/worktree/hello.py", call="toolu_34fc2b367a2a4f29a59b"),
        Answered(
            call="toolu_34fc2b367a2a4f29a59b",
            text="File created successfully at: /worktree/hello.py "
            "(file state is current in your context — no need to Read it back)",
        ),
        Changed(paths=["/worktree/hello.py"]),
        Called(tool="Bash", target="git status --short", call="toolu_7f71204d267b45f082c6"),
        Answered(call="toolu_7f71204d267b45f082c6", text="?? hello.py"),
        Said(text="Wrote hello.py."),
        Used(
            usage=Usage(input=300, output=150, cache_read=900, cache_write=60, dollars=0.00468, turns=3),
            whole=True,
        ),
        Concluded(ok=True, why="Wrote hello.py."),
    ],
    "codex": [
        Opened(session="01a21801-516f-79d1-9780-76dae332a86b"),
        Complained(
            text="Model metadata for `gpt-5-codex` not found. "
            "Defaulting to fallback metadata; this can degrade performance and cause issues."
        ),
        Said(text="I will write the file."),
        Called(tool="apply_patch", target="/worktree/hello.py", call="item_2"),
        Answered(call="item_2"),
        Changed(paths=["/worktree/hello.py"]),
        Called(tool="shell", target="/bin/bash -lc 'git status --short'", call="item_3"),
        Answered(call="item_3", text="?? hello.py\n"),
        Said(text="Wrote hello.py."),
        Used(usage=Usage(input=300, output=150, cache_read=0), whole=True),
        Concluded(ok=True),
    ],
    "opencode": [
        Opened(session="ses_de7fb9071ffegKus10ERXg4DEY"),
        Said(text="I will write the file."),
        Called(tool="write", target="/worktree/hello.py", call="call_0d8804066893"),
        Answered(call="call_0d8804066893", text="Wrote file successfully."),
        Changed(paths=["/worktree/hello.py"]),
        Used(usage=STEP),
        Opened(session="ses_de7fb9071ffegKus10ERXg4DEY"),
        Called(tool="bash", target="git status --short", call="call_0885d7d4bed5"),
        Answered(call="call_0885d7d4bed5", text="?? hello.py\n"),
        Used(usage=STEP),
        Opened(session="ses_de7fb9071ffegKus10ERXg4DEY"),
        Said(text="Wrote hello.py."),
        Used(usage=STEP),
        Concluded(ok=True),
    ],
    "gemini": [
        Opened(session="6c761273-1493-4154-a947-ee5763115369", model="gemini-2.5-flash"),
        Said(text="I will write the file."),
        Called(tool="write_file", target="/worktree/hello.py", call="write_file__write_file_1795699139633_0"),
        Answered(call="write_file__write_file_1795699139633_0"),
        Called(
            tool="run_shell_command",
            target="git status --short",
            call="run_shell_command__run_shell_command_1795699140360_0",
        ),
        Answered(call="run_shell_command__run_shell_command_1795699140360_0", text="?? hello.py"),
        Said(text="Wrote hello.py."),
        Used(usage=Usage(input=300, output=150, cache_read=0), whole=True),
        Concluded(ok=True),
    ],
    "copilot": [
        Opened(model="stub-model"),
        Used(usage=Usage(turns=1)),
        Said(text="I will write the file."),
        Called(tool="create", target="/worktree/hello.py", call="call_de791a8e2616"),
        Answered(call="call_de791a8e2616", text="Created file /worktree/hello.py with 6 characters"),
        Changed(paths=["/worktree/hello.py"]),
        Used(usage=Usage(turns=1)),
        Called(tool="bash", target="git status --short", call="call_06aabf6824e7"),
        Answered(call="call_06aabf6824e7", text="?? hello.py\n<shellId: 0 completed with exit code 0>"),
        Used(usage=Usage(turns=1)),
        Said(text="Wrote hello.py."),
        Opened(session="03ce910f-010c-4da1-8aa8-846d07c6fad6"),
        Concluded(ok=True),
    ],
    "qwen": [
        Opened(session="065f0aa2-1d90-4c99-874d-83b094f21d08", model="stub-model"),
        Said(text="I will write the file."),
        Called(tool="write_file", target="/worktree/hello.py", call="call_b6d1553cc877"),
        Answered(call="call_b6d1553cc877", text="Successfully created and wrote to new file: /worktree/hello.py."),
        Called(tool="run_shell_command", target="git status --short", call="call_b8b51e103772"),
        Answered(call="call_b8b51e103772", text="?? hello.py"),
        Said(text="Wrote hello.py."),
        Used(usage=Usage(input=300, output=150, cache_read=0, turns=3), whole=True),
        Concluded(ok=True, why="Wrote hello.py."),
    ],
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
WORDS = [
    *("type", "subtype", "message", "content", "item", "part", "state", "data", "error", "usage", "tokens", "changes"),
    *("system", "init", "assistant", "user", "result", "tool_use", "tool_result", "item.completed", "file_change"),
    *("step_finish", "model.call_failure", "session.error", "tool.execution_complete", "turn.failed", "api_retry"),
    *("permission_denials", "errors", "fileEdits", "error_status", "success", "completed", "did", "text", "limited"),
]
events = st.dictionaries(st.sampled_from(WORDS), st.sampled_from(WORDS) | json_values, max_size=8)
nested = st.dictionaries(st.sampled_from(WORDS), events | st.lists(events, max_size=2) | st.sampled_from(WORDS))


@pytest.mark.parametrize("client", sorted(DONE))
def test_the_lines_of_a_package_done_are_this_activity(client: str) -> None:
    done = recording(client, "done")
    found = [happened for happened in done.activity() if client == "codex" or not isinstance(happened, Complained)]
    assert found == DONE[client]


@given(st.binary(max_size=60) | (events | nested | json_values).map(lambda value: json.dumps(value).encode()))
def test_no_line_raises_and_all_that_is_read_can_be_kept(line: bytes) -> None:
    for dialect in DIALECTS.values():
        for happened in (*dialect.read(line), *dialect.complain(line)):
            assert type(from_line(to_line(happened))) is type(happened)


@pytest.mark.parametrize("figure", ["Infinity", "NaN", "1e999", str(10**30), "true", '"5"', "null"])
def test_a_figure_that_is_no_number_is_not_reported(figure: str) -> None:
    line = f'{{"type": "result", "total_cost_usd": {figure}, "num_turns": {figure}}}'.encode()
    used, _ = DIALECTS["claude"].read(line)
    assert used == Used(usage=Usage(), whole=True)


@pytest.mark.parametrize("client", sorted(DIALECTS))
def test_junk_is_nothing(client: str) -> None:
    for line in (b"", b"\n", b"[1, 2]", b"null", b'{"type"', b"\xff\xfe{}", b"[" * 100_000):
        assert [happened for happened in DIALECTS[client].read(line) if not isinstance(happened, Said)] == []


@pytest.mark.parametrize("client", DIALECTS)
@pytest.mark.parametrize("begins", [b"[", b'{"a":', b'{"did":"said","text":"x","a":['])
def test_a_line_that_is_nested_deeper_than_python_reads_is_nothing(client: str, begins: bytes) -> None:
    heard = DIALECTS[client].read(begins * 50_000)
    assert [one for one in heard if not isinstance(one, Said)] == []  # aider prints text, not JSON


def test_half_a_character_in_an_error_within_an_error_is_kept() -> None:
    failure = {"type": "model.call_failure", "data": {"errorMessage": "\ud800", "statusCode": 500}}
    assert any(isinstance(one, Retrying) for one in DIALECTS["copilot"].read(json.dumps(failure).encode()))
    result = {"type": "result", "status": "error", "error": {"message": "\ud800"}}
    assert any(isinstance(one, Concluded) for one in DIALECTS["gemini"].read(json.dumps(result).encode()))


def test_claude_reports_which_call_was_denied() -> None:
    assert recording("claude", "denied").seen().denied == (
        Denied(tool="Write", target="/opt/outside.txt", why="not permitted"),
    )


def test_codex_reports_a_rejected_patch_on_standard_error_only() -> None:
    assert recording("codex", "denied_outside").seen().denied == (
        Denied(tool="apply_patch", why="writing outside of the project; rejected by user approval settings"),
    )


def test_copilot_reports_a_denied_call() -> None:
    (denied,) = recording("copilot", "denied").seen().denied
    assert denied.why == "Permission to run this tool was denied due to the following rules: `shell`"


def test_a_subscription_limit_of_claude_is_terminal_until_its_window_opens() -> None:
    info = {"status": "rejected", "rateLimitType": "five_hour", "resetsAt": 1795700000}
    line = json.dumps({"type": "rate_limit_event", "rate_limit_info": info}).encode()
    assert list(DIALECTS["claude"].read(line)) == [
        Limited(terminal=True, why="five_hour limit", until=1795700000.0, code="PROVIDER_LIMIT")
    ]


def test_a_window_of_claude_that_is_still_open_is_no_limit() -> None:
    line = (
        b'{"type": "rate_limit_event", "rate_limit_info": {"status": "allowed_warning", "rateLimitType": "seven_day"}}'
    )
    assert list(DIALECTS["claude"].read(line)) == []


def test_claude_is_believed_about_a_refused_key_after_three_retries() -> None:
    def retry(attempt: int) -> list[Activity]:
        event = {"type": "system", "subtype": "api_retry", "attempt": attempt, "error_status": 401}
        return list(DIALECTS["claude"].read(json.dumps({**event, "error": "authentication_failed"}).encode()))

    refused = Retrying(status=401, why="authentication_failed")
    assert retry(2) == [refused]
    assert retry(3) == [
        refused,
        Limited(terminal=True, code="PROVIDER_AUTH", why="API Error: 401 authentication_failed"),
    ]


def test_a_tool_of_claude_that_names_a_file_without_a_patch_changed_nothing() -> None:
    def answer(**result: object) -> bytes:
        return json.dumps({"type": "user", "message": {"content": []}, "tool_use_result": result}).encode()

    claude = DIALECTS["claude"]
    assert list(claude.read(answer(filePath="/w/a", structuredPatch=[]))) == [Changed(paths=["/w/a"])]
    assert list(claude.read(answer(filePath="/w/a"))) == []


@pytest.mark.parametrize("client", ["codex", "copilot"])
def test_a_key_that_is_refused_once_is_asked_with_again(client: str) -> None:
    happened = list(recording(client, "401").activity())
    retries = [place for place, one in enumerate(happened) if isinstance(one, Retrying) and one.status == 401]
    refusals = [place for place, one in enumerate(happened) if isinstance(one, Limited)]
    assert min(refusals) > max(retries)


@pytest.mark.parametrize("client", ["gemini", "opencode"])
def test_the_log_of_a_client_is_no_complaint(client: str) -> None:
    assert recording(client, "done").seen().complaints == ()
    assert DIALECTS["opencode"].complain(b'timestamp=2026-11-26T13:06:51Z level=ERROR run=bb message="x" y="z"') == []


@pytest.mark.parametrize(
    ("client", "line"),
    [
        ("acp", b"[session/create] sessionId=a18acff9 phase=register durationMs=4 totalMs=2833"),
        ("acp", b"[session/query] sessionId=a18acff9 resume=none apiType=native baseUrl=native"),
        ("copilot", b"Package extraction took 5841ms"),
        ("qwen", b"Ripgrep not available: spawn /opt/rg EACCES. Falling back to built-in grep."),
    ],
)
def test_what_a_client_tells_of_its_start_is_no_complaint(client: str, line: bytes) -> None:
    assert list(DIALECTS[client].complain(line)) == []


def test_codex_waiting_for_the_network_is_a_retry() -> None:
    line = b'{"type": "error", "message": "Reconnecting... waiting for network (Connection failed)"}'
    assert list(DIALECTS["codex"].read(line)) == [Retrying(why="Connection failed")]


@pytest.mark.parametrize(
    ("line", "usage"),
    [
        (b"Tokens: 100 sent, 50 received.", Usage(input=100, output=50, turns=1)),
        (
            b"Tokens: 9.1k sent, 2,400 cache write, 1.2k received. Cost: $0.03 message, $0.12 session.",
            Usage(input=9100, output=1200, dollars=0.03, turns=1),
        ),
    ],
)
def test_aider_counts_tokens_for_people(line: bytes, usage: Usage) -> None:
    assert list(DIALECTS["aider"].read(line)) == [Used(usage=usage), Concluded(ok=True)]


@pytest.mark.parametrize("kind", ["acp", "anthropic"])
def test_our_drivers_write_activity(kind: str) -> None:
    happened = Called(at=5.0, tool="bash", target="make", call="1")
    assert list(DIALECTS[kind].read(to_line(happened))) == [happened]
    assert list(DIALECTS[kind].read(b"Traceback (most recent call last):")) == []
