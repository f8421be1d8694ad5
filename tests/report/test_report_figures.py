"""The figures of a run, each with a course whose numbers can be added up by hand."""

from __future__ import annotations

import msgspec
import pytest

from parallel_impl.record import events as e
from parallel_impl.record.codes import Failure
from parallel_impl.record.events import Event
from parallel_impl.report.course import course
from parallel_impl.report.figures import TARGETS, Figures, measure
from tests.report.scene import COMMIT, accept, begin, started

SIDE: dict[str, list[str]] = {"wp-a": [], "wp-b": []}


def figures(*happened: Event) -> Figures:
    return measure(happened, course(happened))


def candidate(at: float) -> e.CandidateMade:
    return e.CandidateMade(at=at, commit=COMMIT, tree=COMMIT)


def test_a_run_that_never_tried_anything_has_no_figures_instead_of_zeros() -> None:
    assert figures(started(SIDE)) == Figures()


def test_work_counts_as_parallel_while_another_attempt_is_at_work() -> None:
    """0-10 a alone; 10-20 both; 20-40 b alone: 20 of 50 seconds are side by side, and 50 of 80 are worked."""
    happened = [started(SIDE), begin(0, "wp-a"), begin(10, "wp-b"), *accept(20, "wp-a"), *accept(40, "wp-b")]
    found = figures(*happened)
    assert (found.parallel_share, found.utilisation) == (0.4, 0.625)


def test_jobs_that_no_package_could_use_are_not_idle() -> None:
    alone: dict[str, list[str]] = {"wp-a": []}
    assert figures(started(alone, jobs=4), begin(0, "wp-a"), *accept(10, "wp-a")).utilisation == 1.0


def test_the_night_between_two_starts_is_no_idle_time() -> None:
    first = [started(SIDE), begin(0, "wp-a"), *accept(10, "wp-a"), e.Interrupted(at=10, by="a signal")]
    second = [e.RunContinued(at=50_000, agent="x", jobs=1), begin(50_000, "wp-b"), *accept(50_010, "wp-b")]
    assert figures(*first, *second).utilisation == 0.5  # one of the two jobs of the first start


def test_launching_ends_when_as_many_started_as_jobs_and_plan_allow() -> None:
    after = {"wp-a": [], "wp-b": [], "wp-c": ["wp-a"]}
    starts = [begin(1, "wp-a"), begin(4, "wp-b"), *accept(9, "wp-a"), begin(9, "wp-c")]
    assert figures(started(after, jobs=3), *starts).launch_seconds == 4.0
    assert figures(started(after, jobs=1), *starts).launch_seconds == 1.0
    assert figures(started(after, jobs=3), begin(1, "wp-a")).launch_seconds is None


def test_integrating_is_from_the_last_accepted_package_to_the_first_candidate() -> None:
    happened = [started(SIDE), begin(0, "wp-a"), *accept(5, "wp-a"), begin(5, "wp-b"), *accept(8, "wp-b")]
    assert figures(*happened).integrate_seconds is None
    assert figures(*happened, candidate(8.5)).integrate_seconds == 0.5
    assert figures(*happened, candidate(8.5), candidate(60)).integrate_seconds == 0.5  # the branch had moved


@pytest.mark.parametrize(
    ("code", "share"), [("VERIFICATION_FAILED", 0.5), (Failure.INTERRUPTED, 1.0)], ids=["failed", "interrupted"]
)
def test_an_interrupted_attempt_is_no_first_try(code: str, share: float) -> None:
    over = e.AttemptEnded(at=5, package="wp-a", number=1, code=code, seconds=5.0)
    again = [begin(6, "wp-a", 2), *accept(9, "wp-a", 2)]
    happened = [started(SIDE), begin(0, "wp-a"), begin(0, "wp-b"), over, *accept(5, "wp-b"), *again]
    assert figures(*happened).first_pass_share == share


def test_the_plan_is_measured_by_the_start() -> None:
    assert figures(msgspec.structs.replace(started(SIDE), plan_seconds=0.25)).plan_seconds == 0.25


def test_every_figure_has_a_target_and_knows_its_side() -> None:
    assert [target.field for target in TARGETS] == list(Figures.__struct_fields__)
    share, seconds = TARGETS[0], TARGETS[2]
    assert (share.met(0.81), share.met(0.8)) == (True, False)
    assert (seconds.met(59.9), seconds.met(60.0)) == (True, False)
