"""The remote of a line for publishing is one that exists."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.git import remotes
from parallel_impl.git.repo import Repo
from tests.git.scene import make_user
from tests.repository import git


@pytest.mark.parametrize(
    ("names", "settings", "found"),
    [
        ((), {}, ()),
        ((), {"branch.main.remote": "gone"}, ()),
        (("upstream",), {}, ("upstream",)),
        (("my fork",), {}, ("my fork",)),
        (("a", "origin"), {}, ("origin",)),
        (("a", "b"), {}, ("a", "b")),
        (("a", "origin"), {"branch.main.remote": "a"}, ("a",)),
        (("a", "origin"), {"branch.other.remote": "a"}, ("origin",)),
        (("a", "origin"), {"branch.main.remote": "."}, ("origin",)),
        (("a", "origin"), {"branch.main.remote": "origin", "remote.pushDefault": "a"}, ("a",)),
        (("a", "origin"), {"remote.pushDefault": "a", "branch.main.pushRemote": "origin"}, ("origin",)),
    ],
)
def test_a_branch_is_published_where_git_would_push_it(
    names: tuple[str, ...], settings: dict[str, str], found: tuple[str, ...], tmp_path: Path
) -> None:
    user = make_user(tmp_path / "user")
    for name in names:
        git(user, "config", f"remote.{name}.url", f"../{name}.git")
    for key, value in settings.items():
        git(user, "config", key, value)
    assert remotes.for_publishing(Repo.discover(user), "main") == found
