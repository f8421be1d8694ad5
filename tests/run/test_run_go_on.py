"""A run that goes on: what the user asks for now is taken in after what was left is settled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from parallel_impl.git.repo import Repo
from parallel_impl.plan import revision as revisions
from parallel_impl.plan.model import Package
from parallel_impl.record import events as e
from parallel_impl.record.codes import Failure
from parallel_impl.record.state import PackageState
from parallel_impl.run.resume import go_on
from parallel_impl.run.run import Run
from parallel_impl.run.spec import PlanEdit
from tests.run.scene import Recorder, commit, heard, in_force, make_repository, open_run, package

PACKAGES = (package("a"), package("b", "a"), package("c", retries=0))


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Repo, str]:
    return make_repository(tmp_path / "user.git")


@pytest.fixture
def again(repository: tuple[Repo, str], tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """The second start of a run in which `a` and `b` were accepted and `c` failed."""
    repo, base = repository
    first = open_run(repo, base, tmp_path / "home", *PACKAGES)
    made = base
    for name in ("a", "b"):
        made = commit(repo, made, {f"{name}/x": "1\n"})
        for ref in (first.workspace.places.package_ref(name), first.workspace.places.attempt_ref(name, 1)):
            repo.set_ref(ref, made)
        first.record(
            e.AttemptStarted(at=2.0, package=name, number=1),
            e.AttemptEnded(at=3.0, package=name, number=1, commit=made, seconds=1.0),
            e.PackageAccepted(at=3.0, package=name, number=1, commit=made),
        )
    first.record(
        e.AttemptStarted(at=2.0, package="c", number=1),
        e.AttemptEnded(at=3.0, package="c", number=1, code=Failure.AGENT_FAILED, seconds=1.0),
        e.PackageFailed(at=3.0, package="c", code=Failure.AGENT_FAILED),
    )
    first.journal.close()
    runs = list[Run]()

    def start(*packages: Package) -> Run:
        runs.append(open_run(repo, base, tmp_path / "home", *(packages or PACKAGES)))
        return runs[-1]

    yield start
    for run in runs:
        run.journal.close()


def take_in(
    run: Run, edit: PlanEdit | None = None, *, retry_failed: bool = False, restart: tuple[str, ...] = ()
) -> dict[str, PackageState]:
    go_on.go_on(run, edit, only="", retry_failed=retry_failed, restart=restart)
    return {name: progress.state for name, progress in run.state.packages.items()}


def accepted_refs(run: Run) -> set[str]:
    places = run.workspace.places
    return {ref.removeprefix(f"{places.package_refs}/") for ref in run.workspace.repo.refs(places.package_refs)}


def test_the_same_command_again_changes_no_package_and_forgets_the_summary(again: Callable[..., Run]) -> None:
    run = again()
    run.workspace.places.summary.write_text("of what is over now")
    states = take_in(run)
    assert states == {"a": PackageState.ACCEPTED, "b": PackageState.ACCEPTED, "c": PackageState.FAILED}
    assert [type(event) for event in heard(run)] == [e.RunContinued]
    assert set(run.layers) == {"a", "b"}
    assert not run.workspace.places.summary.exists()


def test_what_failed_is_tried_again_when_the_user_says_so(again: Callable[..., Run]) -> None:
    run = again()
    assert take_in(run, retry_failed=True)["c"] is PackageState.QUEUED
    assert run.state.packages["c"].failures == 0


def test_nothing_that_failed_is_said(again: Callable[..., Run]) -> None:
    take_in(run := again(), retry_failed=True)
    run.journal.close()
    take_in(run := again(), retry_failed=True)
    assert isinstance(run.listener, Recorder)
    assert run.listener.said == ["--retry-failed: nothing had failed"]


def test_a_package_that_is_done_again_takes_what_builds_on_it_along_and_its_work_stays_on_its_attempts_ref(
    again: Callable[..., Run],
) -> None:
    run = again()
    states = take_in(run, restart=("a",))
    assert states == {"a": PackageState.QUEUED, "b": PackageState.STALE, "c": PackageState.FAILED}
    assert run.layers == {}
    assert accepted_refs(run) == set()
    assert len(run.workspace.repo.refs(run.workspace.places.attempt_refs)) == 2
    assert run.workspace.watch.compare() == []  # all of that was ours
    assert isinstance(run.listener, Recorder)
    assert run.listener.said == ["done again: a; and what builds on it: b"]


def test_a_ref_that_the_user_deleted_is_made_again_and_that_was_us(again: Callable[..., Run]) -> None:
    run = again()
    workspace = run.workspace
    deleted, made = workspace.places.attempt_ref("a", 1), workspace.repo.ref(workspace.places.package_ref("a"))
    workspace.repo.delete_ref(deleted, str(made))
    workspace.watch.compare()
    take_in(run, restart=("a",))
    assert workspace.repo.ref(deleted) == made
    assert workspace.watch.compare() == []


def test_an_edit_is_kept_on_a_ref_and_what_it_changed_is_done_again(
    again: Callable[..., Run], repository: tuple[Repo, str]
) -> None:
    repo, base = repository
    after = (PACKAGES[0], replace(PACKAGES[1], description="else"), PACKAGES[2])
    run = again(*after)
    run.in_force = in_force(after, 2)
    edited = commit(repo, base, {run.workspace.places.plan_file: "edited\n"})
    before = in_force(PACKAGES)
    edit = PlanEdit(before, edited, revisions.compare(before.plan, run.in_force.plan))
    states = take_in(run, edit)
    assert states == {"a": PackageState.ACCEPTED, "b": PackageState.QUEUED, "c": PackageState.FAILED}
    assert repo.ref(run.workspace.places.plan_ref(2)) == edited
    assert (run.state.plan_commit, run.state.plan_revision) == (edited, 2)
    assert accepted_refs(run) == {"a"}
    assert run.in_force.plan.revision == 2


def test_what_is_left_is_settled_as_the_plan_stood_then(
    again: Callable[..., Run], repository: tuple[Repo, str]
) -> None:
    repo, base = repository
    first = again()
    take_in(first, restart=("b",))
    first.record(e.AttemptStarted(at=9.0, package="b", number=2))
    first.journal.close()
    after = (PACKAGES[0], PACKAGES[2])  # `b` is gone from the plan while it was in flight
    run = again(*after)
    run.in_force = in_force(after, 2)
    before = in_force(PACKAGES)
    edited = commit(repo, base, {run.workspace.places.plan_file: "edited\n"})
    take_in(run, PlanEdit(before, edited, revisions.compare(before.plan, run.in_force.plan)))
    ended = next(event for event in heard(run) if isinstance(event, e.AttemptEnded))
    assert (ended.package, ended.number, ended.code) == ("b", 2, Failure.INTERRUPTED)
    assert set(run.state.packages) == {"a", "c"}
