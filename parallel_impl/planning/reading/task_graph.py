"""The tasks of a list as a graph: ids that a plan can name, and what each requires, from the lines that say so.

`**Dependencies**: 1.1, 1.2`, `Depends on: 1.1-1.3`, `(depends on T003, T004)`, `Requires Phase 1`, "None". A task that
is named and does not exist, and an edge that closes a circle, are dropped with words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from parallel_impl.openspec.tasks import ListedTask, Mark, TaskList, names
from parallel_impl.planning.reading.evidence import Part, PlannedTask

_LABEL = (
    r"dependenc(?:y|ies)|depend(?:s|ent|ing)?(?:[ \t]+up)?(?:[ \t]*-?on)|depends|requires?|needs|"
    r"block(?:ed|s)?[ -]by|prerequisites?|prereqs?|after"
)
# At the beginning of a line a colon tells the label from prose; in brackets none is needed.
_LINE = re.compile(rf"^\s*(?:[-*+]\s+)?[*_`]*(?:{_LABEL})[*_`]*\s*:[*_`]*\s*(.*)$", re.IGNORECASE)
_INLINE = re.compile(
    rf"(?:[(\[{{]|\s[\u2013\u2014-]\s|\.\s)[*_]*(?:{_LABEL})[*_]*:?[*_]*\s+([^()\[\]{{}}]*)", re.IGNORECASE
)
_NOTHING = re.compile(r"[*_`\s]*(?:(?:none|no|n/?a|nothing)\b|[-\u2013\u2014\u2205]\s*$)", re.IGNORECASE)
_ID = r"(?:[A-Za-z]{0,4}[-.]?[0-9]+(?:[.-][0-9A-Za-z]+)*)"
_RANGE = re.compile(rf"\b({_ID})\s*(?:-|\u2013|\u2014|\.\.\.?|\u2026|\bto\b|\bthrough\b|\bthru\b)\s*({_ID})\b")
_ALL_OF = re.compile(r"\b([0-9]+(?:\.[0-9]+)*)\.(?:x|X|\*)")
_SECTION = re.compile(r"\b(?:phase|section|group|part|stage|milestone|wave)s?\s+([0-9A-Za-z.]+)", re.IGNORECASE)
_WORD = re.compile(rf"(?<![\w./]){_ID}(?![\w/])")
_FIELD = re.compile(
    r"^\s*(?:[-*+]\s+)?\*\*[^*]+\*\*\s*:|^\s*(?:[-*+]\s+)?\*\*[^*]+:\*\*|^\s*[-*+]\s|^\s*[A-Z][\w ]{0,30}:\s"
)
_PARALLEL = re.compile(r"\[P\]\s*")
_STORY = re.compile(r"\[(US[0-9]+)\]\s*")


@dataclass(frozen=True, slots=True)
class Planned:
    """The tasks with what they require, their sections, and what was dropped."""

    tasks: tuple[PlannedTask, ...]
    sections: tuple[Part, ...]
    notes: tuple[str, ...]


def plan(found: TaskList) -> Planned:
    """Read who requires whom out of a task list."""
    ids = names(found)
    book = _Ids(found, ids)
    notes = [f"tasks.md:{number}: this is no box that can be read" for number in found.unreadable]
    tasks = []
    for own, task in zip(ids, found.tasks, strict=True):
        required, unknown = _required(found, task, own, book)
        notes += [f"tasks.md:{task.lines[0]}: {own} depends on {name}, which is no task" for name in unknown]
        tasks.append(_planned(task, own, required))
    tasks, circles = without_circles(tasks)
    return Planned(tuple(tasks), tuple(Part(one.number, one.title) for one in found.sections), (*notes, *circles))


def without_circles(tasks: Sequence[PlannedTask]) -> tuple[list[PlannedTask], list[str]]:
    """The tasks without the requirements that close a circle; of a circle the one that points down the list goes."""
    order = {task.id: n for n, task in enumerate(tasks)}
    kept: dict[str, list[str]] = {task.id: [] for task in tasks}
    notes = []
    edges = [(one, task.id) for task in tasks for one in task.requires]
    for before, after in sorted(edges, key=lambda edge: (order[edge[0]] >= order[edge[1]], order[edge[1]])):
        if _reaches(kept, before, after):
            notes.append(f"{after} depends on {before}, which depends on {after}: left out")
        else:
            kept[after].append(before)
    return [
        replace(task, requires=tuple(one for one in task.requires if one in kept[task.id])) for task in tasks
    ], notes


def _reaches(requires: Mapping[str, Iterable[str]], start: str, end: str) -> bool:
    seen, queue = {start}, [start]
    while queue:
        one = queue.pop()
        if one == end:
            return True
        fresh = [other for other in requires[one] if other not in seen]
        seen.update(fresh)
        queue += fresh
    return False


def _planned(task: ListedTask, own: str, required: Iterable[str]) -> PlannedTask:
    story = _STORY.search(task.text)
    return PlannedTask(
        id=own,
        text=_STORY.sub("", _PARALLEL.sub("", task.text)).strip(),
        section=task.section,
        requires=tuple(required),
        parallel=bool(_PARALLEL.search(task.text)),
        story=story[1] if story else "",
        done=task.mark is Mark.DONE,
        lines=task.lines,
    )


class _Ids:
    """The ids that a dependency line can name: those of tasks, and the numbers of sections."""

    def __init__(self, found: TaskList, ids: tuple[str, ...]) -> None:
        self.order = ids
        self.tasks: dict[str, str] = {}
        for own, task in zip(ids, found.tasks, strict=True):
            self.tasks.setdefault((task.number or own).casefold(), own)
        self.sections: dict[str, list[str]] = {}
        for index, section in enumerate(found.sections):
            inside = [own for own, task in zip(ids, found.tasks, strict=True) if task.section == index]
            if section.number and inside:
                self.sections.setdefault(section.number.casefold(), []).extend(inside)

    def below(self, number: str) -> list[str]:
        """The tasks whose numbers go on from this one."""
        return [own for key, own in self.tasks.items() if key.startswith(f"{number.casefold()}.")]

    def between(self, first: str, last: str) -> list[str]:
        """The tasks from the first to the last in the order of the list; the last may leave out what they share."""
        head = first.rpartition(".")[0]
        ends = [self.tasks.get(one.casefold()) for one in (first, last)]
        if ends[1] is None and head:
            ends[1] = self.tasks.get(f"{head}.{last}".casefold())
        if ends[0] is None or ends[1] is None:
            return []
        low, high = sorted(self.order.index(one) for one in ends if one is not None)
        return list(self.order[low : high + 1])


def _required(found: TaskList, task: ListedTask, own: str, ids: _Ids) -> tuple[list[str], list[str]]:
    """What a task requires, and what it names that is no task."""
    required: dict[str, None] = {}
    unknown: dict[str, None] = {}
    for text in _said(found, task):
        if not _NOTHING.match(text):
            rest = _take_sections(text, ids, required)
            for word in _WORD.findall(rest):
                _take(word, ids, required, unknown)
    required.pop(own, None)
    return list(required), list(unknown)


def _take_sections(text: str, ids: _Ids, required: dict[str, None]) -> str:
    """Take out of a text what names several tasks at once, and return what is left."""
    for match in _SECTION.finditer(text):
        required.update(dict.fromkeys(ids.sections.get(match[1].rstrip(".").casefold(), ())))
    text = _SECTION.sub(lambda match: " " if match[1].rstrip(".").casefold() in ids.sections else match[0], text)
    for match in _ALL_OF.finditer(text):
        required.update(dict.fromkeys(ids.below(match[1])))
    text = _ALL_OF.sub(" ", text)
    for match in _RANGE.finditer(text):
        required.update(dict.fromkeys(ids.between(match[1], match[2])))
    return _RANGE.sub(lambda match: " " if ids.between(match[1], match[2]) else match[0], text)


def _take(word: str, ids: _Ids, required: dict[str, None], unknown: dict[str, None]) -> None:
    key = word.casefold().rstrip(".")
    if key in ids.tasks:
        required[ids.tasks[key]] = None
    elif below := ids.sections.get(key) or ids.below(key):
        required.update(dict.fromkeys(below))
    elif _looks_like_a_task(key, ids):
        unknown[word] = None


def _looks_like_a_task(key: str, ids: _Ids) -> bool:
    """Whether a word has the form of the list's own numbers (`D3` is a decision where tasks are `1.2`)."""

    def form(text: str) -> str:
        return re.sub(r"[0-9]+", "0", text)

    return form(key) in {form(one) for one in ids.tasks}


def _said(found: TaskList, task: ListedTask) -> list[str]:
    """The texts behind the labels of a task's lines; one that goes on in the next lines is joined."""
    said: list[str] = []
    open_label = False
    for number in task.lines:
        line = found.line(number)
        if match := _LINE.match(line):
            said.append(match[1])
        elif open_label and line.strip() and not _FIELD.match(line):
            said[-1] = f"{said[-1]} {line.strip()}"
            continue
        else:
            said += [match[1] for match in _INLINE.finditer(line)]
        open_label = match is not None and bool(_LINE.match(line))
    return said
