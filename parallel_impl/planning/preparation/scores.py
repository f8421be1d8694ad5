"""How complex a change is and how much technical debt it meets, 0 to 100 each, by a formula that is printed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from parallel_impl.planning.reading.evidence import ClueKind, Resolution, Table

NAMED = frozenset(
    {ClueKind.TASK, ClueKind.SECTION, ClueKind.PROPOSAL, ClueKind.DESIGN, ClueKind.SPEC, ClueKind.CONTRACT}
)
COMPONENT_DEPTH = 2  # folders of a path that name a component
OFTEN = 0.02  # of all changes to named or hot files: `hot` counts commits, the most changed file stands for the history
FEWEST = 10  # commits that make a file hot, however short the history
FULL = {"tasks": 40, "files": 40, "components": 8, "hot files": 5}  # from here on a part counts whole
COMPLEXITY = {"tasks": 40, "files": 30, "components": 20, "hot files": 10}  # points
DEBT = {"hot": 50, "existing": 30, "crowded": 20}
CROWDED = 10  # existing files in one component that count whole
PHASE = re.compile(r"phase\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Scores:
    """Both scores, and the lines that show where they come from."""

    complexity: int
    debt: int
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Size:
    """What is counted: of the named files how many exist, in how many components, how many of them change often."""

    tasks: int
    files: int
    existing: int
    components: int
    hot: int


def measure(table: Table, *, complexity: int | None = None, debt: int | None = None) -> Scores:
    """The scores of the change; a number that is given takes the place of the formula's."""
    size = count(table)
    one, first = _complexity(size) if complexity is None else (complexity, "as given")
    two, second = _debt(size) if debt is None else (debt, "as given")
    return Scores(one, two, (f"complexity {one}: {first}", f"technical debt {two}: {second}"))


def count(table: Table) -> Size:
    """The size of a change, from what its documents name."""
    named = {clue.path for clue in table.evidence if clue.kind in NAMED and clue.resolution is not Resolution.FOLDER}
    existing = named & table.files
    least = max(FEWEST, OFTEN * sum(table.hot.values()))
    hot = {path for path in existing if table.hot.get(path, 0) >= least}
    return Size(len(table.tasks), len(named), len(existing), len({_component(path) for path in named}), len(hot))


def is_phased(table: Table) -> bool:
    """Whether the tasks stand in phases."""
    return sum(bool(PHASE.match(f"{part.number} {part.title}".strip())) for part in table.sections) > 1


def _component(path: str) -> str:
    return "/".join(path.split("/")[:-1][:COMPONENT_DEPTH])


def _complexity(size: Size) -> tuple[int, str]:
    counted = {"tasks": size.tasks, "files": size.files, "components": size.components, "hot files": size.hot}
    points = sum(COMPLEXITY[name] * min(1.0, number / FULL[name]) for name, number in counted.items())
    return round(points), " + ".join(_terms(counted))


def _terms(counted: dict[str, int]) -> Iterator[str]:
    for name, number in counted.items():
        yield f"{COMPLEXITY[name]} x min(1, {number} {name} / {FULL[name]})"


def _debt(size: Size) -> tuple[int, str]:
    existing, files = max(1, size.existing), max(1, size.files)
    crowded = size.existing / max(1, size.components)
    points = DEBT["hot"] * size.hot / existing + DEBT["existing"] * size.existing / files
    points += DEBT["crowded"] * min(1.0, crowded / CROWDED)
    return round(points), (
        f"{DEBT['hot']} x {size.hot} hot of {size.existing} existing files + "
        f"{DEBT['existing']} x {size.existing} existing of {size.files} named files + "
        f"{DEBT['crowded']} x min(1, {crowded:.1f} existing files in a component / {CROWDED})"
    )
