"""Over generated sessions: what a person accepted by name lets through what was listed, and no failure beside it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_impl.gates.lost_tests import ChangedPaths
from parallel_impl.record.gate_row import GateRow
from parallel_impl.run.land import acceptance
from tests.gates.sessions import CHANGES, Nature, Side, judge, newly_failing, sides

SIDES = sides(list(Nature))


@settings(max_examples=60, deadline=None)
@given(SIDES, SIDES, SIDES, CHANGES, st.booleans())
def test_no_failure_lands_that_is_new_and_was_not_accepted_by_name(
    base: Side,
    seen: Side,
    later: Side,
    changed: ChangedPaths,
    same: bool,
) -> None:
    first = judge(base, seen, changed)
    row = GateRow("pytest", str(first.status), why=first.why, new_failures=first.new_failures, flaky=first.flaky,
                  gone=first.gone)  # fmt: skip
    candidate = seen if same else later
    verdict = acceptance.judge(judge(base, candidate, changed), acceptance.of_row(row))
    named = {line.partition(": ")[2] for line in verdict.accepted}
    new = newly_failing(base, candidate)
    # what stopped early lists nothing: its reason is what was accepted
    stopped = bool(candidate.first().stopped)

    assert verdict.blocks or stopped or new <= named, verdict
    assert first.blocks or not same or not verdict.accepted
