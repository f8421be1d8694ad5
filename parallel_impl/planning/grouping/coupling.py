"""What ties units to each other: which must wait for which and why, and how much two belong together."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from parallel_impl.plan import kinds
from parallel_impl.plan.names_of_tests import is_test
from parallel_impl.planning.grouping.cohesion import SURE, TESTS, Unit, tested_by
from parallel_impl.planning.grouping.touches import Touch
from parallel_impl.planning.reading.evidence import ClueKind, Table

Pair = tuple[int, int]
Reasons = Mapping[Pair, tuple[str, ...]]

_DOCUMENTS = re.compile(r"\b(docs?|document\w*)\b", re.IGNORECASE)

_CONTRACT = re.compile(
    r"(^|/)(openapi|asyncapi|swagger)[\w.-]*\.(ya?ml|json)$|\.(schema\.json|proto|graphql|avsc)$|(^|/)contracts/", re.I
)
PROSE = (".md", ".mdx", ".rst", ".txt")
SECONDARY = 0.5  # of the surest mention: below it a file is only spoken of


@dataclass(frozen=True, slots=True)
class Bonds:
    """What each kind of closeness adds to the affinity of two units."""

    section: float = 3.0  # a person wrote them below one heading
    file: float = 2.0
    required: float = 1.0
    folder: float = 1.0
    together: float = 0.5  # for each pair of files that history changed together in at least three commits


def reasons(table: Table, units: Sequence[Unit], touches: Sequence[Touch], common: frozenset[str]) -> Reasons:
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
    for later, earlier, why in _tests(table, units, touches):
        found[later, earlier].append(why)
    below: dict[int, set[int]] = defaultdict(set)
    for later, earlier in found:
        below[later].add(earlier)
    for later, earlier, why in (
        *_sources_of_tests(units, touches),
        *_contracts(table, units, touches),
        *_stated(table, units),
        *_imports(table, units, touches, common),
    ):
        if earlier in below[later] or not _leads(below, earlier, later):
            found[later, earlier].append(why)
            below[later].add(earlier)
    places = _places(len(units), found)
    for touch in touches:
        if touch.path in common or touch.is_glob:
            continue
        users = sorted({unit_of[task] for task in workers(touch) if task in unit_of}, key=places.__getitem__)
        for earlier, later in pairwise(users):
            found[later, earlier].append(f"same file {touch.path}")
    return {pair: tuple(why) for pair, why in found.items()}


def _sources_of_tests(units: Sequence[Unit], touches: Sequence[Touch]) -> Iterable[tuple[int, int, str]]:
    """A unit that writes a test waits for the one that writes what it tests."""
    unit_of = {task: number for number, unit in enumerate(units) for task in unit.tasks}
    owner = {touch.path: unit_of[touch.owner] for touch in touches if touch.said and touch.owner in unit_of}
    for touch in touches:
        if touch.path in owner and is_test(touch.path):
            for source in tested_by(touch):
                if owner.get(source, owner[touch.path]) != owner[touch.path]:
                    yield owner[touch.path], owner[source], f"tests {source}"


def _stated(table: Table, units: Sequence[Unit]) -> Iterable[tuple[int, int, str]]:
    """Work waits for what a text says that it uses; where a task says itself what it requires, that is believed."""
    unit_of = {task: number for number, unit in enumerate(units) for task in unit.tasks}
    says = {unit_of[task.id] for task in table.tasks if task.requires and task.id in unit_of}
    for use in table.uses:
        later, earlier = unit_of.get(use.task, -1), unit_of.get(use.used, -1)
        if -1 not in (later, earlier) and later != earlier and later not in says:
            yield later, earlier, use.because


def _contracts(table: Table, units: Sequence[Unit], touches: Sequence[Touch]) -> Iterable[tuple[int, int, str]]:
    """In a list that names no order, work waits for earlier work that makes contracts and nothing else."""
    if any(task.requires for task in table.tasks):
        return
    unit_of = {task: number for number, unit in enumerate(units) for task in unit.tasks}
    own: dict[int, list[str]] = defaultdict(list)
    for touch in touches:
        if touch.said and touch.owner in unit_of:
            own[unit_of[touch.owner]].append(touch.path)
    for earlier in sorted(own):
        if all(map(_CONTRACT.search, own[earlier])):
            yield from (
                (later, earlier, f"uses contract {own[earlier][0]}")
                for later, unit in enumerate(units)
                if unit.section > units[earlier].section
            )


def _imports(
    table: Table, units: Sequence[Unit], touches: Sequence[Touch], common: frozenset[str]
) -> Iterable[tuple[int, int, str]]:
    """A unit that says nothing of what it requires waits for an earlier one where code of the one uses the other's.

    New code imports nothing yet: a file that uses its folder already is where it will be used.
    """
    unit_of = {task: number for number, unit in enumerate(units) for task in unit.tasks}
    says = {unit_of[task.id] for task in table.tasks if task.requires and task.id in unit_of}
    owner = {
        touch.path: unit_of[touch.owner]
        for touch in touches
        if touch.said and not touch.is_glob and touch.owner in unit_of and touch.path not in common
    }
    new: dict[str, list[str]] = defaultdict(list)
    for touch in touches:
        if touch.new and touch.path in owner and not is_test(touch.path):
            new[posixpath.dirname(touch.path)].append(touch.path)
    for path in sorted(owner):
        for used in sorted(table.imports.get(path, ())):
            beside = new.get(posixpath.dirname(used), [])
            for other in (used, *beside):
                one, two = owner[path], owner.get(other, owner[path])
                earlier, later = sorted((one, two))
                if one != two and later not in says and (other == used or earlier == two):
                    yield later, earlier, f"imports {other}" if later == one else f"is imported by {path}"


def _leads(below: Mapping[int, set[int]], start: int, end: int) -> bool:
    """Whether `start` waits for `end`, over others or not."""
    seen, todo = {start}, [start]
    while todo:
        number = todo.pop()
        if number == end:
            return True
        fresh = below.get(number, set()) - seen
        seen |= fresh
        todo += fresh
    return False


def _tests(table: Table, units: Sequence[Unit], touches: Sequence[Touch]) -> Iterable[tuple[int, int, str]]:
    """Work that only tests or describes waits for what it is about: the sources of its tests, else all code above it.

    Where a task says itself what it requires, that is believed instead.
    """
    unit_of = {task: number for number, unit in enumerate(units) for task in unit.tasks}
    says = {unit_of[task.id] for task in table.tasks if task.requires and task.id in unit_of}
    named: dict[int, list[str]] = defaultdict(list)
    for touch in touches:
        for number in {unit_of[task] for task in touch.said if task in unit_of}:
            named[number].append(touch.path)
    only = {number for number, unit in enumerate(units) if _only_looks(table, unit, named[number])}
    owner = {touch.path: unit_of[touch.owner] for touch in touches if touch.owner in unit_of}
    for number in sorted(only - says):
        sources = {
            owner[one.because]: one.because
            for touch in touches
            if owner.get(touch.path) == number
            for one in touch.clues
            if one.kind is ClueKind.TEST_MIRROR and owner.get(one.because, number) not in only
        }
        above = {other: "" for other in range(number) if other not in only and units[other].section != -1}
        for other, path in sorted((sources or above).items()):
            does = "tests" if TESTS.search(_title(table, units[number])) else "describes"
            yield number, other, f"{does} {path or 'what is made there'}"


def _only_looks(table: Table, unit: Unit, own: Sequence[str]) -> bool:
    """Whether a unit stands below a heading of tests and names nothing but tests, or the same with documentation."""
    title = _title(table, unit)
    describes = bool(_DOCUMENTS.search(title)) and all(path.endswith(PROSE) for path in own)
    return describes or (bool(TESTS.search(title)) and all(map(is_test, own)))


def _title(table: Table, unit: Unit) -> str:
    return table.sections[unit.section].title if 0 <= unit.section < len(table.sections) else ""


def workers(touch: Touch) -> tuple[str, ...]:
    """The tasks that name the path surely enough to change it; one that is named much less surely only speaks of it."""
    best = max(touch.said.values(), default=0.0)
    return tuple(task for task, certainty in touch.said.items() if certainty >= max(SURE, best * SECONDARY))


def affinity(
    units: Sequence[Unit], touches: Iterable[Touch], table: Table, why: Reasons, bonds: Bonds
) -> Mapping[Pair, float]:
    """How much two units belong together; the lower number first."""
    unit_of = {task: number for number, unit in enumerate(units) for task in unit.tasks}
    found: dict[Pair, float] = defaultdict(float)
    folders: dict[str, set[int]] = defaultdict(set)
    owner: dict[str, int] = {}
    for touch in touches:
        if touch.owner in unit_of:
            owner[touch.path] = unit_of[touch.owner]
            if not kinds.kind_of(touch.path):
                folders[posixpath.dirname(touch.path.rstrip("/"))].add(unit_of[touch.owner])
    for pair, texts in why.items():
        strength = bonds.file if any(text.startswith("same file") for text in texts) else bonds.required
        found[min(pair), max(pair)] += strength
    for strength, sets in ((bonds.folder, folders.values()), (bonds.section, _sections(units))):
        for several in sets:
            for one, two in combinations(sorted(several), 2):
                found[one, two] += strength
    for (first, second), count in table.together.items():
        pair = (owner.get(first, -1), owner.get(second, -1))
        if -1 not in pair and pair[0] != pair[1] and count >= 3:
            found[min(pair), max(pair)] += bonds.together
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
