"""A branch that a worktree uses: checked out, being rebased, being bisected, as `git branch -f` has it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from parallel_impl.git import checked_out
from parallel_impl.git.repo import Repo
from tests.git.scene import make_user
from tests.repository import commit_all, git

BRANCH = "refs/heads/openspec/c"


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """The branch has two commits on main's, and nobody uses it."""
    user = make_user(tmp_path / "user")
    git(user, "switch", "-q", "-c", "openspec/c")
    for name in ("one", "two"):
        (user / name).touch()
        commit_all(user, name)
    git(user, "switch", "-q", "main")
    return user


def uses(user: Path) -> list[tuple[Path, str]]:
    found = [(use.worktree, use.verb) for use in checked_out.uses(Repo.discover(user), BRANCH)]
    moved = subprocess.run(["git", "branch", "-f", "openspec/c", "openspec/c"], cwd=user, check=False)
    assert bool(found) == bool(moved.returncode), "git sees it otherwise"
    return found


def stop_rebase(folder: Path, *options: str, branch: str = "openspec/c") -> None:
    git(folder, "-c", "sequence.editor=sed -i '1s/^pick/edit/'", "rebase", "-q", "-i", *options, "main", branch)


def test_a_branch_that_nobody_uses(user: Path) -> None:
    assert uses(user) == []


def test_a_branch_that_is_checked_out(user: Path, tmp_path: Path) -> None:
    git(user, "worktree", "add", "-q", str(tmp_path / "linked"), "openspec/c")
    assert uses(user) == [(tmp_path / "linked", checked_out.CHECKED_OUT)]


@pytest.mark.parametrize("linked", [False, True])
def test_a_branch_that_is_being_rebased(linked: bool, user: Path, tmp_path: Path) -> None:
    place = tmp_path / "linked" if linked else user
    if linked:
        git(user, "worktree", "add", "-q", "--detach", str(place))
    stop_rebase(place)
    assert uses(user) == [(place, checked_out.REBASED)]
    git(place, "rebase", "--abort")
    git(place, "switch", "-q", "--detach", "main")
    assert uses(user) == []


def test_a_branch_that_is_moved_at_the_end_of_another_ones_rebase(user: Path) -> None:
    git(user, "branch", "above", "openspec/c")
    git(user, "branch", "-f", "openspec/c", "openspec/c~1")
    stop_rebase(user, "--update-refs", branch="above")
    assert uses(user) == [(user, checked_out.REBASED)]


def test_a_branch_that_is_being_bisected(user: Path) -> None:
    git(user, "switch", "-q", "openspec/c")
    git(user, "bisect", "start", "HEAD", "main")
    git(user, "checkout", "-q", "--detach", "main")
    assert uses(user) == [(user, checked_out.BISECTED)]
