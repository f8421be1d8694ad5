"""What a gate's output says: which tests passed and failed, which findings there are.

`quality` runs the gates and calls `read`; `verdict` compares two of its answers. A report that cannot be trusted to be
whole (crash, collection error, missing file) is `BROKEN`, whatever else it says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar
from xml.etree import ElementTree

import msgspec
from msgspec.structs import replace

from parallel_impl.errors import printable
from parallel_impl.gates.gate_report import GateFinding, GateReport, GateState, Test, TestOutcome
from parallel_impl.gates.readers import cargo, go, javascript, node
from parallel_impl.gates.readers.output import GateOutput, content
from parallel_impl.text import shorten

NUMBER = re.compile(r"\d+")
VOLATILE = re.compile(r"0x[0-9a-fA-F]{4,}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MYPY_LINE = re.compile(
    r"^(?P<file>[^\s:][^:\n]*):(?P<line>\d+):(?:\d+:)* error: (?P<message>.*?)(?:  \[(?P<code>[\w-]+)\])?$"
)
OLD_FORMAT = re.compile(r"^Would reformat: (.+)$", re.M)
ENTITIES = re.compile(rb"<!(DOCTYPE|ENTITY)", re.I)
NO_TESTS = 5

T = TypeVar("T")


def read(parser: str, output: GateOutput, report: GateReport) -> GateReport:
    """`report` with what the output of a gate that ran to its end says, by its parser (`config.PARSERS`)."""
    found = READERS.get(parser, _exit_code)(output, report)
    red = any(test.outcome is TestOutcome.FAILED for test in found.tests) or bool(found.findings)
    if found.state is GateState.BROKEN:
        return found
    if output.exit_code == 0 or (found.state is GateState.GREEN and not red):
        return replace(found, state=GateState.RED if red else GateState.GREEN)
    return replace(found, state=GateState.RED, explained=red and found.explained)


def _exit_code(output: GateOutput, report: GateReport) -> GateReport:
    return replace(report, state=GateState.GREEN if output.exit_code == 0 else GateState.RED, explained=False)


# -- pytest


def _pytest(output: GateOutput, report: GateReport) -> GateReport:
    """Our plugin's lines; JUnit XML where the command writes it and the plugin could not be loaded."""
    lines = content(output.lines)
    if lines is None and output.junit and output.junit.is_file():
        return _junit(output, report)
    if lines is None:
        why = "pytest left no report: it did not start, or its -p option was lost"
        return replace(report, state=GateState.BROKEN, why=why)
    sessions = _Sessions(output.checkout)
    for line in lines.splitlines():
        sessions.take(_line(line))
    report = replace(report, tests=tuple(sessions.tests.values()))
    if why := sessions.broken():
        return replace(report, state=GateState.BROKEN, why=printable(why))
    if output.exit_code == NO_TESTS and not sessions.tests:
        return replace(report, state=GateState.GREEN, why="there are no tests")
    return replace(report, state=GateState.RED)


class _Line(msgspec.Struct, frozen=True, tag_field="event", tag=str.lower):
    """A line of our plugin's report."""

    session: str


class SessionStart(_Line, frozen=True, tag="start"):
    """A session of pytest began; `root` is its root folder."""

    root: str


class Running(_Line, frozen=True, tag="test"):
    """A test is about to run."""

    id: str


class Phase(_Line, frozen=True, tag="report"):
    """A phase of a test is over: its call, or a set-up or teardown that did not pass."""

    id: str
    file: str
    outcome: str
    xfail: bool = False
    why: str = ""


class Collection(_Line, frozen=True):
    """Tests could not be collected."""

    id: str
    why: str = ""


class Internal(_Line, frozen=True):
    """pytest itself failed."""

    why: str = ""


class Finish(_Line, frozen=True):
    """A session is over."""

    status: int


Line = SessionStart | Running | Phase | Collection | Internal | Finish


