"""Tests that passed on the base and do not run on the candidate: gone, renamed, or removed with their file. Pure.

Ids are compared as they are. Those that the other side lacks are the same test where what differs in them is different
each time (an address, a random id) and the whole group of such ids is the same on both sides.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from parallel_impl.gates.gate_report import RAN, GateReport, Test, TestOutcome
from parallel_impl.plan import names_of_tests

VOLATILE = re.compile(r"0x[0-9a-fA-F]{4,}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
NUMBER = re.compile(r"\d+")
# JUnit XML names modules with dots and without their endings: what else lies beside them defines no test
SOURCES = re.compile(
    r"\.(py|[cm]?[jt]sx?|java|kts?|scala|groovy|rb|php|cs|fs|vb|go|rs|swift|exs?|cc|cpp|cxx|c|m|dart)$"
)


@dataclass(frozen=True, slots=True)
class ChangedPaths:
    """The paths that accepted packages changed or added, and those that they removed."""

    all: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class LostTests:
    """One line for each test, or for each file that was removed with its tests; only `gone` blocks."""

    gone: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def same_tests(base: Sequence[Test], candidate: Sequence[Test]) -> dict[str, str]:
    """The id on the base of each test of the candidate that is on both sides, by its id on the candidate."""
    left, right = {test.id: test for test in base}, {test.id: test for test in candidate}
    same = {one: one for one in right if one in left}
    before, after = [t for t in base if t.id not in right], [t for t in candidate if t.id not in left]
    same |= _grouped(before, after, VOLATILE, lambda _: True)
    rest_before = [test for test in before if test.id not in same.values()]
    rest_after = [test for test in after if test.id not in same]
    # a number that differs is another test, unless nothing is at stake: all of both groups passed
    return same | _grouped(rest_before, rest_after, NUMBER, lambda group: all(_passes(test) for test in group))


def seen_again(failed: Sequence[Test], second: Mapping[str, TestOutcome]) -> dict[str, TestOutcome]:
    """What a second session showed of tests that failed in the first, by their ids in the first.

    Of ids that are others each time, the groups of equal mask are compared: as many failures as before, or none.
    """
    seen = {test.id: second[test.id] for test in failed if test.id in second}
    missing, others = defaultdict[str, list[str]](list), defaultdict[str, list[TestOutcome]](list)
    for test in failed:
        if test.id not in second:
            missing[_masked(test.id, VOLATILE)].append(test.id)
    for one, outcome in second.items():
        if one not in seen:
            others[_masked(one, VOLATILE)].append(outcome)
    for mask, ids in missing.items():
        again = others[mask].count(TestOutcome.FAILED)
        if again >= len(ids) or (others[mask] and not again):
            seen |= dict.fromkeys(ids, TestOutcome.FAILED if again else TestOutcome.PASSED)
    return seen


def find(base: GateReport | None, candidate: GateReport, changed: ChangedPaths) -> LostTests:
    """What became of the tests that passed on the base and do not run now."""
    if base is None:
        return LostTests()
    return _LostSearch(base, candidate, changed).answer()


def count(base: GateReport | None, candidate: GateReport, changed: ChangedPaths) -> LostTests:
    """The same, of outputs that only print how many tests passed."""
    if base is None or not base.passed or (candidate.passed or 0) >= base.passed:
        return LostTests()
    now = "its output shows no test" if candidate.passed is None else f"{candidate.passed} passed"
    line = f"{now}, on the base {base.passed} did" if candidate.passed else f"{now}, on the base {base.passed} passed"
    removed = sorted(path for path in changed.removed if names_of_tests.is_test(path))
    if removed and candidate.passed:
        return LostTests(removed=(f"{line}: {', '.join(removed[:5])} was removed",))
    return LostTests(gone=(line,))


def _grouped(
    before: Sequence[Test], after: Sequence[Test], mask: re.Pattern[str], fits: Callable[[Sequence[Test]], bool]
) -> dict[str, str]:
    groups: dict[str, tuple[list[Test], list[Test]]] = defaultdict(lambda: ([], []))
    for side, tests in enumerate((before, after)):
        for test in tests:
            groups[_masked(test.id, mask)][side].append(test)
    found = dict[str, str]()
    for left, right in groups.values():
        if Counter(t.outcome for t in left) == Counter(t.outcome for t in right) and fits(left):
            pairs = zip(*(sorted(side, key=lambda t: (t.outcome, t.id)) for side in (left, right)), strict=True)
            found |= {now.id: old.id for old, now in pairs}
    return found


def _masked(test: str, mask: re.Pattern[str]) -> str:
    """Only parameters differ from run to run; a name with a number in it is a name."""
    name, bracket, parameter = test.partition("[")
    return name + bracket + mask.sub("#", VOLATILE.sub("#", parameter)) if mask is NUMBER else mask.sub("#", test)


def _passes(test: Test) -> bool:
    return test.outcome in (TestOutcome.PASSED, TestOutcome.XPASSED)


class _LostSearch:
    def __init__(self, base: GateReport, candidate: GateReport, changed: ChangedPaths) -> None:
        same = {old: now for now, old in same_tests(base.tests, candidate.tests).items()}
        self.now = {test.id: test for test in candidate.tests}
        self.lost = [
            test
            for test in base.tests
            if test.outcome is TestOutcome.PASSED and not (test.id in same and self.now[same[test.id]].outcome in RAN)
        ]
        self.changed, self.before = changed, base
        known = set(same.values())
        self.fresh = [test for test in candidate.tests if test.outcome in RAN and test.id not in known]
        self.after = candidate

    def answer(self) -> LostTests:
        gone, renamed, removed = list[str](), list[str](), Counter[str]()
        moved = self.moved()
        for test in self.lost:
            files = self.touched(test)
            state = self.now.get(test.id)
            what = f"no longer runs ({state.outcome})" if state else "is gone"
            if test.id in moved:
                renamed.append(f"{test.id} is now {moved[test.id]}")
            elif excuse := self.excuse(test):
                renamed.append(f"{test.id} is gone with {excuse}")
            elif not files:
                gone.append(f"{test.id} {what}, although its file is unchanged")
            elif files[0] in self.changed.removed and files[:1] == list(test.files or files)[:1]:
                removed[files[0]] += 1
            elif fewer := next((one for one in files if self.ran(one, moved) < _passing(self.before, one)), ""):
                ran = f"{_passing(self.after, fewer)} of {_passing(self.before, fewer)}"
                gone.append(f"{test.id} {what}: {fewer} runs {ran} passing tests")
            else:
                renamed.append(f"{test.id} {what}, its file runs as many passing tests")
        lines = (f"{file} was removed: {number} passing {_tests(number)} gone" for file, number in removed.items())
        return LostTests(tuple(gone), tuple(renamed), tuple(lines))

    def touched(self, test: Test) -> list[str]:
        """The files of a test that were changed or removed."""
        if test.files:
            return [file for file in test.files if file in self.changed.all]
        return [path for path in sorted(self.changed.all) if _is_module_of(path, test.id)]

    def ran(self, file: str, moved: Mapping[str, str]) -> int:
        """How many passing tests a file runs now, with those that were moved into another one."""
        return _passing(self.after, file) + sum(1 for test in self.lost if test.id in moved and file in test.files)

    def moved(self) -> dict[str, str]:
        """Tests of changed files that run, and pass, under the same name in another file now."""
        fresh: dict[str, list[Test]] = defaultdict(list)
        for test in self.fresh:
            if _passes(test) and any(file in self.changed.all for file in test.files):
                fresh[_name(test.id)].append(test)
        found = {}
        for test in self.lost:
            here = fresh.get(_name(test.id))
            if here and test.files and self.touched(test) and here[0].files[:1] != test.files[:1]:
                found[test.id] = here.pop(0).id
        return found

    def excuse(self, test: Test) -> str:
        """The removed path that a parameter of the test names, whole: a test for each file of a folder."""
        parameter = test.id[test.id.index("[") + 1 :].rstrip("]") if "[" in test.id else ""
        return next((path for path in sorted(self.changed.removed) if _is_part(path, parameter)), "")


def _passing(report: GateReport, file: str) -> int:
    """How many passing tests a file defines."""
    passing = (test for test in report.tests if test.outcome is TestOutcome.PASSED)
    return sum(1 for test in passing if (file in test.files if test.files else _is_module_of(file, test.id)))


def _name(test: str) -> str:
    return test.partition("::")[2]


def _is_part(path: str, parameter: str) -> bool:
    """Whether a path, or the end of it from a folder on, is one whole part of a parameter; parts are joined by `-`."""
    if not parameter:
        return False
    return any(re.search(rf"(^|-|<checkout>/)(\./)?{re.escape(one)}(-|$)", parameter) for one in _ends(path))


def _ends(path: str) -> Iterator[str]:
    yield path
    while "/" in path:
        path = path.partition("/")[2]
        yield path


def _tests(number: int) -> str:
    return "test is" if number == 1 else "tests are"


def _is_module_of(path: str, dotted: str) -> bool:
    """JUnit XML names modules with dots: `tests/test_x.py` defines `tests.test_x.TestY::test_z`.

    What follows the module is the name of a class: `tests.py` does not define `tests.test_x::test_z`.
    """
    source = SOURCES.search(path)
    module = path[: source.start()].replace("/", ".") if source else ""
    name = dotted.partition("::")[0]
    if not module or not f"{name}.".startswith(f"{module}."):
        return False
    rest = name[len(module) + 1 :]
    return not rest or rest[0].isupper()
