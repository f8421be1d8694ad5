"""What may start, and what can never happen, in any order of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_impl.record import events as e
from parallel_impl.record.gate_row import GateRow
from parallel_impl.record.state import (
    ENDED,
    LIVE,
    ImpossibleError,
    PackageState,
    Progress,
    RunState,
    State,
    blocking,
    fold,
)

DIAMOND: Mapping[str, list[str]] = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


def started(packages: Mapping[str, list[str]] = DIAMOND) -> e.RunStarted:
    return e.RunStarted(
        run_id="r", change_id="c", base="0" * 40, base_from="HEAD", plan_blob="1" * 40, plan_revision=1,
        contracts_revision=1, packages=packages, home="/h", date=1, agent="none", jobs=8,
    )  # fmt: skip


def startable(state: State, order: Sequence[str], *, jobs: int, only: frozenset[str] | None = None) -> list[str]:
    """What the loop starts of these, in this order."""
    state.start_in(order)
    return list(islice(state.ready(only=only), state.room(jobs)))


def accept(state: State, package: str) -> None:
    number = state.packages[package].attempts + 1
    state.apply(e.AttemptStarted(package=package, number=number))
    state.apply(e.AttemptEnded(package=package, number=number, commit=f"commit-{package}"))
    state.apply(e.PackageAccepted(package=package, number=number, commit=f"commit-{package}"))


def test_only_packages_whose_dependencies_are_accepted_may_start() -> None:
    state = fold([started()])
    assert startable(state, "abcd", jobs=8) == ["a"]
    accept(state, "a")
    assert startable(state, "dcba", jobs=8) == ["c", "b"]
    accept(state, "b")
    assert startable(state, "abcd", jobs=8) == ["c"]


def test_no_more_than_jobs_are_live_and_only_leaves_the_others_out() -> None:
    state = fold([started({"a": [], "b": [], "c": []})])
    state.apply(e.AttemptStarted(package="a", number=1))
    assert startable(state, "abc", jobs=2) == ["b"]
    assert startable(state, "abc", jobs=8, only=frozenset("ac")) == ["c"]


def test_what_lies_below_a_failure_is_doomed_and_what_does_not_goes_on() -> None:
    state = fold([started({"a": [], "b": ["a"], "c": ["b"], "x": []})])
    state.apply(e.AttemptStarted(package="a", number=1))
    state.apply(e.AttemptEnded(package="a", number=1, code="TIMEOUT"))
    state.apply(e.PackageFailed(package="a", code="TIMEOUT"))
    assert state.doomed() == [("b", "a"), ("c", "b")]
    assert startable(state, "abcx", jobs=8) == ["x"]


def test_a_start_of_the_same_command_queues_what_was_live_and_keeps_what_is_accepted() -> None:
    state = fold([started()])
    accept(state, "a")
    state.apply(e.AttemptStarted(package="b", number=1))
    state.apply(e.RunContinued(agent="none", jobs=8))
    assert state.packages["b"].state is PackageState.QUEUED
    assert state.packages["b"].failures == 0
    assert state.accepted() == {"a": "commit-a"}
    state.apply(e.AttemptStarted(package="b", number=2))
    assert state.packages["b"].attempts == 2


def test_an_interrupted_attempt_costs_no_retry() -> None:
    state = fold([started()])
    state.apply(e.AttemptStarted(package="a", number=1))
    state.apply(e.AttemptEnded(package="a", number=1, code="INTERRUPTED"))
    assert (state.packages["a"].failures, state.packages["a"].attempts) == (0, 1)


def test_what_failed_may_be_tried_again_and_what_was_cancelled_below_waits_for_it() -> None:
    state = fold([started({"a": [], "b": ["a"]})])
    state.apply(e.AttemptStarted(package="a", number=1))
    state.apply(e.AttemptEnded(package="a", number=1, code="TIMEOUT"))
    state.apply(e.PackageFailed(package="a", code="TIMEOUT"))
    state.apply(e.PackageCancelled(package="b", because="a"))
    state.apply(e.FailedRetried(packages=["a"]))
    assert (startable(state, "ab", jobs=8), state.doomed()) == (["a"], [])
    accept(state, "a")
    assert startable(state, "ab", jobs=8) == ["b"]
    with pytest.raises(ImpossibleError):
        state.apply(e.FailedRetried(packages=["a"]))


def test_a_changed_repository_starts_nothing_more() -> None:
    state = fold([started()])
    state.apply(e.RepositoryChanged(what=["core.hooksPath"], running=["a"], halts=True))
    assert startable(state, "abcd", jobs=8) == []


@pytest.mark.parametrize(
    "event",
    [
        e.AttemptStarted(package="b", number=1),
        e.AttemptStarted(package="a", number=2),
        e.AttemptEnded(package="a", number=1),
        e.PackageAccepted(package="a", number=1, commit="x"),
        e.PackageFailed(package="a", code="X"),
    ],
)
def test_an_event_that_cannot_follow_is_refused(event: e.Event) -> None:
    with pytest.raises(ImpossibleError):
        fold([started(), event])


def test_an_accepted_package_is_never_changed() -> None:
    state = fold([started()])
    accept(state, "a")
    for event in (
        e.AttemptStarted(package="a", number=2),
        e.PackageAccepted(package="a", number=1, commit="other"),
        e.PackageCancelled(package="a", because="b"),
    ):
        with pytest.raises(ImpossibleError):
            state.apply(event)
    assert state.accepted() == {"a": "commit-a"}


@pytest.mark.parametrize(
    ("budget", "failures", "expected"), [(0, 0, True), (0, 1, False), (1, 1, True), (1, 2, False), (2, 2, True)]
)
def test_the_budget_counts_attempts_beyond_the_first(budget: int, failures: int, expected: bool) -> None:
    assert Progress((), failures=failures).may_retry(budget) is expected


@pytest.mark.parametrize("packages", [{"a": ["b"], "b": ["a"]}, {"a": ["a"]}, {"a": ["gone"]}])
def test_a_journal_whose_plan_has_no_order_is_impossible(packages: dict[str, list[str]]) -> None:
    with pytest.raises(ImpossibleError, match="no order"):
        fold([started(packages)])


def test_landing_ends_the_run() -> None:
    state = fold([started({"a": []})])
    accept(state, "a")
    assert blocking(state, ["a"]) == {}
    state.apply(e.CandidateMade(commit="k", tree="t"))
    state.apply(e.CandidateProven(commit="k"))
    state.apply(e.Landed(commit="k", branch="openspec/c"))
    assert (state.run, state.proven) == (RunState.LANDED, "k")


def test_jobs_count_agents_and_as_many_again_may_be_verified() -> None:
    plan: dict[str, list[str]] = {name: [] for name in "abcdef"}
    state = fold([started(plan), *(e.AttemptStarted(package=name, number=1) for name in "ab")])
    assert startable(state, "abcdef", jobs=2) == []
    state.apply(e.AttemptVerifying(package="a", number=1))
    assert startable(state, "abcdef", jobs=2) == ["c"]
    assert startable(state, "abcdef", jobs=1) == []  # one after the other
    state.apply(e.AttemptVerifying(package="b", number=1))
    for name in "cd":
        state.apply(e.AttemptStarted(package=name, number=1))
        state.apply(e.AttemptVerifying(package=name, number=1))
    assert startable(state, "abcdef", jobs=2) == []  # four checkouts and two for the gates


@st.composite
def plans(draw: st.DrawFn) -> dict[str, list[str]]:
    names = [f"p{number}" for number in range(draw(st.integers(1, 8)))]
    return {name: sorted(draw(st.sets(st.sampled_from(names[:at])))) if at else [] for at, name in enumerate(names)}


@settings(max_examples=150, deadline=None)
@given(plans(), st.randoms(use_true_random=False), st.integers(1, 4))
def test_every_run_ends_with_each_package_accepted_failed_or_cancelled(
    plan: dict[str, list[str]], random: Random, jobs: int
) -> None:
    state = fold([started(plan)])
    order = sorted(plan)
    for _ in range(10_000):
        for name, because in state.doomed():
            state.apply(e.PackageCancelled(package=name, because=because))
        for name in startable(state, order, jobs=jobs):
            assert all(state.packages[above].state is PackageState.ACCEPTED for above in plan[name])
            state.apply(e.AttemptStarted(package=name, number=state.packages[name].attempts + 1))
        live = state.live()
        assert len(live) <= jobs
        if not live:
            break
        name = random.choice(live)
        number = state.packages[name].attempts
        ending = random.choice(["accept", "accept", "fail", "retry", "crash"])
        if ending == "accept":
            state.apply(e.AttemptEnded(package=name, number=number, commit=name))
            state.apply(e.PackageAccepted(package=name, number=number, commit=name))
        elif ending == "crash":
            state.apply(e.RunContinued(agent="none", jobs=jobs))
        else:
            state.apply(e.AttemptEnded(package=name, number=number, code="X"))
            if ending == "fail":
                state.apply(e.PackageFailed(package=name, code="X"))
    assert all(progress.state in ENDED for progress in state.packages.values())
    assert not any(progress.state in LIVE for progress in state.packages.values())


def paused() -> State:
    state = fold([started({"a": [], "b": [], "c": ["b"]})])
    state.apply(e.AttemptStarted(package="a", number=1))
    state.apply(e.AttemptStarted(package="b", number=1))
    state.apply(e.AttemptEnded(package="a", number=1, code="PROVIDER_QUOTA"))
    state.apply(e.RunPaused(by="openai", why="quota", until=7.0))
    return state


def test_a_paused_run_starts_nothing_and_still_accepts_what_is_live() -> None:
    state = paused()
    assert (state.run, startable(state, "abc", jobs=8)) == (RunState.PAUSED, [])
    state.apply(e.AttemptEnded(package="b", number=1, commit="k"))
    state.apply(e.PackageAccepted(package="b", number=1, commit="k"))
    assert (state.accepted(), startable(state, "abc", jobs=8)) == ({"b": "k"}, [])
    assert state.packages["a"].failures == 0


def test_the_same_command_resumes_a_paused_run_and_its_provider_is_remembered() -> None:
    state = paused()
    state.apply(e.RunContinued(agent="none", jobs=8))
    state.apply(e.RunResumed(by="openai"))
    assert (state.run, state.paused, state.resumed) == (RunState.EXECUTING, None, "openai")
    assert startable(state, "abc", jobs=8) == ["a", "b"]


def test_a_budget_that_is_used_up_leaves_no_try_until_the_user_asks_for_new_ones() -> None:
    state = fold([started({"a": []})])
    state.apply(e.AttemptStarted(package="a", number=1))
    state.apply(e.AttemptEnded(package="a", number=1, code="BUDGET_EXCEEDED"))
    assert not state.packages["a"].may_retry(5)
    state.apply(e.PackageFailed(package="a", code="BUDGET_EXCEEDED"))
    state.apply(e.FailedRetried(packages=["a"]))
    assert state.packages["a"].may_retry(0)
    assert state.packages["a"].counts_from == 1


def test_what_became_of_a_landed_branch_is_kept_and_the_run_stays_landed() -> None:
    state = fold([started({"a": []})])
    accept(state, "a")
    published = [
        e.BranchPushed(remote="https://x/y", branch="openspec/c", commit="1" * 40),
        e.PullRequestOpened(url="https://x/y/pull/1", number=1, commit="1" * 40, draft=True),
        e.ChecksAnswered(commit="1" * 40, verdict="passed", checks={"unit": "passed"}, required=True),
        e.Merged(url="https://x/y/pull/1", number=1, head="1" * 40, commit="2" * 40),
    ]
    for event in (e.Landed(commit="1" * 40, branch="openspec/c"), *published):
        state.apply(e.from_line(e.to_line(event)))
    assert [state.pushed, state.pull_request, state.checks, state.merged] == published
    assert state.run is RunState.LANDED


def test_what_the_gates_meant_for_the_last_candidate_is_in_the_journal() -> None:
    row = GateRow("pytest", "passed", flaky=("t.py::x",))
    on_candidate = e.GatesEnded(at=1.0, on="candidate", tree="t", verdicts={"pytest": "passed"}, rows=(row,))
    state = State()
    for event in (on_candidate, e.GatesEnded(at=2.0, on="base", tree="b", verdicts={})):
        state.apply(e.from_line(e.to_line(event)))

    assert state.gate_rows == (row,)
    old = e.from_line(b'{"event":"gates-ended","at":1.0,"on":"candidate","tree":"t","verdicts":{}}')
    assert isinstance(old, e.GatesEnded)
    assert old.rows == ()


@pytest.mark.parametrize("event", [e.PackagesRestarted(packages=["a"]), e.PlanRevised(
    plan_blob="2" * 40, commit="3" * 40, plan_revision=2, contracts_revision=1, packages=DIAMOND, changed=["a"],
)])  # fmt: skip
def test_an_earlier_proof_counts_no_more_when_packages_are_done_again(event: e.Event) -> None:
    state = fold([started(), e.CandidateProven(commit="c" * 40)])
    assert state.proven
    state.apply(event)
    assert state.proven == ""
