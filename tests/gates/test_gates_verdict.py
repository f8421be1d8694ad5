"""New failures, not old ones: the comparison itself, with literals."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from parallel_impl.gates.gate_report import GateFinding, GateReport, GateState, Test, TestOutcome
from parallel_impl.gates.lost_tests import ChangedPaths
from parallel_impl.gates.verdict import (
    Again,
    GateVerdict,
    VerdictStatus,
    compare,
    runs_whole_again,
    to_confirm,
    to_confirm_on_base,
)


def ran(state: GateState = GateState.GREEN, **gate_report: TestOutcome) -> GateReport:
    """A report of tests `a.py::<name>`; red ones explain themselves."""
    made = tuple(Test(f"a.py::{name}", outcome, ("a.py",)) for name, outcome in gate_report.items())
    red = TestOutcome.FAILED in gate_report.values() and state is GateState.GREEN
    return GateReport("pytest", GateState.RED if red else state, int(red), tests=made, lists_tests=True)


def findings(*found: tuple[str, str, int]) -> GateReport:
    made = tuple(GateFinding("a.py", code, message, line) for code, message, line in found)
    return GateReport("ruff", GateState.RED if made else GateState.GREEN, int(bool(made)), findings=made)


def edited(*paths: str, removed: bool = False) -> ChangedPaths:
    return ChangedPaths(frozenset(paths), frozenset(paths) if removed else frozenset())


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
    verdict = compare(base, candidate, ChangedPaths())

    assert verdict.status is status
    assert verdict.blocks == (status in (VerdictStatus.FAILED, VerdictStatus.NOT_PROVEN))


@pytest.mark.parametrize(
    ("base", "candidate", "status"),
    [
        (PASSED, FAILED, VerdictStatus.FAILED),
        (SKIPPED, FAILED, VerdictStatus.FAILED),
        (FAILED, FAILED, VerdictStatus.PASSED),
        (FAILED, SKIPPED, VerdictStatus.PASSED),
        (PASSED, SKIPPED, VerdictStatus.GONE),
        (PASSED, TestOutcome.XFAILED, VerdictStatus.GONE),
        (TestOutcome.XPASSED, TestOutcome.XFAILED, VerdictStatus.PASSED),
        (SKIPPED, SKIPPED, VerdictStatus.PASSED),
    ],
)
def test_one_test_of_an_unchanged_file(base: TestOutcome, candidate: TestOutcome, status: VerdictStatus) -> None:
    assert compare(ran(x=base, y=PASSED), ran(x=candidate, y=PASSED), ChangedPaths()).status is status


def test_a_new_test_that_fails_is_new_and_an_old_one_is_counted() -> None:
    verdict = compare(ran(old=FAILED), ran(old=FAILED, new=FAILED), edited("a.py"))

    assert verdict == GateVerdict("pytest", VerdictStatus.FAILED, ("a.py::new",), old_failures=1, why="1 new")


def test_a_test_that_failed_on_the_base_may_go() -> None:
    assert compare(ran(x=FAILED, y=PASSED), ran(y=PASSED), ChangedPaths()).status is VerdictStatus.PASSED


def test_a_test_for_each_file_goes_with_the_file() -> None:
    base = GateReport("pytest", GateState.GREEN, tests=(Test("t.py::test_style[src/old.py]", PASSED, ("t.py",)),))

    excused = compare(base, ran(y=PASSED), edited("src/old.py", removed=True))
    assert (excused.status, excused.renamed) == (
        VerdictStatus.PASSED,
        ("t.py::test_style[src/old.py] is gone with src/old.py",),
    )
    for paths in (edited("src/old.py"), edited("src/other.py", removed=True), edited("ld.py", removed=True)):
        assert compare(base, ran(), paths).status is VerdictStatus.GONE


def test_a_test_whose_file_nobody_named_is_found_by_its_module() -> None:
    base = GateReport("pytest", GateState.GREEN, tests=(Test("tests.test_x.TestY::test_z", PASSED),))

    now = GateReport("pytest", GateState.GREEN, tests=(Test("tests.test_x.TestY::test_new", PASSED),))
    assert compare(base, now, edited("tests/test_x.py")).status is VerdictStatus.PASSED
    assert compare(base, ran(), edited("tests/test_x.py")).status is VerdictStatus.GONE
    for other in ("tests/test_xy.py", "tests.md", "tests.py"):
        assert compare(base, now, edited(other)).status is VerdictStatus.GONE


def test_a_broken_candidate_lists_what_it_knows_but_nothing_as_gone() -> None:
    verdict = compare(ran(x=PASSED, y=PASSED), ran(GateState.BROKEN, x=FAILED), ChangedPaths())

    assert (verdict.status, verdict.new_failures, verdict.gone) == (VerdictStatus.FAILED, ("a.py::x",), ())


def test_findings_are_compared_as_multisets_and_never_by_line() -> None:
    base = findings(("E1", "m", 3), ("E1", "m", 4), ("E2", "n", 5))

    assert compare(base, findings(("E1", "m", 30), ("E1", "m", 40)), ChangedPaths()) == GateVerdict(
        "ruff", VerdictStatus.PASSED, (), (), 2, "2 failed on the base already"
    )
    more = compare(base, findings(("E1", "m", 3), ("E1", "m", 4), ("E1", "m", 9), ("E3", "o", 1)), ChangedPaths())
    assert more.new_failures == ("a.py:3: E1 m (1 new of 3, lines 3, 4, 9)", "a.py:1: E3 o")
    assert more.old_failures == 2


@pytest.mark.parametrize(
    ("state", "status"), [(GateState.OFF, VerdictStatus.SWITCHED_OFF), (GateState.NOT_RUN, VerdictStatus.NOT_RUN)]
)
def test_a_gate_that_was_not_run_never_counts_as_passed(state: GateState, status: VerdictStatus) -> None:
    verdict = compare(GREEN, GateReport("check", state, why="because"), ChangedPaths())

    assert (verdict.status, verdict.why, verdict.blocks) == (status, "because", False)


# -- complete or not proven


def stopped(why: str, x: TestOutcome) -> GateReport:
    return replace(ran(x=x), stopped=why, explained=False, unexplained=why, selected=("a.py::x", "a.py::new"))


def test_a_session_that_stopped_early_proves_nothing_on_either_side() -> None:
    early = stopped("stopping after 1 failures", x=FAILED)

    assert compare(ran(x=FAILED), early, ChangedPaths()).status is VerdictStatus.NOT_PROVEN
    assert compare(ran(x=PASSED), early, ChangedPaths()).status is VerdictStatus.FAILED
    assert compare(early, ran(x=FAILED, new=FAILED), ChangedPaths()).status is VerdictStatus.NOT_PROVEN
    assert compare(early, ran(x=FAILED, other=FAILED), ChangedPaths()).status is VerdictStatus.FAILED
    assert compare(early, ran(x=FAILED, new=PASSED), ChangedPaths()).status is VerdictStatus.PASSED


def test_a_green_session_that_was_ended_early_is_no_green() -> None:
    early = replace(ran(GateState.RED, x=PASSED), exit_code=0, stopped="pytest was interrupted: enough")

    assert compare(ran(x=PASSED), early, ChangedPaths()).status is VerdictStatus.NOT_PROVEN


def test_listed_failures_do_not_explain_a_command_that_is_more_than_the_tool() -> None:
    more = replace(ran(x=FAILED), explained=False, unexplained="its command is more")

    assert compare(more, more, ChangedPaths()).status is VerdictStatus.NOT_PROVEN
    assert compare(ran(x=FAILED), more, ChangedPaths()).status is VerdictStatus.FAILED


# -- seen twice


@pytest.mark.parametrize(
    ("before", "after", "status", "listed"),
    [
        ((PASSED, None), (FAILED, FAILED), VerdictStatus.FAILED, "new_failures"),
        ((PASSED, None), (FAILED, None), VerdictStatus.FAILED, "new_failures"),
        ((PASSED, None), (FAILED, PASSED), VerdictStatus.FLAKY, "flaky"),
        ((FAILED, FAILED), (FAILED, FAILED), VerdictStatus.PASSED, ""),
        ((FAILED, PASSED), (FAILED, FAILED), VerdictStatus.FAILED, "new_failures"),
        ((FAILED, None), (FAILED, FAILED), VerdictStatus.FAILED, "new_failures"),
        ((FAILED, PASSED), (FAILED, PASSED), VerdictStatus.PASSED, "unstable"),
        ((FAILED, SKIPPED), (FAILED, FAILED), VerdictStatus.FAILED, "new_failures"),
        ((FAILED, PASSED), (PASSED, None), VerdictStatus.PASSED, ""),
    ],
)
def test_a_failure_counts_by_what_was_seen_twice(
    before: tuple[TestOutcome, TestOutcome | None],
    after: tuple[TestOutcome, TestOutcome | None],
    status: VerdictStatus,
    listed: str,
) -> None:
    base, candidate = ran(x=before[0], y=PASSED), ran(x=after[0], y=PASSED)
    twice = [{"a.py::x": second} if second else {} for second in (before[1], after[1])]
    again = Again(twice[0], twice[1])

    found = compare(base, candidate, ChangedPaths(), again)

    assert found.status is status
    lists = {name: len(getattr(found, name)) for name in ("new_failures", "flaky", "unstable")}
    assert lists == {name: int(name == listed) for name in lists}


def test_what_passes_alone_and_failed_beside_other_heavy_work_is_listed_and_does_not_block() -> None:
    base, candidate = ran(x=PASSED, y=PASSED), replace(ran(x=FAILED, y=PASSED), beside=True)

    found = compare(base, candidate, ChangedPaths(), Again(candidate={"a.py::x": PASSED}))

    assert found.status is VerdictStatus.PASSED
    assert found.red_under_load == ("a.py::x: failed beside other heavy work, and passed alone",)
    assert found.why == "1 red under load"
    assert compare(base, candidate, ChangedPaths(), Again(candidate={"a.py::x": FAILED})).status is VerdictStatus.FAILED


def test_only_failures_run_again_and_on_the_base_only_those_of_both_sides() -> None:
    base, candidate = ran(x=FAILED, y=PASSED, z=FAILED), ran(x=FAILED, y=FAILED, z=PASSED)

    assert [test.id for test in to_confirm(base, candidate)] == ["a.py::x", "a.py::y"]
    assert [test.id for test in to_confirm_on_base(base, candidate, Again())] == ["a.py::x"]
    assert to_confirm_on_base(base, candidate, Again(candidate={"a.py::x": PASSED})) == ()


def test_more_than_fifty_new_failures_are_no_accident() -> None:
    many = named(*(f"a.py::t{number}" for number in range(51)), outcome=FAILED)

    assert to_confirm(ran(y=PASSED), many) == ()
    assert compare(ran(y=PASSED), many, ChangedPaths()).status is VerdictStatus.FAILED
    assert len(to_confirm(ran(t0=FAILED), many)) == 51


def test_a_command_that_lists_nothing_runs_again_as_a_whole_where_the_base_is_green() -> None:
    assert runs_whole_again(GREEN, RED)
    assert not runs_whole_again(RED, RED)
    assert not runs_whole_again(ran(x=PASSED), ran(x=FAILED))
    assert compare(GREEN, RED, ChangedPaths(), Again(exit_code=0)).status is VerdictStatus.FLAKY
    assert compare(GREEN, RED, ChangedPaths(), Again(exit_code=3)).status is VerdictStatus.FAILED


# -- ids


def named(*tests: str, outcome: TestOutcome = PASSED, file: str = "") -> GateReport:
    made = tuple(Test(one, outcome, (file or one.split("::")[0],)) for one in tests)
    red = outcome is FAILED
    return GateReport("pytest", GateState.RED if red else GateState.GREEN, int(red), tests=made, lists_tests=True)


def test_ids_with_constant_parameters_are_not_folded() -> None:
    base = replace(named("t.py::n[0xdeadbeef]", outcome=FAILED), tests=(
        Test("t.py::n[0xdeadbeef]", FAILED, ("t.py",)), Test("t.py::n[0xcafebabe]", PASSED, ("t.py",))))  # fmt: skip
    both = named("t.py::n[0xdeadbeef]", "t.py::n[0xcafebabe]", outcome=FAILED)

    assert compare(base, both, ChangedPaths()).new_failures == ("t.py::n[0xcafebabe]",)


@pytest.mark.parametrize(
    ("before", "after", "status"),
    [
        (("t.py::n[<f at 0x7f00aa>]",), ("t.py::n[<f at 0x7f11bb>]",), VerdictStatus.PASSED),
        (("t.py::n[0x7f00aa]", "t.py::n[0x7f00ab]"), ("t.py::n[0x7f11bb]",), VerdictStatus.GONE),
        (("t.py::n[1732610000]",), ("t.py::n[1732610777]",), VerdictStatus.PASSED),
        (("t.py::n[1.2]",), ("t.py::n[1.3]",), VerdictStatus.PASSED),
        (("t.py::n1",), ("t.py::n2",), VerdictStatus.GONE),
        (("t.py::n[red]",), ("t.py::n[blue]",), VerdictStatus.GONE),
    ],
)
def test_ids_that_differ_each_time_are_matched_in_whole_groups(
    before: tuple[str, ...], after: tuple[str, ...], status: VerdictStatus
) -> None:
    assert compare(named(*before), named(*after), ChangedPaths()).status is status


def test_a_failure_under_another_number_is_another_failure() -> None:
    base, candidate = named("t.py::n[3]", outcome=FAILED), named("t.py::n[4]", outcome=FAILED)

    assert compare(base, candidate, ChangedPaths()).new_failures == ("t.py::n[4]",)


# -- gone


def test_a_changed_file_that_runs_fewer_passing_tests_lost_some() -> None:
    base, fewer, same = named("t.py::a", "t.py::b"), named("t.py::a"), named("t.py::a", "t.py::c")

    assert compare(base, fewer, edited("t.py")).gone == ("t.py::b is gone: t.py runs 1 of 2 passing tests",)
    assert compare(base, fewer, edited("t.py")).status is VerdictStatus.GONE
    found = compare(base, same, edited("t.py"))
    assert (found.status, len(found.renamed), found.gone) == (VerdictStatus.PASSED, 1, ())
    assert compare(base, same, edited("other.py")).status is VerdictStatus.GONE


def test_tests_that_moved_to_another_file_are_not_gone() -> None:
    base, moved = named("t.py::a", "t.py::b"), named("t.py::a", "u.py::b")

    assert compare(base, moved, edited("t.py", "u.py")).renamed == ("t.py::b is now u.py::b",)
    assert compare(base, moved, edited("t.py", "u.py")).status is VerdictStatus.PASSED


def test_a_removed_file_says_how_many_tests_went_with_it() -> None:
    found = compare(named("t.py::a", "t.py::b", "u.py::c"), named("u.py::c"), edited("t.py", removed=True))

    assert (found.status, found.removed) == (
        VerdictStatus.PASSED,
        ("t.py was removed: 2 passing tests are gone",),
    )


# -- no test is no proof


def test_a_gate_that_ran_nothing_is_not_run_and_red_where_the_base_had_tests() -> None:
    assert compare(ran(), ran(), ChangedPaths()).status is VerdictStatus.NOT_RUN
    assert compare(ran(x=SKIPPED), ran(x=SKIPPED), ChangedPaths()).status is VerdictStatus.NOT_RUN
    assert compare(ran(x=PASSED), ran(), edited("a.py", removed=True)).status is VerdictStatus.FAILED


def printed(passed: int | None) -> GateReport:
    return replace(GREEN, passed=passed)


@pytest.mark.parametrize(
    ("base", "candidate", "removed", "status", "why"),
    [
        (9, 9, "", VerdictStatus.PASSED, ""),
        (9, 10, "", VerdictStatus.PASSED, ""),
        (None, 10, "", VerdictStatus.PASSED, ""),
        (9, 8, "", VerdictStatus.GONE, "8 passed, on the base 9 did"),
        (9, 8, "tests/test_a.py", VerdictStatus.PASSED, ""),
        (9, 8, "docs/a.md", VerdictStatus.GONE, "8 passed, on the base 9 did"),
        (9, None, "tests/test_a.py", VerdictStatus.GONE, "its output shows no test, on the base 9 passed"),
        (9, 0, "tests/test_a.py", VerdictStatus.FAILED, "no test passed, on the base 9 did"),
        (0, 0, "", VerdictStatus.NOT_RUN, "there are no tests"),
        (None, 0, "", VerdictStatus.NOT_RUN, "there are no tests"),
    ],
)
def test_an_output_that_only_counts_its_tests_has_no_fewer_than_on_the_base(
    base: int | None, candidate: int, removed: str, status: VerdictStatus, why: str
) -> None:
    changed = edited(removed, removed=True) if removed else ChangedPaths()
    verdict = compare(printed(base), printed(candidate), changed)

    assert (verdict.status, verdict.why) == (status, why)
    assert bool(verdict.removed) is (status is VerdictStatus.PASSED and bool(removed))


def of_ids(*several: tuple[str, TestOutcome]) -> GateReport:
    made = tuple(Test(f"a.py::t[{one}]", outcome, ("a.py",)) for one, outcome in several)
    return replace(ran(), state=GateState.RED, exit_code=1, tests=made)


def seen(*several: tuple[str, TestOutcome]) -> dict[str, TestOutcome]:
    return {f"a.py::t[{one}]": outcome for one, outcome in several}


@pytest.mark.parametrize(
    ("on_base", "on_candidate", "status"),
    [
        (seen(("0xbbb1", FAILED), ("0xbbb2", PASSED)), seen(("0xbbb3", FAILED), ("0xbbb4", PASSED)), "passed"),
        (seen(("0xbbb1", PASSED), ("0xbbb2", PASSED)), seen(("0xbbb3", PASSED), ("0xbbb4", PASSED)), "passed"),
        (seen(("0xbbb1", PASSED), ("0xbbb2", PASSED)), seen(("0xbbb3", FAILED), ("0xbbb4", PASSED)), "failed"),
        ({}, seen(("0xbbb3", FAILED)), "failed"),
    ],
)
def test_a_second_session_of_ids_that_are_others_each_time_is_compared_by_groups(
    on_base: dict[str, TestOutcome], on_candidate: dict[str, TestOutcome], status: str
) -> None:
    base = of_ids(("0xaaa1", FAILED), ("0xaaa2", PASSED))
    candidate = of_ids(("0xaaa3", PASSED), ("0xaaa4", FAILED))

    assert compare(base, candidate, ChangedPaths(), Again(on_base, on_candidate)).status == status
