"""One line for people about each event that says something new to them."""

from __future__ import annotations

import pytest

from parallel_impl.record import events as e
from parallel_impl.record.codes import Failure
from parallel_impl.report.event_line import describe


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (e.AttemptStarted(package="a", number=1), "a  started"),
        (e.AttemptStarted(package="a", number=2), "a  started (attempt 2)"),
        (e.AttemptEnded(package="a", number=1), ""),
        (
            e.AttemptEnded(package="a", number=1, code=Failure.TIMEOUT, why="too long"),
            "a  attempt 1 failed: TIMEOUT: too long",
        ),
        (
            e.AttemptEnded(package="a", number=1, code=Failure.INTERRUPTED, why="killed"),
            "a  attempt 1 interrupted, which costs no retry: killed",
        ),
        (e.AttemptEnded(package="a", number=1, code="UNHEARD_OF", why="x"), "a  attempt 1 failed: UNHEARD_OF: x"),
        (e.Noted(text="moved to .kept", package="a"), "a  note: moved to .kept"),
        (e.Noted(text="no namespaces"), "note: no namespaces"),
        (e.PackagesRestarted(packages=["a", "b"]), "done again: a, b"),
        (e.CandidateProven(commit="c" * 40, by=("pytest",)), "proven: cccccccccccc"),
        (e.CandidateProven(commit="c" * 40), "proven: cccccccccccc"),
        (e.CandidateProven(commit="c" * 40, by=()), "no gate ran on the candidate cccccccccccc"),
        (e.Landed(commit="c" * 40, branch="openspec/x"), "landed: openspec/x is cccccccccccc"),
    ],
)
def test_an_event_is_told_in_one_line(event: e.Event, line: str) -> None:
    assert describe(event) == line
