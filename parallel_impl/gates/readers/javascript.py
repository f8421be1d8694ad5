"""The JSON report of jest (`--json`), which vitest writes too, by files and the tests in them."""

from __future__ import annotations

import re

import msgspec
from msgspec.structs import replace

from parallel_impl.errors import printable
from parallel_impl.gates.gate_report import GateReport, GateState, Test, TestOutcome
from parallel_impl.gates.readers.output import GateOutput, content, first_line, relative, unique

OUTCOMES = {"passed": TestOutcome.PASSED, "failed": TestOutcome.FAILED}  # pending, todo, skipped, disabled: skipped
# reasons for a red exit that are no test: neither tool writes them into the report
OTHER_REASONS = re.compile(
    rb"coverage threshold for|ERROR: Coverage for|Unhandled (Errors?|Rejection)|[Oo]bsolete snapshot|typecheck errors?",
    re.I,
)


class Assertion(msgspec.Struct, frozen=True, rename="camel"):
    """One test."""

    title: str
    status: str
    ancestor_titles: tuple[str, ...] = ()
    failure_messages: tuple[str, ...] | None = ()


class TestFile(msgspec.Struct, frozen=True, rename="camel"):
    """One file of tests; failed without a failing test: it could not be loaded."""

    __test__ = False

    name: str
    status: str = ""
    message: str = ""
    assertion_results: tuple[Assertion, ...] = ()


class JestReport(msgspec.Struct, frozen=True, rename="camel"):
    """The whole report."""

    test_results: tuple[TestFile, ...]
    was_interrupted: bool = False


def read_vitest(output: GateOutput, report: GateReport) -> GateReport:
    """As `read`; what its `bail` left out is a pending test, or a file without tests that passed."""
    found = read(output, report)
    if (
        found.state is GateState.BROKEN
        or not output.exit_code
        or (raw := content(output.junit or output.lines)) is None
    ):
        return found
    files = msgspec.json.decode(raw, type=JestReport).test_results
    left = [f for f in files if not f.assertion_results or any(one.status == "pending" for one in f.assertion_results)]
    if not left:
        return found
    more = f" and in {len(left) - 1} more" if len(left) > 1 else ""
    where = relative(left[0].name, output.checkout)
    return replace(found, stopped=printable(f"vitest did not run all its tests: not in {where}{more}"))


def read(output: GateOutput, report: GateReport) -> GateReport:
    """Tests as `file > group > test`; without a report the exit code counts (the script may run something else)."""
    raw = content(output.junit) if output.junit else None
    if raw is None:
        return replace(report, state=GateState.RED, explained=False, why="no report was written: its exit code counts")
    try:
        found = msgspec.json.decode(raw, type=JestReport)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return replace(report, state=GateState.BROKEN, why="the JSON report cannot be read")
    tests = _tests(output, found)
    if found.was_interrupted:
        return replace(report, state=GateState.BROKEN, tests=tests, why="the run was interrupted")
    for file in found.test_results:
        if file.status == "failed" and not any(one.status == "failed" for one in file.assertion_results):
            where = relative(file.name, output.checkout)
            why = printable(f"tests could not be collected from {where}: {first_line(file.message)}")
            return replace(report, state=GateState.BROKEN, tests=tests, why=why)
    others = bool(output.exit_code) and OTHER_REASONS.search(output.log) is not None
    return replace(report, state=GateState.RED, tests=tests, explained=not others)


def _tests(output: GateOutput, found: JestReport) -> tuple[Test, ...]:
    tests: dict[str, Test] = {}
    for file in found.test_results:
        path = relative(file.name, output.checkout)
        for one in file.assertion_results:
            name = unique(printable(" > ".join((path, *one.ancestor_titles, one.title))), tests)
            outcome = OUTCOMES.get(one.status, TestOutcome.SKIPPED)
            why = first_line((one.failure_messages or ("",))[0]) if outcome is TestOutcome.FAILED else ""
            tests[name] = Test(name, outcome, (path,), why)
    return tuple(tests.values())
