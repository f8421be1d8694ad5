"""Generated pairs of sessions: no green that was not earned, and no red that nobody caused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from parallel_impl.gates.gate_report import GateReport, GateState, Test, TestOutcome
from parallel_impl.gates.lost_tests import ChangedPaths
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


@settings(max_examples=60, deadline=None)
@given(sides(list(Nature)), sides(list(Nature)), CHANGES)
def test_nothing_is_green_that_fails_where_the_base_does_not(
    base: Side, candidate: Side, changed: ChangedPaths
) -> None:
    new = [
        one
        for one, nature in candidate.tests.items()
        if nature is Nature.FAILS and base.tests[one] not in (Nature.FAILS, Nature.SHAKY)
    ]

    assert judge(base, candidate, changed).blocks or not new


@settings(max_examples=60, deadline=None)
@given(sides([Nature.PASSES, Nature.PASSES, Nature.FAILS, Nature.SKIPPED, Nature.ABSENT], may_stop=False), st.data())
def test_nothing_is_red_where_all_that_passed_still_passes_and_nothing_new_fails(
    base: Side, data: st.DataObject
) -> None:
    assume(Nature.PASSES in base.tests.values())
    allowed = {
        Nature.PASSES: [Nature.PASSES],
        Nature.FAILS: [Nature.PASSES, Nature.FAILS, Nature.SHAKY, Nature.SKIPPED, Nature.ABSENT],
        Nature.SKIPPED: [Nature.PASSES, Nature.SKIPPED, Nature.ABSENT],
        Nature.ABSENT: [Nature.PASSES, Nature.SKIPPED, Nature.ABSENT],
    }
    tests = {one: data.draw(st.sampled_from(allowed[nature])) for one, nature in base.tests.items()}
    candidate = Side(tests, base.days, stops=False)

    verdict = judge(base, candidate, data.draw(CHANGES))

    assert not verdict.blocks, verdict


@settings(max_examples=60, deadline=None)
@given(sides([Nature.PASSES, Nature.FAILS, Nature.ABSENT], may_stop=False), st.booleans())
def test_tests_that_a_package_renames_in_a_file_that_it_changes_block_nothing(base: Side, every: bool) -> None:
    assume(any(nature is Nature.PASSES for nature in base.tests.values()))
    tests = {
        f"{one}_renamed" if nature is Nature.PASSES and (every or one.startswith("t.py::x")) else one: nature
        for one, nature in base.tests.items()
    }

    verdict = judge(base, Side(tests, {}, stops=False), ChangedPaths(frozenset({"t.py", "u.py"})))

    assert not verdict.blocks, verdict


@settings(max_examples=60, deadline=None)
@given(sides([Nature.PASSES, Nature.FAILS, Nature.SHAKY, Nature.SKIPPED], may_stop=False), sides(list(Nature)))
def test_a_test_that_passed_and_does_not_run_blocks_where_no_file_changed(base: Side, candidate: Side) -> None:
    lost = [
        one
        for one, nature in candidate.tests.items()
        if base.tests[one] is Nature.PASSES and nature in (Nature.SKIPPED, Nature.ABSENT)
    ]

    assert judge(base, candidate, ChangedPaths()).blocks or not lost
