"""Which work of earlier attempts is judged again before an agent is paid, and that this ends."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_impl.record import events as e
from parallel_impl.record.codes import Failure
from parallel_impl.record.state import PackageState, Progress, State

DECIDED = [code for code in Failure if code.judges]
OF_NO_AGENT = st.sampled_from([*DECIDED, *(code for code in Failure if code.undecided), Failure.GIT_FAILED])
ENDS = st.sampled_from(["", *Failure])


class Run:
    """A run of one package `a`, driven as the runner drives it."""

    def __init__(self, *, retries: int = 1) -> None:
        self.retries = retries
        self.state = State()
        self.happen(
            e.RunStarted(
                run_id="r", change_id="m", base="b", base_from="HEAD", plan_blob="p", plan_revision=1,
                contracts_revision=1, packages={"a": []}, home="/h", date=1, agent="n", jobs=1,
            )
        )  # fmt: skip

    def happen(self, *events: e.Event) -> None:
        for event in events:
            self.state.apply(e.from_line(e.to_line(event)))

    @property
    def progress(self) -> Progress:
        return self.state.packages["a"]

    @property
    def judged(self) -> list[int]:
        return [one.number for one in self.progress.to_judge]

    def attempt(self, code: str, *, verified: bool = True, commit: str = "k", whole: bool | None = True) -> int:
        """One attempt, whole: of kept work where there is some. Returns whose work it judged (0: an agent's own)."""
        number, asked = self.progress.attempts + 1, self.judged
        judges = self.progress.done_in(asked[0]) if asked else 0
        self.happen(e.AttemptStarted(package="a", number=number, judges=judges))
        if verified:
            self.happen(e.AttemptVerifying(package="a", number=number))
        self.happen(e.AttemptEnded(package="a", number=number, code=code, commit=commit, whole=whole))
        if not code:
            self.happen(e.PackageAccepted(package="a", number=number, commit=commit))
        elif not self.progress.may_retry(self.retries):
            self.happen(e.PackageFailed(package="a", code=code))
        return judges

    def edit(self, *, judged: bool = True) -> None:
        names = ["a"]
        self.happen(
            e.PlanRevised(
                plan_blob="q", commit="c", plan_revision=2, contracts_revision=1, packages={"a": []},
                changed=names, judged=names if judged else [],
            )
        )  # fmt: skip

    def configure(self, *, again: bool = False) -> None:
        tried, judged = (["a"], []) if again else ([], ["a"])
        self.happen(e.ConfigurationRevised(commit="c", digest="d", keys=["pass_env"], again=tried, judged=judged))


@pytest.mark.parametrize("code", ["", *DECIDED])
def test_work_is_judged_again_once_what_judges_it_is_edited(code: str) -> None:
    run = Run(retries=0)
    run.attempt(code)
    run.edit()
    assert (run.judged, run.progress.failures) == ([1], 0)
    assert run.attempt(Failure.VERIFICATION_FAILED) == 1
    assert (run.judged, run.progress.failures) == ([], 0)  # which costs no retry: an agent is next
    assert run.progress.state is PackageState.QUEUED
    last = run.progress.last_failure
    assert last is not None and last.number == 2


@pytest.mark.parametrize("code", DECIDED)
def test_nothing_is_judged_again_while_all_is_as_it_was(code: str) -> None:
    run = Run(retries=1)
    run.attempt(code)
    assert run.judged == []


def test_what_is_asked_for_otherwise_is_done_by_an_agent() -> None:
    run = Run()
    run.attempt(Failure.SCOPE_VIOLATION)
    run.edit(judged=False)
    assert run.judged == []
    run.edit()  # a second edit, before anything was done by the first one
    assert run.judged == []


def test_a_restart_is_done_by_an_agent() -> None:
    run = Run()
    run.attempt("")
    run.happen(e.PackagesRestarted(packages=["a"]))
    run.edit()
    assert run.judged == []


def test_work_that_was_verified_on_a_checkout_that_somebody_changed_is_judged_again_without_an_agent() -> None:
    run = Run()
    run.attempt("")
    run.happen(e.LayersChanged(what=["x"], packages=["a"]))
    assert (run.progress.state, run.state.accepted(), run.judged) == (PackageState.QUEUED, {}, [1])
    assert run.attempt("") == 1
    assert (run.state.accepted(), run.judged) == ({"a": "k"}, [])


@pytest.mark.parametrize("code", [one for one in Failure if not one.judges and not one.undecided])
def test_work_whose_agent_did_not_end_well_is_not_judged(code: Failure) -> None:
    run = Run(retries=3)
    run.attempt(code, verified=False)
    run.edit()
    assert run.judged == []


@pytest.mark.parametrize(("whole", "judged"), [(True, [1]), (False, []), (None, [])])
def test_work_of_which_a_part_was_not_taken_is_not_judged(whole: bool | None, judged: list[int]) -> None:
    run = Run()
    run.attempt(Failure.SCOPE_VIOLATION, whole=whole)
    run.edit()
    assert run.judged == judged


@pytest.mark.parametrize("code", [one for one in Failure if one.undecided])
def test_work_about_which_nothing_was_found_out_is_judged_again(code: Failure) -> None:
    run = Run(retries=5)
    run.attempt(code, verified=False)
    assert run.judged == []  # its agent was at work
    run.attempt(code)
    assert run.judged == [2]
    assert run.attempt("") == 2


def test_a_step_that_cannot_start_when_its_work_is_judged_again_is_the_turn_of_an_agent() -> None:
    run = Run()
    run.attempt(Failure.STEP_CANNOT_START)
    assert run.attempt(Failure.STEP_CANNOT_START) == 1
    assert run.judged == []
    last = run.progress.last_failure
    assert last is not None and last.number == 2
    run.edit()
    assert run.judged == [2]
    assert (run.attempt(Failure.STEP_CANNOT_START), run.judged) == (1, [])


def test_every_work_that_there_is_has_its_turn_the_latest_first() -> None:
    run = Run(retries=5)
    run.attempt(Failure.SCOPE_VIOLATION)
    run.attempt(Failure.AGENT_FAILED, verified=False)
    run.attempt(Failure.VERIFICATION_FAILED)
    run.edit()
    assert run.judged == [3, 1]
    assert [run.attempt(Failure.VERIFICATION_FAILED), run.attempt(Failure.SCOPE_VIOLATION)] == [3, 1]
    assert run.judged == []
    last = run.progress.last_failure
    assert last is not None and last.number == 4  # the latest work, not what was judged last
    assert run.attempt(Failure.VERIFICATION_FAILED) == 0
    assert run.judged == []  # once an agent has tried


def test_a_failed_package_is_only_judged_again_where_its_retries_are_used_up() -> None:
    run = Run(retries=0)
    run.attempt(Failure.VERIFICATION_FAILED)
    assert run.progress.state is PackageState.FAILED
    run.configure()
    assert (run.progress.state, run.judged, run.progress.may_retry(0)) == (PackageState.QUEUED, [1], True)
    run.attempt(Failure.VERIFICATION_FAILED)
    assert run.progress.state is PackageState.FAILED


def test_what_failed_by_what_was_configured_has_its_tries_again() -> None:
    run = Run(retries=0)
    run.attempt(Failure.SETUP_FAILED, verified=False, commit="")
    assert run.progress.state is PackageState.FAILED
    run.configure(again=True)
    assert (run.progress.state, run.progress.failures, run.judged) == (PackageState.QUEUED, 0, [])


def test_an_edit_that_an_earlier_version_took_in_tries_nothing_again() -> None:
    run = Run(retries=0)
    run.attempt(Failure.VERIFICATION_FAILED)
    run.happen(e.ConfigurationRevised(commit="c", digest="d", keys=["gates.x"]))
    assert run.progress.state is PackageState.FAILED


@settings(max_examples=100, deadline=None)
@given(
    first=st.lists(st.tuples(ENDS.filter(bool), st.booleans()), min_size=1, max_size=4),
    then=st.lists(st.tuples(ENDS.filter(bool), OF_NO_AGENT), min_size=12, max_size=12),
    retries=st.integers(0, 2),
    by_plan=st.booleans(),
)
def test_no_work_is_judged_twice_and_the_package_ends(
    first: list[tuple[str, bool]], then: list[tuple[str, str]], retries: int, *, by_plan: bool
) -> None:
    run = Run(retries=retries)
    for code, verified in first:
        if run.progress.state is PackageState.QUEUED:
            run.attempt(code, verified=verified)
    if by_plan:
        run.edit()
    else:
        run.configure()
    judged, paid = list[int](), 0
    for by_agent, without in then:
        if run.progress.state is not PackageState.QUEUED:
            break
        code = without if run.judged else by_agent
        work = run.attempt(code)
        if work and Failure(code).judges:
            judged.append(work)
        paid += not work and Failure(code).costs_retry
    assert len(judged) == len(set(judged))
    assert paid <= retries + 1
