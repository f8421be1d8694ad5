"""What a package may write: literal paths, and globs of small folders where new files are to be expected."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from parallel_impl.plan.globs.globs import problem
from parallel_impl.planning.evidence import Table
from parallel_impl.planning.touches import Touch

SMALL = 0.01  # of the repository's files: a folder up to that size may be a glob
FEW = 12  # files that a folder may hold in a repository so small that one in a hundred is nothing


@dataclass(frozen=True, slots=True)
class Owned:
    """The scope of one package, and the changed files that it is expected to have."""

    write_allow: tuple[str, ...]
    creates: tuple[str, ...]
    deny: tuple[str, ...]
    weight: float
    evidence: Mapping[str, str]


def expected(touch: Touch) -> float:
    """How many files the touch is expected to change; in a new folder more than those that somebody named."""
    return 2 * touch.certainty if touch.is_folder and touch.new else touch.certainty


def scopes(
    table: Table,
    found: Sequence[Touch],
    owners: Mapping[str, Sequence[int]],
    count: int,
) -> list[Owned]:
    """The scope of each of `count` packages: every path has the packages in `owners`."""
    tree = Tree(table.files)
    own: list[dict[str, Touch]] = [{} for _ in range(count)]
    for touch in found:
        if touch.is_folder and not tree.is_small(touch.path):
            continue
        for number in owners[touch.path]:
            own[number][touch.path] = touch
    return [_owned(number, own) for number in range(count)]


def _owned(number: int, own: Sequence[Mapping[str, Touch]]) -> Owned:
    mine = own[number]
    folders = [path for path in mine if path.endswith("/")]
    inside = {path for path in mine if any(path != folder and path.startswith(folder) for folder in folders)}
    allow = sorted(_pattern(path) for path in mine if path not in inside)
    foreign = sorted(
        {
            _pattern(path)
            for other, paths in enumerate(own)
            if other != number
            for path in paths
            if path not in mine and any(path.startswith(folder) for folder in folders)
        }
    )
    creates = sorted(path for path, touch in mine.items() if touch.new and touch.said and not touch.is_folder)
    weight = sum(expected(touch) for touch in mine.values())
    evidence = {_pattern(path): because(mine[path]) for path in sorted(mine) if path not in inside}
    return Owned(
        tuple(path for path in allow if not problem(path)),
        tuple(path for path in creates if not problem(path)),
        tuple(path for path in foreign if not problem(path)),
        weight,
        {
            glob: because(mine[path])
            for path in sorted(mine)
            if path not in inside and not problem(glob := _pattern(path))
        },
    )


def _pattern(path: str) -> str:
    return f"{path}**" if path.endswith("/") else path


def because(touch: Touch) -> str:
    """Why a path is in the scope, for a person."""
    if touch.said:
        return f"named by task {', '.join(list(touch.said)[:4])}"
    clue = max(touch.clues, key=lambda one: one.certainty)
    return f"{clue.kind} of {clue.because}" if clue.because in touch.path or "/" in clue.because else str(clue.kind)


class Tree:
    """The repository's files, counted by folder."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files = sorted(files)

    def below(self, folder: str) -> int:
        """How many files lie below `folder`, which ends in `/`."""
        return bisect_left(self._files, folder[:-1] + chr(ord("/") + 1)) - bisect_left(self._files, folder)

    def is_small(self, folder: str) -> bool:
        """Whether a glob of the folder is no more than a small part of the repository."""
        return self.below(folder) <= max(FEW, SMALL * len(self._files))
