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
