"""Our own agent on the `anthropic` SDK, as a real process against the stub."""

from __future__ import annotations

import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from parallel_impl.agents.dialects import driven
from parallel_impl.processes import procfs
from parallel_impl.record import activity
from parallel_impl.record.activity import (
    Answered,
    Called,
    Changed,
    Denied,
    Limited,
    Opened,
    Retrying,
    Said,
    Used,
)
from tests.agents.drivers.preloaded import preload
from tests.agents.drivers.scene import KEY, Outcome, drive, drive_preloaded, make_worktree, order, start
from tests.models.scenario import Fault, Run, Scenario, Use, Write
from tests.models.stub import Stub
from tests.repository import git

pytestmark = pytest.mark.slow  # importing the SDK takes a second, in each process

EDITOR = "str_replace_based_edit_tool"
PROBED = uuid.uuid4().hex  # a key that no other process of this machine has
PROBE = f"""\
cat /proc/[0-9]*/environ > all.txt 2>/dev/null
for fd in /proc/$PPID/fd/*; do timeout 1 cat "$fd" >> all.txt 2>/dev/null; done
! grep -q -a {PROBED} all.txt && rm all.txt && echo CLEAN
"""
SCENARIOS = {
    "probe": Scenario(steps=((Run(PROBE),),)),
    "many": Scenario(
        steps=(
            (Use(EDITOR, {"command": "view", "path": "README.md"}), Use("glob", {"pattern": "**/*.py"})),
            (Use("grep", {"pattern": "needle|Greet"}), Use("no_such_tool", {})),
            (Use(EDITOR, {"command": "str_replace", "path": "tests/x.py", "old_str": "a", "new_str": "b"}),),
            (Run("cd src && echo moved"),),
            (Run("pwd; exit 3"),),
        )
    ),
    "leaves": Scenario(
        before=(
            (Use(EDITOR, {"command": "create", "path": "../over.txt", "file_text": "x"}),),
            (Use(EDITOR, {"command": "view", "path": "/etc/passwd"}),),
        )
    ),
    "hour-later": Scenario(fault=Fault(status=429, headers={"retry-after": "3600"}, at=1)),
    "slow-child": Scenario(steps=((Run("setsid sleep 4321 & sleep 4321"),),)),
    "link": Scenario(steps=((Write("tests/link.txt", "x"),),)),
}


@pytest.fixture(scope="module")
def stub() -> Iterator[Stub]:
    with Stub(SCENARIOS).running() as running:
        yield running


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    return make_worktree(tmp_path / "worktree")


class Worked(Protocol):
    def __call__(self, stub: Stub, worktree: Path, scenario: str, *words: str, **more: object) -> Outcome: ...


@pytest.fixture(scope="module")
def work() -> Iterator[Worked]:
    with preload("anthropic") as driver:

        def worked(stub: Stub, worktree: Path, scenario: str, *words: str, **more: object) -> Outcome:
            return drive_preloaded(driver, worktree, order(stub.url(scenario), **more), words=words)

        yield worked


def key_of(stub: Stub) -> str:
    """The key of the last request; versions of the SDK differ in the header."""
    headers = stub.asked[-1].headers
    return headers.get("x-api-key") or headers["authorization"].removeprefix("Bearer ")


def test_a_package_is_done_and_its_tools_files_and_usage_are_told(work: Worked, stub: Stub, worktree: Path) -> None:
    outcome = work(stub, worktree, "work")
    assert outcome.code == 0 and outcome.last.ok, outcome
    assert outcome.errors == ""
    assert [each.model for each in outcome.of(Opened)] == ["stub"]
    assert [(each.tool, each.target) for each in outcome.of(Called)] == [
        ("create", "src/greet/words.py"),
        ("create", "tests/test_words.py"),
    ]
    assert [each.paths for each in outcome.of(Changed)] == [["src/greet/words.py"], ["tests/test_words.py"]]
    assert [each.usage.turns for each in outcome.of(Used)] == [1, 1, 1]
    assert (outcome.of(Used)[0].usage.cache_read, outcome.of(Used)[0].usage.tokens) == (300, 170)
    assert outcome.of(Said)[-1].text == "All of wp-words is done and verified."
    assert "def " in (worktree / "tests/test_words.py").read_text()


