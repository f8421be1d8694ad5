"""`make bench-scale`: how cost grows with packages, files and jobs; a page and a picture in the folder `bench`."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tests.bench import table
from tests.bench.alternate import Comparison, Side, alternate
from tests.bench.chart import Line, Panel, draw
from tests.bench.effort import Effort, make_folder, report_lines
from tests.bench.scenes import make
from tests.bench.spent import MeasureError
from tests.bench.ways import FLOOR, LOCK, OURS, floor, ours, with_a_lock

ROOT = Path(__file__).resolve().parents[2]
TARGET = "bench"
WAYS = (ours, floor, with_a_lock)
LINES = {OURS: "parallel-implement", FLOOR: "least git work", LOCK: "script with a lock"}
BOUND = "agents alone"
AT_MOST = 1.15
ROUNDS = 2
JOBS = 8
SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Curve:
    """One thing that grows, the sizes that are measured, and a scene's sides at one of them."""

    name: str
    what: str
    sizes: Sequence[int]
    sides: Callable[[Path, int], list[Side]]
    bound: Callable[[int], float] | None = None


def measure_scale(folder: Path, effort: Effort) -> None:
    """Measure all curves, and write them: a table for each, and one picture."""
    measured = list[tuple[Curve, dict[int, Comparison]]]()
    for curve in curves(quick=effort.quick):
        found = dict[int, Comparison]()
        for size in curve.sizes:
            place = make_folder(folder)
            found[size] = alternate(curve.sides(place, size), min(ROUNDS, effort.rounds), place)
            report_lines(table.lines(f"{size} {curve.name}", found[size], to=FLOOR))
            subprocess.run(["rm", "-rf", str(place)], check=True)
            if found[size].failure:
                raise MeasureError(found[size].failure)
        measured.append((curve, found))
        if curve.name == "packages":
            report_lines(marginal(found).splitlines())
    write(ROOT / TARGET if not effort.quick else folder, measured)


def curves(*, quick: bool) -> tuple[Curve, ...]:
    """What is measured; `quick`: at the small end only, to see that it works."""

    def packages(folder: Path, size: int) -> list[Side]:
        scene = make(folder, size)
        return [way(scene, JOBS) for way in WAYS]

    def files(folder: Path, size: int) -> list[Side]:
        scene = make(folder, 16, files=size)
        return [way(scene, JOBS) for way in WAYS]

    def jobs(folder: Path, size: int) -> list[Side]:
        scene = make(folder, tasks)
        return [way(scene, size, seconds=SECONDS) for way in WAYS]

    few = (10, 20), (100, 500), (8, 32)
    many = (10, 30, 100, 300, 1000), (100, 1000, 10_000, 100_000), (1, 2, 4, 8, 16, 32)
    sizes, tasks = (few, 16) if quick else (many, 64)
    return (
        Curve("packages", f"100 files, {JOBS} jobs, agents of 0 s", sizes[0], packages),
        Curve("files", f"16 packages, {JOBS} jobs, agents of 0 s", sizes[1], files),
        Curve(
            "jobs",
            f"{tasks} packages, agents of {SECONDS} s",
            sizes[2],
            jobs,
            lambda size: SECONDS * max(1, tasks / size),
        ),
    )


def write(folder: Path, measured: Sequence[tuple[Curve, dict[int, Comparison]]]) -> None:
    """The page and the picture."""
    folder.mkdir(exist_ok=True)
    (folder / "scale.md").write_text(page(measured))
    title = "Seconds of a whole run by packages, files and jobs"
    (folder / "scale.svg").write_text(draw(title, [panel(*one) for one in measured]))


def panel(curve: Curve, found: dict[int, Comparison]) -> Panel:
    """The diagram of a curve: medians of wall time."""
    drawn = [
        Line(shown, tuple((size, one.median(side)) for size, one in found.items())) for side, shown in LINES.items()
    ]
    if curve.bound:
        drawn.append(Line(BOUND, tuple((size, curve.bound(size)) for size in found)))
    return Panel(curve.what, curve.name, "wall time of a run, s", tuple(drawn))


def page(measured: Sequence[tuple[Curve, dict[int, Comparison]]]) -> str:
    """All figures, and the marginal cost of a package."""
    text = ["# Scale\n", "Written by `make bench-scale`: each size in turn by all three, medians and minima.\n"]
    for curve, found in measured:
        rows = [[curve.name, "load", *next(iter(table.compare_rows(one, to=FLOOR) for one in found.values()))[0]]]
        for size, one in found.items():
            load = f"{one.before:.1f} to {one.after:.1f}"
            rows += [[str(size), load, *row] for row in table.compare_rows(one, to=FLOOR)[1:]]
        text += [f"## {curve.name.capitalize()}\n", f"{curve.what}\n", table.markdown(rows)]
        if curve.name == "packages" and len(found) > 2:
            text.append(marginal(found))
    return "\n".join(text)


def marginal(found: dict[int, Comparison]) -> str:
    """What one package more costs, between one size and the one before: the last against that which ends at 100."""
    sizes = list(found)
    rows = [["one package more, ms", "wall", "CPU"]]
    slopes = dict[int, tuple[float, float]]()
    for fewer, more in pairwise(sizes):
        costs = [found[more].median(OURS, what) - found[fewer].median(OURS, what) for what in ("wall", "cpu")]
        slopes[more] = costs[0] / (more - fewer), costs[1] / (more - fewer)
        rows.append([f"from {fewer} to {more}", *(f"{one * 1000:.1f}" for one in slopes[more])])
    if 100 in slopes:
        first, last = slopes[100], slopes[sizes[-1]]
        ratios = [f"{later / early:.2f}" for early, later in zip(first, last, strict=True)]
        rows.append([f"ratio, at most {AT_MOST}", *ratios])
    return table.markdown(rows)
