"""The smallest pieces of work that one agent must do: tasks that would make two agents disagree are one unit.

Together stay: a task and those nested in it; a test and the code that it tests; tasks of one section that name the same
file; several new files that are alike (one folder, one ending: widgets, handlers, migrations); one user story.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from parallel_impl.plan import kinds
from parallel_impl.plan.names_of_tests import is_test, is_tested, names
from parallel_impl.planning.grouping.touches import Touch
from parallel_impl.planning.reading.evidence import ClueKind, Part, PlannedTask

SURE = 0.5  # certainty from which a name in a text means that the task works on the file
ALIKE = 3  # new files that are alike before they are one unit of work

TESTS = re.compile(r"\btest(s|ing)?\b", re.IGNORECASE)
_WORD = re.compile(r"[a-z][a-z0-9]{3,}")
_ENDING = re.compile(r"(?:[A-Z][a-z0-9]+|[_-][a-z0-9]+)(?=\.\w+$)")


@dataclass(frozen=True, slots=True)
class Unit:
    """Tasks that stay together, in the order of the document; `section` is that of the first."""

    tasks: tuple[str, ...]
    section: int


def find(
    tasks: Sequence[PlannedTask],
    touches: Sequence[Touch],
    parts: Sequence[Part] = (),
    files: Collection[str] = (),
) -> tuple[Unit, ...]:
    """The units of these tasks, in their order; every task is in exactly one.

    `parts` are the sections, `files` those of the repository.
    """
    union = _Union(task.id for task in tasks)
    sections = {task.id: task.section for task in tasks}
    for first, second in (
        *_nested(tasks),
        *_stories(tasks),
        *_same_file(touches, sections),
        *tests(tasks, touches, files),
        *_alike(touches, sections),
        *_without_files(tasks, touches, parts),
    ):
        if first in sections and second in sections:
            union.join(first, second)
    return tuple(Unit(several, sections[several[0]]) for several in union.sets())


def _nested(tasks: Iterable[PlannedTask]) -> Iterable[tuple[str, str]]:
    """`1.2.1` belongs to `1.2` where that is a task."""
    known = {task.id for task in tasks}
    for task in known:
        above = task.rpartition(".")[0]
        if above in known:
            yield above, task


def _stories(tasks: Iterable[PlannedTask]) -> Iterable[tuple[str, str]]:
    """The tasks of one user journey."""
    first: dict[str, str] = {}
    for task in tasks:
        if task.story:
            yield first.setdefault(task.story, task.id), task.id


def _same_file(touches: Iterable[Touch], sections: Mapping[str, int]) -> Iterable[tuple[str, str]]:
    for touch in touches:
        if touch.is_glob or kinds.kind_of(touch.path):
            continue
        first: dict[int, str] = {}
        for task, certainty in touch.said.items():
            if certainty >= SURE and task in sections:
                yield first.setdefault(sections[task], task), task


def tests(
    tasks: Sequence[PlannedTask], touches: Sequence[Touch], files: Collection[str] = ()
) -> Iterable[tuple[str, str]]:
    """A task that names nothing but tests belongs to the one that names what they test.

    Where its tests have no source of that name in the repository, it belongs to the work right before it in its
    section.
    """
    known = {touch.path: touch for touch in touches}
    named: dict[str, list[Touch]] = defaultdict(list)
    for touch in touches:
        for name in touch.said:
            named[name].append(touch)
    before: dict[int, str] = {}
    sections = {task.id: task.section for task in tasks}
    for task in tasks:
        own = named[task.id]
        if not own or not all(is_test(touch.path) for touch in own):
            if any(is_tested(touch.path) for touch in own):
                before[task.section] = task.id
            continue
        sources = [known[one] for touch in own for one in tested_by(touch) if one in known and known[one].said]
        ranked = sorted(sources, key=lambda one: sections.get(one.owner) != task.section)
        if ranked and all(task.id not in one.said for one in sources):
            yield ranked[0].owner, task.id
        elif not sources and task.section in before and not _have_source(own, files):
            yield before[task.section], task.id


def _have_source(own: Iterable[Touch], files: Iterable[str]) -> bool:
    """Whether any of these tests is one of a file of the repository, by its name."""
    wanted = {posixpath.basename(touch.path) for touch in own}
    return any(not wanted.isdisjoint(names(path)) for path in files if is_tested(path))


def tested_by(touch: Touch) -> list[str]:
    """The sources whose test a touched path is, by the mirror of their names."""
    return list(dict.fromkeys(clue.because for clue in touch.clues if clue.kind is ClueKind.TEST_MIRROR))


def _alike(touches: Iterable[Touch], sections: Mapping[str, int]) -> Iterable[tuple[str, str]]:
    """Tasks that make new files of one folder and one ending: `MetricWidget.tsx`, `ChartWidget.tsx`."""
    families: dict[tuple[str, str], list[str]] = defaultdict(list)
    for touch in touches:
        ending = _ENDING.search(posixpath.basename(touch.path))
        if touch.new and touch.said and ending:
            families[posixpath.dirname(touch.path), ending[0]].append(touch.owner)
    for tasks in families.values():
        if len(tasks) >= ALIKE:
            yield from ((tasks[0], task) for task in tasks if sections.get(task) == sections.get(tasks[0]))


def _without_files(
    tasks: Sequence[PlannedTask], touches: Iterable[Touch], parts: Sequence[Part]
) -> Iterable[tuple[str, str]]:
    """A task that names no file goes with the one before it in its section, the first ones with the one after.

    Tests of a section that names no file at all go each with what speaks of the same.
    """
    named = {task for touch in touches for task in touch.said}
    by_section: dict[int, list[str]] = defaultdict(list)
    for task in tasks:
        by_section[task.section].append(task.id)
    requires = {task.id: task.requires for task in tasks}
    for section, several in by_section.items():
        title = parts[section].title if 0 <= section < len(parts) else ""
        if TESTS.search(title) and named.isdisjoint(several):
            yield from _alike_in_words(tasks, named, section)
            continue
        anchor = next((one for one in several if one in named), several[0])
        for one in several:
            if one in named:
                anchor = one
                continue
            yield next((other for other in reversed(requires[one]) if other in several and other in named), anchor), one


def _alike_in_words(tasks: Sequence[PlannedTask], named: Collection[str], section: int) -> Iterable[tuple[str, str]]:
    """Each task of a section with the one before it that names files and shares the rarest words with it."""
    words = {task.id: frozenset(_WORD.findall(task.text.lower())) for task in tasks}
    often = Counter(word for several in words.values() for word in several)
    before = [task.id for task in tasks if task.section < section and task.id in named]
    for task in tasks:
        if task.section == section and before:
            common = {one: sum(1 / often[word] for word in words[one] & words[task.id]) for one in before}
            yield max(reversed(before), key=lambda one: common[one]), task.id


class _Union:
    """Disjoint sets of names that keep the order in which the names came."""

    def __init__(self, names: Iterable[str]) -> None:
        self._above = {name: name for name in names}
        self._place = {name: place for place, name in enumerate(self._above)}

    def top(self, name: str) -> str:
        """The earliest name of the set."""
        while self._above[name] != name:
            self._above[name] = self._above[self._above[name]]
            name = self._above[name]
        return name

    def join(self, first: str, second: str) -> None:
        """Make the sets of both one."""
        low, high = sorted((self.top(first), self.top(second)), key=self._place.__getitem__)
        self._above[high] = low

    def sets(self) -> list[tuple[str, ...]]:
        """Every set, by its earliest name."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in self._above:
            found[self.top(name)].append(name)
        return [tuple(found[name]) for name in found]
