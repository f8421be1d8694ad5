"""What a gate's output says: which tests passed and failed, which findings there are.

`quality` runs the gates and calls `read`; `verdict` compares two of its answers. A report that cannot be trusted to be
whole (crash, collection error, missing file) is `BROKEN`, whatever else it says.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from xml.etree import ElementTree

import msgspec
from msgspec.structs import replace

from parallel_impl import storage
from parallel_impl.errors import printable
from parallel_impl.gates import lost_tests
from parallel_impl.gates.gate_report import GateFinding, GateReport, GateState, Test, TestOutcome
from parallel_impl.gates.readers import cargo, counts, go, javascript, node
from parallel_impl.gates.readers.output import GateOutput, content, relative
from parallel_impl.text import shorten

NUMBER = re.compile(r"(?<!\w)\d+(?!\w)")  # `line 12`, not the name `v1`
NO_FILES = b"No Python files found under the given path"  # ruff
MYPY_GAVE_UP = b"(Skipping most remaining errors"

MYPY_LINE = re.compile(
    r"^(?P<file>[^\s:][^:\n]*):(?P<line>\d+):(?:\d+:)* error: (?P<message>.*?)(?:  \[(?P<code>[\w-]+)\])?$"
)
OLD_FORMAT = re.compile(r"^Would reformat: (.+)$", re.M)
ENTITIES = re.compile(rb"<!(DOCTYPE|ENTITY)", re.I)
INTERRUPTED, NO_TESTS = 2, 5  # exit codes of pytest
SESSION = re.compile(rb"\b(\d+ (passed|failed|skipped|errors?)|no tests ran)\b.* in [\d.]+s")  # its last line
NO_REPORT = "our pytest plugin left no report, its environment or -p option was lost: it counts by its exit code only"
NO_TESTS_WHY = "there are no tests"

T = TypeVar("T")


def read(parser: str, output: GateOutput, report: GateReport) -> GateReport:
    """`report` with what the output of a gate that ran to its end says, by its parser (`config.PARSERS`)."""
    found = READERS.get(parser, _exit_code)(output, report)
    if found.state is GateState.BROKEN:
        return found
    found = replace(found, lists_tests=found.lists_tests or parser in LIST_TESTS)
    red = bool(found.failed or found.findings)
    if found.state is not GateState.GREEN and output.exit_code == 0 and not found.stopped:
        found = replace(found, state=GateState.GREEN)
    if found.state is GateState.GREEN and not red:
        return found
    why = found.unexplained or ("" if red and found.explained else "nothing that it lists explains its exit code")
    if output.stops and output.exit_code != 0:
        why = f"it stops at a failure ({output.stops}), so the rest did not run"
    if not output.is_tool and output.exit_code != 0:
        why = "its command is more than the tool itself, so part of it may not have run"
    return replace(found, state=GateState.RED, explained=not why, unexplained=why)


def _exit_code(output: GateOutput, report: GateReport) -> GateReport:
    state = GateState.GREEN if output.exit_code == 0 else GateState.RED
    passed = counts.passed(output.log)
    return replace(report, state=state, explained=False, unexplained="its output is not read", passed=passed)


# -- pytest


def _pytest(output: GateOutput, report: GateReport) -> GateReport:
    """Our plugin's lines; JUnit XML where the command writes it and the plugin could not be loaded."""
    lines = content(output.lines)
    if lines is None and output.junit and output.junit.is_file():
        return _junit(output, report)
    if lines is None and SESSION.search(output.log):
        # something between them takes the environment away (tox does): the exit code is still true
        return _exit_code(output, replace(report, why=NO_REPORT))
    if lines is None:
        return replace(report, state=GateState.BROKEN, why="pytest left no report: it did not start")
    sessions = _Sessions(output.checkout)
    for line in lines.splitlines():
        sessions.take(_line(line))
    selected = tuple(sessions.selected)
    report = replace(report, tests=tuple(sessions.tests.values()), selected=selected, lists_tests=True)
    if why := sessions.broken():
        return replace(report, state=GateState.BROKEN, why=printable(why))
    stopped = printable(sessions.stopped())
    if output.exit_code == NO_TESTS and not sessions.tests and not stopped:
        return replace(report, state=GateState.GREEN, why=NO_TESTS_WHY)
    unexplained = stopped or sessions.unexplained(output.exit_code)
    return replace(report, state=GateState.RED, stopped=stopped, unexplained=unexplained)


