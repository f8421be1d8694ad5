"""The task list of a change, `tasks.md`: sections, boxes, and which package a box belongs to.

A line counts as a box where OpenSpec counts it (its `src/utils/task-progress.ts`: a bullet and `[ ]` or `[x]`,
indented or not, with or without blanks, in a code fence too), and in the other forms that people write: `+`, `1.`,
`1)`, `[~]`. What only looks like a box is reported, and belongs to no task. Everything is told by line number, so that
a box can be ticked without a change to any other byte.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from heapq import heappop, heappush

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
_BOX = re.compile(r"(\s*)(?:[-*+]|[0-9]{1,9}[.)])\s*\[([\sxX~])\]\s*(.*)", re.DOTALL)
_HEADING = re.compile(r" {0,3}(#{1,6})(?:\s+|(?=[0-9]))(.*)", re.DOTALL)
_FENCE = re.compile(r"\s*(`{3,}|~{3,})(.*)", re.DOTALL)
_BULLET = re.compile(r"\s*(?:[-*+]|[0-9]{1,9}[.)])\s")
_RULE = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}\s*")
# What may stand before a box by mistake, then brackets; a link, a footnote and a word in brackets are none.
_ALMOST = re.compile(
    r"[\s>|]*(?:[-*+]+|[\u2012-\u2015\u2022\u00b7]|[0-9A-Za-z]{1,3}[.)])?\s*(?:\**[0-9]+(?:\.[0-9]+)*[.:)]?\**)?\s*"
    r"(?:[\u2610-\u2612]|\[([^\]\n]{0,4})\](?![(:\[]))"
)
_UNCLOSED = re.compile(r"\s*(?:[-*+]|[0-9]{1,9}[.)])\s*(?:\[[ \txX~]?[ \t]|[ \txX~]?\][ \t])[^\]\n]*\n?")
_MARKS = frozenset({"", "x", "o", "v", "y", "n", "ok", "done", "todo", "wip"})
_NUMBER = re.compile(r"[A-Za-z]{0,4}[-.]?[0-9]+(?:[.-]\w+)*")
_AROUND = "*_`~.:,;()[]#\u2013\u2014-"
_SECTIONS = frozenset({
    "phase", "section", "group", "step", "part", "stage", "milestone", "wave", "task", "tasks", "package", "story",
})  # fmt: skip
_TASKS = frozenset(("task", "step"))
# How closely a name means a box: 0 the box itself, then those nested in it, those whose numbers go on from it, and
# those of a section, the inner ones first.
_CONTINUED, _IN_SECTION = 100, 200


class Mark(StrEnum):
    """What stands in a box; `[~]` is open (people mean: begun, or put off), and no box that we may tick."""

    OPEN = " "
    DONE = "x"
    PARTIAL = "~"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading. `lines` (from 1) are its own and those before its first box; `parent` is an index, -1 for none."""

    number: str
    title: str
    level: int
    parent: int
    lines: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ListedTask:
    """A box. `lines` (from 1) are its own and what belongs to it, without the boxes below it.

    `column` (from 0, in characters) is that of the mark in the first of them; `parent` is the box that this one is
    nested in, `section` the nearest heading above: indexes, -1 for none.
    """

    number: str
    text: str
    mark: Mark
    column: int
    section: int
    parent: int
    lines: tuple[int, ...]

    @property
    def name(self) -> str:
        """What a plan calls it: its number, or the first words of its text."""
        return self.number or " ".join(self.text.split()[:6])


@dataclass(frozen=True, slots=True)
class TaskList:
    """A `tasks.md` that was read; `lines` joined are the file. `unreadable` are the lines (from 1) of other boxes."""

    lines: tuple[str, ...]
    sections: tuple[Section, ...]
    tasks: tuple[ListedTask, ...]
    unreadable: tuple[int, ...]

    def line(self, number: int) -> str:
        """One line (from 1) without its end."""
        return self.lines[number - 1].rstrip("\r\n")


@dataclass(frozen=True, slots=True)
class Assignment:
    """The tasks of each package, as indexes; and the names that mean no task, by package."""

    tasks: Mapping[str, tuple[int, ...]]
    unknown: Mapping[str, tuple[str, ...]]


def read(content: bytes) -> TaskList:
    """Read a whole `tasks.md`; bytes that are no UTF-8 become lone surrogates, which `encoded` makes bytes again."""
    return _TaskReader(_LINE.findall(content.decode("utf-8", "surrogateescape"))).read()


def encoded(text: str) -> bytes:
    """The bytes of text that `read` gave."""
    return text.encode("utf-8", "surrogateescape")


