"""Which packages of a plan have which tasks of the change's `tasks.md`, as a check of the plan wants it."""

from __future__ import annotations

from collections.abc import Iterator

from parallel_impl.openspec import task_names
from parallel_impl.openspec.tasks import TaskList
from parallel_impl.plan.check import OwnedTask
from parallel_impl.plan.model import Plan


def find(tasks: TaskList, plan: Plan) -> Iterator[OwnedTask]:
    """Each box with the packages that have it, in the order of the list; what it requires is not looked for."""
    assigned = task_names.assign(tasks, plan)
    owners: dict[int, list[str]] = {}
    for package in plan.packages:
        for index in assigned.tasks[package.id]:
            owners.setdefault(index, []).append(package.id)
    for number, task in enumerate(tasks.tasks):
        section = tasks.sections[task.section].title if task.section >= 0 else ""
        yield OwnedTask(task.name, tuple(owners.get(number, ())), section=section)