def passed_tests(lines: Path, checkout: Path) -> tuple[Test, ...]:
    """The tests that passed in the sessions of pytest that left these lines; none where there are no lines."""
    sessions = _Sessions(checkout)
    for line in (content(lines) or b"").splitlines():
        sessions.take(_line(line))
    return tuple(test for test in sessions.tests.values() if test.outcome is TestOutcome.PASSED)


class _Line(msgspec.Struct, frozen=True, tag_field="event", tag=str.lower):
    """A line of our plugin's report."""

    session: str


class SessionStart(_Line, frozen=True, tag="start"):
    """A session of pytest began; `root` is its root folder."""

    root: str


class Selected(_Line, frozen=True):
    """The tests that a session, or a worker of it, is to run: what -m, -k and the like left out is not among them."""

    ids: tuple[str, ...]


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


class SessionInterrupted(_Line, frozen=True, tag="interrupted"):
    """A session was ended before its time, by `pytest.exit` say."""

    why: str = ""


class Finish(_Line, frozen=True):
    """A session is over; it is written twice, before and after what others do at the end of a session.

    `testsfailed` is what pytest counted, `shouldstop` and `shouldfail` are why it was to end early; `asked` is the
    exit code that a plugin or a conftest gave the session at its end.
    """

    status: int
    asked: int = 0
    testsfailed: int = 0
    shouldstop: str = ""
    shouldfail: str = ""


Line = SessionStart | Selected | Running | Phase | Collection | Internal | SessionInterrupted | Finish


@dataclass(slots=True)
class _Session:
    """One session of pytest, as its lines tell; `now` is the test that began last, `failed` counts failed reports."""

    prefix: str = ""
    now: str = ""
    selected: dict[str, None] | None = None
    executed: set[str] = field(default_factory=set)
    failed: int = 0
    interrupted: str | None = None
    finish: Finish | None = None

    def stopped(self) -> str:
        """Why it did not run all that it was to run; "" when it did."""
        left = [one for one in self.selected or () if one not in self.executed]
        if self.interrupted is not None:
            return f"pytest was interrupted: {self.interrupted}" + _not_run(left)
        early = self.finish and (self.finish.shouldfail or self.finish.shouldstop)
        if self.finish and self.finish.status == INTERRUPTED:
            return f"pytest was interrupted: {early or 'it does not say why'}" + _not_run(left)
        red = self.failed or (self.finish and self.finish.status)
        if left and (early or red):
            return f"pytest did not run all its tests: {early or 'it does not say why'}" + _not_run(left)
        return ""


def _not_run(left: Sequence[str]) -> str:
    return f"; not run: {left[0]}" + (f" and {len(left) - 1} more" if len(left) > 1 else "") if left else ""


