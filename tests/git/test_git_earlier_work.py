"""Whose work a history has, by the trailers of its commits, however they were merged."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.git.earlier_work import find, packages
from parallel_impl.git.repo import Repo
from tests.repository import commit_all, git, init

MADE = "wp-{name}: Does it.\n\nWork-Package: wp-{name}\nChange-Id: c1\nRun: 0\nAttempt: 1\nAgent: replay\n"
A, B = (MADE.format(name=name) for name in "ab")
MERGED = "Merge wp-a\n\nWork-Package: wp-a\nChange-Id: c1\n"


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (A, {"wp-a"}),
        (MERGED, {"wp-a"}),
        (A.replace("Run:", "Signed-off-by: A B <a@example.org>\nRun:"), {"wp-a"}),
        (f"{A}(cherry picked from commit {'0' * 40})\n", {"wp-a"}),
        (f"Title (#1)\n\n* {A}\n* {B}\n* {MERGED}", {"wp-a", "wp-b"}),
        (f"Title (#1)\n\n* {A}\n* {B}\n---------\n\nCo-authored-by: A B <a@example.org>\n", {"wp-a", "wp-b"}),
        ("Squashed commit:\n\n" + "".join(f"    {line}\n" for line in f"{A}\n{B}".split("\n")), {"wp-a", "wp-b"}),
        (f"{A}\n{B}".replace("\n", "\r\n"), {"wp-a", "wp-b"}),
        (MERGED.replace("Change-Id: c1", "Change-Id: c0\nChange-Id: c1\nWork-Package: wp-b"), {"wp-a", "wp-b"}),
        (MERGED.replace("c1", "c12"), set()),
        (MERGED.replace("Work-Package: wp-a\n", ""), set()),
        (f"{MERGED}\nis what such a message looks like.\n", set()),
        ("Work-Package: wp-a\nChange-Id: c1\n", set()),  # a subject
        ("wp-a: x\n\nWork-Package: wp-a and\nmore\nChange-Id: c1\n", set()),
    ],
)  # fmt: skip
def test_trailers_count_at_the_end_of_a_message_and_whole_ones_anywhere(message: str, found: set[str]) -> None:
    assert packages(message, "c1") == found


class History:
    """`main`, and a branch with the commits of two packages, as they land."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        init(folder)
        self.base = self.commit("base", "base")
        git(folder, "checkout", "--quiet", "-b", "landed")
        self.commit("a", A)
        self.tip = self.commit("b", B)
        git(folder, "checkout", "--quiet", "main")

    def commit(self, name: str, message: str) -> str:
        (self.folder / name).write_text(name)
        return commit_all(self.folder, message)

    def do(self, *words: str) -> None:
        git(self.folder, *words)

    def there(self, commit: str = "HEAD") -> set[str]:
        return set(find(Repo.discover(self.folder), commit, "c1"))


@pytest.fixture
def history(tmp_path: Path) -> History:
    return History(tmp_path)


BOTH = {"wp-a", "wp-b"}


def test_a_history_without_the_commits_has_nothing(history: History) -> None:
    assert history.there() == set()
    assert history.there("landed") == BOTH


def test_a_merge_and_its_revert(history: History) -> None:
    history.do("merge", "--quiet", "--no-ff", "-m", "Merge", "landed")
    assert history.there() == BOTH
    history.do("revert", "--no-edit", "-m", "1", "HEAD")
    assert history.there() == set()
    history.do("revert", "--no-edit", "HEAD")
    assert history.there() == BOTH


def test_a_squash_and_its_revert(history: History) -> None:
    history.do("merge", "--quiet", "--squash", "landed")
    history.do("commit", "--quiet", "--no-edit")
    assert history.there() == BOTH
    history.do("revert", "--no-edit", "HEAD")
    assert history.there() == set()


def test_a_rebase_and_the_revert_of_one_package(history: History) -> None:
    history.commit("other", "other")
    history.do("checkout", "--quiet", "landed")
    history.do("rebase", "--quiet", "main")
    assert history.there() == BOTH
    history.do("revert", "--no-edit", "HEAD~1")
    assert history.there() == {"wp-b"}


def test_work_that_was_done_again_after_its_revert_is_there(history: History) -> None:
    history.do("merge", "--quiet", "--no-ff", "-m", "Merge", "landed")
    history.do("revert", "--no-edit", "-m", "1", "HEAD")
    history.commit("a", A)
    assert history.there() == {"wp-a"}
