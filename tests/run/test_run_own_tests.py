"""The tests of packages' own steps: what no gate ran is asked for, and a record that was changed is not believed."""

from __future__ import annotations

from pathlib import Path

from parallel_impl.gates.gate_report import GateReport, GateState, Test, TestOutcome
from parallel_impl.gates.steps import StepResult, StepStatus
from parallel_impl.plan.model import Package, Scope, StepKind
from parallel_impl.run import own_tests
from parallel_impl.run.own_tests import OwnTests
from parallel_impl.run.places import AttemptFiles

X, Y = (Test(f"t.py::{name}", TestOutcome.PASSED, ("t.py",)) for name in "xy")
PACKAGE = Package("wp-a", "d", Scope(("**",)))


def test_only_tests_that_no_gate_ran_are_missing() -> None:
    own = OwnTests(PACKAGE, {"unit": (X, Y), "more": (X,)})
    skipped = Test(Y.id, TestOutcome.SKIPPED)
    report = GateReport("pytest", GateState.GREEN, tests=(X, skipped), lists_tests=True)

    assert own.missing([report]) == {"unit": (Y,)}
    assert own.missing([]) == {"unit": (X, Y), "more": (X,)}


def test_a_record_counts_only_while_it_is_what_the_journal_says(tmp_path: Path) -> None:
    files = AttemptFiles(tmp_path)
    ran = StepResult("unit", StepKind.COMMAND, StepStatus.PASSED, tests=(X, Y))

    assert own_tests.write(files, [StepResult("lint", StepKind.COMMAND, StepStatus.PASSED)]) == ""
    digest = own_tests.write(files, [ran])

    assert own_tests.decode(files.tests, digest) == {"unit": (X, Y)}
    files.tests.write_bytes(files.tests.read_bytes().replace(b"t.py::y", b"t.py::z"))
    assert own_tests.decode(files.tests, digest) is None
    files.tests.unlink()
    assert own_tests.decode(files.tests, digest) is None


def test_changed_test_files_take_the_place_of_tests_that_nobody_read(tmp_path: Path) -> None:
    files, log = AttemptFiles(tmp_path), tmp_path / "log"
    log.write_text("Ran 2 tests in 0.1s\n\nOK\n")
    unread = StepResult("unit", StepKind.COMMAND, StepStatus.PASSED, log=log)
    quiet = StepResult("lint", StepKind.COMMAND, StepStatus.PASSED, log=tmp_path / "none")
    changed = ["tests/test_new.py", "src/k.py", "tests/data.json"]

    written = own_tests.decode(files.tests, own_tests.write(files, [unread, quiet], changed))

    assert written == {"unit": (Test("tests/test_new.py", TestOutcome.PASSED, ("tests/test_new.py",)),)}
    own = OwnTests(PACKAGE, written)
    ran = Test("tests/test_new.py::test_k", TestOutcome.PASSED, ("tests/test_new.py",))
    assert own.missing([GateReport("pytest", GateState.GREEN, tests=(ran,))]) == {}
    assert own.missing([GateReport("check", GateState.GREEN)]) == written
    assert own_tests.write(files, [unread], ["src/k.py"]) == ""
