"""What an agent that plans is shown: the evidence table and documents as Markdown, between fences. Pure.

Everything here was written by others, so it stands between fences that nothing inside can close, with control
characters shown as escapes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from parallel_impl.errors import printable
from parallel_impl.planning.reading.evidence import Clue, Part, PlannedTask, Resolution, Table
from parallel_impl.text import shorten_line

LONGEST = 20_000  # characters of one document
LONGEST_OF_ALL = 100_000
LONGEST_TASK = 600
MOST = 800  # lines of one list
TOGETHER = 2  # commits from which on two files that changed together are told
SHOWN = 4  # clues of one path
WORDS = {Resolution.EXACT: "exists", Resolution.SUFFIX: "exists", Resolution.NEW: "new", Resolution.FOLDER: "folder"}

_TICKS = re.compile(r"`{3,}")


def fenced(text: str, kind: str = "") -> str:
    """The text between fences that are longer than any inside."""
    fence = "`" * max([3, *(len(run) + 1 for run in _TICKS.findall(text))])
    return f"{fence}{kind}\n{printable(text).rstrip()}\n{fence}"


def tasks(table: Table) -> str:
    """All tasks by section, with the ids that a plan names and what they wait for."""
    lines = []
    for number, section in enumerate([*table.sections, None]):
        own = [task for task in table.tasks if (_section(table, task) == number)]
        if own:
            lines.append(f"# {heading(section) if section else 'no section'}")
            lines += [_task(task) for task in own]
    return fenced("\n".join(_cut(lines)))


def heading(part: Part) -> str:
    """A heading with its number, which many titles hold already."""
    held = not part.number or part.title.startswith(part.number)
    return part.title if held else f"{part.number} {part.title}".strip()


def _section(table: Table, task: PlannedTask) -> int:
    return task.section if 0 <= task.section < len(table.sections) else len(table.sections)


def _task(task: PlannedTask) -> str:
    marks = [f"after {', '.join(task.requires)}"] if task.requires else []
    marks += ["parallel"] if task.parallel else []
    marks += [task.story] if task.story else []
    marks += ["done"] if task.done else []
    told = f" ({'; '.join(marks)})" if marks else ""
    return f"{task.id}: {shorten_line(task.text, LONGEST_TASK)}{told}"


def evidence(table: Table) -> str:
    """Each path with what names it, the surest first; then names that could not be resolved."""
    clues: dict[str, list[Clue]] = defaultdict(list)
    for clue in table.evidence:
        clues[clue.path].append(clue)
    ordered = sorted(clues, key=lambda path: (-max(one.certainty for one in clues[path]), path))
    lines = [_path(path, sorted(clues[path], key=lambda one: -one.certainty)) for path in ordered]
    return fenced("\n".join(_cut(lines)) or "nothing is named")


def _path(path: str, clues: list[Clue]) -> str:
    said = "; ".join(
        f"{one.kind}{f' {one.task}' if one.task else ''} {one.certainty:.2f}"
        + (f" [{shorten_line(one.because, 80)}]" if one.because else "")
        for one in clues[:SHOWN]
    )
    return f"{path} ({WORDS.get(clues[0].resolution, 'unknown')}): {said}"


def unresolved(table: Table) -> str:
    """Names in the texts that are no path of the repository, and no likely new one."""
    lines = [f"{one.path} (task {one.task or '-'}; {one.kind} {one.because})" for one in table.unresolved]
    return fenced("\n".join(_cut(lines)) or "none")


def coupling(table: Table) -> str:
    """What texts say that tasks use; which of the named files import each other, changed together, or change often."""
    near = {clue.path for clue in table.evidence}
    lines = [f"{one.task} uses what {one.used} makes ({shorten_line(one.because, 80)})" for one in table.uses] + [
        f"{one} imports {other}"
        for one in sorted(near & table.imports.keys())
        for other in sorted(table.imports[one] & near)
    ]
    pairs = sorted(table.together.items(), key=lambda pair: (-pair[1], pair[0]))
    lines += [
        f"{one} and {two} changed together {count} times"
        for (one, two), count in pairs
        if count >= TOGETHER and {one, two} <= near
    ]
    hot = sorted(((path, table.hot[path]) for path in near & table.hot.keys()), key=lambda one: (-one[1], one[0]))
    lines += [f"{path} changed in {count} of the last commits" for path, count in hot[:20]]
    return fenced("\n".join(_cut(lines)) or "none is known")


def documents(texts: Mapping[str, str]) -> str:
    """Excerpts of documents, each below its name; beyond the longest of all together only names."""
    shown, left = list[str](), LONGEST_OF_ALL
    for name, text in texts.items():
        excerpt = _excerpt(text) if left > 0 else "[left out: there is no room]"
        shown += [f"### {printable(name)}\n\n{fenced(excerpt)}"] if text else []
        left -= len(excerpt)
    return "\n\n".join(shown)


def _excerpt(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n[cut after {LONGEST} of {len(text)} characters]"


def _cut(lines: Iterable[str]) -> list[str]:
    kept = list(lines)
    return kept if len(kept) <= MOST else [*kept[:MOST], f"[{len(kept) - MOST} more lines are left out]"]
