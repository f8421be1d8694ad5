"""Objects that are not what their names say: git reads them, so somebody has to compare."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from parallel_impl.git import object_names
from parallel_impl.git.repo import GitError, Repo
from tests.git.scene import make_user
from tests.repository import commit_all, git


@pytest.fixture
def user(tmp_path: Path) -> Path:
    user = make_user(tmp_path / "user")
    (user / "new").mkdir()
    for name in ("a", "b", "c"):
        (user / "new" / name).write_text(f"new {name}\n")
    commit_all(user, "new")
    return user


def found(user: Path) -> list[str]:
    return object_names.misnamed(Repo.discover(user), git(user, "rev-parse", "HEAD"), known=["HEAD~1"])


def overwrite(user: Path, name: str, content: bytes) -> str:
    """Write the loose object of a revision by hand; its id."""
    oid = git(user, "rev-parse", name)
    file = user / ".git/objects" / oid[:2] / oid[2:]
    file.chmod(0o644)
    file.write_bytes(content)
    return oid


def test_what_git_wrote_is_right(user: Path) -> None:
    assert found(user) == []
    git(user, "gc", "-q")
    assert found(user) == []
    assert object_names.misnamed(Repo.discover(user), "HEAD", known=["HEAD"]) == []


def test_a_blob_with_other_content_is_found(user: Path) -> None:
    oid = overwrite(user, "HEAD:new/b", zlib.compress(b"blob 2\0x\n"))
    assert found(user) == [oid]


def test_a_torn_blob_is_found_beside_another_one(user: Path) -> None:
    torn = overwrite(user, "HEAD:new/a", b"torn")
    other = overwrite(user, "HEAD:new/c", zlib.compress(b"blob 2\0x\n"))
    assert sorted(found(user)) == sorted([torn, other])


def test_a_tree_with_other_entries_is_found(user: Path) -> None:
    blob = bytes.fromhex(git(user, "rev-parse", "HEAD:new/a"))
    content = b"100644 a\0" + blob + b"100644 z\0" + blob
    oid = overwrite(user, "HEAD:new", zlib.compress(b"tree %d\0" % len(content) + content))
    assert oid in found(user)


def test_a_commit_that_cannot_be_read_is_an_error(user: Path) -> None:
    overwrite(user, "HEAD", b"torn")
    with pytest.raises(GitError):
        found(user)


def test_large_objects_are_read_in_parts(user: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_names, "AT_ONCE", 3)
    oid = overwrite(user, "HEAD:new/c", zlib.compress(b"blob 2\0x\n"))
    assert found(user) == [oid]
