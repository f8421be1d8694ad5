"""What a package may write: literal paths, and globs of small folders where new files are to be expected."""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from parallel_impl.plan.globs.globs import covers, is_literal, match, problem
from parallel_impl.plan.globs.overlap import Overlaps
from parallel_impl.planning.grouping.touches import Touch
from parallel_impl.planning.reading.evidence import ClueKind, Table

SMALL = 0.015  # of the repository's files: a folder up to that size may be a glob
_SPECIAL = re.compile(r"[*?\[]")

_SAID = {
    ClueKind.TASK: "named by a task",
    ClueKind.SECTION: "named in {}",
    ClueKind.PROPOSAL: "named in {}",
    ClueKind.DESIGN: "named in {}",
    ClueKind.SPEC: "named in {}",
    ClueKind.CONTRACT: "named in {}",
    ClueKind.TEST_MIRROR: "goes with {}, as test and source do",
    ClueKind.COMPONENT_TESTS: "where tests of {} lie",
    ClueKind.NEW_FOLDER: "the folder of {}",
    ClueKind.REGISTRY: "the registry beside {}",
    ClueKind.ROOT_CONFIG: "configuration of what is changed ({})",
    ClueKind.HOT: "changed often ({})",
    ClueKind.SEQUENCE: "the next number, for: {}",
    ClueKind.TOPIC: "named after {}",
    ClueKind.SYMBOL: "defines {}",
}
MOST_TASKS = 4  # in one line of evidence
MOST_GLOBS = 2000  # in one scope: a plan with more is refused
FEW = 12  # files that a folder may hold in a repository so small that one in a hundred is nothing


@dataclass(frozen=True, slots=True)
class Owned:
    """The scope of one package, and the changed files that it is expected to have."""

    write_allow: tuple[str, ...]
    creates: tuple[str, ...]
    deny: tuple[str, ...]
    weight: float
    evidence: Mapping[str, str]
    named: tuple[str, ...] = ()  # literal paths that its tasks name, those inside its folders too


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
    if count > 1:
        _part_patterns(own)
    own = [_surest(mine) for mine in own]
    everything = _Everything(own)
    _drop_traps(own, everything)
    return [_owned(number, own, everything) for number in range(count)]


def _surest(mine: dict[str, Touch]) -> dict[str, Touch]:
    """As much as a plan may list for one package: what tasks name first, then what is most certain."""
    if len(mine) <= MOST_GLOBS:
        return mine
    ranked = sorted(mine, key=lambda glob: (not mine[glob].said, mine[glob].pattern, -mine[glob].certainty, glob))
    return {glob: mine[glob] for glob in ranked[:MOST_GLOBS]}


def _part_patterns(own: Sequence[dict[str, Touch]]) -> None:
    """Of two patterns of different packages that could mean one path, drop the one that is less sure."""
    patterns = [(number, touch) for number, mine in enumerate(own) for touch in mine.values() if touch.pattern]
    patterns.sort(key=lambda one: (-one[1].certainty, one[1].path, one[0]))
    kept = _Beginnings()
    meet = Overlaps()
    for number, touch in patterns:
        start = _beginning(touch.glob)
        if any(other != number and meet.pair(glob, touch.glob) for other, glob in kept.near(start)):
            del own[number][touch.glob]
        else:
            kept.add(start, (number, touch.glob))


class _Beginnings:
    """Globs by the plain text that they begin with: two can only meet where the one's text begins the other's."""

    def __init__(self) -> None:
        self._starts: list[str] = []
        self._globs: dict[str, list[tuple[int, str]]] = {}

    def add(self, start: str, glob: tuple[int, str]) -> None:
        """Add a glob with its package."""
        if start not in self._globs:
            insort(self._starts, start)
        self._globs.setdefault(start, []).append(glob)

    def near(self, start: str) -> Iterator[tuple[int, str]]:
        """Those that could meet a glob with this beginning."""
        for length in range(len(start)):
            yield from self._globs.get(start[:length], ())
        first, last = bisect_left(self._starts, start), bisect_left(self._starts, f"{start}\U0010ffff")
        for one in self._starts[first:last]:
            yield from self._globs[one]


