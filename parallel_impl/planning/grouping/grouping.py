"""From the evidence table to packages: which tasks are one piece of work, and which pieces one agent does."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from parallel_impl.plan import kinds
from parallel_impl.planning.grouping import balance, cohesion, coupling, hot, scopes, touches
from parallel_impl.planning.grouping.assembly import Cut, assemble
from parallel_impl.planning.grouping.balance import PartitionLimits
from parallel_impl.planning.grouping.cohesion import Unit
from parallel_impl.planning.grouping.coupling import Bonds
from parallel_impl.planning.grouping.grouped import Grouping
from parallel_impl.planning.grouping.touches import Touch
from parallel_impl.planning.reading.evidence import Table

_LAST = re.compile(
    r"integrat|validat|verif|document|docs\b|release|clean-?\s?up|final|roll-?out|polish|wrap|archiv|quality|accept",
    re.IGNORECASE,
)


def group(table: Table, limits: PartitionLimits | None = None, bonds: Bonds | None = None) -> Grouping:
    """Group the tasks of the table; without tasks everything is one package."""
    if not table.tasks:
        return alone(table)
    found = touches.find(table)
    last = _last_tasks(table, found)
    units = cohesion.find([task for task in table.tasks if task.id not in last], found, table.sections, table.files)
    common = _common(found, units, hot.files(table.hot))
    units = _with_files(table, units, found, common)
    why = coupling.reasons(table, units, found, common)
    kin = coupling.affinity(units, found, table, why, bonds or Bonds())
    groups = balance.partition(_weights(units, found, common), why, kin, limits or PartitionLimits())
    return assemble(Cut(table, found, units, groups, why, last, common))


def alone(table: Table) -> Grouping:
    """Everything in one package."""
    unit = Unit(tuple(task.id for task in table.tasks), table.tasks[0].section if table.tasks else -1)
    return assemble(Cut(table, touches.find(table), (unit,), ((0,),), {}))


def _last_tasks(table: Table, found: Iterable[Touch]) -> frozenset[str]:
    """The tasks of the integration package: those that only look at the whole, and that no other work waits for."""
    own: dict[str, list[Touch]] = defaultdict(list)
    for touch in found:
        for name in touch.said:
            own[name].append(touch)
    end = max((task.section for task in table.tasks), default=-1)
    last: set[str] = set()
    waits: dict[str, set[str]] = defaultdict(set)
    for task in table.tasks:
        for other in task.requires:
            waits[other].add(task.id)
    for task in reversed(table.tasks):
        title = table.sections[task.section].title if 0 <= task.section < len(table.sections) else ""
        whole = task.section == end or _LAST.search(title)
        if whole and not waits[task.id] - last and all(_is_prose(touch.path) for touch in own[task.id]):
            last.add(task.id)
    return frozenset(last) if len(last) < len(table.tasks) else frozenset()


def _is_prose(path: str) -> bool:
    return path.endswith((".md", ".rst", ".txt")) or bool(kinds.kind_of(path))


def _common(found: Iterable[Touch], units: Sequence[Unit], often: frozenset[str]) -> frozenset[str]:
    """Shared kinds that several units would change: the integration package writes them, so they tie nobody."""
    unit_of = {task: number for number, unit in enumerate(units) for task in unit.tasks}
    common = set()
    for touch in found:
        if kinds.kind_of(touch.path) or touch.path in often:
            users = {unit_of.get(task, -1) for task in coupling.workers(touch)}
            if len(users) > 1:
                common.add(touch.path)
    return frozenset(common)


def _with_files(
    table: Table, units: Sequence[Unit], found: Iterable[Touch], common: frozenset[str]
) -> tuple[Unit, ...]:
    """The units, those that own no file joined to what they require, what requires them, or the one before."""
    owners = {task for touch in found if touch.path not in common for task in (*coupling.workers(touch), touch.owner)}
    near: dict[str, list[str]] = defaultdict(list)
    for task in table.tasks:
        near[task.id] += task.requires
        for other in task.requires:
            near[other].append(task.id)
    rich = [unit for unit in units if owners.intersection(unit.tasks)]
    if not rich:
        return (Unit(tuple(task for unit in units for task in unit.tasks), units[0].section),) if units else ()
    home = {task: number for number, unit in enumerate(rich) for task in unit.tasks}
    place = {task.id: number for number, task in enumerate(table.tasks)}
    members = [list(unit.tasks) for unit in rich]
    for unit in units:
        if not owners.intersection(unit.tasks):
            beside = [home[one] for task in unit.tasks for one in near[task] if one in home]
            before = [number for number, other in enumerate(rich) if place[other.tasks[0]] < place[unit.tasks[0]]]
            members[(beside or before or [0])[-1 if not beside else 0]] += unit.tasks
    return tuple(
        replace(unit, tasks=tuple(sorted(several, key=place.__getitem__)))
        for unit, several in zip(rich, members, strict=True)
    )


def _weights(units: Sequence[Unit], found: Iterable[Touch], common: frozenset[str]) -> list[float]:
    """Expected changed files of each unit, and a little for each task."""
    unit_of = {task: number for number, unit in enumerate(units) for task in unit.tasks}
    weights = [0.2 * len(unit.tasks) for unit in units]
    for touch in found:
        if touch.path not in common and touch.owner in unit_of:
            weights[unit_of[touch.owner]] += scopes.expected(touch)
    return weights
