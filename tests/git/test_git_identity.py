"""What lands is committed by the user, as git itself knows that person."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.git import identity
from parallel_impl.git.identity import OURS, Identity, Person
from parallel_impl.git.repo import Repo
from tests.git.scene import make_user
from tests.repository import git

SOMEBODY = Person("Some Body", "some@example.org")


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of a user whom git does not know."""
    user = make_user(tmp_path / "user")
    (tmp_path / "empty").touch()
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "empty"))
    return user


def find(folder: Path, **variables: str) -> Identity:
    return identity.find(Repo.discover(folder), folder, variables)


def test_the_users_configuration_names_the_user(tmp_path: Path) -> None:
    person = Person("Fixture Author", "author@example.org")
    assert find(make_user(tmp_path / "user")) == Identity(person, person)


def test_nobody_is_made_up(nobody: Path) -> None:
    assert find(nobody) == OURS
    git(nobody, "config", "user.email", "only@example.org")
    assert find(nobody) == OURS


def test_the_callers_variables_count_and_one_role_serves_both(nobody: Path) -> None:
    author = {"GIT_AUTHOR_NAME": "Some Body", "GIT_AUTHOR_EMAIL": "some@example.org"}
    assert find(nobody, **author) == Identity(SOMEBODY, SOMEBODY)
    committer = {"GIT_COMMITTER_NAME": "C", "GIT_COMMITTER_EMAIL": "c@example.org", "GIT_DIR": "/nowhere"}
    assert find(nobody, **author, **committer) == Identity(SOMEBODY, Person("C", "c@example.org"))


def test_the_configuration_of_one_worktree_counts_there(nobody: Path) -> None:
    git(nobody, "config", "extensions.worktreeConfig", "true")
    git(nobody, "config", "--worktree", "user.name", "Some Body")
    git(nobody, "config", "--worktree", "user.email", "some@example.org")
    assert find(nobody) == Identity(SOMEBODY, SOMEBODY)


def test_commits_carry_author_committer_and_sign_off(tmp_path: Path) -> None:
    repo = Repo.discover(make_user(tmp_path / "user"))
    who = Identity(SOMEBODY, Person("C", "c@example.org"), signoff=True)
    tree, parent = repo.tree("HEAD"), repo.resolve("HEAD") or ""
    commit = repo.commit_tree(tree, [parent], "Do it\n\nWork-Package: a\n", date=1_700_000_000, identity=who)
    shown = repo.text("log", "-1", "--format=%an <%ae> %cn <%ce>%n%B", commit)
    assert shown.strip().split("\n") == [
        "Some Body <some@example.org> C <c@example.org>",
        "Do it",
        "",
        "Work-Package: a",
        "Signed-off-by: C <c@example.org>",
    ]
    assert who.sign("Base\n") == "Base\n\nSigned-off-by: C <c@example.org>\n"


@pytest.mark.parametrize("text", ["", "name", "<a@b>", "name <a@b", "name a@b", "two\nlines <a@b>"])
def test_other_texts_name_nobody(text: str) -> None:
    assert identity.parse(text) is None
