"""Evidence tables drawn by hand: `table({"1.1": "src/a.py"}, ...)`, a task for each key and what it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parallel_impl.planning.reading.evidence import Clue, ClueKind, Part, PlannedTask, Resolution, Table


def table(
    named: Mapping[str, str],
    *,
    requires: Mapping[str, str] | None = None,
    titles: Sequence[str] = (),
    files: str = "",
    more: Sequence[Clue] = (),
    stories: Mapping[str, str] | None = None,
    change: str = "shop",
    hot: Mapping[str, int] | None = None,
) -> Table:
    """A table of tasks `N.M` in sections N; what they name is separated by blanks, `+` before what is new."""
    waits, story = requires or {}, stories or {}
    numbers = sorted({task.partition(".")[0] for task in named}, key=int)
    tasks = tuple(
        PlannedTask(
            id=task,
            text=f"Do {task}",
            section=numbers.index(task.partition(".")[0]),
            requires=tuple(waits.get(task, "").split()),
            story=story.get(task, ""),
        )
        for task in named
    )
    clues = [clue(path, task) for task, paths in named.items() for path in paths.split()]
    known = {one.path for one in clues if one.resolution is Resolution.EXACT} | set(files.split())
    sections = tuple(
        Part(number, titles[place] if place < len(titles) else f"Part {number}") for place, number in enumerate(numbers)
    )
    evidence = (*clues, *more)
    return Table(change, change, tasks, sections, evidence, frozenset(known), hot=hot or {})


def clue(path: str, task: str = "", kind: ClueKind = ClueKind.TASK, certainty: float = 0.9, because: str = "") -> Clue:
    """A clue; `+` before the path means new, a `*` in it a pattern, a `/` at its end a folder that exists."""
    name = path.removeprefix("+")
    resolution = (
        Resolution.PATTERN
        if "*" in name
        else Resolution.NEW
        if path.startswith("+")
        else Resolution.FOLDER
        if name.endswith("/")
        else Resolution.EXACT
    )
    return Clue(name, task, kind, certainty, resolution, because)
