"""New failures, not old ones: a gate's report of the candidate against its report of the base. Pure.

A verdict speaks only of what ran, and believes what was seen twice: `Again` holds the second observations, each of one
session of only the tests that failed in the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from parallel_impl.errors import count
from parallel_impl.gates import lost_tests
from parallel_impl.gates.gate_report import GateReport, GateState, Test, TestOutcome
from parallel_impl.gates.lost_tests import ChangedPaths

MOST_CONFIRMED = 50  # new failures; more of them are no accident
Outcomes = Mapping[str, TestOutcome]  # by test id


class VerdictStatus(StrEnum):
    """What a gate means for landing: PASSED, ACCEPTED, NOT_RUN and SWITCHED_OFF do not block, the others do."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_PROVEN = "not proven"
    GONE = "gone"
    FLAKY = "flaky"
    ACCEPTED = "accepted"  # by name, by a person
    NOT_RUN = "not run"
    SWITCHED_OFF = "switched off"


BLOCKING = (VerdictStatus.FAILED, VerdictStatus.NOT_PROVEN, VerdictStatus.GONE, VerdictStatus.FLAKY)


class GateVerdict(msgspec.Struct, frozen=True):
    """One gate's verdict; `why` is for people and may be empty.

    `new_failures` holds one line for each failing test or finding that the base does not have, `gone` one for each test
    that passed on the base, does not run and is not excused. `flaky` failed and then passed on the candidate,
    `unstable` did so on the base. `renamed` were replaced, `removed` went with a file that a package removed.
    `red_under_load` failed beside other heavy work and passed alone. `accepted` is what would have blocked. `judges`:
    which packages changed what steers the gate; `differs` is what it says otherwise with the base's version of that.
    """

    gate: str
    status: VerdictStatus
    new_failures: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    old_failures: int = 0
    why: str = ""
    flaky: tuple[str, ...] = ()
    unstable: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    red_under_load: tuple[str, ...] = ()
    accepted: tuple[str, ...] = ()
    judges: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()

    @property
    def blocks(self) -> bool:
        """Whether nothing may land with this verdict."""
        return self.status in BLOCKING


@dataclass(frozen=True, slots=True)
class Again:
    """What the second observation showed, by test id; a test that it does not have did not run then.

    None: there was none. `exit_code` is that of a whole command which lists no tests and ran again.
    """

    base: Outcomes | None = None
    candidate: Outcomes | None = None
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Failures:
    """The tests that fail on the candidate: those that the base does not have as failing, and the others."""

    new: tuple[Test, ...] = ()
    known: Mapping[str, Test] = field(default_factory=dict)  # by the id on the candidate, the test on the base


def failures(base: GateReport | None, candidate: GateReport) -> Failures:
    """Which failures of the first session are to be looked at again, and on which side."""
    before = _ran(base)
    same = lost_tests.same_tests(before.tests if before else (), candidate.tests)
    old = {test.id: test for test in before.failed} if before else {}
    known = {test.id: old[same[test.id]] for test in candidate.failed if same.get(test.id) in old}
    return Failures(tuple(test for test in candidate.failed if test.id not in known), known)


def to_confirm(base: GateReport | None, candidate: GateReport) -> tuple[Test, ...]:
    """The failed tests to run once more on the candidate; none where there are so many new ones that they count."""
    found = failures(base, candidate)
    if not candidate.lists_tests or candidate.state is not GateState.RED or len(found.new) > MOST_CONFIRMED:
        return ()
    return candidate.failed


def runs_whole_again(base: GateReport | None, candidate: GateReport) -> bool:
    """Whether a red gate that lists nothing is to run once more as a whole: only where it was not red on the base."""
    listed = candidate.lists_tests or candidate.findings
    return candidate.state is GateState.RED and not listed and (base is None or base.state is GateState.GREEN)


def to_confirm_on_base(base: GateReport | None, candidate: GateReport, again: Again) -> tuple[Test, ...]:
    """The failed tests to run once more on the base: those that fail on the candidate too, each time."""
    found, seen = failures(base, candidate), _by_first_ids(base, candidate, again)
    twice = (one for one in found.known if not _passed(seen.candidate, one))
    return tuple(dict.fromkeys(found.known[one] for one in twice))


