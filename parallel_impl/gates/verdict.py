"""New failures, not old ones: a gate's report of the candidate against its report of the base. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from enum import StrEnum

import msgspec

from parallel_impl.gates.gate_report import GateReport, GateState, Test, TestOutcome

RAN = (TestOutcome.PASSED, TestOutcome.XPASSED, TestOutcome.FAILED)


class VerdictStatus(StrEnum):
    """What a gate means for landing: FAILED and NOT_PROVEN block, the others do not."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_PROVEN = "not proven"
    NOT_RUN = "not run"
    SWITCHED_OFF = "switched off"


class GateVerdict(msgspec.Struct, frozen=True):
    """One gate's verdict. `gone`: tests that passed on the base and no longer run, from files that were changed.

    `new_failures` holds one line for each failing test or finding that the base does not have, and for each
    test that is gone although its file is unchanged. `why` is for people and may be empty. `judges`: which packages
    changed what steers the gate; `differs` is what it says otherwise with the base's version of that.
    """

    gate: str
    status: VerdictStatus
    new_failures: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    old_failures: int = 0
    why: str = ""
    judges: tuple[str, ...] = ()
    differs: tuple[str, ...] = ()

    @property
    def blocks(self) -> bool:
        """Whether nothing may land with this verdict."""
        return self.status in (VerdictStatus.FAILED, VerdictStatus.NOT_PROVEN)


def compare(base: GateReport | None, candidate: GateReport, changed: Collection[str]) -> GateVerdict:
    """The verdict on `candidate`; `changed` are the paths that accepted packages changed, added or removed."""
    if candidate.state is GateState.OFF:
        return GateVerdict(candidate.gate, VerdictStatus.SWITCHED_OFF, why=candidate.why)
    if candidate.state is GateState.NOT_RUN:
        return GateVerdict(candidate.gate, VerdictStatus.NOT_RUN, why=candidate.why)
    before = base if base and base.state not in (GateState.NOT_RUN, GateState.OFF) else None
    new_tests, old_tests = _failing(before, candidate)
    new_findings, old_findings = _findings(before, candidate)
    red_gone, gone = _gone(before, candidate, frozenset(changed))
    new, old = (*new_tests, *new_findings, *red_gone), old_tests + old_findings
    status, why = VerdictStatus.PASSED, candidate.why
    if candidate.state is GateState.BROKEN:
        status, new = VerdictStatus.FAILED, (*new_tests, *new_findings)
    elif new:
        status, why = VerdictStatus.FAILED, f"{len(new)} new"
    elif candidate.state is GateState.RED and not candidate.explained:
        status, why = _unexplained(before, candidate)
    elif old:
        why = f"{old} failed on the base already"
    return GateVerdict(candidate.gate, status, new, gone, old, why)


def _unexplained(base: GateReport | None, candidate: GateReport) -> tuple[VerdictStatus, str]:
    """A red exit code that no test and no finding explains: new when the base did not have it."""
    if base is None or base.state is GateState.GREEN or (base.state is GateState.RED and base.explained):
        return VerdictStatus.FAILED, f"exit {candidate.exit_code}, on the base it was {_said(base)}"
    why = f"red on the base too ({_said(base)}), and its output does not show which failures are old"
    return VerdictStatus.NOT_PROVEN, why


def _said(base: GateReport | None) -> str:
    if base is None:
        return "not run"
    return f"exit {base.exit_code}" if base.exit_code is not None else str(base.state)


def _failing(base: GateReport | None, candidate: GateReport) -> tuple[tuple[str, ...], int]:
    known = {test.id for test in base.tests if test.outcome is TestOutcome.FAILED} if base else set()
    failing = [test for test in candidate.tests if test.outcome is TestOutcome.FAILED]
    new = tuple(f"{test.id}: {test.why}" if test.why else test.id for test in failing if test.id not in known)
    return new, len(failing) - len(new)


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


def _gone(
    base: GateReport | None, candidate: GateReport, changed: frozenset[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Tests that passed on the base and no longer run: red where nothing that defines them was changed."""
    now = {test.id: test.outcome for test in candidate.tests}
    red, listed = [], []
    for test in base.tests if base else ():
        if test.outcome is not TestOutcome.PASSED or now.get(test.id) in RAN:
            continue
        what = f"no longer runs ({now[test.id]})" if test.id in now else "is gone"
        if _touched(test, changed):
            listed.append(f"{test.id} {what}")
        else:
            red.append(f"{test.id} {what}, although its file is unchanged")
    return tuple(red), tuple(listed)


def _touched(test: Test, changed: frozenset[str]) -> bool:
    """Whether a changed path defines this test, or is named by its parameter (a test for each file of a folder)."""
    if any(file in changed for file in test.files):
        return True
    if not test.files and any(_is_module_of(path, test.id) for path in changed):
        return True
    parameter = test.id[test.id.index("[") :] if "[" in test.id else ""
    return any(path in parameter or path.rpartition("/")[2] in parameter for path in changed) if parameter else False


def _is_module_of(path: str, dotted: str) -> bool:
    """JUnit XML names modules with dots: `tests/test_x.py` defines `tests.test_x.TestY::test_z`."""
    module = path.rpartition(".")[0].replace("/", ".")
    return bool(module) and f"{dotted.replace('::', '.')}.".startswith(f"{module}.")
