"""New failures, not old ones: the comparison itself, with literals."""

from __future__ import annotations

import pytest

from parallel_impl.gates.outcomes import Finding, GateReport, Outcome, State, Test
from parallel_impl.gates.verdict import Status, Verdict, compare


def ran(state: State = State.GREEN, **outcomes: Outcome) -> GateReport:
    """A report of tests `a.py::<name>`; red ones explain themselves."""
    made = tuple(Test(f"a.py::{name}", outcome, ("a.py",)) for name, outcome in outcomes.items())
    red = Outcome.FAILED in outcomes.values() and state is State.GREEN
    return GateReport("pytest", State.RED if red else state, int(red), tests=made)


def findings(*found: tuple[str, str, int]) -> GateReport:
    made = tuple(Finding("a.py", code, message, line) for code, message, line in found)
    return GateReport("ruff", State.RED if made else State.GREEN, int(bool(made)), findings=made)


GREEN = GateReport("check", State.GREEN, 0, explained=False)
RED = GateReport("check", State.RED, 3, explained=False)
BROKEN = GateReport("check", State.BROKEN, None, why="it crashed")
PASSED, FAILED, SKIPPED = Outcome.PASSED, Outcome.FAILED, Outcome.SKIPPED


@pytest.mark.parametrize(
    ("base", "candidate", "status"),
    [
        (GREEN, GREEN, Status.PASSED),
        (RED, GREEN, Status.PASSED),
        (BROKEN, GREEN, Status.PASSED),
        (None, GREEN, Status.PASSED),
        (GREEN, RED, Status.FAILED),
        (None, RED, Status.FAILED),
        (RED, RED, Status.NOT_PROVEN),
        (BROKEN, RED, Status.NOT_PROVEN),
        (GREEN, BROKEN, Status.FAILED),
        (BROKEN, BROKEN, Status.FAILED),
        (ran(x=FAILED), RED, Status.FAILED),
    ],
)
def test_output_that_nobody_reads(base: GateReport | None, candidate: GateReport, status: Status) -> None:
    verdict = compare(base, candidate, set())

    assert verdict.status is status
    assert verdict.blocks == (status in (Status.FAILED, Status.NOT_PROVEN))


@pytest.mark.parametrize(
    ("base", "candidate", "status"),
    [
        (PASSED, FAILED, Status.FAILED),
        (SKIPPED, FAILED, Status.FAILED),
        (FAILED, FAILED, Status.PASSED),
        (FAILED, SKIPPED, Status.PASSED),
        (PASSED, SKIPPED, Status.FAILED),
        (PASSED, Outcome.XFAILED, Status.FAILED),
        (Outcome.XPASSED, Outcome.XFAILED, Status.PASSED),
        (SKIPPED, SKIPPED, Status.PASSED),
    ],
)
def test_one_test_of_an_unchanged_file(base: Outcome, candidate: Outcome, status: Status) -> None:
    assert compare(ran(x=base), ran(x=candidate), set()).status is status


def test_a_new_test_that_fails_is_new_and_an_old_one_is_counted() -> None:
    verdict = compare(ran(old=FAILED), ran(old=FAILED, new=FAILED), {"a.py"})

    assert verdict == Verdict("pytest", Status.FAILED, ("a.py::new",), (), 1, "1 new")


def test_a_test_that_failed_on_the_base_may_go() -> None:
    assert compare(ran(x=FAILED), ran(), set()) == Verdict("pytest", Status.PASSED)


def test_a_test_for_each_file_goes_with_the_file() -> None:
    base = GateReport("pytest", State.GREEN, tests=(Test("t.py::test_style[src/old.py]", PASSED, ("t.py",)),))

    assert compare(base, ran(), {"src/old.py"}).gone == ("t.py::test_style[src/old.py] is gone",)
    assert compare(base, ran(), {"src/other.py"}).status is Status.FAILED


def test_a_test_whose_file_nobody_named_is_found_by_its_module() -> None:
    base = GateReport("pytest", State.GREEN, tests=(Test("tests.test_x.TestY::test_z", PASSED),))

    assert compare(base, ran(), {"tests/test_x.py"}).status is Status.PASSED
    assert compare(base, ran(), {"tests/test_xy.py"}).status is Status.FAILED


def test_a_broken_candidate_lists_what_it_knows_but_nothing_as_gone() -> None:
    verdict = compare(ran(x=PASSED, y=PASSED), ran(State.BROKEN, x=FAILED), set())

    assert (verdict.status, verdict.new_failures, verdict.gone) == (Status.FAILED, ("a.py::x",), ())


def test_findings_are_compared_as_multisets_and_never_by_line() -> None:
    base = findings(("E1", "m", 3), ("E1", "m", 4), ("E2", "n", 5))

    assert compare(base, findings(("E1", "m", 30), ("E1", "m", 40)), set()) == Verdict(
        "ruff", Status.PASSED, (), (), 2, "2 failed on the base already"
    )
    more = compare(base, findings(("E1", "m", 3), ("E1", "m", 4), ("E1", "m", 9), ("E3", "o", 1)), set())
    assert more.new_failures == ("a.py:3: E1 m (1 new of 3, lines 3, 4, 9)", "a.py:1: E3 o")
    assert more.old_failures == 2


@pytest.mark.parametrize(("state", "status"), [(State.OFF, Status.SWITCHED_OFF), (State.NOT_RUN, Status.NOT_RUN)])
def test_a_gate_that_was_not_run_never_counts_as_passed(state: State, status: Status) -> None:
    verdict = compare(GREEN, GateReport("check", state, why="because"), set())

    assert (verdict.status, verdict.why, verdict.blocks) == (status, "because", False)
