"""Whether a branch has what a commit changed, however it was merged: as it is, squashed, or rebased."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parallel_impl.git.repo import AT_ONCE, Change, Repo

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
    return bool(standing(repo, {"": changes}, tip, without=without))


def standing(repo: Repo, sets: Mapping[str, Sequence[Change]], tip: str, *, without: str = "") -> set[str]:
    """The same for several sets of changes, in one pass over the history: the names of those that stood."""
    limits = [f"^{without}"] if without else []
    options = ("--first-parent", "--parents", f"--max-count={HISTORY}", "--end-of-options", tip, *limits)
    way = [" ".join(line.split(" ")[:2]) for line in repo.text("rev-list", *options).split("\n") if line]
    if not way:
        return set()
    paths = sorted({one.path for changes in sets.values() for one in changes})
    few = paths if len(paths) <= AT_ONCE else []
    listed = repo.entries(tip, *few, recurse=True) if paths else []
    past = _Past(sets, {entry.path: (entry.mode, entry.oid) for entry in listed})
    for _, changes in repo.diffs(way[:-1], *few) if paths else ():
        past.undo(changes)
    return past.stood


class _Past:
    """The paths of some sets of changes as they were at a commit, from the newest on back; which sets stood so."""

    def __init__(self, sets: Mapping[str, Sequence[Change]], tip: Mapping[str, tuple[str, str]]) -> None:
        self._wanted = {name: {one.path: _entry(one.new_mode, one.new) for one in sets[name]} for name in sets}
        self._sets: dict[str, list[str]] = {}
        for name, wanted in self._wanted.items():
            for path in wanted:
                self._sets.setdefault(path, []).append(name)
        self._now = {path: tip.get(path) for path in self._sets}
        self._differ = {
            name: sum(self._now[path] != entry for path, entry in wanted.items())
            for name, wanted in self._wanted.items()
        }
        self.stood = {name for name, number in self._differ.items() if not number}

    def undo(self, changes: Sequence[Change]) -> None:
        """Go back to before these changes of a commit."""
        touched = set[str]()
        for one in changes:
            before = _entry(one.old_mode, one.old)
            for name in self._sets.get(one.path, ()):
                wanted = self._wanted[name][one.path]
                self._differ[name] += (before != wanted) - (self._now[one.path] != wanted)
                touched.add(name)
            if one.path in self._sets:
                self._now[one.path] = before
        self.stood |= {name for name in touched if not self._differ[name]}


def _entry(mode: str, oid: str) -> tuple[str, str] | None:
    return None if mode == ABSENT else (mode, oid)