def test_the_prompt_is_cached_and_the_model_and_effort_are_those_of_the_order(
    work: Worked, stub: Stub, worktree: Path
) -> None:
    assert work(stub, worktree, "nothing", effort="high", model="some-model").code == 0
    body = stub.asked[-1].body
    assert (body["model"], body["output_config"], body["stream"]) == ("some-model", {"effort": "high"}, True)
    assert body["system"][0]["cache_control"] == body["cache_control"] == {"type": "ephemeral"}
    assert key_of(stub) == KEY
    assert str(worktree) in body["system"][0]["text"]


def test_what_a_model_can_is_asked_and_used(work: Worked, stub: Stub, worktree: Path) -> None:
    assert work(stub, worktree, "work", model="capable").code == 0
    asked = stub.asked[-1]
    assert (asked.body["max_tokens"], asked.body["thinking"]) == (48_000, {"type": "adaptive"})
    assert [each["type"] for each in asked.body["context_management"]["edits"]] == ["clear_tool_uses_20250919"]
    assert "context-management-2025-06-27" in asked.headers["anthropic-beta"]
    work(stub, worktree, "nothing")
    assert not {"thinking", "context_management"} & stub.asked[-1].body.keys()


def test_a_file_outside_the_scope_is_refused_with_the_scope_and_the_work_goes_on(
    work: Worked, stub: Stub, worktree: Path
) -> None:
    outcome = work(stub, worktree, "outside", deny=("tests/secret/**",))
    assert outcome.code == 0
    (denied,) = outcome.of(Denied)
    assert (denied.tool, denied.target) == ("create", "not-in-any-scope.txt")
    assert denied.why == (
        "not-in-any-scope.txt is outside this package's write scope; "
        "you may write: src/greet/words.py, tests/**; but not: tests/secret/**"
    )
    assert not outcome.of(Answered)[0].ok
    assert denied.why in str(stub.asked[-1].body["messages"])  # the model reads it
    assert git(worktree, "status", "--porcelain").split() == ["??", "src/greet/words.py", "??", "tests/"]


def test_nothing_outside_the_worktree_is_read_or_written_by_file_tools(
    work: Worked, stub: Stub, worktree: Path
) -> None:
    outcome = work(stub, worktree, "leaves")
    assert [each.target for each in outcome.of(Denied)] == ["../over.txt", "/etc/passwd"]
    assert "root:" not in str(stub.asked[-1].body["messages"])
    assert not (worktree.parent / "over.txt").exists()


def test_a_symlink_does_not_lead_out_of_the_scope(work: Worked, stub: Stub, worktree: Path) -> None:
    (worktree / "tests").mkdir()
    (worktree / "tests/link.txt").symlink_to("../README.md")
    outcome = work(stub, worktree, "link")
    assert [each.why.split(";")[0] for each in outcome.of(Denied)] == [
        "README.md is outside this package's write scope"
    ]
    assert (worktree / "README.md").read_text() == "# Greet\n"


def test_every_tool_answers_and_a_wrong_call_is_an_answer_too(work: Worked, stub: Stub, worktree: Path) -> None:
    outcome = work(stub, worktree, "many")
    assert outcome.code == 0
    texts = [(each.ok, each.text) for each in outcome.of(Answered)]
    assert texts[0] == (True, "     1\t# Greet\n     2\t")
    assert texts[1] == (True, "src/greet/__init__.py")  # what git ignores is left out
    assert texts[2] == (True, "README.md:1:# Greet")
    assert texts[3] == (False, f"no_such_tool: there is no such tool; there are bash, {EDITOR}, glob and grep")
    assert texts[4] == (False, f"{EDITOR}: tests/x.py does not exist")
    assert texts[5] == (True, "moved\n[exit 0]")
    assert texts[6] == (False, f"{worktree / 'src'}\n[exit 3]")


def test_a_model_that_only_asks_a_question_concludes_without_a_call(work: Worked, stub: Stub, worktree: Path) -> None:
    outcome = work(stub, worktree, "nothing")
    assert (outcome.code, outcome.of(Called)) == (0, [])  # that this is no work is judged by who started it


