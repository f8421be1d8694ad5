"""The order that `depends_on` gives: cycles, topological order, what may run side by side, the longest path.

Everything works on `{id: ids it depends on}`. Sets of packages are Python integers used as bitsets: a thousand
independent packages are half a million parallel pairs, and 5,000 packages keep their ancestors in 6 MB.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from parallel_impl.plan.model import Plan

Dependencies = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Cycle:
    """A strongly connected component: its `members`, sorted, and one shortest cycle through the first of them."""

    members: tuple[str, ...]
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """The order of an acyclic plan. Bit `n` of a set stands for `topological[n]`.

    `dependents` are the packages that name one in their `depends_on`, `ancestors` all that one waits for.
    """

    depends_on: Dependencies
    dependents: Mapping[str, Sequence[str]]
    topological: tuple[str, ...]
    index: Mapping[str, int]
    ancestors: Mapping[str, int]

    def reaches(self, first: str, second: str) -> bool:
        """Whether `first` depends on `second`, directly or not."""
        return bool(self.ancestors[first] >> self.index[second] & 1)

    def ordered(self, first: str, second: str) -> bool:
        """Whether one of two packages depends on the other."""
        return self.reaches(first, second) or self.reaches(second, first)

    def dependencies(self, package_id: str, *, transitive: bool = True) -> tuple[str, ...]:
        """What the package depends on, in topological order."""
        if transitive:
            return self.members(self.ancestors[package_id])
        return tuple(sorted(set(self.depends_on[package_id]), key=self.index.__getitem__))

    def with_descendants(self, package_ids: Iterable[str]) -> set[str]:
        """These packages and all that depend on one of them, directly or not."""
        found = set(package_ids)
        bits = sum(1 << self.index[package_id] for package_id in found)
        return found | {other for other in self.topological if self.ancestors[other] & bits}

    def related(self) -> list[int]:
        """For each package, in topological order, the set of those that it waits for and those that wait for it."""
        below = [self.ancestors[name] for name in self.topological]
        above = [0] * len(below)
        for number in range(len(below) - 1, -1, -1):  # whatever waits for a package comes after it
            for name in self.depends_on[self.topological[number]]:
                above[self.index[name]] |= above[number] | 1 << number
        return [down | up for down, up in zip(below, above, strict=True)]

    def members(self, bits: int) -> tuple[str, ...]:
        """The packages of a bitset, in topological order."""
        found = []
        while bits:
            low = bits & -bits
            found.append(self.topological[low.bit_length() - 1])
            bits ^= low
        return tuple(found)

    def waves(self) -> tuple[tuple[str, ...], ...]:
        """Packages by the length of the longest chain below them: the first wave depends on nothing."""
        level: dict[str, int] = {}
        for package_id in self.topological:
            level[package_id] = max((level[other] + 1 for other in self.depends_on[package_id]), default=0)
        rows: list[list[str]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
        for package_id in sorted(level):
            rows[level[package_id]].append(package_id)
        return tuple(map(tuple, rows))

    def widths(self) -> tuple[int, ...]:
        """How many packages each wave has."""
        return tuple(len(wave) for wave in self.waves())


def of(plan: Plan) -> Order:
    """The order of a valid plan, which has no cycle."""
    return order({package.id: package.depends_on for package in plan.packages})


def order(depends_on: Dependencies) -> Order:
    """The order of `depends_on`; ValueError for a cycle, KeyError for an id that is no key."""
    topological = topological_order(depends_on)
    index = {package_id: number for number, package_id in enumerate(topological)}
    ancestors: dict[str, int] = {}
    for package_id in topological:
        bits = 0
        for other in depends_on[package_id]:
            bits |= ancestors[other] | 1 << index[other]
        ancestors[package_id] = bits
    return Order(depends_on, _dependents(depends_on), topological, index, ancestors)


def topological_order(depends_on: Dependencies) -> tuple[str, ...]:
    """Dependencies first; among those that are ready, the smallest id first. ValueError for a cycle."""
    missing = {package_id: len(set(others)) for package_id, others in depends_on.items()}
    dependents = _dependents(depends_on)
    ready = sorted(package_id for package_id, count in missing.items() if not count)
    found: list[str] = []
    while ready:
        package_id = heapq.heappop(ready)
        found.append(package_id)
        for other in dependents[package_id]:
            missing[other] -= 1
            if not missing[other]:
                heapq.heappush(ready, other)
    if len(found) < len(depends_on):
        raise ValueError(f"depends_on has a cycle among {sorted(set(depends_on) - set(found))[:10]}")
    return tuple(found)


def cycles(depends_on: Dependencies) -> list[Cycle]:
    """Each strongly connected component that is a cycle, in order of its smallest member; unknown ids are ignored."""
    return sorted(
        (
            Cycle(tuple(sorted(members)), _shortest_cycle(depends_on, set(members)))
            for members in _components(depends_on)
            if len(members) > 1 or members[0] in depends_on[members[0]]
        ),
        key=lambda cycle: cycle.members,
    )


def longest_paths(depends_on: Dependencies, durations: Mapping[str, float] | None = None) -> dict[str, float]:
    """For each package the length of the longest chain from it to one that nothing waits for, itself included.

    In `durations`, of any unit; without them each package counts 1.
    """
    dependents = _dependents(depends_on)
    found: dict[str, float] = {}
    for package_id in reversed(topological_order(depends_on)):
        own = 1.0 if durations is None else durations[package_id]
        found[package_id] = own + max((found[other] for other in dependents[package_id]), default=0.0)
    return found


def critical_path(depends_on: Dependencies, durations: Mapping[str, float]) -> tuple[tuple[str, ...], float]:
    """The chain of dependent packages that takes longest (smallest ids among equals), and how long it takes."""
    length = longest_paths(depends_on, durations)
    dependents = _dependents(depends_on)
    path: list[str] = []
    here = [package_id for package_id, others in depends_on.items() if not others]
    while here:
        path.append(min(here, key=lambda package_id: (-length[package_id], package_id)))
        here = dependents[path[-1]]
    return tuple(path), length[path[0]] if path else 0.0


def start_order(ready: Iterable[str], priority: Mapping[str, int], longest: Mapping[str, float]) -> list[str]:
    """Sort the ready packages by priority (1 is first), longest path, id."""
    return sorted(ready, key=lambda package_id: (priority[package_id], -longest[package_id], package_id))


def _dependents(depends_on: Dependencies) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {package_id: [] for package_id in depends_on}
    for package_id, others in depends_on.items():
        for other in set(others):
            found[other].append(package_id)
    return found


def _components(depends_on: Dependencies) -> Iterator[list[str]]:
    """Tarjan's strongly connected components, with a stack of our own: a chain of 5,000 exceeds Python's."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    open_ids: dict[str, None] = {}
    for root in depends_on:
        if root in number:
            continue
        work = [(root, iter(depends_on[root]))]
        number[root] = low[root] = len(number)
        open_ids[root] = None
        while work:
            here, others = work[-1]
            for other in others:
                if other in depends_on and other not in number:
                    number[other] = low[other] = len(number)
                    open_ids[other] = None
                    work.append((other, iter(depends_on[other])))
                    break
                if other in open_ids:
                    low[here] = min(low[here], number[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[here])
                if low[here] == number[here]:
                    component: list[str] = []
                    while not component or component[-1] != here:
                        component.append(open_ids.popitem()[0])
                    yield component


def _shortest_cycle(depends_on: Dependencies, members: set[str]) -> tuple[str, ...]:
    """A shortest cycle through the smallest member, which ends where it begins."""
    start = min(members)
    came: dict[str, str] = {}
    queue = deque([start])
    while queue:
        here = queue.popleft()
        for other in sorted(members.intersection(depends_on[here])):
            if other == start:
                path = [here]
                while path[-1] != start:
                    path.append(came[path[-1]])
                return (*reversed(path), start)
            if other not in came:
                came[other] = here
                queue.append(other)
    return (start,)
