"""What keeps git from working and is nobody's fault is told apart from a git error."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from parallel_impl.errors import UserError
from parallel_impl.git import obstacle
from parallel_impl.git.repo import GitError, Repo
from tests.repository import git, make_repository


@pytest.mark.parametrize(
    ("said", "number"),
    [
        (b"fatal: write error: No space left on device\n", errno.ENOSPC),
        (b"error: unable to write file x: Disk quota exceeded\nfatal: x\n", errno.EDQUOT),
        (b"fatal: cannot lock ref 'refs/x': Unable to create 'x.lock': Read-only file system", errno.EROFS),
    ],
)
def test_a_disk_that_takes_nothing_is_an_error_of_the_system(said: bytes, number: int) -> None:
    found = obstacle.find(said, Path("/repo/.git"))
    assert isinstance(found, OSError)
    assert (found.errno, found.filename) == (number, "/repo/.git")


@pytest.mark.parametrize(
    "said", [b"", b"fatal: bad object", b"fatal: 'No space left on device' is no commit", b"open: Permission denied"]
)
def test_other_failures_of_git_stay_what_they_are(said: bytes) -> None:
    assert obstacle.find(said, Path("/repo/.git")) is None


def test_a_lock_in_the_way_is_named_with_what_to_do(tmp_path: Path) -> None:
    folder = make_repository("no-contracts", tmp_path)
    repo, head = Repo.discover(folder), git(folder, "rev-parse", "HEAD")
    lock = folder / ".git/refs/heads/other.lock"
    lock.touch()
    with pytest.raises(UserError, match="another git command holds a lock") as failure:
        repo.set_ref("refs/heads/other", head)
    assert failure.value.problems[0].where == str(lock)
    assert f"rm '{lock}'" in failure.value.problems[0].hint
    lock.unlink()
    repo.set_ref("refs/heads/other", head)


def test_a_ref_that_is_not_where_it_should_be_is_no_obstacle(tmp_path: Path) -> None:
    folder = make_repository("no-contracts", tmp_path)
    repo, head = Repo.discover(folder), git(folder, "rev-parse", "HEAD")
    with pytest.raises(GitError, match="cannot lock ref"):
        repo.update_ref("refs/heads/main", head, None)