def test_a_limit_that_passes_is_told_and_waited_for(work: Worked, stub: Stub, worktree: Path) -> None:
    outcome = work(stub, worktree, "429-twice")
    assert outcome.code == 0
    assert [(each.status, each.wait) for each in outcome.of(Retrying)] == [(429, 1.0), (429, 1.0)]
    assert outcome.of(Limited) == []


def test_a_limit_that_lasts_ends_the_attempt_as_the_providers(work: Worked, stub: Stub, worktree: Path) -> None:
    outcome = work(stub, worktree, "429", "--limit-seconds", "1")
    assert (outcome.code, outcome.last.ok) == (1, False)
    (limited,) = outcome.of(Limited)
    assert (limited.code, limited.terminal, limited.until) == ("PROVIDER_LIMIT", False, 0.0)
    assert "API error 429: rate_limit_error: This request would exceed" in limited.why
    assert len(outcome.of(Retrying)) >= 1


def test_a_long_retry_after_ends_it_at_once_with_the_time(work: Worked, stub: Stub, worktree: Path) -> None:
    before = time.time()
    outcome = work(stub, worktree, "hour-later")
    (limited,) = outcome.of(Limited)
    assert limited.terminal and before + 3600 <= limited.until <= time.time() + 3600
    assert outcome.of(Retrying) == [] and outcome.code == 1


@pytest.mark.parametrize(
    ("scenario", "code"), [("quota", "PROVIDER_QUOTA"), ("401", "PROVIDER_AUTH"), ("403", "PROVIDER_AUTH")]
)
def test_a_quota_and_a_wrong_key_are_not_tried_again(
    work: Worked, stub: Stub, worktree: Path, scenario: str, code: str
) -> None:
    outcome = work(stub, worktree, scenario)
    assert outcome.code == 1
    assert [(each.code, each.terminal) for each in outcome.of(Limited)] == [(code, True)]
    assert outcome.of(Retrying) == []


def test_without_a_key_nothing_is_asked(work: Worked, stub: Stub, worktree: Path) -> None:
    asked = len(stub.asked)
    outcome = work(stub, worktree, "work", key="")
    assert ([each.code for each in outcome.of(Limited)], len(stub.asked)) == (["PROVIDER_AUTH"], asked)


@pytest.mark.parametrize("scenario", ["400", "404"])
def test_a_request_that_is_wrong_is_not_tried_again(work: Worked, stub: Stub, worktree: Path, scenario: str) -> None:
    outcome = work(stub, worktree, scenario)
    assert outcome.code == 1 and outcome.last.why.startswith(f"API error {scenario}: ")
    assert (outcome.of(Retrying), outcome.of(Limited)) == ([], [])


@pytest.mark.parametrize("scenario", ["500", "cut"])
def test_an_error_that_lasts_fails_after_some_tries(work: Worked, stub: Stub, worktree: Path, scenario: str) -> None:
    outcome = work(stub, worktree, scenario, "--tries", "2")
    assert (outcome.code, len(outcome.of(Retrying)), outcome.of(Limited)) == (1, 1, [])
    assert outcome.of(Retrying)[0].status == (500 if scenario == "500" else 0)


def test_a_stream_that_is_cut_once_costs_nothing_that_was_done(work: Worked, stub: Stub, worktree: Path) -> None:
    outcome = work(stub, worktree, "cut-once")
    assert (outcome.code, len(outcome.of(Retrying)), len(outcome.of(Changed))) == (0, 1, 2)


def test_an_error_in_the_middle_of_a_stream_counts_as_its_status(work: Worked, stub: Stub, worktree: Path) -> None:
    outcome = work(stub, worktree, "stream-error", "--limit-seconds", "0.1")
    assert [each.code for each in outcome.of(Limited)] == ["PROVIDER_LIMIT"]
    assert "API error 529: overloaded_error" in outcome.last.why


@pytest.mark.parametrize("scenario", ["pings", "hang"])
def test_a_stream_without_events_is_given_up_pings_or_not(
    work: Worked, stub: Stub, worktree: Path, scenario: str
) -> None:
    outcome = work(stub, worktree, scenario, "--silent-seconds", "1", "--tries", "2")
    assert (outcome.code, len(outcome.of(Retrying))) == (1, 1)
    assert outcome.last.why == "the provider sent nothing of its answer for too long"


