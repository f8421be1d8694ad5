"""The client of the Agent Client Protocol, as a real process that drives a real agent program."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from parallel_impl.agents.dialects import driven
from parallel_impl.agents.dialects.driven import DriverOrder
from parallel_impl.processes import procfs
from parallel_impl.record import activity
from parallel_impl.record.activity import Answered, Called, Changed, Denied, Limited, Opened, Said, Usage, Used
from tests.agents.drivers.preloaded import preload
from tests.agents.drivers.scene import Outcome, drive, drive_preloaded, make_worktree, start

pytestmark = pytest.mark.slow  # two processes each, with the protocol's models

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    return make_worktree(tmp_path / "worktree")


def order(scenario: str, *, resume: str = "", model: str = "", turns: int = 0, seconds: float = 60) -> DriverOrder:
    program = (sys.executable, "-m", "tests.models.acp_agent", scenario)
    scope = ("src/greet/words.py", "tests/**")
    return DriverOrder(program=program, write_allow=scope, resume=resume, model=model, turns=turns, seconds=seconds)


class Worked(Protocol):
    def __call__(self, worktree: Path, what: DriverOrder, prompt: str = "Do it.", **env: str) -> Outcome: ...


@pytest.fixture(scope="module")
def work() -> Iterator[Worked]:
    with preload("acp") as acp:

        def worked(worktree: Path, what: DriverOrder, prompt: str = "Do it.", **env: str) -> Outcome:
            return drive_preloaded(acp, worktree, what, prompt, PYTHONPATH=str(ROOT), **env)

        yield worked


def answers(worktree: Path) -> list[str]:
    return (worktree / "answers.txt").read_text().splitlines()


def test_what_it_asks_for_is_allowed_once_and_a_write_outside_the_scope_is_refused(
    work: Worked, worktree: Path
) -> None:
    outcome = work(worktree, order("edit"))
    assert outcome.code == 0 and outcome.last.ok, outcome
    assert answers(worktree) == ["src/greet/words.py: once", "README.md: no"]
    assert [(each.tool, each.why.split(";")[0]) for each in outcome.of(Denied)] == [
        ("edit", "README.md is outside this package's write scope")
    ]
    assert [each.session for each in outcome.of(Opened)] == ["session-1"]
    assert [each.text for each in outcome.of(Said)] == ["I begin with the words.", "Done."]
    assert [(each.tool, each.target) for each in outcome.of(Called)] == [
        ("edit", str(worktree / "src/greet/words.py")),
        ("edit", str(worktree / "README.md")),
    ]
    assert [each.ok for each in outcome.of(Answered)] == [True, False]
    assert [each.paths for each in outcome.of(Changed)] == [["src/greet/words.py"]]
    assert outcome.of(Used)[-1].whole
    assert outcome.of(Used)[-1].usage == Usage(input=80, output=60, cache_read=18, dollars=0.5)  # of two prompts


def test_an_agent_that_stops_at_a_refusal_is_told_why_and_goes_on(work: Worked, worktree: Path) -> None:
    outcome = work(worktree, order("gives-up"))
    assert (outcome.code, outcome.last.why, len(outcome.of(Denied))) == (0, "Gone on.", 1)
    assert answers(worktree) == [
        "Do it.",
        "What you asked for last was refused. Go on with the work without it, inside the scope:||"
        "- README.md is outside this package's write scope; you may write: src/greet/words.py, tests/**",
    ]


def test_files_are_read_and_written_for_it_and_a_refusal_has_the_reason(work: Worked, worktree: Path) -> None:
    outcome = work(worktree, order("files"))
    assert outcome.code == 0
    read, written, outside, absent = answers(worktree)
    assert read == "read '2\\n'"
    assert written == (
        "write_text_file: -32000 README.md is outside this package's write scope; "
        "you may write: src/greet/words.py, tests/** "
    )
    assert outside.startswith("read_text_file: -32602") and "outside the worktree" in outside
    assert absent.startswith("read_text_file: -32002 Resource not found")
    assert [each.tool for each in outcome.of(Denied)] == ["fs/write_text_file", "fs/read_text_file"]
    assert [each.paths for each in outcome.of(Changed)] == [["tests/new/a.txt"]]
    assert (worktree / "README.md").read_text() == "# Greet\n"


def test_a_log_in_that_needs_no_person_is_done_and_any_other_is_a_missing_key(work: Worked, worktree: Path) -> None:
    assert work(worktree, order("log-in"), KEY_OF_AGENT="x").code == 0
    outcome = work(worktree, order("log-in"))
    assert [(each.code, each.terminal) for each in outcome.of(Limited)] == [("PROVIDER_AUTH", True)]
    assert (outcome.code, outcome.last.why) == (1, "Authentication required")


def test_a_conversation_goes_on_without_its_old_part_being_told_again(work: Worked, worktree: Path) -> None:
    outcome = work(worktree, order("load", resume="session-9"), "One test fails.")
    assert [each.text for each in outcome.of(Said)] == ["session-9 goes on: One test fails."]
    refused = work(worktree, order("edit", resume="session-9"))
    assert refused.code == 1 and "cannot go on with an earlier conversation" in refused.last.why


def test_the_model_of_the_order_is_chosen(work: Worked, worktree: Path) -> None:
    assert work(worktree, order("edit", model="large")).of(Opened)[0].model == "large"
    assert answers(worktree)[0] == "model=large"


def test_a_turn_that_did_not_end_well_is_a_failure(work: Worked, worktree: Path) -> None:
    outcome = work(worktree, order("refused"))
    assert (outcome.code, outcome.last.why) == (1, "the agent stopped: refusal")


def test_a_limit_of_the_provider_is_known_by_its_words(work: Worked, worktree: Path) -> None:
    outcome = work(worktree, order("limit"))
    assert (outcome.code, [each.code for each in outcome.of(Limited)]) == (1, ["PROVIDER_LIMIT"])
    assert "429 rate_limit_error" in outcome.last.why


def test_an_agent_that_dies_in_its_turn_is_a_failure(work: Worked, worktree: Path) -> None:
    outcome = work(worktree, order("dies"))
    assert (outcome.code, outcome.last.why) == (1, "the agent ended in the middle of its turn (exit 7)")


def test_lines_may_be_long(work: Worked, worktree: Path) -> None:
    outcome = work(worktree, order("long"), "0123456789abcdef" * 25_000)  # 400 KB
    assert (outcome.code, outcome.last.why) == (0, "400000")


def test_a_program_that_is_not_there_is_said(work: Worked, worktree: Path) -> None:
    outcome = work(worktree, DriverOrder(program=("no-such-agent",)))
    assert outcome.code == 1 and outcome.last.why.startswith("no-such-agent could not be started")
    assert work(worktree, DriverOrder()).last.why.startswith("the order names no program")


def test_too_many_tool_calls_and_too_much_time_end_it(work: Worked, worktree: Path) -> None:
    outcome = work(worktree, order("many", turns=5))
    assert (outcome.code, outcome.last.code, outcome.last.why) == (1, "BUDGET_EXCEEDED", "more than 5 tool calls")
    began = time.monotonic()
    assert work(worktree, order("sleeps", seconds=3)).last.why == "its time is up"
    assert time.monotonic() - began < 60


def test_term_ends_the_agent_and_what_it_started(worktree: Path) -> None:
    child = start("acp", worktree, PYTHONPATH=str(ROOT))
    assert child.stdin and child.stdout and child.stderr
    child.stdin.write(driven.to_line(order("sleeps")) + b"x")
    child.stdin.close()
    for line in child.stdout:
        if isinstance(activity.from_line(line), Called):
            break
    below = procfs.descendants(child.pid)
    assert len(below) == 2
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=30) == 128 + signal.SIGTERM
    child.stdout.close()
    child.stderr.close()
    until = time.monotonic() + 10
    while any(procfs.start_time(pid) for pid in below):  # killed, and reaped by whoever adopted them
        assert time.monotonic() < until, "something of the agent survived"


def test_without_the_package_it_says_what_to_install(worktree: Path, tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden/acp.py").write_text("raise ImportError('not installed')\n")
    outcome = drive("acp", worktree, order("edit"), PYTHONPATH=str(tmp_path / "hidden"))
    assert outcome.code == 1
    assert "pip install 'parallel-implement[acp]'" in outcome.last.why
