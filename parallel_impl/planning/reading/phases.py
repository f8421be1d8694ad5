"""Phases of an implementation spec as requirements: phase N + 1 waits for phase N, or for what evidence says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import pairwise

from parallel_impl.planning.reading.evidence import Clue, ClueKind, PlannedTask, Resolution

_OWN = frozenset((ClueKind.TASK, ClueKind.SEQUENCE))
_SURE = 0.2


class Phases(StrEnum):
    """What a phase means for the one after it."""

    ORDER = "order"
    EVIDENCE = "evidence"


def in_order(tasks: Sequence[PlannedTask]) -> list[PlannedTask]:
    """Each task also requires the last ones of the phase before its own: those that no other of that phase requires."""
    last: dict[int, tuple[str, ...]] = {}
    sections = sorted({task.section for task in tasks})
    for before, section in pairwise(sections):
        own = [task for task in tasks if task.section == before]
        required = {one for task in own for one in task.requires}
        last[section] = tuple(task.id for task in own if task.id not in required)
    return [replace(task, requires=_merged(task.requires, last.get(task.section, ()))) for task in tasks]


def on_evidence(
    tasks: Sequence[PlannedTask],
    clues: Iterable[Clue],
    imports: Mapping[str, frozenset[str]],
    contracts: Iterable[str],
) -> list[PlannedTask]:
    """Each task also requires those of earlier phases that it shares a file or contract with, or whose code it imports.

    An import counts in both directions: who changes an imported file and who changes its user depend on each other.
    """
    files = _files(tasks, clues)
    named = {task.id: {path for path in contracts if path in task.text} for task in tasks}

    def grounded(earlier: str, later: str) -> bool:
        ours, theirs = files[later], files[earlier]
        return bool(
            ours & theirs
            or named[earlier] & named[later]
            or any(imports.get(path, frozenset()) & theirs for path in ours)
            or any(imports.get(path, frozenset()) & ours for path in theirs)
        )

    return [
        replace(
            task,
            requires=_merged(
                task.requires,
                [one.id for one in tasks if one.section < task.section and grounded(one.id, task.id)],
            ),
        )
        for task in tasks
    ]


def _files(tasks: Iterable[PlannedTask], clues: Iterable[Clue]) -> dict[str, set[str]]:
    """The files that each task names itself, and their tests; folders and guesses say nothing about order."""
    files: dict[str, set[str]] = {task.id: set() for task in tasks}
    for clue in clues:
        literal = clue.resolution not in (Resolution.FOLDER, Resolution.PATTERN) and not clue.path.endswith("/")
        if clue.task in files and literal and clue.kind in _OWN and clue.certainty >= _SURE:
            files[clue.task].add(clue.path)
    return files


def _merged(first: Iterable[str], second: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*first, *second]))