def test_it_ends_when_its_time_is_up_whatever_the_provider_does(work: Worked, stub: Stub, worktree: Path) -> None:
    began = time.monotonic()
    outcome = work(stub, worktree, "pings", seconds=2)
    assert outcome.code == 1 and "no time left" in outcome.last.why
    assert time.monotonic() - began < 30


@pytest.mark.parametrize(
    ("limit", "why"), [({"turns": 3}, "3 of 3 turns used"), ({"tokens": 400}, "510 of 400 tokens")]
)
def test_a_budget_ends_it(work: Worked, stub: Stub, worktree: Path, limit: dict[str, int], why: str) -> None:
    outcome = work(stub, worktree, "loop", **limit)
    assert (outcome.code, outcome.last.code) == (1, "BUDGET_EXCEEDED")
    assert outcome.last.why.startswith(why) and len(outcome.of(Called)) == 3


def test_an_answer_that_is_cut_is_gone_on_with_and_its_calls_are_not_carried_out(
    work: Worked, stub: Stub, worktree: Path
) -> None:
    outcome = work(stub, worktree, "max-tokens-once")
    assert (outcome.code, [each.target for each in outcome.of(Called)]) == (0, ["tests/test_words.py"])
    assert "not carried out: the answer was cut" in str(stub.asked[-1].body["messages"])
    lasting = work(stub, worktree, "max-tokens")
    assert (lasting.code, lasting.last.why) == (1, "4 answers were cut at the limit of tokens")


def test_a_refusal_of_the_model_is_a_failure(work: Worked, stub: Stub, worktree: Path) -> None:
    outcome = work(stub, worktree, "refusal")
    assert (outcome.code, outcome.last.why) == (1, "the model refused to go on: I can't help with that.")


def test_a_long_prompt_arrives_whole(stub: Stub, worktree: Path) -> None:
    prompt = "# Work package wp-words of the change add-greeting\n" + "0123456789abcde\n" * 25_600  # 400 KB
    assert drive("anthropic", worktree, order(stub.url()), prompt).code == 0
    assert stub.asked[-1].body["messages"][0]["content"] == prompt


def test_no_tool_finds_the_key(stub: Stub, worktree: Path) -> None:
    outcome = drive("anthropic", worktree, order(stub.url("probe"), key=f"sk-{PROBED}"))
    assert outcome.of(Answered)[0].text == "CLEAN\n[exit 0]"


def test_a_file_that_was_stdin_is_emptied_of_the_key(stub: Stub, worktree: Path, tmp_path: Path) -> None:
    source = tmp_path / "stdin"
    source.write_bytes(driven.to_line(order(stub.url("nothing"))) + b"hello")
    with source.open("r+b") as held:
        source.unlink()
        done = subprocess.run(driven.words("anthropic"), cwd=worktree, stdin=held, capture_output=True, check=False)
        assert done.returncode == 0
        held.seek(0)
        assert held.read() == b""


def test_it_forgets_a_key_that_the_environment_has(stub: Stub, worktree: Path) -> None:
    outcome = drive("anthropic", worktree, order(stub.url("env")), ANTHROPIC_API_KEY="sk-other-secret")
    assert outcome.code == 0
    assert "sk-other-secret" not in str(stub.asked[-1].body)
    assert key_of(stub) == KEY


def test_term_ends_it_with_all_that_a_tool_started(stub: Stub, worktree: Path) -> None:
    child = start("anthropic", worktree)
    assert child.stdin and child.stdout
    child.stdin.write(driven.to_line(order(stub.url("slow-child"))) + b"x")
    child.stdin.close()
    for line in child.stdout:
        if isinstance(activity.from_line(line), Called):
            break
    below: set[int] = set()
    while len(below) < 3:  # the shell and both sleeps
        below = procfs.descendants(child.pid)
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=30) == 128 + signal.SIGTERM
    child.stdout.close()
    if child.stderr:
        child.stderr.close()
    assert [pid for pid in below if procfs.start_time(pid)] == []


def test_what_is_no_order_is_said(worktree: Path) -> None:
    child = start("anthropic", worktree)
    out, _ = child.communicate(b"hello\nworld", timeout=60)
    assert child.returncode == 1 and b"is no order" in out
