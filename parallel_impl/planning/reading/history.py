"""What the last commits say about files: how often each changed, and which changed together."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import combinations

FEWEST = 2  # commits: in a repository of one, every file changed in all of them
WIDE = 50  # a commit over more files than this (a move, a format run) says nothing about which belong together


def changes(commits: Iterable[Collection[str]], files: frozenset[str]) -> dict[str, int]:
    """In how many of the commits each of the files changed."""
    counts: dict[str, int] = {}
    for commit in commits:
        for path in files.intersection(commit):
            counts[path] = counts.get(path, 0) + 1
    return counts


def together(commits: Iterable[Collection[str]], files: frozenset[str]) -> dict[tuple[str, str], int]:
    """In how many of the commits two of the files (in order) changed together."""
    counts: dict[tuple[str, str], int] = {}
    for commit in commits:
        if len(commit) <= WIDE:
            for pair in combinations(sorted(files.intersection(commit)), 2):
                counts[pair] = counts.get(pair, 0) + 1
    return counts


def hottest(commits: Iterable[Collection[str]], inside: frozenset[str], files: frozenset[str]) -> dict[str, float]:
    """How often each of the files changed in the commits that touch what is `inside`, as a share of those commits."""
    near = [commit for commit in commits if len(commit) <= WIDE and not inside.isdisjoint(commit)]
    return {path: count / len(near) for path, count in changes(near, files).items()} if len(near) >= FEWEST else {}