def compare(
    base: GateReport | None,
    candidate: GateReport,
    changed: ChangedPaths,
    again: Again = Again(),
) -> GateVerdict:
    """The verdict on `candidate`; `changed` are the paths that accepted packages changed, added or removed.

    Without a second observation, the first one decides.
    """
    if candidate.state is GateState.OFF:
        return GateVerdict(candidate.gate, VerdictStatus.SWITCHED_OFF, why=candidate.why)
    if candidate.state is GateState.NOT_RUN:
        return GateVerdict(candidate.gate, VerdictStatus.NOT_RUN, why=candidate.why)
    before = _ran(base)
    again = _by_first_ids(before, candidate, again)
    verdict = _sorted(before, candidate, again)
    new_findings, old_findings = _findings(before, candidate)
    verdict = msgspec.structs.replace(
        verdict,
        new_failures=(*verdict.new_failures, *new_findings),
        old_failures=verdict.old_failures + old_findings,
    )
    if candidate.state is not GateState.BROKEN and not candidate.stopped:
        look = lost_tests.count if before and before.passed is not None else lost_tests.find
        lost = look(before, candidate, changed)
        verdict = msgspec.structs.replace(verdict, gone=lost.gone, renamed=lost.renamed, removed=lost.removed)
    status, why = _status(before, candidate, verdict, again)
    return msgspec.structs.replace(verdict, status=status, why=why)


def _by_first_ids(base: GateReport | None, candidate: GateReport, again: Again) -> Again:
    """The second observations by the ids of the first: some ids are others each time."""
    on_base = None if again.base is None else lost_tests.seen_again(base.failed if base else (), again.base)
    on_candidate = None if again.candidate is None else lost_tests.seen_again(candidate.failed, again.candidate)
    return Again(on_base, on_candidate, again.exit_code)


def _ran(report: GateReport | None) -> GateReport | None:
    return report if report and report.state not in (GateState.NOT_RUN, GateState.OFF) else None


def _sorted(base: GateReport | None, candidate: GateReport, again: Again) -> GateVerdict:
    """The failing tests of the candidate: new, flaky, unstable on the base, or old."""
    found, new, flaky, unstable, old = failures(base, candidate), list[str](), list[str](), list[str](), 0
    loaded = list[str]()
    for test in candidate.failed:
        before, passed = found.known.get(test.id), _passed(again.candidate, test.id)
        shaky = before is not None and again.base is not None and not _failed(again.base, before.id)
        if before is None and passed and candidate.beside:
            loaded.append(f"{test.id}: failed beside other heavy work, and passed alone")
        elif before is None and passed:
            flaky.append(f"{test.id}: failed, then passed")
        elif before is None or (shaky and not passed):
            new.append((f"{test.id}: {test.why}" if test.why else test.id) + (UNSTABLE if shaky else ""))
        elif shaky or passed:
            unstable.append(f"{test.id}: failed on the base, and passed when it ran again")
        else:
            old += 1
    return GateVerdict(
        candidate.gate,
        VerdictStatus.PASSED,
        tuple(new),
        old_failures=old,
        flaky=tuple(flaky),
        unstable=tuple(unstable),
        red_under_load=tuple(loaded),
    )


UNSTABLE = " (on the base it failed only once of two times)"


def _passed(outcomes: Outcomes | None, test: str) -> bool:
    return outcomes is not None and outcomes.get(test) in (TestOutcome.PASSED, TestOutcome.XPASSED)


def _failed(outcomes: Outcomes, test: str) -> bool:
    return outcomes.get(test) is TestOutcome.FAILED


