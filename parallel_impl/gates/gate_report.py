"""What one gate found on one tree, as data: read from its output, compared between trees, kept as JSON."""

from __future__ import annotations

from enum import StrEnum

import msgspec
from msgspec import UNSET, UnsetType


class GateState(StrEnum):
    """How a gate ended on one tree. RED: it ran to its end and objects; BROKEN: it did not, or that is not known."""

    GREEN = "green"
    RED = "red"
    BROKEN = "broken"
    NOT_RUN = "not-run"
    OFF = "switched-off"


class TestOutcome(StrEnum):
    """What one test did; XPASSED and XFAILED are tests that are expected to fail."""

    __test__ = False  # for pytest: this is no test class

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    XFAILED = "xfailed"
    XPASSED = "xpassed"


RAN = (TestOutcome.PASSED, TestOutcome.XPASSED, TestOutcome.FAILED)


class Test(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One test by id; `files` (relative to the checkout) are those that define it, empty when not known.

    `node` is what the tool itself calls it, where that is not `id`.
    """

    __test__ = False

    id: str
    outcome: TestOutcome
    files: tuple[str, ...] = ()
    why: str = ""
    node: str = ""


class GateFinding(msgspec.Struct, frozen=True, array_like=True, gc=False):
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


class GateReport(msgspec.Struct, frozen=True):
    """One gate on one tree.

    `explained`: the tests and findings account for a red exit code; `unexplained` says for people why they do not.
    `stopped` says why it did not run all that it was to run ("": it did). `selected` are the ids of the tests that its
    sessions were to run. `lists_tests`: `tests` are all that ran; else only the exit code, or findings, are known.
    `passed` is how many tests passed by what an output prints that nobody reads (None: it does not say that).
    `beside`: other heavy work of ours ran at the same time, so a failure is to be confirmed alone. `foreign`: what lay
    around the checkout was not of the run, so it shows nothing; `stopped` names that.
    """

    gate: str
    state: GateState
    exit_code: int | None = None
    seconds: float = 0.0
    log: str = ""
    why: str = ""
    explained: bool = True
    tests: tuple[Test, ...] = ()
    findings: tuple[GateFinding, ...] = ()
    unexplained: str = ""
    stopped: str = ""
    selected: tuple[str, ...] = ()
    lists_tests: bool = False
    passed: int | None = None
    beside: bool | UnsetType = UNSET
    foreign: bool = False

    @property
    def ran(self) -> tuple[Test, ...]:
        """The tests that really ran; one that is skipped, or expected to fail, did not."""
        return tuple(test for test in self.tests if test.outcome in RAN)

    @property
    def failed(self) -> tuple[Test, ...]:
        """The tests that failed."""
        return tuple(test for test in self.tests if test.outcome is TestOutcome.FAILED)
