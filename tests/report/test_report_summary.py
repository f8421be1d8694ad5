"""The summary says what the last start ran with, and counts the time that the run was worked on."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from parallel_impl.plan.model import Scope
from parallel_impl.record import events as e
from parallel_impl.record import result
from parallel_impl.record.activity import Usage
from parallel_impl.record.agent_report import AgentReport
from parallel_impl.record.codes import Failure
from parallel_impl.record.gate_row import GateRow
from parallel_impl.record.state import fold
from parallel_impl.report import markdown, summary
from parallel_impl.report.course import course
from parallel_impl.report.picture import draw
from parallel_impl.report.summary import Facts, Summary

NIGHT = 50_000.0
STARTED = e.RunStarted(
    at=100.0,
    run_id="r",
    change_id="add-a",
    base="0" * 40,
    base_from="HEAD",
    plan_blob="1" * 40,
    plan_revision=1,
    contracts_revision=1,
    packages={"wp-a": [], "wp-b": ["wp-a"]},
    home="/h",
    date=1,
    agent="command: first",
    jobs=4,
)
CONTINUED = e.RunContinued(at=NIGHT, agent="command: second", jobs=1)


def begun(at: float, package: str, number: int = 1) -> e.AttemptStarted:
    return e.AttemptStarted(at=at, package=package, number=number)


def passed(at: float, package: str, seconds: float, number: int = 1) -> tuple[e.Event, ...]:
    ended = e.AttemptEnded(at=at, package=package, number=number, commit="2" * 40, seconds=seconds)
    return ended, e.PackageAccepted(at=at, package=package, number=number, commit="2" * 40)


def killed(at: float, package: str) -> e.AttemptEnded:
    """What the next start says of an attempt that its process did not outlive."""
    return e.AttemptEnded(at=at, package=package, number=1, code=Failure.INTERRUPTED, why="killed")


def build(attempts: Path, *happened: e.Event) -> Summary:
    facts = Facts("add-a", "openspec/add-a", ("wp-a", "wp-b"), fold(happened), attempts, "halted", "X", "no", "")
    return summary.build(facts, happened, course(happened))


def shown(found: Summary, *happened: e.Event) -> str:
    return markdown.render(found, draw(happened, (), NIGHT, alive=False))


def test_agent_jobs_and_contracts_are_those_of_the_last_start(tmp_path: Path) -> None:
    revised = e.PlanRevised(
        at=NIGHT,
        plan_blob="3" * 40,
        commit="4" * 40,
        plan_revision=2,
        contracts_revision=7,
        packages={"wp-a": [], "wp-b": []},
        changed=[],
    )
    found = build(tmp_path, STARTED, CONTINUED, revised)
    assert (found.agent, found.jobs, found.plan_revision, found.contracts_revision) == ("command: second", 1, 2, 7)


@pytest.mark.parametrize(
    "over_night",
    [
        (e.Interrupted(at=130.0, by="a signal"), CONTINUED),
        (CONTINUED,),
        (e.Noted(at=NIGHT - 0.6, text="kept whole", package="wp-b"), killed(NIGHT - 0.5, "wp-b"), CONTINUED),
        (killed(NIGHT - 0.5, "wp-b"), CONTINUED),  # found over by the next start, before it says that it goes on
    ],
)
def test_the_time_between_two_starts_is_nobodys_work(tmp_path: Path, over_night: tuple[e.Event, ...]) -> None:
    first = (STARTED, begun(101.0, "wp-a"), *passed(121.0, "wp-a", 20.0), begun(130.0, "wp-b"))
    second = (begun(NIGHT + 2, "wp-b", 2), *passed(NIGHT + 12, "wp-b", 10.0, number=2))
    found = build(tmp_path, *first, *over_night, *second)
    assert found.makespan_seconds == pytest.approx(30.0 + 12.0)
    starts = [attempt.started for package in found.packages for attempt in package.attempts]
    assert starts[0] == pytest.approx(1.0)
    assert starts[-1] == pytest.approx(30.0 + 2.0)


def test_work_of_a_killed_process_that_git_has_counts_no_time_either(tmp_path: Path) -> None:
    first = (STARTED, begun(101.0, "wp-a"), e.AttemptVerifying(at=110.0, package="wp-a", number=1))
    found = build(tmp_path, *first, *passed(NIGHT - 0.5, "wp-a", 0.0), CONTINUED)
    assert found.makespan_seconds == pytest.approx(10.0)


def test_a_clock_that_is_set_back_takes_no_time_away(tmp_path: Path) -> None:
    found = build(tmp_path, STARTED, begun(110.0, "wp-a"), *passed(105.0, "wp-a", 3.0), begun(112.0, "wp-b"))
    assert found.makespan_seconds == pytest.approx(10.0)


def test_the_bound_is_never_above_what_the_run_could_do(tmp_path: Path) -> None:
    """The first start had four at once: its work may have taken a quarter of the time."""
    side_by_side = msgspec.structs.replace(STARTED, packages={"wp-a": [], "wp-b": []})
    ended = (*passed(120.0, "wp-a", 20.0), *passed(121.0, "wp-b", 20.0))
    found = build(tmp_path, side_by_side, begun(100.0, "wp-a"), begun(100.0, "wp-b"), *ended, CONTINUED)
    assert found.bound_seconds == pytest.approx(20.0)


def test_a_result_that_is_torn_leaves_the_row_of_its_attempt(tmp_path: Path) -> None:
    place = tmp_path / "wp-a/1"
    place.mkdir(parents=True)
    (place / "result.json").write_text('{"schema_version": 1')
    found = build(tmp_path, STARTED, begun(100.0, "wp-a"), *passed(120.0, "wp-a", 20.0))
    assert found.packages[0].attempts[0].seconds == 20.0
    assert found.packages[0].files == ()


def test_a_code_of_another_version_is_shown_as_it_is(tmp_path: Path) -> None:
    failed = e.AttemptEnded(at=120.0, package="wp-a", number=1, code="OUT_OF_LUCK", why="no luck", seconds=20.0)
    found = build(tmp_path, STARTED, begun(100.0, "wp-a"), failed)
    assert "| wp-a | 1 | 0.0 | 20.0 | 0.0 | OUT_OF_LUCK |" in shown(found)


def used(at: float, number: int, code: str, **usage: float) -> e.AttemptEnded:
    told = Usage(**usage)  # type: ignore[arg-type]
    ended = e.AttemptEnded(at=at, package="wp-a", number=number, code=code, usage=told, retries=2, denied=1, model="m")
    return msgspec.structs.replace(ended, agent="claude", seconds=1.0)


def test_usage_is_added_up_over_attempts_and_what_nobody_told_is_not_0(tmp_path: Path) -> None:
    record = result.AgentRecord(name="claude", kind="claude", model="m")
    folder = tmp_path / "wp-a/2"
    folder.mkdir(parents=True)
    made = result.Result(
        feature_id="add-a", package_id="wp-a", plan_revision=1, contracts_revision=1, status="failed", agent=record,
        scope=Scope(("a",)), files_modified=(),
        git=result.Commits(base=result.CommitPlace(), head=result.CommitPlace()),
        verification=result.VerificationRecord(passed=False, steps=()), escalations=(), error_code="X",
        denied=(result.DenialRecord("Write", "/etc/motd"),), report=AgentReport(notes=("slow",)),
    )  # fmt: skip
    (folder / "result.json").write_bytes(result.dump(made))
    happened = (
        STARTED,
        begun(101, "wp-a"),
        used(102, 1, "AGENT_FAILED", dollars=0.5, turns=2, output=10),
        begun(103, "wp-a", 2),
        used(104, 2, "AGENT_FAILED", dollars=0.25, turns=1),
    )
    made_of = build(tmp_path, *happened)
    assert made_of.packages[0].usage == made_of.usage == Usage(dollars=0.75, turns=3, output=10)
    assert made_of.packages[1].usage == Usage()
    text = shown(made_of)
    assert "| Agent | `claude` (model m), 4 at once" in text
    assert "| wp-a | claude | m | 3 | not told | not told | 10 | $0.7500 | 4 |" in text
    assert "#### Refused to its agent\n\n- `Write /etc/motd`" in text
    assert "#### Its agent's word\n\n- note: slow" in text
    assert "wp-b | " not in text.partition("## Agents")[2].partition("## Timeline")[0]


def test_a_gate_that_did_not_run_tells_nothing_about_failures_of_the_base(tmp_path: Path) -> None:
    gates = (
        GateRow("pytest", "passed", "pytest -q", old_failures=2),
        GateRow("ruff", "not run"),
        GateRow("mypy", "switched off"),
    )
    text = shown(msgspec.structs.replace(build(tmp_path, STARTED), gates=gates))
    assert "| pytest | passed | 2 |  | `pytest -q` |\n" in text
    assert "| ruff | not run |  |  |  |\n| mypy | switched off |  |  |  |\n" in text


def test_the_summary_says_how_often_set_up_ran_and_why_it_ran_again(tmp_path: Path) -> None:
    base = e.SetUpRun(checkout="base.gate", seconds=3.12)
    own = e.SetUpRun(checkout="wp-a.verify", seconds=2.9, why="uv.lock")
    how = "set-up once, checkouts are views (overlay)"
    starts = [e.CheckoutsMade(how=how, number=40, set_ups=[base, own]), e.CheckoutsMade(how=how, number=2)]
    views, found = "checkouts are views (overlay)", build(tmp_path, STARTED, *starts)
    assert found.set_up == f"once, 3.1 s, for 42 checkouts; again for wp-a (uv.lock), 2.9 s; {views}"
    assert build(tmp_path, STARTED, starts[1]).set_up == f"found ready, from an earlier run, for 2 checkouts; {views}"
    alone = [e.SetUpRun(checkout=f"wp-{name}.verify", seconds=1.5, why="X in setup") for name in "abcdef"]
    many = e.CheckoutsMade(how=how, number=7, set_ups=[base, *alone])
    told = "once, 3.1 s, for 7 checkouts; again for wp-a, wp-b, wp-c, wp-d and 2 more (X in setup), 9.0 s; "
    assert build(tmp_path, STARTED, many).set_up == told + views
    each = e.CheckoutsMade(how="set-up in each checkout")
    found = build(tmp_path, STARTED, each)
    assert found.set_up == "set-up in each checkout"
    assert "| Set-up | set-up in each checkout |\n" in shown(found, STARTED, each)


def test_the_summary_answers_in_a_readers_order_and_tells_a_cause_once(tmp_path: Path) -> None:
    failed = e.AttemptEnded(at=120.0, package="wp-a", number=1, code="TIMEOUT", why="60 s:\nno word", seconds=20.0)
    over = e.PackageFailed(at=120.0, package="wp-a", code="TIMEOUT", why="60 s:\nno word")
    halted = e.RunHalted(at=121.0, code="NOT_ALL_ACCEPTED", why="wp-a failed: TIMEOUT: 60 s:")
    happened = (STARTED, begun(100.0, "wp-a"), failed, over, halted)
    found = msgspec.structs.replace(build(tmp_path, *happened), switched_off=("gate mypy",), lacking=("no locks",))
    text = shown(msgspec.structs.replace(found, headline="not landed: NOT_ALL_ACCEPTED\n  more"), *happened)
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## What changed", "## Proven", "## Not proven", "## For a person", "## Timeline", "## Figures", "## Packages",
        "## The run",
    ]  # fmt: skip
    assert "not landed: NOT_ALL_ACCEPTED\n\n## What changed\n\n- wp-a: failed\n- wp-b: planned\n" in text
    assert (
        "## For a person\n\n- wp-a failed: TIMEOUT: 60 s:\n  - no word\n  - `parallel-implement add-a --retry-failed`\n"
        "- switched off: gate mypy\n- lacking here: no locks\n"
    ) in text
    assert "| packages accepted at the first attempt | 0% | above 90% | no |" in text
