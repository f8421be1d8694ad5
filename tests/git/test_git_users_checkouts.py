"""What became of the user's checkouts: HEAD, index, tracked and untracked files, of all worktrees, 20 names at most."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_impl.git.repo import Repo
from parallel_impl.git.users_checkouts import UsersCheckouts
from tests.git.scene import make_user
from tests.repository import git

FILE = "README.md"


@pytest.fixture
def user(tmp_path: Path) -> Path:
    user = make_user(tmp_path / "user")
    git(user, "branch", "other")
    git(user, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    return user


def checkouts(user: Path) -> UsersCheckouts:
    return UsersCheckouts(Repo.discover(user), user)


def edit(user: Path) -> None:
    (user / FILE).write_text("edited\n")


def turn(user: Path) -> None:
    git(user, "symbolic-ref", "HEAD", "refs/heads/other")


def plant(user: Path) -> None:
    (user / "conftest.py").touch()


def hide(user: Path) -> None:
    git(user, "update-index", "--assume-unchanged", FILE)


def stage(user: Path) -> None:
    git(user, "update-index", "--cacheinfo", f"100755,{git(user, 'rev-parse', f'HEAD:{FILE}')},{FILE}")


@pytest.mark.parametrize(
    ("deed", "found"),
    [
        (edit, ("files", FILE)),
        (plant, ("files", "conftest.py")),
        (hide, ("index", FILE)),
        (stage, ("index", FILE)),
        (turn, ("HEAD", "of {user} was refs/heads/main, is refs/heads/other")),
    ],
)
def test_each_kind_of_change_is_told(deed: Callable[[Path], None], found: tuple[str, str], user: Path) -> None:
    before = checkouts(user)
    assert before.compare() == []
    deed(user)
    kind, what = found
    assert before.compare() == [(kind, what.format(user=user))]


def test_ignored_files_are_not(user: Path) -> None:
    before = checkouts(user)
    (user / ".git/info").mkdir(exist_ok=True)
    (user / ".git/info/exclude").write_text("*.log\n")
    (user / "a.log").touch()
    assert before.compare() == []


def test_a_linked_worktree_is_the_users_too_and_a_link_that_was_turned_leads_nowhere_else(
    user: Path, tmp_path: Path
) -> None:
    before, linked = checkouts(user), tmp_path / "linked"
    (linked / FILE).write_text("edited\n")
    (linked / ".git").write_text(f"gitdir: {user}/.git\n")
    assert before.compare() == [("files", str(linked / FILE))]


def test_twenty_names_are_told_and_how_many_more_there_are(user: Path, tmp_path: Path) -> None:
    before = checkouts(user)
    git(tmp_path / "linked", "switch", "-q", "other")
    for number in range(30):
        (user / f"{number:02}").touch()
    found = before.compare()
    assert found[0][0] == "HEAD"
    assert [name for _, name in found[1:20]] == [f"{number:02}" for number in range(19)]
    assert found[20:] == [("files", "and 11 more")]


def test_a_worktree_that_is_gone_is_told(user: Path, tmp_path: Path) -> None:
    before = checkouts(user)
    git(user, "worktree", "remove", "--force", str(tmp_path / "linked"))
    assert before.compare() == [("files", f"{tmp_path / 'linked'} cannot be read any more")]
