"""Generated sessions of tests on two trees, and the verdict that follows from them as it does on real ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from hypothesis import strategies as st

from parallel_impl.gates.gate_report import GateReport, GateState, Test, TestOutcome
from parallel_impl.gates.lost_tests import VOLATILE, ChangedPaths
from parallel_impl.gates.verdict import Again, GateVerdict, compare, to_confirm, to_confirm_on_base


class Nature(Enum):
    """What a test does in a quiet, complete run; a SHAKY one does what the day brings."""

    PASSES = auto()
    FAILS = auto()
    SHAKY = auto()
    SKIPPED = auto()
    ABSENT = auto()  # gone, renamed or deselected on this side


PARAMETERS = ("", "[1]", "[2]", "[0xdeadbeef]", "[0xcafebabe]", "[src/a.py]", "[a-b]")
IDS = [f"t.py::x{parameter}" for parameter in PARAMETERS] + ["t.py::y", "u.py::x", "u.py::y[1]", "u.py::y[0xdeadbeef]"]


@dataclass(frozen=True)
class Side:
    """One tree: what each test does, what the shaky ones do in both sessions, and whether a failure ends the first."""

    tests: Mapping[str, Nature]
    days: Mapping[str, tuple[bool, bool]]
    stops: bool

    def outcome(self, test: str, session: int) -> TestOutcome:
        nature = self.tests[test]
        if nature is Nature.SKIPPED:
            return TestOutcome.SKIPPED
        passes = nature is Nature.PASSES or (nature is Nature.SHAKY and self.days[test][session])
        return TestOutcome.PASSED if passes else TestOutcome.FAILED

    def first(self) -> GateReport:
        selected = [one for one, nature in self.tests.items() if nature is not Nature.ABSENT]
        ran, stopped = list[Test](), ""
        for one in selected:
            ran.append(Test(one, self.outcome(one, 0), (one.partition("::")[0],)))
            if self.stops and ran[-1].outcome is TestOutcome.FAILED:
                stopped = "stopping after 1 failures" if len(ran) < len(selected) else ""
                break
        red = any(test.outcome is TestOutcome.FAILED for test in ran)
        return GateReport(
            "pytest",
            GateState.RED if red else GateState.GREEN,
            int(red),
            explained=not stopped,
            tests=tuple(ran),
            unexplained=stopped,
            stopped=stopped,
            selected=tuple(selected),
            lists_tests=True,
        )

    def second(self, tests: Sequence[Test]) -> dict[str, TestOutcome]:
        return {test.id: self.outcome(test.id, 1) for test in tests}


def sides(natures: Sequence[Nature], *, may_stop: bool = True) -> st.SearchStrategy[Side]:
    return st.builds(
        Side,
        st.fixed_dictionaries({one: st.sampled_from(natures) for one in IDS}),
        st.fixed_dictionaries({one: st.tuples(st.booleans(), st.booleans()) for one in IDS}),
        st.booleans() if may_stop else st.just(value=False),
    )


CHANGES = st.builds(
    ChangedPaths,
    st.frozensets(st.sampled_from(["t.py", "u.py", "src/a.py", "a"])),
    st.frozensets(st.sampled_from(["t.py", "src/a.py", "a"])),
)


def judge(base: Side, candidate: Side, changed: ChangedPaths) -> GateVerdict:
    """As it is done on real trees: both whole sessions, then what failed once more."""
    before, after = base.first(), candidate.first()
    again = Again(candidate=candidate.second(to_confirm(before, after)) or None)
    if on_base := to_confirm_on_base(before, after, again):
        again = Again(base.second(on_base), again.candidate)
    return compare(before, after, changed, again)


def newly_failing(base: Side, candidate: Side) -> set[str]:
    """What fails on the candidate each time and neither fails nor is unstable on the base.

    An id with an address in it is another one in each run: it is known by one that only the base has and that fails.
    """
    unstable = (Nature.FAILS, Nature.SHAKY)
    gone = [one for one, nature in base.tests.items() if nature in unstable and candidate.tests[one] is Nature.ABSENT]
    masks = {VOLATILE.sub("#", one) for one in gone if VOLATILE.search(one)}
    failing = {one for one, nature in candidate.tests.items() if nature is Nature.FAILS}
    return {
        one
        for one in failing
        if base.tests[one] not in unstable
        and not (base.tests[one] is Nature.ABSENT and VOLATILE.sub("#", one) in masks)
    }
