"""The JUnit report of node's own test runner (`--test-reporter=junit`): groups are suites, files are not named.

The files that may define a test are those that have its title as a text, else all that use the runner. A file that
died is in it as a test of its own that is named by its path, and its other tests are not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from xml.etree import ElementTree

from msgspec.structs import replace

from parallel_impl.errors import printable
from parallel_impl.gates.gate_report import GateReport, GateState, Test, TestOutcome
from parallel_impl.gates.readers.output import GateOutput, content, first_line, relative, unique

ENTITIES = re.compile(rb"<!(DOCTYPE|ENTITY)", re.I)
FILE = re.compile(r"\.[cm]?[jt]sx?$")
TEXT = re.compile(r"""(['"`])((?:\\.|(?!\1)[^\\\n])*)\1""")
FLOOR = re.compile(rb"coverage does not meet threshold")  # --test-coverage-lines and its like
LARGEST_SOURCE = 2_000_000


def read(output: GateOutput, report: GateReport) -> GateReport:
    """Tests as `group > test`; without a report the exit code counts (node before 20 does not write it)."""
    raw = content(output.junit) if output.junit else None
    if raw is None:
        return replace(report, state=GateState.RED, explained=False, why="no report was written: its exit code counts")
    try:
        root = None if ENTITIES.search(raw) else ElementTree.fromstring(raw)  # noqa: S314  (entities are refused)
    except (ElementTree.ParseError, ValueError, LookupError):
        root = None
    if root is None:
        return replace(report, state=GateState.BROKEN, why="the JUnit report is not XML that can be read")
    tests, defining = dict[str, Test](), _Titles(output.checkout)
    for path, case in _cases(root, ()):
        if died := _file_that_died(case, output.checkout):
            why = printable(f"{died} ended before all its tests were reported")
            return replace(report, state=GateState.BROKEN, tests=tuple(tests.values()), why=why)
        name = unique(printable(" > ".join(path)), tests)
        file = case.get("file")
        files = (relative(file, output.checkout),) if file else defining.files(path[-1])
        tests[name] = Test(name, _outcome(case), files, _why(case))
    floor = bool(output.exit_code) and FLOOR.search(output.log) is not None
    return replace(report, state=GateState.RED, tests=tuple(tests.values()), explained=not floor)


class _Titles:
    """The texts in the files of a checkout that use the runner."""

    def __init__(self, checkout: Path) -> None:
        self._checkout = checkout

    @cached_property
    def _found(self) -> dict[str, set[str]]:
        """The texts of each file, by its path."""
        found = {}
        for path in _sources(self._checkout):
            text = path.read_text(errors="replace") if path.stat().st_size <= LARGEST_SOURCE else ""
            if "node:test" in text:
                name = path.relative_to(self._checkout).as_posix()
                found[name] = {match[2] for match in TEXT.finditer(text)}
        return found

    def files(self, title: str) -> tuple[str, ...]:
        having = tuple(path for path, texts in self._found.items() if title in texts)
        return having or tuple(self._found)


def _sources(checkout: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(checkout):
        names[:] = sorted(name for name in names if name not in ("node_modules", ".git"))
        for name in sorted(files):
            path = Path(folder, name)
            if FILE.search(name) and path.is_file() and not path.is_symlink():
                yield path


def _cases(node: ElementTree.Element, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], ElementTree.Element]]:
    for child in node:
        if child.tag == "testsuite":
            yield from _cases(child, (*path, child.get("name", "")))
        elif child.tag == "testcase":
            yield (*path, child.get("name", "")), child


def _outcome(case: ElementTree.Element) -> TestOutcome:
    if case.find("skipped") is not None:  # a test marked `todo` may fail
        return TestOutcome.SKIPPED
    return TestOutcome.FAILED if case.find("failure") is not None else TestOutcome.PASSED


def _why(case: ElementTree.Element) -> str:
    failure = case.find("failure")
    return first_line(failure.get("message") or failure.text or "") if failure is not None else ""


def _file_that_died(case: ElementTree.Element, checkout: Path) -> str:
    name = case.get("name", "")
    if case.find("failure") is None or not FILE.search(name):
        return ""
    path = relative(name, checkout)
    return path if (checkout / path).is_file() else ""