def assign(found: TaskList, names: Mapping[str, Sequence[str]]) -> Assignment:
    """Which tasks each package has, by the names in its `tasks`: numbers, numbers of sections, first words.

    A name means the boxes nested below it too, and a section's number all boxes of the section. Where another package
    names one of these more closely (the box itself, not its section), the box is that package's. A package that names
    nothing has what no other package names.
    """
    index = _Index(found)
    claims = {package: [index.claim(name) for name in wanted] for package, wanted in names.items()}
    ranks = {package: _least(several) for package, several in claims.items()}
    best = _least(ranks.values())
    tasks = {
        package: tuple(sorted(task for task, rank in own.items() if rank == best[task]))
        if any(claims[package])
        else tuple(task for task in range(len(found.tasks)) if task not in best)
        for package, own in ranks.items()
    }
    unknown = {
        package: tuple(name for name, claim in zip(wanted, claims[package], strict=True) if not claim)
        for package, wanted in names.items()
    }
    return Assignment(tasks, {package: several for package, several in unknown.items() if several})


def names(found: TaskList) -> tuple[str, ...]:
    """A name for each task that means it and no other: its number, else words of its text, as few as that takes.

    `assign` understands each of them. Only tasks of the same number and text cannot be told apart: they get ` (2)`
    and so on, which `assign` does not know.
    """
    words = [(task.number.casefold(), _words(task.text)) for task in found.tasks]
    beginnings: dict[tuple[str, ...], set[int]] = {}
    for n, (number, text) in enumerate(words):
        for whole in ([number] if number else [], text, [number, *text] if number else []):
            for length in range(1, len(whole) + 1):
                beginnings.setdefault(tuple(whole[:length]), set()).add(n)
    meanings = {meaning[0] for section in found.sections for meaning in _meanings(section) if meaning}
    for number in meanings & {task.number.casefold() for task in found.tasks if task.number}:
        beginnings.pop((number,), None)  # alone it means the section
    taken: dict[str, int] = {}
    return tuple(_once(_own_name(task, n, beginnings), taken) for n, task in enumerate(found.tasks))


def _own_name(task: ListedTask, n: int, beginnings: Mapping[tuple[str, ...], set[int]]) -> str:
    text = task.text.split()
    candidates = [task.number] if task.number else [" ".join(text[:6])] if text else []
    candidates += [" ".join([task.number, *text[:length]]).strip() for length in range(1, len(text) + 1)]
    for name in candidates:
        if (task.number or len(name.split()) >= min(6, len(text))) and beginnings.get(tuple(_words(name))) == {n}:
            return name
    return " ".join([task.number, *text]).strip() or f"box in line {task.lines[0]}"


def _once(name: str, taken: dict[str, int]) -> str:
    """A name that no earlier one is: ` (2)` and so on behind a repeated one."""
    own = name
    while own in taken:
        taken[name] += 1
        own = f"{name} ({taken[name]})"
    taken[own] = 1
    return own


def named(found: TaskList, names: Mapping[str, Sequence[str]]) -> frozenset[int]:
    """The tasks that any package names; one that names nothing has tasks (see `assign`), but vouches for none."""
    assigned = assign(found, names).tasks
    return frozenset(task for package, wanted in names.items() if wanted for task in assigned[package])


def tick(found: TaskList, tasks: Iterable[int]) -> bytes:
    """The file with the boxes of these tasks ticked: only `[ ]` becomes `[x]`, every other byte stays."""
    lines = list(found.lines)
    for task in (found.tasks[index] for index in tasks):
        number, at = task.lines[0] - 1, task.column
        if lines[number][at] == Mark.OPEN:  # the blank in a box may be another one, which is none of ours
            lines[number] = f"{lines[number][:at]}{Mark.DONE}{lines[number][at + 1 :]}"
    return encoded("".join(lines))


def same(known: TaskList, tasks: Iterable[int], found: TaskList) -> tuple[int, ...]:
    """These tasks of `known` in another list: by number and text, or by a text that stands there once.

    One that others share it with which are not among these is left out: nobody knows which of them it is.
    """
    wanted = frozenset(tasks)
    if known.lines == found.lines:
        return tuple(sorted(wanted))
    before = [(task.number, _whole_text(known, task)) for task in known.tasks]
    now = [(task.number, _whole_text(found, task)) for task in found.tasks]
    keys = {before[n] for n in wanted} - {key for n, key in enumerate(before) if n not in wanted}
    texts = {before[n][1] for n in wanted} - {text for n, (_, text) in enumerate(before) if n not in wanted}
    once = {text for text, times in Counter(text for _, text in now).items() if times == 1}
    return tuple(n for n, key in enumerate(now) if key in keys or key[1] in texts & once)


def still_open(found: TaskList) -> tuple[str, ...]:
    """The number and the text of each box that is not ticked."""
    left = (task for task in found.tasks if task.mark is not Mark.DONE)
    return tuple(f"{task.number} {' '.join(task.text.split())}".strip() for task in left)


