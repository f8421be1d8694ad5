"""Whether a branch has what a line of commits changed: all of it, not only what the last of them did."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.git.merged import stood_whole
from parallel_impl.git.repo import Repo
from tests.repository import commit_all, git


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository whose branch `side` has two commits on `base`: a/1, then b/1."""
    git(tmp_path, "init", "-q", "-b", "main")
    for name, files in (("base", "keep"), ("a", "a"), ("b", "b")):
        (tmp_path / files).write_text(f"{name}\n")
        commit_all(tmp_path, name)
    git(tmp_path, "branch", "side")
    git(tmp_path, "reset", "-q", "--hard", "HEAD~2")
    git(tmp_path, "branch", "base")
    return tmp_path


def contained(folder: Path, commit: str = "side") -> bool:
    repo = Repo.discover(folder)
    found = {name: repo.resolve(name) or "" for name in (commit, "main", "base")}
    return stood_whole(repo, found[commit], found["main"], base=found["base"])


def test_a_branch_that_has_only_what_the_last_commit_did_does_not_hold_the_line(folder: Path) -> None:
    (folder / "b").write_text("b\n")
    commit_all(folder, "The last one")
    assert not contained(folder)
    (folder / "a").write_text("a\n")
    commit_all(folder, "And the other")
    assert contained(folder)


def test_what_was_edited_later_was_there_once(folder: Path) -> None:
    git(folder, "merge", "-q", "--squash", "side")
    commit_all(folder, "Squashed")
    (folder / "a").write_text("edited\n")
    commit_all(folder, "Edited")
    assert contained(folder)


def test_a_merge_and_history_of_its_own_are_looked_at_whole(folder: Path) -> None:
    git(folder, "checkout", "-q", "--orphan", "apart")
    git(folder, "rm", "-rqf", ".")
    (folder / "c").write_text("c\n")
    commit_all(folder, "Apart")
    git(folder, "merge", "-q", "--no-edit", "--allow-unrelated-histories", "side")
    git(folder, "checkout", "-q", "main")
    git(folder, "merge", "-q", "--squash", "side")
    commit_all(folder, "Squashed")
    assert not contained(folder, "apart")
    (folder / "c").write_text("c\n")
    commit_all(folder, "And what was apart")
    assert contained(folder, "apart")
