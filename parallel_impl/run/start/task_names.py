"""The names of tasks in a plan, held against `tasks.md`: an agent should be told all of its own, and no other's."""

from __future__ import annotations

import json
from collections.abc import Iterator

from parallel_impl.errors import Problem, Severity
from parallel_impl.openspec import tasks
from parallel_impl.plan.model import Plan
from parallel_impl.text import did_you_mean, shorten

SHOWN = 20


def problems(content: bytes | None, path: str, plan: Plan) -> Iterator[Problem]:
    """Warnings about boxes that cannot be read, and about names of tasks that are not there."""
    if content is None:
        return
    found = tasks.read(content)
    yield from _unreadable(found, path)
    yield from _unnamed(found, path, plan)
    known = [task.name for task in found.tasks]
    assigned = tasks.assign(found, {package.id: package.tasks for package in plan.packages})
    for number, package in enumerate(plan.packages):
        for name in assigned.unknown.get(package.id, ()):
            yield Problem(
                f"no box of {path} is called {shorten(name, 60)!r}: {package.id} is not told of it",
                where=plan.where("packages", number, "tasks"),
                hint=did_you_mean(name, known)
                or "write the number of a box or of a section, or the first words of a box",
                severity=Severity.WARNING,
            )


def _unnamed(found: tasks.TaskList, path: str, plan: Plan) -> Iterator[Problem]:
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


def _unreadable(found: tasks.TaskList, path: str) -> Iterator[Problem]:
    for line in found.unreadable[:SHOWN]:
        yield Problem(
            f"a box that cannot be read, so it is no package's task: {shorten(found.line(line).strip(), 60)}",
            where=f"{path}:{line}",
            hint="write - [ ], - [x] or - [~] and the text",
            severity=Severity.WARNING,
        )
    if (more := len(found.unreadable) - SHOWN) > 0:
        yield Problem(f"{more} more boxes that cannot be read", where=path, severity=Severity.WARNING)