def excerpt(found: TaskList, tasks: Iterable[int]) -> str:
    """These tasks as text, each with what belongs to it, below the headings of their sections."""
    wanted = set(tasks)
    lines = {number for task in wanted for number in found.tasks[task].lines}
    for index, section in enumerate(found.sections):
        inside = {task for task in range(len(found.tasks)) if index in _sections(found, found.tasks[task].section)}
        if inside & wanted:
            lines.update(section.lines if inside <= wanted else section.lines[:1])
    return "\n".join(found.line(number) for number in sorted(lines)).strip("\n")


def tasks_hash(found: TaskList) -> str:
    """SHA-256 over the numbers and texts of all boxes, with what belongs to each; what is ticked changes nothing.

    Nor do blanks, the form of a box, headings and what belongs to no box.
    """
    texts = (f"{task.number}\0{_whole_text(found, task)}\0" for task in found.tasks)
    return hashlib.sha256(encoded("".join(texts))).hexdigest()


def _whole_text(found: TaskList, task: ListedTask) -> str:
    return " ".join(" ".join([task.text, *(found.line(number) for number in task.lines[1:])]).split())


class _Index:
    """The tasks and sections by the words that names of them begin with."""

    def __init__(self, found: TaskList) -> None:
        self.found = found
        self.words = [(task.number.casefold(), _words(task.text)) for task in found.tasks]
        self.tasks: dict[str, set[int]] = {}
        self.inside: dict[int, set[int]] = {}
        self.below: dict[int, list[int]] = {}
        self.sections: dict[str, set[int]] = {}
        for n, task in enumerate(found.tasks):
            number, text = self.words[n]
            for first in (*text[:1], number, *_leading(number)):
                self.tasks.setdefault(first, set()).add(n)
            for section in _sections(found, task.section):
                self.inside.setdefault(section, set()).add(n)
            self.below.setdefault(task.parent, []).append(n)
        for n, heading in enumerate(found.sections):
            for first in {meaning[0] for meaning in _meanings(heading) if meaning}:
                self.sections.setdefault(first, set()).add(n)

    def claim(self, name: str) -> dict[int, int]:
        """The tasks that a name means, each with how closely."""
        if not (words := _words(name)):
            return {}
        found = self.found
        named = {n for n in self.sections.get(words[0], ()) if _is_section(found.sections[n], words)}
        queue = sorted(self.tasks.get(words[0], set()).union(*(self.inside.get(n, ()) for n in named)))
        claim: dict[int, int] = {}
        while queue:
            n = heappop(queue)
            task = found.tasks[n]
            ranks = [_rank(*self.words[n], words, is_section=bool(named))]
            ranks += [claim[task.parent] + 1] if task.parent in claim else []
            above = enumerate(_sections(found, task.section))
            ranks += [_IN_SECTION + far for far, section in above if section in named]
            if n not in claim and (known := [rank for rank in ranks if rank >= 0]):
                claim[n] = min(known)
                for child in self.below.get(n, ()):
                    heappush(queue, child)
        return claim


