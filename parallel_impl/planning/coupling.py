"""What ties units to each other: which must wait for which and why, and how much two belong together."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from parallel_impl.planning import shared_kinds
from parallel_impl.planning.cohesion import SURE, Unit
from parallel_impl.planning.evidence import Table
from parallel_impl.planning.touches import Touch

Pair = tuple[int, int]
Reasons = Mapping[Pair, tuple[str, ...]]

SAME_SECTION = 3.0  # affinity of two units that a person wrote below one heading
SAME_FILE = 2.0
REQUIRED = 1.0
SAME_FOLDER = 1.0
TOGETHER = 0.5  # for files that history changed together in at least three commits
SECONDARY = 0.5  # of the surest mention: below it a file is only spoken of


def reasons(table: Table, units: Sequence[Unit], touches: Iterable[Touch], common: frozenset[str]) -> Reasons:
    """Why a unit (first) waits for another (second): tasks that require tasks, files that both change.

    Files in `common` are settled by a rule and tie nobody.
    """
    unit_of = {task: number for number, unit in enumerate(units) for task in unit.tasks}
    found: dict[Pair, list[str]] = defaultdict(list)
    for task in table.tasks:
        for other in task.requires:
            pair = (unit_of.get(task.id, -1), unit_of.get(other, -1))
            if -1 not in pair and pair[0] != pair[1]:
                found[pair].append(f"task {task.id} requires {other}")
    places = _places(len(units), found)
    for touch in touches:
        if touch.path in common or touch.is_glob:
            continue
        users = sorted({unit_of[task] for task in workers(touch) if task in unit_of}, key=places.__getitem__)
        for earlier, later in pairwise(users):
            found[later, earlier].append(f"same file {touch.path}")
    return {pair: tuple(why) for pair, why in found.items()}


def workers(touch: Touch) -> tuple[str, ...]:
    """The tasks that name the path surely enough to change it; one that is named much less surely only speaks of it."""
    best = max(touch.said.values(), default=0.0)
    return tuple(task for task, certainty in touch.said.items() if certainty >= max(SURE, best * SECONDARY))


def affinity(units: Sequence[Unit], touches: Iterable[Touch], table: Table, why: Reasons) -> Mapping[Pair, float]:
    """How much two units belong together; the lower number first."""
    unit_of = {task: number for number, unit in enumerate(units) for task in unit.tasks}
    found: dict[Pair, float] = defaultdict(float)
    folders: dict[str, set[int]] = defaultdict(set)
    owner: dict[str, int] = {}
    for touch in touches:
        if touch.owner in unit_of:
            owner[touch.path] = unit_of[touch.owner]
            if not shared_kinds.kind_of(touch.path):
                folders[posixpath.dirname(touch.path.rstrip("/"))].add(unit_of[touch.owner])
    for pair, texts in why.items():
        strength = SAME_FILE if any(text.startswith("same file") for text in texts) else REQUIRED
        found[min(pair), max(pair)] += strength
    for several in (*folders.values(), *_sections(units)):
        strength = SAME_FOLDER if several in folders.values() else SAME_SECTION
        for one in several:
            for two in several:
                if one < two:
                    found[one, two] += strength
    for (first, second), count in table.together.items():
        pair = (owner.get(first, -1), owner.get(second, -1))
        if -1 not in pair and pair[0] != pair[1] and count >= 3:
            found[min(pair), max(pair)] += TOGETHER
    return found


def _sections(units: Sequence[Unit]) -> Iterable[set[int]]:
    found: dict[int, set[int]] = defaultdict(set)
    for number, unit in enumerate(units):
        found[unit.section].add(number)
    return found.values()


def _places(count: int, pairs: Iterable[Pair]) -> list[int]:
    """A place for each unit in which required ones come first; units of a cycle by their number."""
    below: dict[int, set[int]] = defaultdict(set)
    for later, earlier in pairs:
        below[later].add(earlier)
    places: list[int] = [-1] * count
    placed = 0
    left = list(range(count))
    while left:
        chosen = next((number for number in left if all(places[other] >= 0 for other in below[number])), left[0])
        places[chosen] = placed
        placed += 1
        left.remove(chosen)
    return places
