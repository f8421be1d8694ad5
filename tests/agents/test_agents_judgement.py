"""The order in which the end of an agent is judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.agents.dialect import DONE, Judgement, changed_words, judge
from parallel_impl.agents.dialects.catalogue import DIALECTS
from parallel_impl.agents.seen import Seen
from parallel_impl.processes.process import Ended, Reason
from parallel_impl.record.activity import Concluded, Denied, Limited

CLAUDE, AIDER = DIALECTS["claude"], DIALECTS["aider"]
GOOD = Seen(concluded=Concluded(ok=True, why="Wrote it."), calls=1)
EXITED = Ended(Reason.EXITED, 0, 1.0)
QUOTA = Limited(terminal=True, why="no credit", code="PROVIDER_QUOTA")
LIMIT = Limited(terminal=False, why="429")


def ended(reason: Reason, exit_code: int | None = None) -> Ended:
    return Ended(reason, exit_code, 60.0, why=str(Path("/nowhere")))


def test_each_reason_comes_before_the_next() -> None:
    silent = ended(Reason.SILENT)
    assert judge(CLAUDE, Seen(limited=QUOTA), silent, over="$5", stopped=True).code == "BUDGET_EXCEEDED"
    assert judge(CLAUDE, Seen(limited=QUOTA), silent, stopped=True) == Judgement("PROVIDER_QUOTA", "no credit")
    assert judge(CLAUDE, Seen(limited=LIMIT), ended(Reason.TIMEOUT), stopped=True).code == "INTERRUPTED"
    assert judge(CLAUDE, Seen(), ended(Reason.TIMEOUT)) == Judgement("TIMEOUT", "ended by us (timeout) after 60 s")
    assert judge(CLAUDE, Seen(), silent) == Judgement("SILENT", "ended by us (silent) after 60 s")
    not_started = judge(CLAUDE, Seen(), ended(Reason.NOT_STARTED))
    assert not_started == Judgement("AGENT_FAILED", "could not be started: /nowhere")
    assert judge(CLAUDE, GOOD, EXITED) == DONE


def test_silence_while_the_provider_refuses_is_the_providers() -> None:
    assert judge(CLAUDE, Seen(limited=LIMIT), ended(Reason.SILENT)) == Judgement("PROVIDER_LIMIT", "429")


def test_a_failure_while_the_provider_refuses_is_the_providers() -> None:
    failed = Seen(concluded=Concluded(ok=False, why="API Error"), limited=LIMIT)
    assert judge(CLAUDE, failed, EXITED).code == "PROVIDER_LIMIT"


def test_exit_code_0_without_a_last_word_is_a_failure() -> None:
    assert judge(CLAUDE, Seen(calls=1), EXITED).code == "AGENT_FAILED"


def test_a_good_last_word_with_another_exit_code_is_a_failure() -> None:
    assert judge(CLAUDE, GOOD, ended(Reason.EXITED, 3)) == Judgement("AGENT_FAILED", "exit 3")


def test_a_bad_last_word_with_exit_code_0_is_a_failure() -> None:
    bad = Seen(concluded=Concluded(ok=False, why="it broke"), calls=1)
    assert judge(CLAUDE, bad, EXITED) == Judgement("AGENT_FAILED", "it broke")


def test_no_tool_call_is_no_work_unless_the_package_may_be_empty() -> None:
    talked = Seen(concluded=Concluded(ok=True, why="Which tone?"))
    assert judge(CLAUDE, talked, EXITED) == Judgement("NO_WORK", "it ended without using a single tool: Which tone?")
    assert judge(CLAUDE, talked, EXITED, may_be_empty=True) == DONE
    assert judge(AIDER, talked, EXITED) == DONE  # it reports no calls


def test_a_denied_call_is_a_call_and_no_failure() -> None:
    denied = Seen(concluded=Concluded(ok=True), denied=(Denied(tool="Write"),))
    assert judge(CLAUDE, denied, EXITED) == DONE


@pytest.mark.parametrize(
    ("args", "found"),
    [
        (("--debug", "--mode", "x", "y"), ("--mode", "x")),
        (("--mode=x",), ("--mode=x",)),
        (("--mode", "--other"), ("--mode",)),
        (("--mode",), ("--mode",)),
        (("--modes", "x"), ()),
    ],
)
def test_the_words_of_a_flag_are_found_among_args(args: tuple[str, ...], found: tuple[str, ...]) -> None:
    assert changed_words(args, ("--mode",)) == found