class _Sessions:
    """Folds the lines of one or more pytest sessions; ids start at the root of the checkout."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        self.tests: dict[str, Test] = {}
        self.each: dict[str, _Session] = {}
        self.wrong: list[str] = []

    @property
    def selected(self) -> Iterator[str]:
        for session in self.each.values():
            yield from (self.name(session, one) for one in session.selected or ())

    def take(self, line: Line | None) -> None:
        if line is None:
            self.wrong.append("the report of the tests is damaged")
            return
        session = self.each.setdefault(line.session, _Session())
        match line:
            case SessionStart():
                session.prefix, session.finish = _prefix(line.root, self.checkout), None
            case Selected():
                session.selected = {**(session.selected or {}), **dict.fromkeys(line.ids)}
            case Running():
                session.now = line.id
            case Phase():
                session.executed.add(line.id)
                session.failed += line.outcome == "failed" and not line.xfail
                self.add(session, line)
            case Collection():
                self.wrong.append(f"tests could not be collected from {line.id or 'the root'}: {line.why}")
            case Internal():
                self.wrong.append(f"pytest failed: {line.why}")
            case SessionInterrupted():
                session.interrupted = line.why
            case Finish():
                session.finish = line

    def name(self, session: _Session, node: str) -> str:
        return printable(_placed(session.prefix + node, self.checkout))

    def add(self, session: _Session, line: Phase) -> None:
        test = self.name(session, line.id)
        if line.outcome not in ("passed", "failed", "skipped"):
            return  # pytest-rerunfailures says "rerun" before it says what counts
        now = TestOutcome(line.outcome)
        if line.xfail:
            now = {"passed": TestOutcome.XPASSED, "skipped": TestOutcome.XFAILED}.get(line.outcome, TestOutcome.FAILED)
        before = self.tests.get(test)
        if before and (before.outcome is TestOutcome.FAILED or now is TestOutcome.SKIPPED):
            return  # any phase that failed makes the test fail; a second session may leave out what the first ran
        files = tuple(dict.fromkeys((test.split("::")[0], session.prefix + line.file)))
        node = line.id if line.id != test else ""
        self.tests[test] = Test(test, now, files, _plain(line.why, self.checkout), node)

    def broken(self) -> str:
        for session in self.each.values():
            if session.finish is None:
                where = f" in {session.now}" if session.now else " before the first test"
                self.wrong.insert(0, f"pytest died without closing its report{where}")
            elif session.interrupted is None and session.finish.status not in (0, 1, INTERRUPTED, NO_TESTS):
                self.wrong.append(f"pytest ended with status {session.finish.status}")
        if not self.wrong and not self.each:
            return "the report of the tests is empty"
        more = f" (and {len(self.wrong) - 1} more)" if len(self.wrong) > 1 else ""
        return self.wrong[0] + more if self.wrong else ""

    def stopped(self) -> str:
        """The first session that did not run all that it was to run, for people."""
        return next((why for session in self.each.values() if (why := session.stopped())), "")

    def unexplained(self, exit_code: int) -> str:
        """Why the listed failures are not all that an exit code other than 0 stands for; "" when they are."""
        if exit_code == 0:
            return ""
        if len(self.each) > 1:
            return f"its command started {len(self.each)} sessions of pytest"
        for session in self.each.values():
            finish = session.finish
            if finish and finish.testsfailed > session.failed:
                more = finish.testsfailed - session.failed
                return f"pytest counts {more} more that failed than it lists: a floor of coverage, say"
            if finish and finish.asked:
                return f"a plugin or a conftest asks for exit code {finish.asked} at the end of the session"
            if finish and finish.status != exit_code:
                return f"pytest ended with status {finish.status}, and the command with {exit_code}"
        return ""


def _prefix(root: str, checkout: Path) -> str:
    try:
        below = storage.real(Path(root)).relative_to(storage.real(checkout)).as_posix()
    except (ValueError, OSError):
        return ""
    return "" if below == "." else f"{below}/"


def _placed(text: str, checkout: Path) -> str:
    """Without the folder of the checkout, which differs from the base to a candidate."""
    for folder in dict.fromkeys((str(checkout), str(storage.real(checkout)))):
        text = text.replace(folder, "<checkout>")
    return text


def _plain(text: str, checkout: Path) -> str:
    """Without what differs from one checkout, or one run, to the next: the folder, addresses, random ids."""
    return printable(lost_tests.VOLATILE.sub("#", _placed(text, checkout)))


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
        name = "::".join(filter(None, (case.get("classname"), case.get("name"))))
        name = printable(_placed(name, output.checkout))
        count = 2
        unique = name
        while unique in tests:
            unique, count = f"{name} #{count}", count + 1
        file = case.get("file") or _class_file(case.get("classname") or "", output.checkout)
        tests[unique] = Test(unique, _junit_outcome(case), (file,) if file else (), _junit_why(case))
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
    if MYPY_GAVE_UP in output.log:
        return replace(report, stopped="mypy did not print all its errors (--soft-error-limit=-1 makes it)")
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
    none = {"passed": 0, "why": "it found no files to check"} if NO_FILES in output.log and not findings else {}
    return replace(report, state=GateState.RED, findings=tuple(findings), **none)


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
    for root in (output.checkout, storage.real(output.checkout)):
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


LIST_TESTS = ("node", "vitest", "jest", "go", "cargo")  # readers of tools that list all that ran
READERS = {
    "pytest": _pytest,
    "junit": _junit,
    "node": node.read,
    "vitest": javascript.read_vitest,
    "jest": javascript.read,
    "go": go.read,
    "cargo": cargo.read,
    "mypy": _mypy,
    "ruff": _ruff,
    "openspec": _openspec,
}
