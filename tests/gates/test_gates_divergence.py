"""What blocks where the candidate's judge and the base's disagree: only what the base had."""

from __future__ import annotations

from parallel_impl.gates.divergence import Divergence, compare
from parallel_impl.gates.gate_report import GateFinding, GateReport, GateState, Test, TestOutcome

PASSED, FAILED = TestOutcome.PASSED, TestOutcome.FAILED


def ran(*tests: Test) -> GateReport:
    red = any(test.outcome is FAILED for test in tests)
    return GateReport("pytest", GateState.RED if red else GateState.GREEN, int(red), tests=tests)


def found(*paths: str, code: str = "F401") -> GateReport:
    state = GateState.RED if paths else GateState.GREEN
    return GateReport("ruff", state, int(bool(paths)), findings=tuple(GateFinding(path, code, "no") for path in paths))


def of(path: str, outcome: TestOutcome = PASSED) -> Test:
    return Test(f"{path}::test", outcome, (path,))


def differ(base: GateReport, candidate: GateReport, laid: GateReport, *changed: str, steps: str = "") -> Divergence:
    files = ("src/m.py", "tests/old.py")
    return compare(base, candidate, laid, changed=changed, files=files, of_steps=[steps] if steps else [])


def test_a_test_of_an_unchanged_file_passes_under_both_judges() -> None:
    base = ran(of("tests/old.py"))
    assert differ(base, ran(of("tests/old.py")), ran(of("tests/old.py"))) == Divergence()
    for laid in (ran(of("tests/old.py", FAILED)), ran(), ran(of("tests/old.py", TestOutcome.SKIPPED))):
        assert differ(base, ran(of("tests/old.py")), laid).blocking


def test_a_test_that_needs_a_new_fixture_is_only_named() -> None:
    base, candidate = ran(of("tests/old.py")), ran(of("tests/old.py"), of("tests/new.py"))
    said = differ(base, candidate, ran(of("tests/old.py"), of("tests/new.py", FAILED)), "tests/new.py")
    assert said == Divergence((), ("1 test passes only as the candidate judges",))


def test_new_tests_that_the_candidates_judge_leaves_out_are_named() -> None:
    base, laid = ran(of("tests/old.py")), ran(of("tests/old.py"), of("tests/new.py"))
    assert differ(base, base, laid, "tests/new.py") == Divergence((), ("1 test runs only as the base judges",))


def test_a_test_whose_file_a_package_changed_is_not_compared() -> None:
    base = ran(of("tests/old.py"))
    assert not differ(base, base, ran(of("tests/old.py", FAILED)), "tests/old.py").blocking


def test_what_fails_on_the_candidate_is_its_verdicts_matter() -> None:
    base, red = ran(of("tests/old.py")), ran(of("tests/old.py", FAILED))
    assert not differ(base, red, red).blocking
    assert not differ(red, base, red).blocking


def test_a_test_of_a_packages_step_is_collected_by_both() -> None:
    base, both = ran(of("tests/old.py")), ran(of("tests/old.py"), of("tests/new.py", FAILED))
    said = differ(base, base, both, "tests/new.py", steps="tests/new.py::test")
    assert said.blocking == (
        "tests/new.py::test, which a package's own step runs, is collected only as the base judges",
    )
    assert not differ(base, both, both, "tests/new.py", steps="tests/new.py::test").blocking
    needs_it = ran(of("tests/old.py"), Test("tests/new.py", FAILED))  # its file cannot be read without the new conftest
    assert differ(base, both, needs_it, "tests/new.py", steps="tests/new.py::test").blocking == (
        "tests/new.py::test, which a package's own step runs, is collected only as the candidate judges",
    )
    assert not differ(base, both, needs_it, "tests/new.py").blocking


def test_a_finding_of_the_bases_judge_blocks_in_a_file_that_the_base_has() -> None:
    assert differ(found(), found(), found("src/m.py"), "src/m.py").blocking
    assert differ(found(), found(), found("src/new.py"), "src/new.py").blocking == ()
    assert differ(found(), found(), found("src/new.py"), "src/new.py").named


def test_an_old_finding_that_a_new_rule_does_not_see_does_not_block() -> None:
    assert differ(found("src/m.py"), found(), found("src/m.py")).blocking == ()
    assert differ(found("src/m.py"), found(), found("src/m.py", "src/m.py")).blocking


def test_stricter_rules_that_the_code_keeps_are_no_difference() -> None:
    assert differ(found(), found(), found()) == Divergence()


def test_a_gate_that_nobody_reads_ends_alike() -> None:
    green, red = (GateReport("check", state, code) for state, code in ((GateState.GREEN, 0), (GateState.RED, 1)))
    assert differ(green, green, green) == differ(red, red, red) == Divergence()
    assert differ(green, green, red).blocking == ("it ends with exit 0, and with exit 1 as the base judges",)
