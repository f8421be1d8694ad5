"""The picture of a run: what each row answers, bars, time left, what needs a person. With literals, without a clock."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_impl.record import activity as a
from parallel_impl.record import events as e
from parallel_impl.record.activity import Activity, Usage
from parallel_impl.record.events import Event
from parallel_impl.record.journal import read
from parallel_impl.report.course import Stage
from parallel_impl.report.outline import Outline, PackageOutline
from parallel_impl.report.picture import Bar, BarPart, CheckRow, Picture, draw, duration

KEPT = Path(__file__).parent.parent / "kept"


def started(at: float = 0.0, jobs: int = 2, **packages: list[str]) -> e.RunStarted:
    return e.RunStarted(
        at=at,
        run_id="r",
        change_id="add-a",
        base="b" * 40,
        base_from="HEAD",
        plan_blob="",
        plan_revision=1,
        contracts_revision=1,
        packages={f"wp-{name}": [f"wp-{one}" for one in above] for name, above in packages.items()},
        home="/home/worktrees/add-a",
        date=0,
        agent="claude",
        jobs=jobs,
        repository_name="repo",
    )


def begin(at: float, name: str, number: int = 1) -> e.AttemptStarted:
    return e.AttemptStarted(at=at, package=f"wp-{name}", number=number, agent="claude")


def accept(at: float, name: str, number: int = 1, seconds: float = 10.0) -> list[Event]:
    package = f"wp-{name}"
    return [
        e.AttemptVerifying(at=at, package=package, number=number),
        e.AttemptEnded(at=at, package=package, number=number, commit="c" * 40, seconds=seconds),
        e.PackageAccepted(at=at, package=package, number=number, commit="c" * 40),
    ]


def fail(at: float, name: str, why: str, number: int = 1) -> list[Event]:
    package, code = f"wp-{name}", "VERIFICATION_FAILED"
    return [
        e.AttemptEnded(at=at, package=package, number=number, code=code, why=why, seconds=10.0),
        e.PackageFailed(at=at, package=package, code=code, why=why),
    ]


def row(picture: Picture, name: str) -> dict[str, object]:
    found = next(one for one in picture.rows if one.id == f"wp-{name}")
    return {field: getattr(found, field) for field in found.__slots__}


def test_a_waiting_package_names_those_that_really_hold_it_up() -> None:
    happened = [started(a=[], b=["a"], c=["b"], d=["c", "x"], x=[]), begin(1, "x"), *accept(5, "x"), begin(6, "a")]
    drawn = draw(happened, (), 10.0)
    assert row(drawn, "b")["answer"] == "waits for wp-a"
    assert row(drawn, "d")["answer"] == "waits for wp-c (now at wp-a)"
    assert (row(drawn, "d")["waits_for"], row(drawn, "d")["held_by"]) == (("wp-c",), ("wp-a",))


def test_a_failed_package_has_at_most_five_lines_that_tell_and_no_path_of_this_machine() -> None:
    why = "\n".join(
        (
            "step 'unit': exit 1; log: /home/worktrees/add-a/wp-a/repo/x.log",
            "collected 12 items",
            "/home/worktrees/add-a/wp-a/repo/tests/test_a.py:12: in test_a",
            *(f"E   assert {number}" for number in range(9)),
            "FAILED tests/test_a.py::test_a",
        )
    )
    drawn = draw([started(a=[], b=["a"]), begin(1, "a"), *fail(2, "a", why)], (), 3.0)
    assert row(drawn, "a")["answer"] == "VERIFICATION_FAILED: step 'unit': exit 1; log: x.log"
    assert row(drawn, "a")["telling"] == ("tests/test_a.py:12: in test_a", *(f"E assert {n}" for n in range(4)))
    assert [(need.what.partition(":")[0], need.command) for need in drawn.needs] == [
        ("wp-a failed", "parallel-implement add-a --retry-failed")
    ]


def test_a_failure_without_any_telling_line_keeps_its_last_lines() -> None:
    drawn = draw([started(a=[]), begin(1, "a"), *fail(2, "a", "step 'x': exit 2\none\ntwo\nlog: /x")], (), 3.0)
    assert row(drawn, "a")["telling"] == ("one", "two")


def test_a_running_package_says_what_its_agent_does_and_for_how_long_nothing_was_heard() -> None:
    done: list[tuple[str, int, Activity]] = [
        ("wp-a", 1, a.Called(at=12.0, tool="Bash", target="pytest -q\nrm -rf x")),
        ("wp-a", 1, a.Used(at=13.0, usage=Usage(input=5, dollars=0.25))),
        ("wp-a", 1, a.Used(at=14.0, usage=Usage(input=7), whole=True)),
        ("wp-b", 1, a.Said(at=14.0, text="of an attempt that there is not")),
    ]
    drawn = draw([started(a=[], b=[]), begin(10, "a")], done, 20.0)
    told = row(drawn, "a")
    assert (told["answer"], told["quiet"], told["seconds"]) == ("Bash pytest -q rm -rf x", 6.0, 10.0)
    assert told["usage"] == Usage(input=7)
    assert row(drawn, "b")["answer"] == "ready, waits for a free place"


def test_set_up_and_steps_are_what_a_package_is_at() -> None:
    setup = e.SetupStarted(at=2, package="wp-a", number=1)
    drawn = draw([started(a=[]), begin(1, "a"), setup], (), 3.0)
    assert (row(drawn, "a")["answer"], row(drawn, "a")["stage"]) == ("set-up", "set-up")
    verifying = e.AttemptVerifying(at=5, package="wp-a", number=1)
    step = e.StepStarted(at=6, package="wp-a", number=1, step="unit", place=2, steps=3)
    ended = e.SetupEnded(at=4, package="wp-a", number=1, seconds=2)
    drawn = draw([started(a=[]), begin(1, "a"), setup, ended, verifying, step], (), 7.0)
    assert row(drawn, "a")["answer"] == "step unit (2 of 3)"
    assert row(drawn, "a")["bars"] == (
        Bar(
            1,
            "live",
            (
                BarPart(Stage.AGENT, 1.0, 2.0),
                BarPart(Stage.SET_UP, 2.0, 4.0),
                BarPart(Stage.AGENT, 4.0, 5.0),
                BarPart(Stage.STEPS, 5.0, 7.0),
            ),
        ),
    )


def test_what_waits_for_a_slot_says_so_until_it_has_one() -> None:
    verifying = e.AttemptVerifying(at=5, package="wp-a", number=1)
    waits = e.SlotAwaited(at=6, what="unit", package="wp-a", number=1)
    happened = [started(a=[]), begin(1, "a"), verifying, waits]
    assert row(draw(happened, (), 7.0), "a")["answer"] == "waits for a free slot"
    step = e.StepStarted(at=8, package="wp-a", number=1, step="unit")
    assert row(draw([*happened, step], (), 9.0), "a")["answer"] == "step unit"
    gate = e.SlotAwaited(at=6, what="pytest", on="base")
    drawn = draw([started(a=[]), gate], (), 9.0)
    assert (drawn.gates, drawn.busy) == ((CheckRow("base", "pytest", "waiting", 3.0),), True)
    drawn = draw([started(a=[]), gate, e.GateStarted(at=8, on="base", gate="pytest")], (), 9.0)
    assert drawn.gates == (CheckRow("base", "pytest", "running", 1.0),)


def test_the_step_that_is_tried_on_the_base_shows_as_long_as_it_is() -> None:
    waits = e.SlotAwaited(at=6, what="unit", on="base", package="a")
    begins = e.StepStarted(at=8, package="a", number=0, step="unit", on="base")
    over = e.StepEnded(at=9, package="a", number=0, step="unit", on="base", passed=False)
    name = "step unit of a"
    assert draw([started(a=[]), waits], (), 9.0).setups == (CheckRow("base", name, "waiting", 3.0),)
    drawn = draw([started(a=[]), waits, begins], (), 9.0)
    assert drawn.setups == (CheckRow("base", name, "running", 1.0),)
    assert drawn.heartbeat == "0 of 1, step unit of a on the base"
    assert draw([started(a=[]), waits, begins, over], (), 9.0).setups == ()


def test_the_set_up_of_the_base_shows_before_there_is_a_run() -> None:
    drawn = draw([e.SetupStarted(at=100, on="base")], (), 112.0)
    assert drawn.setups == (CheckRow("base", "set-up", "running", 12.0),)
    assert (drawn.state, drawn.elapsed, drawn.heartbeat) == ("getting ready", 12.0, "set-up on the base")
    both = [e.SetupEnded(at=115, on="base", seconds=15.0), started(at=116, a=[])]
    assert draw([e.SetupStarted(at=100, on="base"), *both], (), 120.0).elapsed == 20.0


def test_gates_run_and_then_have_a_verdict() -> None:
    happened = [started(a=[]), e.GateStarted(at=1, on="base", gate="pytest")]
    assert draw(happened, (), 5.0).gates == (CheckRow("base", "pytest", "running", 4.0),)
    happened += [e.GateEnded(at=6, on="base", gate="pytest", state="red", seconds=5.0)]
    happened += [e.GatesEnded(at=7, on="candidate", tree="t", verdicts={"pytest": "passed"})]
    assert draw(happened, (), 9.0).gates == (
        CheckRow("base", "pytest", "red", 5.0),
        CheckRow("candidate", "pytest", "passed", 0.0),
    )


def test_time_left_follows_the_longest_chain_and_the_weights_of_the_plan() -> None:
    happened: list[Event] = [started(jobs=2, a=[], b=["a"], c=["b"], d=["a"]), begin(0, "a")]
    assert draw(happened, (), 5.0).left is None  # nothing was accepted: nothing can be said
    happened += accept(10, "a")
    drawn = draw([*happened, begin(10, "b")], (), 14.0)
    assert drawn.left == 6.0 + 10.0  # b has 6 of 10 seconds left, c follows it, d fits beside them
    assert drawn.critical_path == ("wp-a", "wp-b", "wp-c")
    heavy = Outline(change_id="add-a", packages=(PackageOutline(id="wp-d", weight=5.0),))
    drawn = draw([*happened, begin(10, "b")], (), 14.0, outline=heavy)
    assert (drawn.left, drawn.critical_path) == (50.0, ("wp-a", "wp-d"))


def test_a_run_that_nobody_works_on_is_interrupted_and_its_clock_stands() -> None:
    happened = [started(a=[]), begin(1, "a"), e.AttemptVerifying(at=8, package="wp-a", number=1)]
    drawn = draw(happened, (), 500.0, alive=False)
    assert (drawn.state, drawn.now, drawn.elapsed, drawn.left) == ("interrupted", 8.0, 8.0, None)
    assert (row(drawn, "a")["state"], drawn.sentence) == ("interrupted", "0 of 1 package accepted, 1 interrupted")


def test_the_time_between_two_starts_is_no_part_of_a_bar() -> None:
    happened: list[Event] = [started(a=[]), begin(1, "a"), e.Interrupted(at=5, by="a signal")]
    happened += [e.RunContinued(at=90_000, agent="claude", jobs=2), begin(90_001, "a", 2), *accept(90_003, "a", 2)]
    bars = next(one.bars for one in draw(happened, (), 90_004.0).rows)
    assert [(bar.outcome, bar.parts[0].start, bar.parts[-1].end) for bar in bars] == [
        ("interrupted", 1.0, 5.0),
        ("passed", 6.0, 8.0),
    ]


def test_the_heartbeat_names_what_most_wait_for() -> None:
    happened = [started(jobs=4, a=[], x=[], b=["x"], c=["b"], d=["a"]), begin(1, "x"), begin(1, "a")]
    assert draw(happened, (), 2.0).heartbeat == "0 of 5, 2 running, 2 wait for wp-x"


def test_a_paused_run_says_what_to_do() -> None:
    happened = [started(a=[]), e.RunPaused(at=2, by="anthropic", why="quota\nmore")]
    drawn = draw(happened, (), 3.0)
    assert (drawn.state, drawn.left) == ("paused", None)
    assert [(need.what, need.command) for need in drawn.needs] == [
        ("paused by anthropic: quota more", "parallel-implement add-a")
    ]


def test_what_agents_wrote_cannot_steer_a_terminal() -> None:
    hostile = "\x1b[2J\x1b]0;title\x07ok \u202eevil\u2066\r\nline two\x9b31m\x00\ud800"
    drawn = draw([started(a=[]), begin(1, "a")], [("wp-a", 1, a.Said(at=2.0, text=hostile))], 3.0)
    assert row(drawn, "a")["answer"] == "ok evil line two"


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (-3, "0:00"), (67, "1:07"), (3760, "1:02:40")])
def test_a_duration_reads_like_a_clock(seconds: float, text: str) -> None:
    assert duration(seconds) == text


NAMES = st.sampled_from(["wp-a", "wp-b", "wp-c", "wp-gone", ""])
SMALL = st.floats(0, 1e6)
ANY_EVENT: st.SearchStrategy[Event] = st.one_of(
    st.builds(started, at=SMALL, a=st.just([]), b=st.just(["a"]), c=st.just(["a", "b"])),
    st.builds(e.RunContinued, at=SMALL, agent=st.just("x"), jobs=st.integers(0, 3)),
    st.builds(e.AttemptStarted, at=SMALL, package=NAMES, number=st.integers(0, 3), agent=st.text(max_size=5)),
    st.builds(e.AttemptVerifying, at=SMALL, package=NAMES, number=st.integers(0, 3)),
    st.builds(
        e.AttemptEnded, at=SMALL, package=NAMES, number=st.integers(0, 3), code=st.text(max_size=5), why=st.text()
    ),
    st.builds(e.PackageAccepted, at=SMALL, package=NAMES, number=st.integers(0, 3), commit=st.just("c")),
    st.builds(e.PackageFailed, at=SMALL, package=NAMES, code=st.text(max_size=5), why=st.text()),
    st.builds(e.PackageCancelled, at=SMALL, package=NAMES, because=NAMES),
    st.builds(e.SetupStarted, at=SMALL, on=NAMES, package=NAMES, number=st.integers(0, 3)),
    st.builds(e.SetupEnded, at=SMALL, on=NAMES, package=NAMES, number=st.integers(0, 3), why=st.text()),
    st.builds(e.StepStarted, at=SMALL, package=NAMES, number=st.integers(0, 3), step=st.text()),
    st.builds(e.GateStarted, at=SMALL, on=NAMES, gate=st.text()),
    st.builds(e.GateEnded, at=SMALL, on=NAMES, gate=st.text(), state=st.text()),
    st.builds(e.GatesEnded, at=SMALL, on=NAMES, tree=st.just("t"), verdicts=st.dictionaries(st.text(), st.text())),
    st.builds(e.CandidateMade, at=SMALL, commit=st.just("c"), tree=st.just("t")),
    st.builds(e.RunHalted, at=SMALL, code=st.text(), why=st.text()),
    st.builds(e.RunPaused, at=SMALL, by=st.text(), why=st.text(), until=SMALL),
    st.builds(e.Landed, at=SMALL, commit=st.just("c"), branch=st.just("b")),
)


@settings(deadline=None)
@given(happened=st.lists(ANY_EVENT, max_size=25), now=st.floats(-1, 2e6), alive=st.booleans())
def test_no_run_of_events_however_odd_keeps_it_from_being_drawn(happened: list[Event], now: float, alive: bool) -> None:
    done: list[tuple[str, int, Activity]] = [("wp-a", 1, a.Called(at=1.0, tool="x"))]
    drawn = draw(happened, done, now, alive=alive)
    assert (drawn.sentence, drawn.heartbeat) != ("", "")
    for one in drawn.rows:
        assert one.answer.isprintable()
        assert all(part.start <= part.end for bar in one.bars for part in bar.parts)


def test_every_beginning_of_a_kept_journal_is_drawn() -> None:
    journals = list(KEPT.rglob("*.jsonl"))
    assert journals
    for journal in journals:
        happened = read(journal)
        for end in range(len(happened) + 1):
            drawn = draw(happened[:end], (), 2e9, alive=bool(end % 2))
            assert drawn.skipped == 0
