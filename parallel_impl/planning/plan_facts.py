"""What a plan is held against when it is checked, from the evidence table and the code."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace

from parallel_impl.openspec import task_owners
from parallel_impl.openspec.tasks import TaskList
from parallel_impl.plan import near
from parallel_impl.plan.check import OwnedTask, PlanFacts, TaskOfTests
from parallel_impl.plan.kinds import kind_of
from parallel_impl.plan.model import Plan
from parallel_impl.plan.paths import Paths
from parallel_impl.planning.grouping import cohesion, touches
from parallel_impl.planning.reading import imports, shared_kinds
from parallel_impl.planning.reading.evidence import ClueKind, Resolution, Table
from parallel_impl.planning.reading.tree import FileTree

SURE = 0.5  # a path that is named in passing need not change
RISKS = 10
_BY_CODE = (ClueKind.REGISTRY, ClueKind.ROOT_CONFIG, ClueKind.HOT)
_NAMED = (ClueKind.TASK, ClueKind.SECTION, ClueKind.PROPOSAL, ClueKind.DESIGN, ClueKind.SPEC, ClueKind.CONTRACT)

ReadAll = Callable[[Collection[str]], Mapping[str, bytes]]


def find(plan: Plan, table: Table, tasks: TaskList, read: ReadAll, *, has_design: bool) -> PlanFacts:
    """The facts about a plan; `read` gives files of the code."""
    files = Paths(table.files)
    code = [path for path in near.own_files(plan, files) if path.endswith(tuple(imports.LANGUAGES))]
    known = {clue.path for clue in table.evidence}  # whose imports the table has
    imported, _ = imports.find(
        read([path for path in code if path not in known][: imports.MOST]), FileTree(table.files)
    )
    return PlanFacts(
        files=files,
        tasks=tuple(owned(plan, table, tasks)),
        named=dict(_named(table)),
        tests=near.tests(plan, files),
        split_tests=tuple(_tests_of_tasks(table)),
        at_risk=dict(list((dict(_near(plan, files, table)) | dict(_often(table))).items())[:RISKS]),
        imports={**table.imports, **imported},
        has_design=has_design,
    )


def owned(plan: Plan, table: Table, tasks: TaskList) -> Iterator[OwnedTask]:
    """Each task by the name that the table gives it, with its packages and what it requires."""
    uses: dict[str, dict[str, str]] = {}
    for use in table.uses:
        uses.setdefault(use.task, {})[use.used] = use.because
    for task, planned in zip(task_owners.find(tasks, plan), table.tasks, strict=True):
        yield replace(task, name=planned.id, requires=planned.requires, uses=uses.get(planned.id, {}))


def _named(table: Table) -> Iterator[tuple[str, str]]:
    """Paths that the texts name as files, with who names them, the surest first."""
    for clue in table.evidence:
        if clue.kind in _NAMED and clue.certainty >= SURE and clue.resolution is not Resolution.FOLDER:
            yield clue.path, f"task {clue.task}" if clue.task else clue.because


def _tests_of_tasks(table: Table) -> Iterator[TaskOfTests]:
    """The tests that tasks name, with the sources that tasks name, and those that name nothing but tests."""
    found = touches.find(table)
    for pair in cohesion.tests(table.tasks, found, table.files):
        paths = [touch.path for touch in found if pair[1] in touch.said]
        yield TaskOfTests(source_task=pair[0], task=pair[1], tests=tuple(paths))


def _near(plan: Plan, files: Paths, table: Table) -> Iterator[tuple[str, str]]:
    """Files that new ones go into: a registry beside them, other kinds where a text speaks of the kind."""
    for path, kind in near.at_risk(plan, files).items():
        if shared_kinds.kind(path) in ("", *table.shared_kinds):
            yield path, kind


def _often(table: Table) -> Iterator[tuple[str, str]]:
    """Files of a shared kind that the code's history or folders put near the change, but lock files."""
    for clue in table.evidence:
        if clue.kind in _BY_CODE and (kind := kind_of(clue.path)) not in ("", "lock file"):
            yield clue.path, f"{kind}, {clue.kind}"