def _leading(number: str) -> list[str]:
    """The numbers that this one goes on from: of `1.2.3` those are `1.2` and `1`."""
    parts = number.split(".")
    return [".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1)]


def _rank(number: str, text: list[str], words: list[str], *, is_section: bool) -> int:
    """How closely the words of a name mean this one task; -1 for not. A section's number means the section."""
    if text[: len(words)] == words or (len(words) > 1 and [number, *text][: len(words)] == words):
        return 0
    if is_section or len(words) > 1:
        return -1
    return 0 if number == words[0] else _CONTINUED if number.startswith(f"{words[0]}.") else -1


def _is_section(section: Section, words: list[str]) -> bool:
    return any(own[: len(words)] == words for own in _meanings(section))


def _meanings(section: Section) -> tuple[list[str], ...]:
    """The words that mean a section, or begin to."""
    _, rest = _numbered(section.title, _SECTIONS)
    return ([section.number.casefold()], _words(section.title), _words(rest))


def _least(claims: Iterable[Mapping[int, int]]) -> dict[int, int]:
    least: dict[int, int] = {}
    for claim in claims:
        for task, rank in claim.items():
            least[task] = min(rank, least.get(task, rank))
    return least


def _sections(found: TaskList, section: int) -> list[int]:
    """A section and those that it stands in, from the inside out."""
    chain = []
    while section >= 0:
        chain.append(section)
        section = found.sections[section].parent
    return chain


def _words(text: str) -> list[str]:
    return [word for part in text.casefold().split() if (word := part.strip(_AROUND))]


def _numbered(text: str, kinds: frozenset[str]) -> tuple[str, str]:
    """The number that `text` begins with, behind words such as Phase, and the rest; "" and the whole where none is."""
    rest = text.strip()
    while True:
        first, _, after = rest.partition(" ")
        word = first.strip(_AROUND)
        if _NUMBER.fullmatch(word):
            return word, after.strip().lstrip(":.\u2013\u2014- ") or after.strip()
        if word.casefold() not in kinds or not after:
            return "", text.strip()
        rest = after.strip()


def _indent(line: str) -> int:
    blank = line[: len(line) - len(line.lstrip())]
    return len(blank.expandtabs(4))


def _fenced(lines: Sequence[str]) -> set[int]:
    """The lines (from 0) inside code fences; a fence that nothing closes is none."""
    inside: set[int] = set()
    opened, fence = -1, ""
    for number, line in enumerate(lines):
        if not (found := _FENCE.match(line)):
            continue
        if opened < 0:
            opened, fence = number, found[1]
        elif found[1].startswith(fence) and not found[2].strip():
            inside.update(range(opened, number + 1))
            opened = -1
    return inside


def _is_almost_a_box(line: str) -> bool:
    if _UNCLOSED.fullmatch(line):
        return True
    found = _ALMOST.match(line)
    mark = (found[1] or "").strip().casefold() if found else "none"
    return mark in _MARKS or (len(mark) <= 2 and not any(letter.isalnum() for letter in mark))


@dataclass
class _OpenBox:
    """A heading or box that lines may still belong to; a box that cannot be read has neither."""

    indent: int
    lines: list[int]
    task: int = -1


class _TaskReader:
    """One pass over the lines."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.fenced = _fenced(lines)
        self.sections: list[tuple[Section, list[int]]] = []  # each with its lines so far
        self.tasks: list[tuple[ListedTask, list[int]]] = []
        self.unreadable: list[int] = []
        self.section = -1
        self.boxes: list[_OpenBox] = []
        self.owner: list[int] = []  # the lines of what the line before belongs to

    def read(self) -> TaskList:
        for number, line in enumerate(self.lines):
            text = line.removeprefix("\ufeff") if not number else line
            fenced = number in self.fenced
            if box := _BOX.match(text):
                self.box(number + 1, box, len(line) - len(text))
            elif not fenced and (heading := _HEADING.match(text)):
                self.heading(number + 1, heading)
            elif not fenced and _is_almost_a_box(text):
                self.almost(number + 1, text)
            elif not fenced and _RULE.fullmatch(text):
                self.boxes, self.owner = [], self.sections[-1][-1] if self.sections else []
            else:
                self.other(number + 1, text)
        return TaskList(
            tuple(self.lines),
            tuple(replace(section, lines=tuple(lines)) for section, lines in self.sections),
            tuple(replace(task, lines=tuple(lines)) for task, lines in self.tasks),
            tuple(self.unreadable),
        )

    def heading(self, number: int, found: re.Match[str]) -> None:
        level = len(found[1])
        parent = self.section
        while parent >= 0 and self.sections[parent][0].level >= level:
            parent = self.sections[parent][0].parent
        title = found[2].strip().rstrip("#").strip()
        if _is_almost_a_box(title):
            self.unreadable.append(number)
            title = title.partition("]")[2].strip()
        self.owner = [number]
        own_number, _ = _numbered(title, _SECTIONS)
        self.sections.append((Section(own_number, title, level, parent, ()), self.owner))
        self.section = len(self.sections) - 1
        self.boxes = []

    def box(self, number: int, found: re.Match[str], shift: int) -> None:
        indent = _indent(found[0])
        self.close(indent)
        own_number, text = _numbered(found[3], _TASKS)
        mark = Mark.DONE if found[2] in "xX" else Mark.PARTIAL if found[2] == "~" else Mark.OPEN
        self.owner = [number]
        parent = self.boxes[-1].task if self.boxes else -1
        task = ListedTask(own_number, text, mark, found.start(2) + shift, self.section, parent, ())
        self.tasks.append((task, self.owner))
        self.boxes.append(_OpenBox(indent, self.owner, len(self.tasks) - 1))

    def almost(self, number: int, line: str) -> None:
        indent = _indent(line)
        self.close(indent)
        self.unreadable.append(number)
        self.owner = [number]
        self.boxes.append(_OpenBox(indent, self.owner))

    def other(self, number: int, line: str) -> None:
        """Any other line: what is indented deeper than a box belongs to it; else it goes on with the line before."""
        indent = _indent(line)
        begins = number == 1 or not self.lines[number - 2].strip() or _BULLET.match(line)
        if line.strip() and self.boxes and (begins or indent):
            outer = self.boxes[0]
            self.close(indent if _BULLET.match(line) else max(indent, 1))
            self.owner = (self.boxes[-1] if self.boxes else outer).lines
        self.owner.append(number)

    def close(self, indent: int) -> None:
        """What is not indented less than `indent` ends."""
        while self.boxes and self.boxes[-1].indent >= indent:
            self.boxes.pop()