def _owned(number: int, own: Sequence[Mapping[str, Touch]], everything: _Everything) -> Owned:
    """What is inside a folder of the package needs no line of its own; what another package has there is denied."""
    mine = own[number]
    wide = [touch.glob for touch in mine.values() if touch.is_glob]
    inside = {glob for other in wide for glob in everything.inside(other) if glob != other and glob in mine}
    foreign = {glob for one in wide for glob in _foreign(number, own, one, everything) if glob not in mine}
    creates = sorted(path for path, touch in mine.items() if touch.new and touch.said and not touch.is_glob)
    return Owned(
        write_allow=tuple(sorted(mine.keys() - inside)),
        creates=tuple(creates),
        deny=tuple(sorted(foreign)),
        weight=sum(expected(touch) for touch in mine.values()),
        evidence={glob: because(mine[glob]) for glob in sorted(mine.keys() - inside)},
        named=tuple(sorted(path for path, touch in mine.items() if touch.said and not touch.is_glob)),
    )


class _Everything:
    """The touches of all packages in the order of their paths, so that what lies in a folder is found at once."""

    def __init__(self, own: Iterable[Mapping[str, Touch]]) -> None:
        touches = {touch.glob: touch for mine in own for touch in mine.values()}
        self._touches = sorted(touches.values(), key=lambda touch: touch.path)
        self._paths = [touch.path for touch in self._touches]

    def inside(self, glob: str) -> list[str]:
        """The globs of the touches that mean nothing but what this one means."""
        start = _beginning(glob)
        first, last = bisect_left(self._paths, start), bisect_left(self._paths, f"{start}\U0010ffff")
        return [touch.glob for touch in self._touches[first:last] if _holds(glob, touch)]


def _foreign(number: int, own: Sequence[Mapping[str, Touch]], glob: str, everything: _Everything) -> set[str]:
    """What other packages have inside a glob of this one."""
    inside = everything.inside(glob)
    return {one for one in inside if any(one in theirs for other, theirs in enumerate(own) if other != number)}


def _drop_traps(own: Sequence[dict[str, Touch]], everything: _Everything) -> None:
    """Drop each glob inside another package's folder that has to be denied there and means a path named there.

    Nothing is lost to the plan: the folder around it stays, and both keep the paths that they name.
    """
    for number, mine in enumerate(own):
        named = [touch.path for touch in mine.values() if not touch.is_glob]
        for wide in [touch.glob for touch in mine.values() if touch.is_glob]:
            for glob in _foreign(number, own, wide, everything) - mine.keys():
                if any(covers(glob, path) for path in named):
                    for theirs in own:
                        theirs.pop(glob, None)


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
    return _SAID[clue.kind].format(clue.because)


class TreeIndex:
    """The repository's files in order, so that what a glob means is found by what it begins with."""

    def __init__(self, files: Iterable[str]) -> None:
        self._files = sorted(files)

    def __contains__(self, path: str) -> bool:
        place = bisect_left(self._files, path)
        return self._files[place : place + 1] == [path]

    def below(self, folder: str) -> int:
        """How many files lie below `folder`, which ends in `/`."""
        first, last = self._span(folder)
        return last - first

    def is_small(self, folder: str) -> bool:
        """Whether a glob of the folder is no more than a small part of the repository."""
        return self.below(folder) <= max(FEW, SMALL * len(self._files))

    def matching(self, glob: str) -> list[str]:
        """The files that a glob means."""
        if is_literal(glob) and glob in self:
            return [glob]
        first, last = self._span(_beginning(glob))
        return [path for path in self._files[first:last] if match(glob, path)]

    def _span(self, start: str) -> tuple[int, int]:
        """Where the files lie that begin with a text; U+10FFFF comes after what any path goes on with."""
        return bisect_left(self._files, start), bisect_left(self._files, f"{start}\U0010ffff")
