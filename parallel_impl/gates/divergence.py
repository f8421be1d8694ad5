"""One candidate under two judges: as it is, and with the base's version of what steers the gate laid over. Pure.

Only what the base had is compared, so a package may add a fixture, a rule or an option, and test what is new by it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from parallel_impl.gates.gate_report import GateFinding, GateReport, Test, TestOutcome

PASSING = (TestOutcome.PASSED, TestOutcome.XPASSED)


@dataclass(frozen=True, slots=True)
class Divergence:
    """How the two verdicts differ: what blocks, and what is only named. One line each."""

    blocking: tuple[str, ...] = ()
    named: tuple[str, ...] = ()


def compare(
    base: GateReport,
    candidate: GateReport,
    laid: GateReport,
    *,
    changed: Collection[str],
    files: Collection[str],
    of_steps: Collection[str] = (),
) -> Divergence:
    """Compare the reports of a gate on the base, on the candidate, and on it with the base's judge laid over.

    `changed` are the paths that accepted packages changed, `files` those that the base has, `of_steps` the ids of
    tests that packages' own steps ran.
    """
    if not any(report.tests or report.findings for report in (base, candidate, laid)):
        return _exits(candidate, laid)
    tests, steps = _tests(base, candidate, laid, frozenset(changed)), _steps(candidate, laid, frozenset(of_steps))
    blocking, named = _findings(base, candidate, laid, files)
    return Divergence((*tests, *steps, *blocking), (*named, *_others(candidate, laid)))


def _exits(candidate: GateReport, laid: GateReport) -> Divergence:
    """Nobody reads these gates: all that they say is their exit code."""
    if candidate.exit_code == laid.exit_code and candidate.state is laid.state:
        return Divergence()
    return Divergence((f"it ends with {_said(candidate)}, and with {_said(laid)} as the base judges",))


def _said(report: GateReport) -> str:
    return f"exit {report.exit_code}" if report.exit_code is not None else report.why.partition("\n")[0] or "no exit"


def _tests(base: GateReport, candidate: GateReport, laid: GateReport, changed: frozenset[str]) -> Iterator[str]:
    """Tests that passed on the base and pass on the candidate, in files that no package changed, pass here too.

    What fails or is gone on the candidate is its verdict's matter.
    """
    passes = {test.id for test in candidate.tests if test.outcome in PASSING}
    found = {test.id: test.outcome for test in laid.tests}
    for test in base.tests:
        compared = test.outcome in PASSING and test.id in passes and not _in_changed(test, changed)
        if compared and found.get(test.id) not in PASSING:
            yield f"{test.id} passes, and as the base judges it {_did(found.get(test.id))}"


def _did(outcome: TestOutcome | None) -> str:
    return "does not run" if outcome is None else "fails" if outcome is TestOutcome.FAILED else f"is {outcome}"


def _in_changed(test: Test, changed: frozenset[str]) -> bool:
    """Whether a changed file defines the test; JUnit XML names modules with dots and no file."""
    if test.files:
        return any(file in changed for file in test.files)
    dotted = f"{test.id.replace('::', '.')}."
    return any(dotted.startswith(f"{path.rpartition('.')[0].replace('/', '.')}.") for path in changed)


def _steps(candidate: GateReport, laid: GateReport, of_steps: frozenset[str]) -> Iterator[str]:
    """Tests that packages' steps ran are collected by both."""
    first, second = ({test.id for test in report.tests} for report in (candidate, laid))
    for test in sorted((first ^ second) & of_steps):
        judge = "the candidate" if test in first else "the base"
        yield f"{test}, which a package's own step runs, is collected only as {judge} judges"


def _findings(
    base: GateReport, candidate: GateReport, laid: GateReport, files: Collection[str]
) -> tuple[list[str], list[str]]:
    """What only the base's judge objects to: new in a file that the base has (blocking), or else (named)."""
    before, now = (Counter(one.key for one in report.findings) for report in (base, candidate))
    seen, blocking, named = Counter[tuple[str, str, str]](), list[str](), list[str]()
    for finding in laid.findings:
        seen[finding.key] += 1
        if seen[finding.key] <= now[finding.key]:
            continue
        old = seen[finding.key] <= before[finding.key]
        (named if old or finding.path not in files else blocking).append(_objection(finding))
    return blocking, named


def _objection(finding: GateFinding) -> str:
    return f"{finding}, which only the base's judge objects to"


def _others(candidate: GateReport, laid: GateReport) -> Iterator[str]:
    """How many tests pass only by what packages changed (new fixtures, mostly), and how many they leave out."""
    first, second = ({test.id for test in report.tests if test.outcome in PASSING} for report in (candidate, laid))
    if only := len(first - second):
        yield f"{only} test{'s pass' if only > 1 else ' passes'} only as the candidate judges"
    if left := len({test.id for test in laid.ran} - {test.id for test in candidate.tests}):
        yield f"{left} test{'s run' if left > 1 else ' runs'} only as the base judges"
