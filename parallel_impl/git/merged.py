"""Whether a branch has what a commit changed, however it was merged: as it is, squashed, or rebased."""

from __future__ import annotations

from collections.abc import Sequence

from parallel_impl.git.repo import Change, Repo

HISTORY = 2_000  # commits of the branch that are looked at
ABSENT = "000000"


def holds(repo: Repo, tip: str, commit: str) -> bool:
    """Whether `tip` contains `commit`, or every path that it changed stood exactly so at one time on the way to `tip`.

    Later edits on the branch do not matter.
    """
    if repo.is_ancestor(commit, tip):
        return True
    base = repo.text("merge-base", tip, commit, ok=(0, 1)).split("\n")[0]
    if not base:
        return False
    return stood(repo, repo.changes(base, commit), tip, without=base)


def stood_whole(repo: Repo, commit: str, tip: str, *, base: str) -> bool:
    """Whether all that a line of commits changed since it left `base` stood so, an entry of the stash with all parts.

    What only commits below the last one held counts as replaced by it.
    """
    for one in (commit, *repo.parents(commit)[1:]):
        start = repo.text("merge-base", one, base, ok=(0, 1)).split("\n")[0] or repo.empty_tree
        if not stood(repo, repo.changes(start, one), tip, without=base):
            return False
    return True


def stood(repo: Repo, changes: Sequence[Change], tip: str, *, without: str = "") -> bool:
    """Whether every path stood exactly as these changes left it, at one time on the way to `tip`.

    Commits that `without` reaches are not looked at.
    """
    wanted = {one.path: (one.new_mode, one.new) for one in changes if one.new_mode != ABSENT}
    paths = [one.path for one in changes]
    limits = [f"^{without}"] if without else []
    options = ("--first-parent", f"--max-count={HISTORY}", "--end-of-options", tip, *limits)
    for one in repo.text("rev-list", *options).split():
        entries = {entry.path: (entry.mode, entry.oid) for entry in repo.entries(one, *paths)} if paths else {}
        if entries == wanted:
            return True
    return False
