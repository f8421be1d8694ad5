"""Packages for the tasks of a change that no package of its plan has, put behind those that it has.

Nothing that the plan says is changed: a new package waits for the old ones that its tasks require, and for those that
may write what it writes; a file with an owner stays its owner's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from parallel_impl.gates.project_files import Read
from parallel_impl.plan import conflicts, order
from parallel_impl.plan.check import OwnedTask
from parallel_impl.plan.model import Package, Plan
from parallel_impl.plan.reading import round_trip
from parallel_impl.planning.grouping import draft, plan_text, verification
from parallel_impl.planning.grouping.draft import Draft
from parallel_impl.planning.grouping.grouped import GroupedPackage, Grouping
from parallel_impl.planning.grouping.plan_text import PlanOrigin
from parallel_impl.planning.grouping.scopes import TreeIndex
from parallel_impl.planning.reading.evidence import Table


@dataclass(frozen=True, slots=True)
class Addition:
    """The plan with what was added to it, and the packages that are new."""

    content: bytes
    packages: tuple[str, ...]


def unowned(tasks: Iterable[OwnedTask], plan: Plan) -> tuple[str, ...]:
    """The tasks that no package has, in a plan whose packages name their tasks."""
    return tuple(task.name for task in tasks if not task.packages) if any(one.tasks for one in plan.packages) else ()


def add(content: bytes, source: str, plan: Plan, table: Table, tasks: Iterable[OwnedTask], *, read: Read) -> Addition:
    """Add packages for the tasks that nobody has; the same bytes where there are none."""
    owned = tuple(tasks)
    if not (missing := unowned(owned, plan)):
        return Addition(content, ())
    drafted = draft.draft(_only(table, frozenset(missing)), read=read)
    packages = _placed(_renamed(drafted, plan), plan, table, owned)
    used = Grouping(packages)
    tree = TreeIndex(table.files)
    steps = {one.id: verification.steps(one.write_allow, one.creates, tree, read, one.named) for one in packages}
    text = plan_text.text(table, used, steps, (), PlanOrigin())
    return Addition(round_trip.extended(content, source, text), tuple(one.id for one in packages))


def _only(table: Table, wanted: Collection[str]) -> Table:
    """The table with these tasks only, and what speaks of them."""
    tasks = tuple(
        replace(task, requires=tuple(one for one in task.requires if one in wanted))
        for task in table.tasks
        if task.id in wanted
    )
    clues = tuple(clue for clue in table.evidence if clue.task in wanted)
    return replace(table, tasks=tasks, evidence=clues, contracts=())


def _renamed(drafted: Draft, plan: Plan) -> tuple[GroupedPackage, ...]:
    """The drafted packages with ids that the plan does not have yet; none of them is the plan's integration."""
    taken = {package.id for package in plan.packages}
    names: dict[str, str] = {}
    for package in drafted.packages:
        name = next(free for free in _names(package.id) if free not in taken)
        taken.add(name)
        names[package.id] = name
    return tuple(
        replace(
            package,
            id=names[package.id],
            reasons={names[other]: why for other, why in package.reasons.items()},
            integration=False,
            foundation=False,
        )
        for package in drafted.packages
    )


def _names(name: str) -> Iterable[str]:
    yield name
    yield from (f"{name[:60]}-{number}" for number in range(2, 6000))


def _placed(
    new: Iterable[GroupedPackage], plan: Plan, table: Table, owned: Iterable[OwnedTask]
) -> tuple[GroupedPackage, ...]:
    """The new packages with what they wait for among the old ones, and without the files that have an owner."""
    owners = {task.name: task.packages for task in owned}
    shared = {one.path for one in plan.shared_files}
    before = {task.id: task.requires for task in table.tasks}
    placed = []
    for package in new:
        reasons = dict(package.reasons)
        for task in package.tasks:
            for other in before.get(task, ()):
                for owner in owners.get(other, ()):
                    reasons.setdefault(owner, (f"{task} comes after {other}",))
        deny = tuple(dict.fromkeys((*package.deny, *sorted(shared))))
        globs = tuple(glob for glob in package.write_allow if glob not in shared)
        creates = tuple(path for path in package.creates if path not in shared)
        placed.append(replace(package, reasons=reasons, deny=deny, write_allow=globs, creates=creates))
    return _settled(tuple(placed), plan.packages)


def _settled(new: tuple[GroupedPackage, ...], old: tuple[Package, ...]) -> tuple[GroupedPackage, ...]:
    """The new packages in an order with all that could write the same at the same time."""
    known = {package.id for package in old}
    for _ in range(len(new) * (len(new) + len(old))):
        whole = Plan("draft", (*old, *(package.model() for package in new)))
        found = conflicts.find(whole, order.of(whole)).conflicts
        edges: dict[str, dict[str, tuple[str, ...]]] = {}
        for one in found:
            first, second = one.first.package, one.second.package
            if second in known:  # an old package waits for nobody else than before
                first, second = second, first
            if second not in known:
                edges.setdefault(second, {})[first] = (f"may both write {one.witness}",)
        if not edges:
            break
        new = tuple(_waiting(package, edges) for package in new)
    return new


def _waiting(package: GroupedPackage, edges: Mapping[str, Mapping[str, tuple[str, ...]]]) -> GroupedPackage:
    return replace(package, reasons={**package.reasons, **edges.get(package.id, {})})
