"""Whole runs, against the least git work and a script with a lock: CPU and wall time a package, overhead a task."""

from __future__ import annotations

from pathlib import Path

from tests.bench import table
from tests.bench.alternate import Comparison, alternate
from tests.bench.effort import Effort, report, report_lines
from tests.bench.scenes import make
from tests.bench.ways import FLOOR, LOCK, OURS, floor, ours, with_a_lock

JOBS = 8
SECONDS = 0.2
AT_MOST = 1.5


def measure_runs(folder: Path, effort: Effort) -> None:
    """Agents that are over at once."""
    for packages in (30,) if effort.quick else (30, 200):
        scene = make(folder / str(packages), packages)
        sides = [floor(scene, JOBS), ours(scene, JOBS), with_a_lock(scene, JOBS)]
        found = alternate(sides, effort.rounds, folder)
        title = f"{packages} packages, {scene.files} files, {JOBS} jobs, a package"
        report_lines(table.lines(title, found, to=FLOOR, per=packages, unit="ms"))
        if packages == 200:
            for what in ("wall", "cpu"):
                _limit(found, OURS, FLOOR, what, AT_MOST)


def measure_agents(folder: Path, effort: Effort) -> None:
    """Agents of 0.2 s: how much longer a run takes than its agents, a task; that of the script with a lock at most."""
    packages = 40 if effort.quick else 200
    scene = make(folder / "scene", packages)
    bound = SECONDS * packages / JOBS
    at_once = ours(scene, JOBS, name="ours, agents of 0 s")
    sides = [make_side(scene, JOBS, seconds=SECONDS) for make_side in (floor, ours, with_a_lock)]
    found = alternate([*sides, at_once], min(3, effort.rounds), folder)
    report_lines(table.lines(f"{packages} agents of {SECONDS} s, bound {bound:.1f} s", found, to=FLOOR))
    if found.failure:
        return
    for name in (FLOOR, OURS, LOCK):
        over = [(at(name) - bound) / packages * 1000 for at in (found.median, found.least)]
        report(f"overhead a task, {name}", f"{over[0]:.1f} ms (min {over[1]:.1f}), CPU {_cpu(found, name, packages)}")
    allowed = 1.25 * bound + found.median(at_once.name)
    report("ours", f"{found.median(OURS):.2f} s; 1.25 of the bound and a run with agents of 0 s: {allowed:.2f} s")


def _cpu(found: Comparison, name: str, packages: int) -> str:
    return f"{found.median(name, 'cpu') / packages * 1000:.1f} ms"


def _limit(found: Comparison, side: str, to: str, what: str, at_most: float) -> None:
    if not found.failure:
        ratio = found.ratio(side, to, what)
        report(f"{what}, {side} of {to}", f"{ratio:.2f}, at most {at_most}: {'yes' if ratio <= at_most else 'NO'}")
