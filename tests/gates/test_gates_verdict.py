"""New failures, not old ones: the comparison itself, with literals."""

from __future__ import annotations

import pytest

from parallel_impl.gates.gate_report import GateFinding, GateReport, GateState, Test, TestOutcome
from parallel_impl.gates.verdict import GateVerdict, VerdictStatus, compare


def ran(state: GateState = GateState.GREEN, **gate_report: TestOutcome) -> GateReport:
    """A report of tests `a.py::<name>`; red ones explain themselves."""
    made = tuple(Test(f"a.py::{name}", outcome, ("a.py",)) for name, outcome in gate_report.items())
    red = TestOutcome.FAILED in gate_report.values() and state is GateState.GREEN
    return GateReport("pytest", GateState.RED if red else state, int(red), tests=made)


def findings(*found: tuple[str, str, int]) -> GateReport:
    made = tuple(GateFinding("a.py", code, message, line) for code, message, line in found)
    return GateReport("ruff", GateState.RED if made else GateState.GREEN, int(bool(made)), findings=made)


GREEN = GateReport("check", GateState.GREEN, 0, explained=False)
RED = GateReport("check", GateState.RED, 3, explained=False)
BROKEN = GateReport("check", GateState.BROKEN, None, why="it crashed")
PASSED, FAILED, SKIPPED = TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.SKIPPED


@pytest.mark.parametrize(
    ("base", "candidate", "status"),
    [
        (GREEN, GREEN, VerdictStatus.PASSED),
        (RED, GREEN, VerdictStatus.PASSED),
        (BROKEN, GREEN, VerdictStatus.PASSED),
        (None, GREEN, VerdictStatus.PASSED),
        (GREEN, RED, VerdictStatus.FAILED),
        (None, RED, VerdictStatus.FAILED),
        (RED, RED, VerdictStatus.NOT_PROVEN),
        (BROKEN, RED, VerdictStatus.NOT_PROVEN),
        (GREEN, BROKEN, VerdictStatus.FAILED),
        (BROKEN, BROKEN, VerdictStatus.FAILED),
        (ran(x=FAILED), RED, VerdictStatus.FAILED),
    ],
)
def test_output_that_nobody_reads(base: GateReport | None, candidate: GateReport, status: VerdictStatus) -> None:
    verdict = compare(base, candidate, set())

    assert verdict.status is status
    assert verdict.blocks == (status in (VerdictStatus.FAILED, VerdictStatus.NOT_PROVEN))


@pytest.mark.parametrize(
    ("base", "candidate", "status"),
    [
        (PASSED, FAILED, VerdictStatus.FAILED),
        (SKIPPED, FAILED, VerdictStatus.FAILED),
        (FAILED, FAILED, VerdictStatus.PASSED),
        (FAILED, SKIPPED, VerdictStatus.PASSED),
        (PASSED, SKIPPED, VerdictStatus.FAILED),
        (PASSED, TestOutcome.XFAILED, VerdictStatus.FAILED),
        (TestOutcome.XPASSED, TestOutcome.XFAILED, VerdictStatus.PASSED),
        (SKIPPED, SKIPPED, VerdictStatus.PASSED),
    ],
)
def test_one_test_of_an_unchanged_file(base: TestOutcome, candidate: TestOutcome, status: VerdictStatus) -> None:
    assert compare(ran(x=base), ran(x=candidate), set()).status is status


def test_a_new_test_that_fails_is_new_and_an_old_one_is_counted() -> None:
    verdict = compare(ran(old=FAILED), ran(old=FAILED, new=FAILED), {"a.py"})

    assert verdict == GateVerdict("pytest", VerdictStatus.FAILED, ("a.py::new",), (), 1, "1 new")


def test_a_test_that_failed_on_the_base_may_go() -> None:
    assert compare(ran(x=FAILED), ran(), set()) == GateVerdict("pytest", VerdictStatus.PASSED)


def test_a_test_for_each_file_goes_with_the_file() -> None:
    base = GateReport("pytest", GateState.GREEN, tests=(Test("t.py::test_style[src/old.py]", PASSED, ("t.py",)),))

    assert compare(base, ran(), {"src/old.py"}).gone == ("t.py::test_style[src/old.py] is gone",)
    assert compare(base, ran(), {"src/other.py"}).status is VerdictStatus.FAILED


def test_a_test_whose_file_nobody_named_is_found_by_its_module() -> None:
    base = GateReport("pytest", GateState.GREEN, tests=(Test("tests.test_x.TestY::test_z", PASSED),))

    assert compare(base, ran(), {"tests/test_x.py"}).status is VerdictStatus.PASSED
    assert compare(base, ran(), {"tests/test_xy.py"}).status is VerdictStatus.FAILED


def test_a_broken_candidate_lists_what_it_knows_but_nothing_as_gone() -> None:
    verdict = compare(ran(x=PASSED, y=PASSED), ran(GateState.BROKEN, x=FAILED), set())

    assert (verdict.status, verdict.new_failures, verdict.gone) == (VerdictStatus.FAILED, ("a.py::x",), ())


def test_findings_are_compared_as_multisets_and_never_by_line() -> None:
    base = findings(("E1", "m", 3), ("E1", "m", 4), ("E2", "n", 5))

    assert compare(base, findings(("E1", "m", 30), ("E1", "m", 40)), set()) == GateVerdict(
        "ruff", VerdictStatus.PASSED, (), (), 2, "2 failed on the base already"
    )
    more = compare(base, findings(("E1", "m", 3), ("E1", "m", 4), ("E1", "m", 9), ("E3", "o", 1)), set())
    assert more.new_failures == ("a.py:3: E1 m (1 new of 3, lines 3, 4, 9)", "a.py:1: E3 o")
    assert more.old_failures == 2


@pytest.mark.parametrize(
    ("state", "status"), [(GateState.OFF, VerdictStatus.SWITCHED_OFF), (GateState.NOT_RUN, VerdictStatus.NOT_RUN)]
)
def test_a_gate_that_was_not_run_never_counts_as_passed(state: GateState, status: VerdictStatus) -> None:
    verdict = compare(GREEN, GateReport("check", state, why="because"), set())

    assert (verdict.status, verdict.why, verdict.blocks) == (status, "because", False)
