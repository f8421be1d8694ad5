"""What the change will touch: the clues of one path put together, and the task that it belongs to.

A path that a task names belongs to that task. One that was derived (its test, its registry) follows the file that it
was derived from. One that only a document names goes to the task that speaks of it or works nearest to it.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from parallel_impl.plan.ids import CHANGES
from parallel_impl.planning.reading.evidence import Clue, ClueKind, PlannedTask, Resolution, Table

NAMED = frozenset({ClueKind.TASK, ClueKind.SECTION})
DOCUMENTS = frozenset({ClueKind.PROPOSAL, ClueKind.DESIGN, ClueKind.SPEC, ClueKind.CONTRACT})
LEAST = 0.1  # certainty below which an existing path is not worth a line in a scope: see `evidence`
LEAST_CHEAP = 0.05  # the same for new files and patterns, which open nothing, and for configuration, often missed
NEAR = 0.5  # how much of its folder a path must share with one of a task to count as near it
FEWEST_LETTERS = 5  # of a file's name that stands in the text of a task; `api` and `test` stand everywhere

_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+")


@dataclass(frozen=True, slots=True)
class Touch:
    """One path that the change probably touches.

    It ends in `/` where everything below a folder is meant, and is a glob where `pattern`.

    `said` are the tasks that name it, with the certainty of each; `leaning` the one that it belongs to where none does
    (empty: none). `certainty` is that of all clues together.
    """

    path: str
    certainty: float
    new: bool
    said: Mapping[str, float] = field(default_factory=dict)
    leaning: str = ""
    clues: tuple[Clue, ...] = ()
    pattern: bool = False

    @property
    def glob(self) -> str:
        """The path in the language of scopes."""
        return f"{self.path}**" if self.path.endswith("/") else self.path

    @property
    def owner(self) -> str:
        """The task that it belongs to above all: the surest that names it, the first among equals."""
        return max(self.said, key=lambda task: self.said[task]) if self.said else self.leaning

    @property
    def is_glob(self) -> bool:
        """Whether more than one path may be meant."""
        return self.pattern or self.path.endswith("/")


def find(table: Table) -> tuple[Touch, ...]:
    """Every path of the table that is certain enough, sorted; paths inside the change's own folder are left out."""
    clues: dict[str, list[Clue]] = defaultdict(list)
    for clue in table.evidence:
        if clue.resolution is not Resolution.UNRESOLVED and not _is_plan(clue.path):
            clues[clue.path].append(clue)
    rough = {path: _touch(path, several) for path, several in clues.items()}
    kept = {path: touch for path, touch in rough.items() if touch.certainty >= _least(touch)}
    nearby = _Nearby(table.tasks, kept)
    return tuple(kept[path] if kept[path].said else _leaning(kept[path], kept, nearby) for path in sorted(kept))


def _least(touch: Touch) -> float:
    cheap = touch.new or touch.pattern or any(clue.kind is ClueKind.ROOT_CONFIG for clue in touch.clues)
    return LEAST_CHEAP if cheap else LEAST


def _is_plan(path: str) -> bool:
    """Whether `path` is one of the change's documents, which no package writes."""
    return path.startswith(f"{CHANGES}/")


def _touch(path: str, clues: Iterable[Clue]) -> Touch:
    said: dict[str, float] = {}
    doubt = 1.0
    surest: dict[tuple[str, ClueKind], float] = {}
    for clue in clues:
        key = (clue.task, clue.kind)
        surest[key] = max(surest.get(key, 0.0), clue.certainty)
        if clue.task and clue.kind in NAMED:
            said[clue.task] = max(said.get(clue.task, 0.0), clue.certainty)
    for certainty in surest.values():
        doubt *= 1 - min(certainty, 0.99)
    new = all(clue.resolution is Resolution.NEW for clue in clues)
    pattern = any(clue.resolution is Resolution.PATTERN for clue in clues)
    return Touch(path, round(1 - doubt, 4), new, said, clues=tuple(clues), pattern=pattern)


def _leaning(touch: Touch, known: Mapping[str, Touch], nearby: _Nearby) -> Touch:
    """The touch with the task that it belongs to: of its source, of the clue, of the text, of the folder."""
    task = (
        next((known[clue.because].owner for clue in touch.clues if _has_owner(known, clue.because)), "")
        or next((clue.task for clue in touch.clues if clue.task), "")
        or next((task for clue in touch.clues if (task := nearby.by_line(clue))), "")
        or nearby.by_text(touch.path)
        or nearby.by_folder(touch.path)
    )
    return replace(touch, leaning=task)


def _has_owner(known: Mapping[str, Touch], path: str) -> bool:
    return path in known and bool(known[path].said)


class _Nearby:
    """Which task speaks of a file, or works in its folder."""

    def __init__(self, tasks: Sequence[PlannedTask], touches: Mapping[str, Touch]) -> None:
        self._starts = [(task.lines[0], task.id) for task in tasks if task.lines]
        self._texts = [(task.id, f" {_words(task.text)} ") for task in tasks]
        self._folders: dict[str, dict[str, float]] = defaultdict(dict)
        for touch in touches.values():
            for task, certainty in touch.said.items():
                for folder in _folders(touch.path):
                    tasks_there = self._folders[folder]
                    tasks_there[task] = tasks_there.get(task, 0.0) + certainty

    def by_line(self, clue: Clue) -> str:
        """The first task below a line of the task list that belongs to no task: what a section says of its tasks."""
        number = clue.because.rpartition(":")[2]
        if clue.kind is not ClueKind.SECTION or not number.isdecimal():
            return ""
        return next((task for line, task in self._starts if line > int(number)), "")

    def by_text(self, path: str) -> str:
        """The first task whose text holds the file's name without its suffix, in whatever spelling."""
        stem = posixpath.basename(path.rstrip("/")).partition(".")[0]
        name = _words(stem).removeprefix("test ")
        return (
            next((task for task, text in self._texts if f" {name} " in text), "") if len(name) >= FEWEST_LETTERS else ""
        )

    def by_folder(self, path: str) -> str:
        """The task that names most in the deepest folder around `path`, if that is not far up."""
        folders = list(_folders(path))
        for depth, folder in zip(range(len(folders), 0, -1), folders, strict=True):
            if depth < len(folders) * NEAR or (depth == 1 and len(folders) > 1):
                break
            if there := self._folders.get(folder):
                return max(there, key=lambda task: there[task])
        return ""


def _folders(path: str) -> Iterable[str]:
    """The folders around `path`, the deepest first."""
    folder = posixpath.dirname(path.rstrip("/"))
    while folder:
        yield folder
        folder = posixpath.dirname(folder)


def _words(text: str) -> str:
    """The words of a text, of names in every spelling: `statusCommand`, `status-command` and `status_command` alike."""
    return " ".join(_WORD.findall(text)).lower()
