"""The names of tasks in a plan, held against `tasks.md`: an agent should be told all of its own, and no other's.

A plan that names the commit it was made on was made from that list: there a name that means nothing, or a task that is
named twice, is an error.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from parallel_impl.errors import Problem, Severity, count
from parallel_impl.openspec import tasks
from parallel_impl.openspec.tasks import Assignment, TaskList
from parallel_impl.plan.model import Plan
from parallel_impl.text import did_you_mean, first_names, shorten

SHOWN = 20
FEW = 3  # names in one message


def problems(content: bytes | None, path: str, plan: Plan) -> Iterator[Problem]:
    """What is wrong with boxes that cannot be read, and with names of tasks that are not there or named twice."""
    if content is None:
        return
    found = tasks.read(content)
    yield from _unreadable(found, path)
    yield from _unnamed(found, path, plan)
    assigned = assign(found, plan)
    severity = Severity.ERROR if plan.base_commit else Severity.WARNING
    known = [task.name for task in found.tasks]
    for number, package in enumerate(plan.packages):
        where = plan.where("packages", number, "tasks")
        for name in assigned.unknown.get(package.id, ()):
            what = f"no box of {path} is called {shorten(name, 60)!r}: {package.id} is not told of it"
            hint = did_you_mean(name, known) or "write the number of a box or of a section, or the first words of a box"
            yield Problem(what, where, hint=hint, severity=severity)
        for name in [name for name, times in Counter(package.tasks).items() if times > 1]:
            what = f"{package.id} names the task {shorten(name, 60)!r} twice"
            yield Problem(what, where, hint="delete one of them", severity=severity)
    yield from _repeated(found, assigned, plan, severity)


def assign(found: TaskList, plan: Plan) -> Assignment:
    """Which tasks each package of a plan has."""
    return tasks.assign(found, {package.id: package.tasks for package in plan.packages})


def _repeated(found: TaskList, assigned: Assignment, plan: Plan, severity: Severity) -> Iterator[Problem]:
    """Tasks that several packages name: one problem for the packages that have the same ones in common."""
    named = [(number, package) for number, package in enumerate(plan.packages) if package.tasks]
    have: dict[int, list[int]] = {}
    for number, package in named:
        for task in assigned.tasks[package.id]:
            have.setdefault(task, []).append(number)
    groups: dict[tuple[int, ...], list[int]] = {}
    for task, numbers in have.items():
        if len(numbers) > 1:
            groups.setdefault(tuple(numbers), []).append(task)
    for owning, several in groups.items():
        listed = first_names([shorten(found.tasks[task].name, 60) for task in several], FEW)
        owners = [plan.packages[number].id for number in owning]
        both = f"{' and '.join(owners)} both" if len(owners) == 2 else ", ".join((*owners[:FEW], "…")[: len(owners)])
        what = f"{both} name {count(len(several), 'task')}: {listed}"
        where, hint = plan.where("packages", owning[1], "tasks"), "leave each task to one package"
        yield Problem(what, where, hint=hint, severity=severity)


def _unnamed(found: TaskList, path: str, plan: Plan) -> Iterator[Problem]:
    """One warning where no package names a task: nothing could be ticked then when the work is done."""
    left = [task for task in found.tasks if task.mark is tasks.Mark.OPEN]
    if not left or any(package.tasks for package in plan.packages):
        return
    first = [task.name for task in left if task.section == left[0].section]
    yield Problem(
        f"no package names its tasks, so no box of {path} will be ticked",
        where=plan.where("packages", 0),
        hint=f"write in each package those that it does, by number or section: tasks: {json.dumps(first[:4])}",
        severity=Severity.WARNING,
    )


def _unreadable(found: TaskList, path: str) -> Iterator[Problem]:
    for line in found.unreadable[:SHOWN]:
        yield Problem(
            f"a box that cannot be read, so it is no package's task: {shorten(found.line(line).strip(), 60)}",
            where=f"{path}:{line}",
            hint="write - [ ], - [x] or - [~] and the text",
            severity=Severity.WARNING,
        )
    if (more := len(found.unreadable) - SHOWN) > 0:
        yield Problem(f"{more} more boxes that cannot be read", where=path, severity=Severity.WARNING)
