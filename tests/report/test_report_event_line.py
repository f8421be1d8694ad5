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
        (e.CandidateProven(commit="c" * 40, by=()), "no gate ran on the whole, cccccccccccc"),
        (e.AttemptVerifying(package="a", number=1), "a  its agent is done; what it changed is checked"),
        (e.SetupStarted(on="base"), "set-up of the base runs"),
        (e.SetupStarted(package="a", number=1), ""),
        (e.SetupEnded(on="candidate", why="exit 1"), "set-up of the whole FAILED"),
        (e.SetupEnded(on="base", red_under_load=True), "set-up of the base done (red under load)"),
        (e.SlotAwaited(what="set-up", on="base"), "set-up of the base waits for a free slot"),
        (e.SlotAwaited(what="pytest", on="candidate"), "gate pytest on the whole waits for a free slot"),
        (e.SlotAwaited(what="unit", on="base", package="a"), "step unit of a on the base waits for a free slot"),
        (e.StepStarted(package="a", number=0, step="unit", on="base"), ""),
        (e.SlotAwaited(what="unit", package="a", number=1), "a  unit waits for a free slot"),
        (e.StepStarted(package="a", number=1, step="unit", place=2, steps=3), "a  step unit (2 of 3)"),
        (e.GateStarted(on="candidate", gate="mypy"), "gate mypy runs on the whole"),
        (e.GateEnded(on="base", gate="mypy", state="green"), "gate mypy on the base: green"),
        (e.GateEnded(on="base", gate="mypy", state="red", found="a.py: x"), "gate mypy on the base: red: a.py: x"),
        (e.RunHalted(code="CLASH", why="a and b"), "not landed: accepted work does not stand in one tree"),
        (e.Landed(commit="c" * 40, branch="openspec/x"), "landed: openspec/x is cccccccccccc"),
    ],
)
def test_an_event_is_told_in_one_line(event: e.Event, line: str) -> None:
    assert describe(event) == line
