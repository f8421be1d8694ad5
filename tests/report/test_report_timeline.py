"""The timeline in plain characters, letter by letter."""

from __future__ import annotations

from parallel_impl.record import events as e
from parallel_impl.record.events import Event
from parallel_impl.report import timeline
from parallel_impl.report.picture import draw
from tests.report.scene import accept, begin, started


def lines(happened: list[Event]) -> list[str]:
    return timeline.draw(draw(happened, (), 0.0, alive=False).rows, width=20)


def test_set_up_agent_steps_failures_and_waiting_are_told_apart() -> None:
    happened: list[Event] = [
        started({"wp-a": [], "wp-long-name": ["wp-a"]}),
        begin(0, "wp-a"),
        e.SetupStarted(at=0, package="wp-a", number=1),
        e.SetupEnded(at=10, package="wp-a", number=1, seconds=10),
        e.AttemptVerifying(at=40, package="wp-a", number=1),
        e.AttemptEnded(at=50, package="wp-a", number=1, code="VERIFICATION_FAILED", seconds=50),
        begin(60, "wp-a", 2),
        *accept(80, "wp-a", 2),
        begin(80, "wp-long-name"),
        e.AttemptEnded(at=100, package="wp-long-name", number=1, code="INTERRUPTED", seconds=20),
    ]
    assert lines(happened) == [
        "              0:00            1:40",
        "wp-a          ..######=x  ####",
        "wp-long-name                  ###!",
        "",
        ". set-up   # agent   = steps   x failed   ! interrupted",
    ]


def test_an_attempt_of_no_time_still_shows() -> None:
    happened = [started({"wp-a": [], "wp-b": []}), begin(0, "wp-a"), begin(0, "wp-b"), *accept(0.01, "wp-a")]
    assert lines([*happened, *accept(100, "wp-b")])[1] == "wp-a  #"


def test_a_run_that_tried_nothing_has_none() -> None:
    assert lines([started({"wp-a": []})]) == []