class _Sessions:
    """Folds the lines of one or more pytest sessions; ids start at the root of the checkout."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.tests: dict[str, Test] = {}
        self.open: dict[str, str] = {}
        self.prefix: dict[str, str] = {}
        self.wrong: list[str] = []

    def take(self, line: Line | None) -> None:
        match line:
            case None:
                self.wrong.append("the report of the tests is damaged")
            case SessionStart():
                self.open[line.session] = ""
                self.prefix[line.session] = _prefix(line.root, self.checkout)
            case Running():
                self.open[line.session] = line.id
            case Phase():
                self.add(self.prefix.get(line.session, ""), line)
            case Collection():
                self.wrong.append(f"tests could not be collected from {line.id or 'the root'}: {line.why}")
            case Internal():
                self.wrong.append(f"pytest failed: {line.why}")
            case Finish():
                self.open.pop(line.session, None)
                if line.status not in (0, 1, NO_TESTS):
                    self.wrong.append(f"pytest ended with status {line.status}")

    def add(self, prefix: str, line: Phase) -> None:
        test = _plain(prefix + line.id, self.checkout)
        if line.outcome not in ("passed", "failed", "skipped"):
            return  # pytest-rerunfailures says "rerun" before it says what counts
        now = TestOutcome(line.outcome)
        if line.xfail:
            now = {"passed": TestOutcome.XPASSED, "skipped": TestOutcome.XFAILED}.get(line.outcome, TestOutcome.FAILED)
        before = self.tests.get(test)
        if before and (before.outcome is TestOutcome.FAILED or now is TestOutcome.SKIPPED):
            return  # any phase that failed makes the test fail; a second session may leave out what the first ran
        files = tuple(dict.fromkeys((test.split("::")[0], prefix + line.file)))
        self.tests[test] = Test(test, now, files, _plain(line.why, self.checkout))

    def broken(self) -> str:
        for test in self.open.values():
            where = f" in {test}" if test else " before the first test"
            self.wrong.insert(0, f"pytest died without closing its report{where}")
        if not self.wrong and not self.prefix:
            return "the report of the tests is empty"
        more = f" (and {len(self.wrong) - 1} more)" if len(self.wrong) > 1 else ""
        return self.wrong[0] + more if self.wrong else ""


def _prefix(root: str, checkout: Path) -> str:
    try:
        below = Path(root).resolve().relative_to(checkout.resolve()).as_posix()
    except (ValueError, OSError):
        return ""
    return "" if below == "." else f"{below}/"


def _plain(text: str, checkout: Path) -> str:
    """Without what differs from one checkout, or one run, to the next: the folder, addresses, random ids."""
    for folder in dict.fromkeys((str(checkout), str(checkout.resolve()))):
        text = text.replace(folder, "<checkout>")
    return printable(VOLATILE.sub("#", text))


# -- JUnit XML


def _junit(output: GateOutput, report: GateReport) -> GateReport:
    """Test cases by class name and name; equal names are counted, since they do collide."""
    raw = content(output.junit or output.lines)
    if raw is None:
        why = "no JUnit report was written: let the command write it to $PARALLEL_IMPL_REPORT"
        return replace(report, state=GateState.BROKEN, why=why)
    if ENTITIES.search(raw):
        return replace(report, state=GateState.BROKEN, why="the JUnit report declares entities")
    try:
        root = ElementTree.fromstring(raw)  # noqa: S314  (entities were refused above)
    except (ElementTree.ParseError, ValueError, LookupError):
        return replace(report, state=GateState.BROKEN, why="the JUnit report is not XML that can be read")
    tests: dict[str, Test] = {}
    for case in root.iter("testcase"):
        name = _plain("::".join(filter(None, (case.get("classname"), case.get("name")))), output.checkout)
        count = 2
        unique = name
        while unique in tests:
            unique, count = f"{name} #{count}", count + 1
        file = case.get("file")
        tests[unique] = Test(unique, _junit_outcome(case), (file,) if file else (), _junit_why(case))
    if (
        any(suite.get("errors", "0").isdigit() and int(suite.get("errors", "0")) for suite in root.iter("testsuite"))
        and not tests
    ):
        return replace(report, state=GateState.BROKEN, why="the JUnit report has errors and no tests")
    return replace(report, state=GateState.RED, tests=tuple(tests.values()))


def _junit_outcome(case: ElementTree.Element) -> TestOutcome:
    if case.find("failure") is not None or case.find("error") is not None:
        return TestOutcome.FAILED
    return TestOutcome.SKIPPED if case.find("skipped") is not None else TestOutcome.PASSED


def _junit_why(case: ElementTree.Element) -> str:
    for kind in ("failure", "error"):
        if (found := case.find(kind)) is not None:
            return shorten(printable((found.get("message") or found.text or "").strip().split("\n")[0]), 300)
    return ""


# -- mypy and ruff


class MypyError(msgspec.Struct, frozen=True):
    """A line of `mypy --output=json`."""

    file: str
    severity: str
    message: str
    code: str | None = None
    line: int = 0


class RuffLocation(msgspec.Struct, frozen=True):
    """Where a violation is in its file."""

    row: int = 0


class RuffViolation(msgspec.Struct, frozen=True):
    """A member of the array that `ruff --output-format=json` prints; one that does not parse has no code."""

    filename: str
    message: str
    code: str | None = None
    location: RuffLocation | None = None


def _mypy(output: GateOutput, report: GateReport) -> GateReport:
    """`--output=json` (mypy 1.11) or text, line by line; exit 2 is a crash or an error that hides the others."""
    findings = []
    for raw in output.log.splitlines():
        found = _convert(_json(raw), MypyError) if raw.startswith(b"{") else None
        if found and found.severity == "error":
            findings.append(_finding(output, found.file, found.code or "", found.message, found.line))
        elif text := MYPY_LINE.match(raw.decode(errors="replace")):
            findings.append(_finding(output, text["file"], text["code"] or "", text["message"], int(text["line"])))
    report = replace(report, state=GateState.RED, findings=tuple(findings))
    if output.exit_code not in (0, 1):
        first = f": {findings[0]}" if findings else ""
        why = f"mypy could not check everything (exit {output.exit_code}){first}"
        return replace(report, state=GateState.BROKEN, why=why)
    return report


def _ruff(output: GateOutput, report: GateReport) -> GateReport:
    """Every JSON array in the log (`RUFF_OUTPUT_FORMAT=json`), and the files that `ruff format` names."""
    if output.exit_code not in (0, 1):
        return replace(report, state=GateState.BROKEN, why=f"ruff failed (exit {output.exit_code})")
    text = output.log.decode(errors="replace")
    violations = (_convert(item, RuffViolation) for item in _arrays(text))
    findings = [
        _finding(output, one.filename, one.code or "", one.message, one.location.row if one.location else 0)
        for one in violations
        if one
    ]
    findings += [_finding(output, path, "format", "would be reformatted", 0) for path in OLD_FORMAT.findall(text)]
    return replace(report, state=GateState.RED, findings=tuple(findings))


class OpenSpecIssue(msgspec.Struct, frozen=True):
    """Something about one text, as `openspec validate --json` prints it; INFO is no objection."""

    message: str
    level: str = ""
    path: str = ""
    line: int = 0


class OpenSpecItem(msgspec.Struct, frozen=True):
    """One change or spec that was validated."""

    id: str
    issues: tuple[OpenSpecIssue, ...] = ()


class OpenSpecStatus(msgspec.Struct, frozen=True):
    """Why openspec could not do what was asked: the change is not there, say."""

    message: str
    severity: str = ""
    code: str = ""


class OpenSpecAnswer(msgspec.Struct, frozen=True):
    """What `openspec validate --json` prints."""

    items: tuple[OpenSpecItem, ...] = ()
    status: tuple[OpenSpecStatus, ...] = ()


def _openspec(output: GateOutput, report: GateReport) -> GateReport:
    """`openspec validate --json` (1.x); output of another form is judged by the exit code alone."""
    text = output.log.decode(errors="replace")
    answer = _convert(_json(text[max(text.find("{"), 0) :].encode()), OpenSpecAnswer)
    if answer is None:
        return _exit_code(output, report)
    findings = [
        _finding(output, one.path or item.id, one.level.lower(), one.message, one.line)
        for item in answer.items
        for one in item.issues
        if one.level != "INFO"
    ]
    findings += [_finding(output, "openspec", one.code, one.message, 0) for one in answer.status]
    return replace(report, state=GateState.RED if findings else GateState.GREEN, findings=tuple(findings))


def _arrays(text: str) -> Iterator[object]:
    decoder, at = json.JSONDecoder(), 0
    while (at := text.find("[", at)) >= 0:
        if at == 0 or text[at - 1] in "\n]":
            try:
                found, at = decoder.raw_decode(text, at)
            except (ValueError, RecursionError):
                at += 1
                continue
            yield from found
        else:
            at += 1


def _finding(output: GateOutput, path: str, code: str, message: str, line: int) -> GateFinding:
    file = Path(path)
    for root in (output.checkout, output.checkout.resolve()):
        if file.is_absolute() and file.is_relative_to(root):
            file = file.relative_to(root)
    return GateFinding(printable(file.as_posix()), code, NUMBER.sub("#", _plain(message, output.checkout)), line)


def _json(line: bytes) -> object:
    """A line of JSON (lone surrogates are text to Python's reader); None when it is something else."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _convert(value: object, kind: type[T]) -> T | None:
    """The value as a struct; None when it is something else."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None


def _line(line: bytes) -> Line | None:
    try:
        read: Line = msgspec.convert(_json(line), Line)
    except msgspec.ValidationError:
        return None
    return read


READERS = {
    "pytest": _pytest,
    "junit": _junit,
    "node": node.read,
    "vitest": javascript.read,
    "jest": javascript.read,
    "go": go.read,
    "cargo": cargo.read,
    "mypy": _mypy,
    "ruff": _ruff,
    "openspec": _openspec,
}
