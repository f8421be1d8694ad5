"""A branch is pushed by the remote's address, by compare-and-swap, and nothing of the user's moves by it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from parallel_impl.errors import UserError
from parallel_impl.git import remotes
from parallel_impl.git.remotes import Remote, without_credentials
from parallel_impl.git.repo import Repo
from tests.git.scene import make_user
from tests.repository import contents, git

BRANCH = "openspec/c1"


def scene(tmp_path: Path) -> tuple[Path, Path, Remote]:
    """The user's repository with a remote, the remote's bare one, and the door to it."""
    user, bare = make_user(tmp_path / "user"), tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", "-b", "main", str(bare))
    git(user, "remote", "add", "origin", str(bare))
    return user, bare, Remote.find(Repo.discover(user), "main", "", {})


def commit(user: Path, text: str) -> str:
    (user / "file").write_text(text)
    git(user, "add", "file")
    git(user, "commit", "--quiet", "-m", text)
    return git(user, "rev-parse", "HEAD")


def test_it_is_pushed_once_and_no_ref_or_setting_of_the_users_changes(tmp_path: Path) -> None:
    user, bare, remote = scene(tmp_path)
    first = commit(user, "one")
    git(user, "config", "push.followTags", "true")
    git(user, "tag", "-a", "v1", "-m", "v1")
    before = contents(user)
    assert remote.push(BRANCH, first) == ""
    assert remote.push(BRANCH, first) == first
    assert contents(user) == before
    assert git(bare, "for-each-ref", "--format=%(refname) %(objectname)") == f"refs/heads/{BRANCH} {first}"
    second = commit(user, "two")
    assert remote.push(BRANCH, second) == first
    assert (remote.tip(BRANCH), remote.tip("openspec/c")) == (second, "")


def test_a_remote_with_more_on_top_of_it_is_left_as_it_is(tmp_path: Path) -> None:
    user, _, remote = scene(tmp_path)
    first, second = commit(user, "one"), commit(user, "two")
    remote.push(BRANCH, second)
    assert remote.push(BRANCH, first) == second
    assert remote.tip(BRANCH) == second


def test_a_remote_that_went_another_way_is_an_error_with_the_line_to_type(tmp_path: Path) -> None:
    user, bare, remote = scene(tmp_path)
    other = make_user(tmp_path / "other")
    theirs = commit(other, "theirs")
    git(other, "push", "--quiet", str(bare), f"HEAD:refs/heads/{BRANCH}")
    ours = commit(user, "ours")
    for _ in ("unknown here", "known and diverged"):
        with pytest.raises(UserError, match=f"git fetch origin {BRANCH}"):
            remote.push(BRANCH, ours)
        assert remote.tip(BRANCH) == theirs
        git(user, "fetch", "--quiet", str(bare), BRANCH)


def test_a_branch_that_moves_in_between_is_not_overwritten(tmp_path: Path) -> None:
    user, bare, remote = scene(tmp_path)
    first, second, third = (commit(user, text) for text in ("one", "two", "three"))
    remote.push(BRANCH, first)
    git(user, "push", "--quiet", str(bare), f"{second}:refs/heads/{BRANCH}")
    with pytest.raises(UserError, match="stale info"):
        remote._move(BRANCH, third, first)
    assert not remote.delete(BRANCH, first)
    assert remote.tip(BRANCH) == second
    assert remote.delete(BRANCH, second)
    assert remote.delete(BRANCH, second)
    assert remote.tip(BRANCH) == ""


def test_the_users_hook_does_not_run_and_is_reported(tmp_path: Path) -> None:
    user, _, remote = scene(tmp_path)
    assert remotes.pre_push_hook(remote.repo) == ""
    hook = user / ".git/hooks/pre-push"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\ngit lfs pre-push\nexit 1\n")
    hook.chmod(0o755)
    remote.push(BRANCH, commit(user, "one"))
    assert not (tmp_path / "ran").exists()
    assert remotes.pre_push_hook(remote.repo) == (
        f"your pre-push hook did not run: {hook}; upload the files of git-lfs: git lfs push --all"
    )


@pytest.mark.skipif(os.name != "posix", reason="a shell is started")
def test_ssh_is_the_users_own_program_where_they_chose_one_and_asks_nobody_else(tmp_path: Path) -> None:
    user, bare, _ = scene(tmp_path)
    git(user, "remote", "set-url", "origin", f"me@host.example:{bare}")
    program = tmp_path / "ssh"
    program.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\nshift $(($# - 1))\nexec sh -c "$1"\n')
    program.chmod(0o755)
    remote = Remote.find(Repo.discover(user), "main", "", {"GIT_SSH_COMMAND": str(program)})
    remote.push(BRANCH, commit(user, "one"))
    assert git(bare, "rev-parse", BRANCH)
    assert "host.example" in (tmp_path / "asked").read_text()
    default = Remote.find(Repo.discover(user), "main", "", {})
    assert default.environment["GIT_SSH_COMMAND"].startswith("ssh -o BatchMode=yes")
    git(user, "config", "core.sshCommand", str(program))
    assert "GIT_SSH_COMMAND" not in Remote.find(Repo.discover(user), "main", "", {}).environment


def test_a_path_is_taken_from_the_top_of_the_worktree(tmp_path: Path) -> None:
    user, bare, _ = scene(tmp_path)
    git(user, "remote", "set-url", "origin", "../remote.git")
    Remote.find(Repo.discover(user), "main", "", {}).push(BRANCH, commit(user, "one"))
    assert git(bare, "rev-parse", BRANCH)


def test_the_default_branch_is_the_one_that_the_remotes_head_names(tmp_path: Path) -> None:
    user, bare, remote = scene(tmp_path)
    assert remote.default_branch() == ""
    git(bare, "symbolic-ref", "HEAD", "refs/heads/trunk")
    remote.push("trunk", commit(user, "one"))
    assert remote.default_branch() == "trunk"


def test_an_address_is_shown_without_its_password(tmp_path: Path) -> None:
    user, _, _ = scene(tmp_path)
    git(user, "remote", "set-url", "origin", "https://me:hunter2@127.0.0.1:1/x.git")
    remote = Remote.find(Repo.discover(user), "main", "", {})
    with pytest.raises(UserError) as error:
        remote.tip(BRANCH)
    assert "hunter2" not in f"{error.value} {remote!r} {remote.address}"
    assert error.value.__cause__ is None
    assert without_credentials("see https://a@b/c") == "see https://b/c"
    assert without_credentials("https://me:p@ss@b/c@d") == "https://b/c@d"


@pytest.mark.parametrize(
    ("names", "configured", "told"),
    [
        ((), "", "there is no remote"),
        (("a", "b"), "", "several remotes, and nothing tells which: a, b"),
        (("upstream", "origin"), "upstraem", r"there is no remote 'upstraem'(?s:.*)"),
    ],
)
def test_a_remote_that_is_not_there_is_an_error(
    names: tuple[str, ...], configured: str, told: str, tmp_path: Path
) -> None:
    user = make_user(tmp_path / "user")
    for name in names:
        git(user, "remote", "add", name, f"../{name}.git")
    with pytest.raises(UserError, match=told):
        Remote.find(Repo.discover(user), "main", configured, {})


def test_the_configured_remote_comes_first(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    for name in ("origin", "mine"):
        git(user, "remote", "add", name, f"../{name}.git")
    assert remotes.for_publishing(Repo.discover(user), "main", "mine") == ("mine",)
