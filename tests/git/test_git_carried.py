"""The default branch is in packages' repositories where it stood when the run began, though it moved on."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.git import carried
from parallel_impl.git.checkout import Source
from parallel_impl.git.repo import Repo
from tests.git.scene import make_user
from tests.repository import commit_all, git, refs

PREFIX = "refs/parallel-impl/c/carried"


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """A user on `feature`, whose main has moved on, and whose remote's main has moved on elsewhere."""
    user = make_user(tmp_path / "user")
    git(user, "switch", "-qc", "elsewhere")
    (user / "theirs").touch()
    git(user, "update-ref", "refs/remotes/origin/main", commit_all(user, "theirs"))
    git(user, "switch", "-q", "main")
    git(user, "switch", "-qc", "feature")
    git(user, "switch", "-q", "main")
    (user / "ours").touch()
    commit_all(user, "ours")
    git(user, "switch", "-q", "feature")
    return user


def test_the_default_branch_and_what_remotes_have_of_it(user: Path) -> None:
    repo = Repo.discover(user)
    assert sorted(carried.find(repo)) == ["refs/heads/main", "refs/remotes/origin/main"]
    git(user, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    assert sorted(carried.find(repo)) == ["refs/heads/main", "refs/remotes/origin/main"]
    git(user, "branch", "-m", "main", "trunk")
    assert sorted(carried.find(repo)) == ["refs/remotes/origin/main"]
    git(user, "config", "init.defaultBranch", "trunk")
    assert sorted(carried.find(repo)) == ["refs/heads/trunk", "refs/remotes/origin/main"]


def test_they_are_in_a_checkout_as_they_were_and_cannot_vanish(user: Path, tmp_path: Path) -> None:
    repo, base = Repo.discover(user), git(user, "rev-parse", "HEAD")
    git(user, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    repo.set_ref(f"{PREFIX}/7", base)
    found = carried.find(repo)
    carried.anchor(repo, found, PREFIX)
    assert refs(user, PREFIX) == [f"{PREFIX}/1", f"{PREFIX}/2"]
    git(user, "branch", "-f", "main", "feature")
    git(user, "branch", "-D", "elsewhere")
    git(user, "update-ref", "-d", "refs/remotes/origin/main")
    git(user, "reflog", "expire", "--expire=now", "--all")
    git(user, "gc", "-q", "--prune=now")
    source = Source.prepare(repo, base, tmp_path / "home", indexes=tmp_path / "indexes", carried=found)
    path = source.open("wp", base, branch="openspec/c--wp").path
    assert git(path, "diff", "--name-only", "main...HEAD") == ""
    assert git(path, "log", "--format=%s", "HEAD..main") == "ours"
    assert git(path, "log", "--format=%s", "HEAD..origin/main") == "theirs"
