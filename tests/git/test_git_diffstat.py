"""How much differs: lines of text, binary files without any, and many commits in one question."""

from __future__ import annotations

from pathlib import Path

from parallel_impl.git import diffstat
from parallel_impl.git.diffstat import Diffstat
from parallel_impl.git.repo import Repo
from tests.repository import commit_all, git, init


def test_lines_are_counted_renames_are_two_files_and_binary_files_have_no_lines(tmp_path: Path) -> None:
    init(tmp_path)
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    (tmp_path / "moved.txt").write_text("kept\n")
    first = commit_all(tmp_path, "first")
    (tmp_path / "a.txt").write_text("one\n2\nthree\n")
    (tmp_path / "b\tb.bin").write_bytes(b"\0\1")
    git(tmp_path, "mv", "moved.txt", "here.txt")
    second = commit_all(tmp_path, "second")
    empty = git(tmp_path, "commit-tree", f"{second}^{{tree}}", "-p", second, "-m", "empty")
    repo = Repo.discover(tmp_path)
    expected = Diffstat(files=4, added=3, removed=2)
    assert diffstat.between(repo, first, second) == expected
    assert diffstat.of_commits(repo, [second, empty, first]) == {
        second: expected,
        empty: Diffstat(),
        first: Diffstat(files=2, added=3),
    }
    assert diffstat.of_commits(repo, []) == {}
