"""A pull request for what is no run, an archive's say, goes the same way: by the repository's own settings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from parallel_impl.errors import UserError
from parallel_impl.forge.pull_request import OpenedPull, Way
from parallel_impl.git.repo import Repo
from parallel_impl.run.publish.destination import open_pull_request
from tests.forge.github import LoopbackGitHub
from tests.repository import commit_all, git, init

NAME, BRANCH = "acme/demo", "archive/add-a"


def scene(hub: LoopbackGitHub, folder: Path, settings: str) -> tuple[Repo, Path, str]:
    """The user's repository with a remote that has `main` and `trunk`, and a commit to publish."""
    user, bare = folder / "user", hub.add_repository(NAME)
    user.mkdir()
    init(user)
    (user / "parallel-impl.toml").write_text(settings)
    base = commit_all(user, "base")
    git(user, "push", "--quiet", str(bare), "main", f"{base}:refs/heads/trunk")
    git(user, "remote", "add", "origin", hub.url(NAME))
    made = git(user, "commit-tree", f"{base}^{{tree}}", "-p", base, "-m", "Archive add-a")
    return Repo.discover(user), user, made


def publish(hub: LoopbackGitHub, repo: Repo, user: Path, commit: str, body: str = "Archived.") -> OpenedPull:
    inherited = {**os.environ, **hub.environment}
    return open_pull_request(
        repo, user, inherited, change_id="add-a", run_id="archive", branch=BRANCH, commit=commit, title="Archive add-a",
        body=body,
    )  # fmt: skip


def test_it_is_pushed_and_opened_on_the_configured_base_and_not_twice(hub: LoopbackGitHub, tmp_path: Path) -> None:
    settings = 'forge = "github"\npr_base = "acme/demo:trunk"\nlabels = ["openspec"]\n'
    repo, user, made = scene(hub, tmp_path, settings)
    assert publish(hub, repo, user, made).way is Way.OPENED
    pull = hub.pulls[0]
    assert (pull["base"], pull["title"], pull["labels"], pull["draft"]) == (
        "trunk",
        "Archive add-a",
        ["openspec"],
        False,
    )
    assert hub.tip(NAME, BRANCH) == made
    assert git(user, "for-each-ref", "--format=%(refname)") == "refs/heads/main"
    assert publish(hub, repo, user, made).way is Way.UNCHANGED
    assert publish(hub, repo, user, made, "Better said.").way is Way.UPDATED
    hub.merge(1, "merge")
    assert publish(hub, repo, user, made).way is Way.MERGED


def test_where_no_forge_is_known_nothing_is_pushed(hub: LoopbackGitHub, tmp_path: Path) -> None:
    repo, user, made = scene(hub, tmp_path, "jobs = 1\n")
    with pytest.raises(UserError, match=r"no forge is known at localhost:\d+\n *write forge ="):
        publish(hub, repo, user, made)
    assert hub.tip(NAME, BRANCH) == ""
