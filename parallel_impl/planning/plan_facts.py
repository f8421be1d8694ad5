"""What a plan is held against when it is checked, from the evidence table and the code."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from parallel_impl.openspec import task_owners
from parallel_impl.openspec.tasks import TaskList
from parallel_impl.plan.check import OwnedTask, PlanFacts
from parallel_impl.plan.model import Plan
from parallel_impl.plan.paths import Paths
from parallel_impl.planning import imports, tests_beside
from parallel_impl.planning.evidence import ClueKind, Resolution, Table
from parallel_impl.planning.tree import FileTree

NARROW = 200  # files: a glob over more says nothing about single ones
MOST_SOURCES = 2000  # files whose imports are read
SURE = 0.5  # a path that is named in passing need not change
RISKS = 10
_BY_CODE = (ClueKind.REGISTRY, ClueKind.ROOT_CONFIG, ClueKind.HOT)
_NAMED = (ClueKind.TASK, ClueKind.SECTION, ClueKind.PROPOSAL, ClueKind.DESIGN, ClueKind.SPEC, ClueKind.CONTRACT)

ReadAll = Callable[[Collection[str]], Mapping[str, bytes]]


def find(plan: Plan, table: Table, tasks: TaskList, read: ReadAll, *, has_design: bool) -> PlanFacts:
    """The facts about a plan; `read` gives files of the code."""
    files, tree = Paths(table.files), FileTree(table.files)
    own = dict.fromkeys(_own(plan, files))
    sources = [path for path in own if tests_beside.is_tested(path)]
    imported, _ = imports.find(read([path for path in own if _is_code(path)][:MOST_SOURCES]), tree)
    return PlanFacts(
        files=files,
        tasks=tuple(owned(plan, table, tasks)),
        named=dict(_named(table)),
        tests={path: tests for path in sources if (tests := tests_beside.existing(path, tree))},
        at_risk=dict(list(_at_risk(table))[:RISKS]),
        imports=imported,
        has_design=has_design,
    )


def owned(plan: Plan, table: Table, tasks: TaskList) -> Iterator[OwnedTask]:
    """Each task by the name that the table gives it, with its packages and what it requires."""
    for task, planned in zip(task_owners.find(tasks, plan), table.tasks, strict=True):
        yield replace(task, name=planned.id, requires=planned.requires)


def _own(plan: Plan, files: Paths) -> Iterator[str]:
    """The files that packages may write by a narrow glob."""
    for package in plan.packages:
        for pattern in package.scope.write_allow:
            if len(found := files.matching(pattern)) <= NARROW:
                yield from (path for path in found if not package.scope.denied_by(path))


def _is_code(path: str) -> bool:
    return path.endswith(tuple(imports.LANGUAGES))


def _named(table: Table) -> Iterator[tuple[str, str]]:
    """Paths that the texts name as files, with who names them, the surest first."""
    for clue in table.evidence:
        if clue.kind in _NAMED and clue.certainty >= SURE and clue.resolution is not Resolution.FOLDER:
            yield clue.path, f"task {clue.task}" if clue.task else clue.because


def _at_risk(table: Table) -> Iterator[tuple[str, str]]:
    for clue in table.evidence:
        if clue.kind in _BY_CODE:
            yield clue.path, clue.kind.value
