"""Packages from groups of units: who owns which file, who waits for whom and why, what each is called.

Every file has one owner, or several that wait for each other, so that no two packages which run side by side can write
one path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from parallel_impl.plan import kinds
from parallel_impl.planning.grouping import coupling, scopes
from parallel_impl.planning.grouping.cohesion import Unit
from parallel_impl.planning.grouping.grouped import GroupedPackage, Grouping, SharedPath, in_order
from parallel_impl.planning.grouping.naming import identifiers
from parallel_impl.planning.grouping.scopes import Owned
from parallel_impl.planning.grouping.touches import Touch
from parallel_impl.planning.reading.evidence import Table

Edges = Mapping[int, Mapping[int, Sequence[str]]]

TOGETHER = "puts everything together"


@dataclass(frozen=True, slots=True)
class Cut:
    """What was decided: units in groups, why one waits for another, the tasks and files of the integration package."""

    table: Table
    found: Sequence[Touch]
    units: Sequence[Unit]
    groups: Sequence[Sequence[int]]
    why: coupling.Reasons
    last: frozenset[str] = frozenset()
    common: frozenset[str] = frozenset()


def assemble(cut: Cut) -> Grouping:
    """Make packages of the groups, and an integration package where there is something to integrate."""
    tasks = _tasks(cut)
    joined = len(cut.groups) > 1 and bool(cut.last or cut.common)
    edges = _edges(cut.groups, cut.why)
    if joined:
        needed = {other for others in edges.values() for other in others}
        last = {number: [TOGETHER] for number in range(len(cut.groups)) if number not in needed}
        edges[len(cut.groups)] = last
    owners = _owners(cut, tasks, edges, joined=joined)
    names = identifiers(cut.table, tasks, cut.found, integration=len(cut.groups) if joined else -1)
    owned = scopes.scopes(cut.table, cut.found, owners, len(tasks))
    packages = [_package(names, number, tasks[number], owned[number], edges) for number in range(len(tasks))]
    if joined:
        writes = bool(cut.common) or any(task in cut.last for touch in cut.found for task in touch.said)
        packages[-1] = replace(packages[-1], integration=True, may_be_empty=not writes)
    shared = _shared(cut, names[-1][0]) if joined else ()
    return Grouping(tuple(in_order(packages)), shared, tuple(_note(one) for one in shared))


def _tasks(cut: Cut) -> list[tuple[str, ...]]:
    """The tasks of each package in the order of the document, those of the integration package at the end."""
    group_of = {
        task: number for number, group in enumerate(cut.groups) for one in group for task in cut.units[one].tasks
    }
    several = len(cut.groups) > 1 and bool(cut.last or cut.common)
    rest = len(cut.groups) if several else 0
    tasks: list[list[str]] = [[] for _ in range(len(cut.groups) + several)]
    for task in cut.table.tasks:
        tasks[group_of.get(task.id, rest)].append(task.id)
    return [tuple(one) for one in tasks]


def _owners(cut: Cut, tasks: Sequence[Sequence[str]], edges: Edges, *, joined: bool) -> dict[str, tuple[int, ...]]:
    """Which packages may write each path: those that work on it, which wait for each other, or one."""
    package_of = {task: number for number, several in enumerate(tasks) for task in several}
    end = len(tasks) - 1 if joined else _last(edges)
    owners: dict[str, tuple[int, ...]] = {}
    for touch in cut.found:
        if joined and touch.path in cut.common:
            owners[touch.path] = (end,)
        elif touch.is_glob:
            owners[touch.path] = (package_of.get(touch.owner, end),)
        else:
            users = {package_of[task] for task in coupling.workers(touch)}
            owners[touch.path] = tuple(sorted(users or {package_of.get(touch.owner, end)}))
    return owners


def _last(edges: Edges) -> int:
    """A package that none waits for, after as many others as possible."""
    needed = {other for others in edges.values() for other in others}
    return max((number for number in edges if number not in needed), key=lambda one: len(_all_below(edges, one)))


def _shared(cut: Cut, package: str) -> tuple[SharedPath, ...]:
    return tuple(
        SharedPath(path, "integration-only", package, kinds.kind_of(path) or "changed often")
        for path in sorted(cut.common)
    )


def _note(shared: SharedPath) -> str:
    return f"{shared.path} ({shared.because}) is named by several packages: only {shared.package} writes it"


def _edges(groups: Sequence[Sequence[int]], why: coupling.Reasons) -> dict[int, dict[int, list[str]]]:
    """What each group waits for, with the reasons; edges that others imply are left out."""
    group_of = {unit: number for number, group in enumerate(groups) for unit in group}
    edges: dict[int, dict[int, list[str]]] = {number: {} for number in range(len(groups))}
    for (later, earlier), texts in why.items():
        one, two = group_of[later], group_of[earlier]
        if one != two:
            edges[one].setdefault(two, []).extend(text for text in texts)
    below = {number: _all_below(edges, number) for number in edges}
    return {
        number: {
            other: reasons
            for other, reasons in sorted(others.items())
            if not any(other in below[third] for third in others if third != other)
        }
        for number, others in edges.items()
    }


def _all_below(edges: Edges, number: int) -> set[int]:
    seen: set[int] = set()
    todo = list(edges[number])
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            todo.extend(edges[one])
    return seen


def _package(
    names: Sequence[tuple[str, str]],
    number: int,
    tasks: tuple[str, ...],
    owned: Owned,
    edges: Edges,
) -> GroupedPackage:
    others = set(range(len(names))) - {number}
    foundation = bool(others) and all(number in _all_below(edges, other) for other in others)
    return GroupedPackage(
        id=names[number][0],
        title=names[number][1],
        tasks=tasks,
        write_allow=owned.write_allow,
        creates=owned.creates,
        deny=owned.deny,
        reasons={names[other][0]: tuple(dict.fromkeys(texts)) for other, texts in edges[number].items()},
        weight=round(owned.weight + 0.2 * len(tasks), 1) or 0.2,
        foundation=foundation,
        evidence=owned.evidence,
        named=owned.named,
    )
