"""JUnit XML, as most runners write it: test cases by class name and name.

What a suite counts beyond its cases (a file that could not be loaded) is nothing that its cases explain.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from msgspec.structs import replace

from parallel_impl.errors import printable
from parallel_impl.gates.gate_report import GateReport, GateState, Test, TestOutcome
from parallel_impl.gates.readers.output import GateOutput, content, first_line, placed, relative, unique

ENTITIES = re.compile(rb"<!(DOCTYPE|ENTITY)", re.I)


class JUnitError(ValueError):
    """A report that cannot be read; the text says why."""


def parse(raw: bytes) -> ElementTree.Element:
    """The root of a report. JUnitError for what is no XML, or declares entities, which may grow without bound."""
    if ENTITIES.search(raw):
        raise JUnitError("the JUnit report declares entities")
    try:
        return ElementTree.fromstring(raw)  # noqa: S314  (entities were refused above)
    except (ElementTree.ParseError, ValueError, LookupError):
        raise JUnitError("the JUnit report is not XML that can be read") from None


def read(output: GateOutput, report: GateReport) -> GateReport:
    """Test cases by class name and name; equal names are counted, since they do collide."""
    raw = content(output.junit or output.lines)
    if raw is None:
        why = "no JUnit report was written: let the command write it to $PARALLEL_IMPL_REPORT"
        return replace(report, state=GateState.BROKEN, why=why)
    try:
        root = parse(raw)
    except JUnitError as error:
        return replace(report, state=GateState.BROKEN, why=str(error))
    tests: dict[str, Test] = {}
    for case in root.iter("testcase"):
        words = "::".join(filter(None, (case.get("classname"), case.get("name"))))
        name = unique(printable(placed(words, output.checkout)), tests)
        file = case.get("file") or _class_file(case.get("classname") or "", output.checkout)
        tests[name] = Test(name, _outcome(case), (file,) if file else (), _why(case))
    if not tests and any(_counted(suite, "errors") for suite in root.iter("testsuite")):
        return replace(report, state=GateState.BROKEN, why="the JUnit report has errors and no tests")
    hidden = max(_hidden(root), sum(_hidden(suite) for suite in root.iter("testsuite")))
    unexplained = f"the JUnit report counts {hidden} more that failed than it lists" if hidden else ""
    found = tuple(tests.values())
    return replace(report, state=GateState.RED, tests=found, unexplained=unexplained, lists_tests=True)


def _class_file(name: str, checkout: Path) -> str:
    """The file that a class name is, where a reporter writes one there (vitest does)."""
    path = relative(name, checkout)
    return path if "/" in path and len(path) < 1000 and "\0" not in path and (checkout / path).is_file() else ""


def _counted(suite: ElementTree.Element, name: str, otherwise: int = 0) -> int:
    number = suite.get(name, "")
    return int(number) if number.isascii() and number.isdigit() else otherwise


def _hidden(suite: ElementTree.Element) -> int:
    """How many failures and errors a suite counts beyond those of its tests: a file that could not be loaded, say."""
    listed = Counter(one.tag for case in suite.iter("testcase") for one in case)
    counted = _counted(suite, "errors", listed["error"]) + _counted(suite, "failures", listed["failure"])
    own = sum(1 for one in suite if one.tag in ("failure", "error"))  # of a file that could not be loaded
    return max(own, counted - listed["failure"] - listed["error"])


def _outcome(case: ElementTree.Element) -> TestOutcome:
    if case.find("failure") is not None or case.find("error") is not None:
        return TestOutcome.FAILED
    return TestOutcome.SKIPPED if case.find("skipped") is not None else TestOutcome.PASSED


def _why(case: ElementTree.Element) -> str:
    for kind in ("failure", "error"):
        if (found := case.find(kind)) is not None:
            return first_line(found.get("message") or found.text or "")
    return ""
