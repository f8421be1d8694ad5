"""What one gate said of one tree, as data: made by `reports`, compared by `verdict`, kept by `run.land.proof`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """What a gate said of one tree. RED: it ran to its end and objects; BROKEN: it did not, or nobody can tell."""

    GREEN = "green"
    RED = "red"
    BROKEN = "broken"
    NOT_RUN = "not-run"
    OFF = "switched-off"


class Outcome(StrEnum):
    """What one test did; XPASSED and XFAILED are tests that are expected to fail."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"


@dataclass(frozen=True, slots=True)
class Test:
    """One test by id; `files` (relative to the checkout) are those that define it, empty when not known."""

    __test__ = False  # for pytest: this is no test class

    id: str
    outcome: Outcome
    files: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding of a checker. `message` has its numbers masked as `#`; `line` is only for people."""

    path: str
    code: str
    message: str
    line: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two findings the same: never the line, which moves with every edit above it."""
        return (self.path, self.code, self.message)

    def __str__(self) -> str:
        at = f"{self.path}:{self.line}" if self.line else self.path
        return f"{at}: {self.code} {self.message}".replace(":  ", ": ")


@dataclass(frozen=True, slots=True)
class GateReport:
    """One gate on one tree. `explained`: the tests and findings account for a red exit code."""

    gate: str
    state: State
    exit_code: int | None = None
    seconds: float = 0.0
    log: str = ""
    why: str = ""
    explained: bool = True
    tests: tuple[Test, ...] = ()
    findings: tuple[Finding, ...] = ()


def as_data(report: GateReport) -> dict[str, Any]:
    """A report as plain JSON data, to be kept: a base is not judged twice in one run."""
    flat = {name: getattr(report, name) for name in ("gate", "exit_code", "seconds", "log", "why", "explained")}
    return {
        **flat,
        "state": report.state.value,
        "tests": [[t.id, t.outcome.value, list(t.files), t.why] for t in report.tests],
        "findings": [[f.path, f.code, f.message, f.line] for f in report.findings],
    }


def from_data(data: Mapping[str, Any]) -> GateReport:
    """The report that `as_data` made; KeyError, TypeError or ValueError when it did not."""
    tests = tuple(Test(name, Outcome(outcome), tuple(files), why) for name, outcome, files, why in data["tests"])
    findings = tuple(Finding(path, code, message, line) for path, code, message, line in data["findings"])
    flat = {name: data[name] for name in ("gate", "exit_code", "seconds", "log", "why", "explained")}
    return GateReport(**flat, state=State(data["state"]), tests=tests, findings=findings)
