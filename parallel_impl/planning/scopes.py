"""What a package may write: literal paths, and globs of small folders where new files are to be expected."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from parallel_impl.plan.globs.globs import covers, match, problem
from parallel_impl.plan.globs.overlap import intersect
from parallel_impl.planning.evidence import Table
from parallel_impl.planning.touches import Touch

SMALL = 0.015  # of the repository's files: a folder up to that size may be a glob
_SPECIAL = re.compile(r"[*?\[]")

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
    tree = TreeIndex(table.files)
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
    mine = _without_traps(number, own)
    wide = [touch.glob for touch in mine.values() if touch.is_glob]
    inside = {glob for glob, touch in mine.items() if any(_holds(other, touch) for other in wide if other != glob)}
    foreign = {glob for one in wide for glob in _foreign(number, own, one) if glob not in mine}
    creates = sorted(path for path, touch in mine.items() if touch.new and touch.said and not touch.is_glob)
    return Owned(
        write_allow=tuple(sorted(mine.keys() - inside)),
        creates=tuple(creates),
        deny=tuple(sorted(foreign)),
        weight=sum(expected(touch) for touch in mine.values()),
        evidence={glob: because(mine[glob]) for glob in sorted(mine.keys() - inside)},
    )


def _foreign(number: int, own: Sequence[Mapping[str, Touch]], glob: str) -> set[str]:
    """What other packages have inside a glob of this one."""
    return {
        touch.glob
        for other, theirs in enumerate(own)
        if other != number
        for touch in theirs.values()
        if _holds(glob, touch)
    }


def _without_traps(number: int, own: Sequence[Mapping[str, Touch]]) -> Mapping[str, Touch]:
    """The package's paths without each glob whose exceptions would take a path out that is its own by another line."""
    mine = own[number]
    traps = {
        touch.glob
        for touch in mine.values()
        if touch.is_glob
        and any(
            not other.is_glob and covers(glob, other.path)
            for glob in _foreign(number, own, touch.glob) - mine.keys()
            for other in mine.values()
        )
    }
    return {glob: touch for glob, touch in mine.items() if glob not in traps}


def _holds(glob: str, touch: Touch) -> bool:
    """Whether everything that the touch means lies in the folder of the glob, or matches it."""
    if glob.endswith("/**"):
        return touch.path.startswith(glob[:-2])
    return touch.path.startswith(_beginning(glob)) and not touch.is_glob and match(glob, touch.path)


@lru_cache(maxsize=16384)
def _beginning(glob: str) -> str:
    """What every path begins with that a glob means."""
    return _SPECIAL.split(glob, maxsplit=1)[0]


def because(touch: Touch) -> str:
    """Why a path is in the scope, for a person."""
    if touch.said:
        return f"named by task {', '.join(list(touch.said)[:MOST_TASKS])}"
    clue = max(touch.clues, key=lambda one: one.certainty)
    return f"{clue.kind} of {clue.because}" if clue.because in touch.path or "/" in clue.because else str(clue.kind)


class TreeIndex:
    """The repository's files in order, so that what a glob means is found by what it begins with."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files = sorted(files)

    def below(self, folder: str) -> int:
        """How many files lie below `folder`, which ends in `/`."""
        first, last = self._span(folder)
        return last - first

    def is_small(self, folder: str) -> bool:
        """Whether a glob of the folder is no more than a small part of the repository."""
        return self.below(folder) <= max(FEW, SMALL * len(self._files))

    def matching(self, glob: str) -> list[str]:
        """The files that a glob means."""
        first, last = self._span(_beginning(glob))
        return [path for path in self._files[first:last] if match(glob, path)]

    def _span(self, start: str) -> tuple[int, int]:
        """Where the files lie that begin with a text; U+10FFFF comes after what any path goes on with."""
        return bisect_left(self._files, start), bisect_left(self._files, f"{start}\U0010ffff")