def _status(
    base: GateReport | None, candidate: GateReport, verdict: GateVerdict, again: Again
) -> tuple[VerdictStatus, str]:
    """The worst of what was found decides, and says so first."""
    if candidate.state is GateState.BROKEN:
        return VerdictStatus.FAILED, candidate.why
    if verdict.new_failures:
        if base and not _any_is_new(base, candidate):
            why = base.stopped or f"its output does not show what failed ({_said(base)})"
            return (
                VerdictStatus.NOT_PROVEN,
                f"whether {len(verdict.new_failures)} failed on the base is not known: {why}",
            )
        return VerdictStatus.FAILED, f"{len(verdict.new_failures)} new"
    if candidate.stopped:
        return VerdictStatus.NOT_PROVEN, candidate.stopped
    if candidate.state is GateState.RED and not candidate.explained:
        return _unexplained(base, candidate, again)
    if base and base.lists_tests and base.ran and not candidate.ran:
        return VerdictStatus.FAILED, f"it reported no test that ran, on the base {len(base.ran)} did"
    if base and base.passed and candidate.passed == 0:
        return VerdictStatus.FAILED, f"no test passed, on the base {base.passed} did"
    if verdict.gone and base and base.passed is not None:
        return VerdictStatus.GONE, verdict.gone[0]
    if verdict.gone:
        run = "runs" if len(verdict.gone) == 1 else "run"
        return VerdictStatus.GONE, f"{count(len(verdict.gone), 'test')} of the base no longer {run}"
    if verdict.flaky:
        return VerdictStatus.FLAKY, f"{count(len(verdict.flaky), 'test')} failed and then passed"
    if candidate.passed == 0:
        return VerdictStatus.NOT_RUN, candidate.why or "there are no tests"
    if candidate.lists_tests and not candidate.ran:
        why = f"all {count(len(candidate.tests), 'test')} were skipped" if candidate.tests else "there are no tests"
        return VerdictStatus.NOT_RUN, why
    notes = [f"{verdict.old_failures} failed on the base already"] if verdict.old_failures else []
    notes += [f"{len(verdict.unstable)} unstable on the base"] if verdict.unstable else []
    notes += [f"{len(verdict.red_under_load)} red under load"] if verdict.red_under_load else []
    return VerdictStatus.PASSED, "; ".join([*notes, *([candidate.why] if candidate.why else [])])


def _any_is_new(base: GateReport, candidate: GateReport) -> bool:
    """Whether the base has an answer about at least one of the failures that it does not have."""
    if base.state is not GateState.RED or candidate.findings:
        return True
    if not base.lists_tests and not base.findings:
        return False
    unseen = set(base.selected).difference(test.id for test in base.tests) if base.stopped else set()
    return any(test.id not in unseen for test in failures(base, candidate).new) or not unseen


def _unexplained(base: GateReport | None, candidate: GateReport, again: Again) -> tuple[VerdictStatus, str]:
    """A red exit code that no test and no finding explains: new when the base did not have it."""
    if (base is None or base.state is GateState.GREEN) and again.exit_code == 0:
        return VerdictStatus.FLAKY, f"exit {candidate.exit_code}, and 0 when it ran again"
    if base is None or base.state is GateState.GREEN or (base.state is GateState.RED and base.explained):
        listed = f": {candidate.unexplained}" if candidate.lists_tests or candidate.findings else ""
        return VerdictStatus.FAILED, f"exit {candidate.exit_code}, on the base it was {_said(base)}{listed}"
    more = candidate.unexplained or "its output does not show which failures are old"
    return VerdictStatus.NOT_PROVEN, f"red on the base too ({_said(base)}): {more}"


def _said(base: GateReport | None) -> str:
    if base is None:
        return "not run"
    return f"exit {base.exit_code}" if base.exit_code is not None else str(base.state)


def _findings(base: GateReport | None, candidate: GateReport) -> tuple[tuple[str, ...], int]:
    """Findings beyond those of the base, as multisets: two more of the same kind in a file are two new ones."""
    left = Counter(finding.key for finding in base.findings) if base else Counter()
    now = Counter(finding.key for finding in candidate.findings)
    new, shown = [], Counter[tuple[str, str, str]]()
    for finding in candidate.findings:
        more = now[finding.key] - left[finding.key]
        if more > 0 and not shown[finding.key]:
            shown[finding.key] += 1
            lines = [str(f.line) for f in candidate.findings if f.key == finding.key and f.line]
            several = f" ({more} new of {now[finding.key]}, lines {', '.join(lines)})" if now[finding.key] > 1 else ""
            new.append(f"{finding}{several}")
    old = sum(min(count, left[key]) for key, count in now.items())
    return tuple(new), old
