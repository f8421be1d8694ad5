"""Where the feature branch may be, what counts as a move of it, and what is told about one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from parallel_impl.record import events as e
from parallel_impl.run import feature_branch
from parallel_impl.run.feature_branch import Move
from parallel_impl.run.run import Run
from tests.run.scene import commit, make_repository, move_branch, open_run, package


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    repo, first = make_repository(tmp_path / "user.git")
    base = commit(repo, first, {"base": "1\n"})
    opened = open_run(repo, base, tmp_path / "home", package("a"))
    yield opened
    opened.journal.close()


def find(run: Run) -> Move | None:
    return feature_branch.find_move(run.workspace.repo, run.workspace.places, run.state, run.spec.base)


def child(run: Run, path: str, *, of: str = "") -> str:
    return commit(run.workspace.repo, of or run.spec.base, {path: "x\n"})


def test_no_branch_is_no_move(run: Run) -> None:
    assert find(run) is None
    run.state.tip = None  # in a run of an earlier version
    assert find(run) is None


def test_a_branch_that_was_made_where_the_run_started_brings_nothing(run: Run) -> None:
    move_branch(run, run.spec.base, consented=False)
    assert find(run) is None
    move_branch(run, run.workspace.repo.parents(run.spec.base)[0], consented=False)
    assert find(run) is None


def test_a_branch_that_was_made_with_more_is_a_move(run: Run) -> None:
    tip = move_branch(run, child(run, "EVIL.md"), consented=False)
    move = find(run)
    assert move == Move("openspec/c1", tip, "", came=(f"{tip[:12]} work",), paths=("EVIL.md",))
    assert move.describe("c1").split("\n") == [
        f"openspec/c1 was made since the run began, at {tip[:12]}",
        f"1 commit came with it: {tip[:12]} work",
        "1 path differs: EVIL.md",
        "to land on it as it is: parallel-implement c1",
        f"or remove it: git update-ref -d refs/heads/openspec/c1 {tip}",
    ]


def test_consent_is_to_exactly_that_commit(run: Run) -> None:
    first = move_branch(run, child(run, "one"))
    assert find(run) is None
    second = move_branch(run, child(run, "two", of=first), consented=False)
    move = find(run)
    assert move is not None and (move.before, move.came) == (first, (f"{second[:12]} work",))
    assert f"or put it back: git update-ref refs/heads/openspec/c1 {first} {second}" in move.describe("c1")


def test_a_branch_that_was_moved_back_or_deleted_is_a_move_too(run: Run) -> None:
    repo, places, base = run.workspace.repo, run.workspace.places, run.spec.base
    tip = move_branch(run, child(run, "one"))
    move_branch(run, base, consented=False)
    back = find(run)
    assert back is not None and (back.gone, back.paths) == ((f"{tip[:12]} work",), ("one",))
    repo.delete_ref(places.branch_ref, base)
    gone = find(run)
    assert gone is not None and (gone.tip, gone.paths) == ("", ("one",))
    assert gone.describe("c1").startswith(
        f"openspec/c1 was deleted; it was at {tip[:12]}\n1 commit is not in it any more"
    )


def test_a_commit_that_is_gone_for_good_is_no_obstacle(run: Run) -> None:
    run.state.tip = "1" * 40
    move = find(run)
    assert move is not None and (move.tip, move.gone, move.paths) == ("", (), ())


def test_where_an_earlier_version_did_not_record_it_any_branch_is_asked_about(run: Run) -> None:
    run.state.tip = None
    tip = move_branch(run, run.spec.base, consented=False)
    move = find(run)
    assert move is not None and (move.before, move.tip, move.paths) == (None, tip, ())
    assert "did not record where it was" in move.describe("c1")
    run.record(e.BranchMoveAccepted(at=2.0, commit=tip))
    assert find(run) is None


def test_commits_of_the_run_itself_are_no_move_and_what_is_on_another_than_a_proven_one_is(run: Run) -> None:
    made, proven = child(run, "made"), child(run, "proven")
    run.record(e.CandidateMade(at=2.0, commit=made, tree=""), e.CandidateProven(at=2.0, commit=proven))
    for tip, moved in (
        (made, False),
        (proven, False),
        (child(run, "z", of=proven), False),
        (child(run, "z", of=made), True),
    ):
        move_branch(run, tip, consented=False)
        assert bool(find(run)) is moved


def test_names_are_shown_up_to_a_limit_and_as_a_screen_may_show_them() -> None:
    commits, paths = tuple(f"c{n}" for n in range(30)), ("a\x1b[31m", *(f"p{n}" for n in range(30)))
    lines = list(Move("b", "t", "", came=commits, paths=paths).details())
    assert lines[0].endswith("c9 and 20 more")
    assert lines[1].endswith("p18 and 11 more")
    assert "\x1b" not in lines[1]


def test_plan_and_configuration_are_read_from_no_commit_that_nobody_agreed_to(run: Run) -> None:
    def agreed() -> str:
        return feature_branch.agreed(run.workspace.repo, run.workspace.places, run.state)

    assert agreed() == ""
    first = move_branch(run, child(run, "one"))
    assert agreed() == first
    second = move_branch(run, child(run, "two", of=first), consented=False)
    assert agreed() == first
    run.record(e.RunHalted(at=3.0, code="BRANCH_MOVED", why="", tip=second))
    assert agreed() == second  # this start is the consent
    third = move_branch(run, child(run, "three", of=second), consented=False)
    assert agreed() == first
    run.record(e.CandidateProven(at=4.0, commit=second))
    assert (agreed(), run.workspace.repo.ref(run.workspace.places.branch_ref)) == (second, third)
