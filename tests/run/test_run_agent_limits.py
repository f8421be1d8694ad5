"""How an agent's end is judged by its limits, and what the main thread hears of it while it works."""

from __future__ import annotations

from dataclasses import replace

from parallel_impl.agents.agent import Worked
from parallel_impl.agents.budget import Budget
from parallel_impl.agents.seen import Seen
from parallel_impl.processes.process import Ended, Reason
from parallel_impl.record import events as e
from parallel_impl.record.activity import Usage
from parallel_impl.record.codes import Failure
from parallel_impl.run.attempt import agent_limits
from parallel_impl.run.attempt.job import Cutoff, Job, Working
from tests.run.scene import in_force, package

JOB = Job(replace(package("a"), timeout_minutes=10), 1, in_force([package("a")]))
STOPPED = Worked(Ended(Reason.STOPPED, None, 1.0), Failure.INTERRUPTED, "stopped")
DONE = Worked(Ended(Reason.EXITED, 0, 1.0))
SILENCE = 15.0


def test_an_agent_works_until_its_time_out_or_until_the_minutes_of_its_package_are_used_up() -> None:
    assert agent_limits.seconds(JOB) == 600
    assert agent_limits.seconds(replace(JOB, budget=Budget(minutes=2))) == 120
    assert agent_limits.seconds(replace(JOB, budget=Budget(minutes=20))) == 600


def test_an_agent_that_was_cut_off_failed_for_that_reason_and_one_that_was_done_before_did_not() -> None:
    cutoff = Cutoff()
    job = replace(JOB, cutoff=cutoff)
    assert agent_limits.judge(job, STOPPED, SILENCE) == STOPPED
    cutoff.cut(Failure.BUDGET_EXCEEDED, "disk_mb")
    cutoff.cut(Failure.INTERRUPTED, "a later reason")
    judged = agent_limits.judge(job, STOPPED, SILENCE)
    assert (judged.code, judged.why, bool(cutoff.stop)) == (Failure.BUDGET_EXCEEDED, "disk_mb", True)
    assert agent_limits.judge(job, DONE, SILENCE) == DONE


def test_a_time_out_by_the_minutes_of_the_package_is_its_limit() -> None:
    late = Worked(Ended(Reason.TIMEOUT, None, 1.0), Failure.TIMEOUT, "time-out")
    assert agent_limits.judge(JOB, late, SILENCE).code is Failure.TIMEOUT
    assert agent_limits.judge(replace(JOB, budget=Budget(minutes=2)), late, SILENCE).code is Failure.BUDGET_EXCEEDED


def test_an_agent_that_made_no_progress_is_told_with_the_key_that_says_for_how_long() -> None:
    silent = Worked(
        Ended(Reason.SILENT, None, 30.0), Failure.SILENT, "the agent: ended by us (silent) after 30 s\nlast"
    )
    judged = agent_limits.judge(JOB, silent, 0.5)
    assert judged.code is Failure.SILENT
    assert judged.why.splitlines() == [
        "the agent: ended by us (silent) after 30 s: no progress for 0.5 minutes (silence_minutes = 0.5)",
        "last",
    ]


def test_the_main_thread_hears_that_an_agent_works_and_what_it_used_and_no_more() -> None:
    heard = list[e.Event | Working]()
    teller = agent_limits.Teller(JOB, heard.append)
    used = Usage(output=5, turns=1)
    for seen in (
        Seen(retries=1),
        Seen(said="I look"),
        Seen(said="I look again"),
        Seen(said="…", usage=used),
        Seen(said="…", usage=used, calls=2),
    ):
        teller.tell(seen)
    assert heard == [
        Working("a", 1, Seen(said="I look")),
        Working("a", 1, Seen(said="…", usage=used)),
    ]


def test_calls_are_heard_of_where_turns_are_not_told() -> None:
    heard = list[e.Event | Working]()
    teller = agent_limits.Teller(JOB, heard.append)
    teller.tell(Seen(calls=1))
    teller.tell(Seen(calls=2))
    assert len(heard) == 2
