"""What texts say that one task uses of another: `the key ring` in the one, `KeyRing` in `keyring.py` made by the other.

Only what a task makes anew has names that tell: its new files, the symbols that it adds, the heading that it stands
below where that is two words or more.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from parallel_impl.plan.names_of_tests import is_tested
from parallel_impl.planning.reading import symbols
from parallel_impl.planning.reading.documents import ChangeDocument
from parallel_impl.planning.reading.evidence import Clue, ClueKind, Part, PlannedTask, Resolution, StatedUse
from parallel_impl.planning.reading.tree import extension, name_of

FEWEST_LETTERS = 5
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+")
_MAKES = re.compile(r"\b(?:add|create|implement|define|introduce|write|build|provide)\b", re.IGNORECASE)
_USES = re.compile(
    r"\b(?:us(?:es|ing|e)|imports?|importing|on top of|built on|based on|relies on|depends? on|needs|calls|wraps)\b",
    re.IGNORECASE,
)
_NOT = re.compile(r"\b(?:not|never|no|without|independent\w*|instead|unlike)\b", re.IGNORECASE)
_BOTH = re.compile(r"\b(?:both|these two|the two)\b", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.;!?])\s+|\n\s*[-*+]\s+|\n\s*\n")
_PARAGRAPH = re.compile(r"\n\s*\n(?!\s*[-*+]\s)|^#.*$", re.M)
_CODE = re.compile(r"`[^`\n]+`|\b[\w/.-]+\.[a-z]{1,5}\b")
_GENERIC = frozenset((
    "a", "an", "and", "the", "of", "for", "to", "in", "on", "with", "add", "new", "create", "implement",
    "update", "write", "test", "tests", "testing", "unit", "integration", "implementation", "documentation",
    "docs", "core", "setup", "set", "up", "basic", "main", "initial", "support", "phase", "part", "step",
    "final", "work", "code", "changes", "change", "api", "cli", "data", "model", "models", "service",
    "services", "schema", "database", "backend", "frontend", "endpoint", "endpoints", "configuration", "config",
    "infrastructure", "validation", "verification", "module", "modules", "package", "ui",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Name:
    """A name in the words that it is made of, and the task that makes what is so called."""

    words: str
    task: str
    is_single: bool = False  # one word, which only means the name where it is written as code


def find(
    tasks: Sequence[PlannedTask], sections: Sequence[Part], named: Sequence[Clue], documents: Iterable[ChangeDocument]
) -> tuple[StatedUse, ...]:
    """What the tasks and the design say, each pair of tasks once."""
    makers = _makers(tasks, named)
    names = _telling((*_files(makers), *_symbols(tasks, makers), *_titles(tasks, sections, makers)))
    found: dict[tuple[str, str], StatedUse] = {}
    for use in (*_of_tasks(tasks, names), *_of_prose(documents, makers, names)):
        if use.task != use.used:
            found.setdefault((use.task, use.used), use)
    place = {task.id: number for number, task in enumerate(tasks)}
    return tuple(sorted(found.values(), key=lambda use: (place[use.task], place[use.used])))


def _makers(tasks: Sequence[PlannedTask], named: Iterable[Clue]) -> dict[str, list[str]]:
    """The new source files that each task names, in the order of the tasks; a file belongs to the first of them."""
    place = {task.id: number for number, task in enumerate(tasks)}
    first: dict[str, str] = {}
    for clue in named:
        if clue.kind is ClueKind.TASK and clue.resolution is Resolution.NEW and is_tested(clue.path):
            first[clue.path] = min(first.get(clue.path, clue.task), clue.task, key=place.__getitem__)
    made: dict[str, list[str]] = defaultdict(list)
    for path in sorted(first):
        made[first[path]].append(path)
    return made


def _files(makers: Mapping[str, Sequence[str]]) -> Iterator[_Name]:
    for task, paths in makers.items():
        for path in paths:
            words = _spelled(name_of(path).removesuffix(extension(path)))
            yield _Name(words, task, is_single=" " not in words)


def _symbols(tasks: Sequence[PlannedTask], makers: Collection[str]) -> Iterator[_Name]:
    """The symbols of tasks that make a new file and say that they add something; the first to name one makes it."""
    first: dict[str, str] = {}
    for task in tasks:
        if task.id in makers and _MAKES.search(task.text):
            for symbol in symbols.find(re.split(_USES, task.text)[0]):
                first.setdefault(_spelled(symbol), task.id)
    yield from (_Name(words, task) for words, task in first.items())


def _titles(tasks: Sequence[PlannedTask], sections: Sequence[Part], makers: Collection[str]) -> Iterator[_Name]:
    for number, section in enumerate(sections):
        words = [word for word in _spelled(re.sub(r"[`(].*", "", section.title)).split() if not word.isdigit()]
        while words and words[0] in _GENERIC:
            del words[0]
        while words and words[-1] in _GENERIC:
            del words[-1]
        if len(words) > 1:
            inside = [task.id for task in tasks if task.section == number and task.id in makers]
            yield from (_Name(" ".join(words), task) for task in inside)


def _telling(names: Iterable[_Name]) -> list[_Name]:
    """The names that are long enough, and not made of general words alone."""
    return [
        name
        for name in dict.fromkeys(names)
        if len(name.words.replace(" ", "")) >= FEWEST_LETTERS and not _GENERIC.issuperset(name.words.split())
    ]


def _of_tasks(tasks: Sequence[PlannedTask], names: Sequence[_Name]) -> Iterator[StatedUse]:
    """A task that names what an earlier one makes; of a later one where it says that it uses it."""
    place = {task.id: number for number, task in enumerate(tasks)}
    section = {task.id: task.section for task in tasks}
    for task in tasks:
        text = _Said(task.text)
        using = _after_use(task.text)
        for name in names:
            if section[name.task] == task.section:
                continue
            said = text if place[name.task] < place[task.id] else using
            if said and said.holds(name):
                yield StatedUse(task.id, name.task, f'task {task.id} speaks of "{name.words}"')


def _of_prose(
    documents: Iterable[ChangeDocument], makers: Mapping[str, Sequence[str]], names: Sequence[_Name]
) -> Iterator[StatedUse]:
    """A sentence about a new file of a task that says what it uses."""
    subjects = [_Name(_spelled(name_of(path)), task) for task, paths in makers.items() for path in paths]
    for document in documents:
        if document.kind not in (ClueKind.PROPOSAL, ClueKind.DESIGN):
            continue
        for paragraph in _PARAGRAPH.split(document.text):
            yield from _of_paragraph(paragraph, document.path, subjects, names)


def _of_paragraph(paragraph: str, where: str, subjects: Sequence[_Name], names: Sequence[_Name]) -> Iterator[StatedUse]:
    before: list[str] = []  # tasks whose work the sentences so far are about, "both" of which may be meant
    for sentence in _SENTENCE.split(paragraph):
        match = _USES.search(sentence)
        head = _Said(sentence[: match.start()] if match else sentence)
        about = {one.task for one in (*subjects, *names) if head.holds(one)}
        if match and len(about) == 1 and not _NOT.search(sentence):
            task, rest = next(iter(about)), sentence[match.end() :]
            used = {name.task: name.words for name in names if _Said(rest).holds(name)}
            if _BOTH.search(rest):
                used |= dict.fromkeys([one for one in before if one != task][-2:], "both")
            said = " ".join(sentence.split())
            yield from (StatedUse(task, one, f'{where}: "{said}"') for one in used)
        before += [one for one in sorted(about) if one not in before]


def _after_use(text: str) -> _Said | None:
    match = _USES.search(text)
    return _Said(text[match.end() :]) if match else None


class _Said:
    """A text in its words, and those of it that are written as code."""

    def __init__(self, text: str) -> None:
        self.words = f" {_spelled(text)} "
        self.code = f" {_spelled(' '.join(_CODE.findall(text)))} "

    def holds(self, name: _Name) -> bool:
        """Whether the name stands there in whatever spelling."""
        return f" {name.words} " in (self.code if name.is_single else self.words)


def _spelled(text: str) -> str:
    """The words of a text, `KeyRing`, `key_ring` and `key ring` alike."""
    return " ".join(_WORD.findall(text)).lower()
