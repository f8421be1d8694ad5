"""What set-up costs a run of many packages, against one set-up; and the ways to make checkouts, against each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.bench import table
from tests.bench.alternate import Comparison, Side, Trial, alternate
from tests.bench.effort import Effort, report, report_lines
from tests.bench.scenes import Scene, make_node, make_python
from tests.bench.spent import MeasureError, measure_command, read_costs
from tests.bench.ways import OURS, ours
from tests.repository import git

JOBS = 8
ONCE = "set-up once"
AT_MOST = 1.2
KINDS: Mapping[str, Callable[[Path, int], tuple[Scene, Path]]] = {"npm": make_node, "Python": make_python}
MEANS = ("overlay", "copy", "each")
COUNTED = ("set-ups", "set-up s", "set-up CPU s")


def _scenes(folder: Path, packages: int, effort: Effort) -> Iterator[tuple[str, Scene, Path]]:
    """A scene of each kind, with the file of what its set-ups cost; one that cannot be made here is named."""
    for kind in ("Python",) if effort.quick else KINDS:
        try:
            scene, costs = KINDS[kind](folder / kind, packages)
        except MeasureError as error:
            report(kind, f"SKIPPED: {error}")
        else:
            yield kind, scene, costs


def measure_set_up(folder: Path, effort: Effort) -> None:
    """Total set-up of 20 packages, in a run of ours, against one: at most 1.2 times, by wall and by CPU time."""
    for kind, scene, costs in _scenes(folder, 4 if effort.quick else 20, effort):
        once = Side(ONCE, lambda place, scene=scene, costs=costs: _set_up_once(scene, costs, place))  # type: ignore[misc]
        found = alternate([once, _counting(scene, costs)], 1 if effort.quick else min(3, effort.rounds), folder)
        files = _count(folder / kind, scene)
        title = f"{kind}, {scene.packages} packages, {files} files after set-up"
        report_lines(table.lines(title, found, to=ONCE, more=COUNTED))
        _limit(found)


def measure_ways(folder: Path, effort: Effort) -> None:
    """The same runs by overlays, by copies, and with set-up in each checkout; each lands the same tree."""
    for kind, scene, costs in _scenes(folder, 2 if effort.quick else 4, effort):
        sides = [_counting(scene, costs, name=means, checkouts=means) for means in MEANS]
        found = alternate(sides, 1 if effort.quick else min(3, effort.rounds), folder)
        report_lines(table.lines(f"{kind}, {scene.packages} packages", found, to="each", more=COUNTED))


def _counting(scene: Scene, costs: Path, *, name: str = OURS, checkouts: str = "") -> Side:
    """Our run, and what its set-ups have cost."""
    run = ours(scene, JOBS, name=name, checkouts=checkouts, counted=lambda: _costs(costs))

    def prepare(folder: Path) -> Trial:
        costs.unlink(missing_ok=True)
        return run.prepare(folder)

    return Side(name, prepare)


def _set_up_once(scene: Scene, costs: Path, folder: Path) -> Trial:
    """One set-up in a fresh clone."""
    costs.unlink(missing_ok=True)
    git(folder, "clone", "--quiet", str(scene.repository), "clone")
    return Trial(measure_command(costs, "sh", "setup.sh"), folder / "clone", counted=lambda: _costs(costs))


def _costs(costs: Path) -> dict[str, float]:
    spent = read_costs(costs)
    totals = (float(len(spent)), sum(one.wall for one in spent), sum(one.cpu for one in spent))
    return dict(zip(COUNTED, totals, strict=True))


def _count(folder: Path, scene: Scene) -> int:
    """How many files a checkout has after set-up."""
    place = folder / "counted"
    git(folder, "clone", "--quiet", str(scene.repository), place.name)
    trial = Side("", lambda _folder: Trial(["sh", "setup.sh"], place))
    alternate([trial], 1, folder)
    return sum(path.is_file() or path.is_symlink() for path in place.rglob("*"))


def _limit(found: Comparison) -> None:
    for what in COUNTED[1:]:
        if not found.failure:
            ratio = found.ratio(OURS, ONCE, what)
            verdict = "yes" if ratio <= AT_MOST else "NO"
            report(f"all {what} of a run, of one", f"{ratio:.2f}, at most {AT_MOST}: {verdict}")
