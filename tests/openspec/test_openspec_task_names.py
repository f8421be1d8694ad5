"""The names of tasks in a plan are held against `tasks.md`."""

from __future__ import annotations

from dataclasses import replace

from parallel_impl.openspec.task_names import problems
from parallel_impl.plan.model import Package, Plan, Scope

TASKS = b"""\
## 1. Core
- [ ] 1.1 Make it
- [ ] 1.2 Test it
## 2. Web
- [ ] 2.1 Show it
- [ ] 2.2 Style it
- [ ] 2.3 Describe it
- [ ] 2.4 Ship it
"""


def said(*packages: tuple[str, tuple[str, ...]], base_commit: str = "") -> list[str]:
    plan = Plan("x", tuple(Package(name, "does it", Scope((name,)), tasks=tasks) for name, tasks in packages))
    found = problems(TASKS, "tasks.md", replace(plan, base_commit=base_commit))
    return [str(problem).replace("\n    ", " | ") for problem in found]


def test_every_task_in_one_package_is_as_it_should_be() -> None:
    assert said(("a", ("1.1", "1.2")), ("b", ("2",))) == []
    assert said(("a", ("1", "2.1")), ("b", ("2",))) == []  # the box is named more closely than its section
    assert said(("a", ("1",)), ("b", ())) == []


def test_a_plan_that_names_no_task_ticks_none() -> None:
    assert said(("a", ()), ("b", ())) == [
        "work-packages.yaml: warning: no package names its tasks, so no box of tasks.md will be ticked"
        ' | write in each package those that it does, by number or section: tasks: ["1.1", "1.2"]'
    ]


def test_a_task_that_two_packages_name_is_a_warning_once_for_all_that_they_share() -> None:
    assert said(("a", ("1.1", "2")), ("b", ("1.1", "2")), ("c", ("1.2",))) == [
        "work-packages.yaml: warning: a and b both name 5 tasks: 1.1, 2.1, 2.2 and 2 more"
        " | leave each task to one package"
    ]
    assert said(("a", ("1.1",)), ("b", ("1.1",)), ("c", ("1.1",)), ("d", ("1.1",))) == [
        "work-packages.yaml: warning: a, b, c, … name 1 task: 1.1 | leave each task to one package"
    ]
    assert said(("a", ("1.1", "1.1"))) == [
        "work-packages.yaml: warning: a names the task '1.1' twice | delete one of them"
    ]


def test_in_a_plan_that_names_its_commit_these_are_errors() -> None:
    assert said(("a", ("1.1", "1.4", "1.1")), ("b", ("1.1",)), base_commit="1" * 40) == [
        "work-packages.yaml: error: no box of tasks.md is called '1.4': a is not told of it | did you mean 2.4?",
        "work-packages.yaml: error: a names the task '1.1' twice | delete one of them",
        "work-packages.yaml: error: a and b both name 1 task: 1.1 | leave each task to one package",
    ]
