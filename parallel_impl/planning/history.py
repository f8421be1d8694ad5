"""What the last commits say about files: how often each changed, and which changed together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import combinations

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


def hottest(counts: dict[str, int], commits: Sequence[Collection[str]], least: float) -> dict[str, float]:
    """The files that changed in at least this share of the commits, each with its share."""
    total = max(len(commits), 1)
    return {path: count / total for path, count in counts.items() if count / total >= least}
