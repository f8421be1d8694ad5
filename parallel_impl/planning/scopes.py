"""What a package may write: literal paths, and globs of small folders where new files are to be expected."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from parallel_impl.plan.globs.globs import match, problem
from parallel_impl.plan.globs.overlap import intersect
from parallel_impl.planning.evidence import Table
from parallel_impl.planning.touches import Touch

SMALL = 0.01  # of the repository's files: a folder up to that size may be a glob
MOST_TASKS = 4  # in one line of evidence
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
    return 2 * touch.certainty if touch.path.endswith("/") and touch.new else touch.certainty


def scopes(table: Table, found: Sequence[Touch], owners: Mapping[str, Sequence[int]], count: int) -> list[Owned]:
    """The scope of each of `count` packages: every path has the packages in `owners`."""
    tree = Tree(table.files)
    own: list[dict[str, Touch]] = [{} for _ in range(count)]
    for touch in found:
        if problem(touch.glob) or (touch.path.endswith("/") and not tree.is_small(touch.path)):
            continue
        for number in owners[touch.path]:
            own[number][touch.glob] = touch
    _part_patterns(own)
    return [_owned(number, own) for number in range(count)]


def _part_patterns(own: Sequence[dict[str, Touch]]) -> None:
    """Of two patterns of different packages that could mean one path, drop the one that is less sure."""
    patterns = [(number, touch) for number, mine in enumerate(own) for touch in mine.values() if touch.pattern]
    patterns.sort(key=lambda one: (-one[1].certainty, one[1].path, one[0]))
    kept: list[tuple[int, Touch]] = []
    for number, touch in patterns:
        if any(other != number and intersect(before.glob, touch.glob) for other, before in kept):
            del own[number][touch.glob]
        else:
            kept.append((number, touch))


def _owned(number: int, own: Sequence[Mapping[str, Touch]]) -> Owned:
    """What is inside a folder of the package needs no line of its own; what another package has there is denied."""
    mine = own[number]
    wide = [touch.glob for touch in mine.values() if touch.is_glob]
    inside = {glob for glob, touch in mine.items() if any(_holds(other, touch) for other in wide if other != glob)}
    foreign = {
        touch.glob
        for other, theirs in enumerate(own)
        if other != number
        for touch in theirs.values()
        if touch.glob not in mine and any(_holds(glob, touch) for glob in wide)
    }
    creates = sorted(path for path, touch in mine.items() if touch.new and touch.said and not touch.is_glob)
    return Owned(
        write_allow=tuple(sorted(mine.keys() - inside)),
        creates=tuple(creates),
        deny=tuple(sorted(foreign)),
        weight=sum(expected(touch) for touch in mine.values()),
        evidence={glob: because(mine[glob]) for glob in sorted(mine.keys() - inside)},
    )


def _holds(glob: str, touch: Touch) -> bool:
    """Whether everything that the touch means lies in the folder of the glob, or matches it."""
    if glob.endswith("/**"):
        return touch.path.startswith(glob[:-2])
    return not touch.is_glob and match(glob, touch.path)


def because(touch: Touch) -> str:
    """Why a path is in the scope, for a person."""
    if touch.said:
        return f"named by task {', '.join(list(touch.said)[:MOST_TASKS])}"
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
