"""Generated pairs of sessions: no green that was not earned, and no red that nobody caused."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from parallel_impl.gates.lost_tests import ChangedPaths
from tests.gates.sessions import CHANGES, Nature, Side, judge, newly_failing, sides


@settings(max_examples=60, deadline=None)
@given(sides(list(Nature)), sides(list(Nature)), CHANGES)
def test_nothing_is_green_that_fails_where_the_base_does_not(
    base: Side, candidate: Side, changed: ChangedPaths
) -> None:
    assert judge(base, candidate, changed).blocks or not newly_failing(base, candidate)


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
