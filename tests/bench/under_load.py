"""Verification where everything runs at once: how many tests are red only because they were starved.

Runs whose packages have suites of `-n auto` with a timing-sensitive test compare the default of `heavy_jobs` with fixed
numbers: by wall time, and by packages that are refused although their tests are green alone.
"""

from __future__ import annotations

import json
import math
import os
import shlex
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench import table
from tests.bench.alternate import Side, Trial, alternate
from tests.bench.effort import Effort, report, report_lines
from tests.bench.scenes import commit, make
from tests.bench.ways import implement

JOBS = 12
DEFAULT = "default"
RED = "false reds"
PYTEST = "python -m pytest -q -n auto -p no:cacheprovider"
SUITE = """
import os
import time

import pytest


@pytest.mark.parametrize("number", range(6))
def test_work(number):
    spend(0.1)


def test_latency():
    began = time.monotonic()
    spend(0.2)
    assert time.monotonic() - began < float(os.environ["BENCH_SECONDS"]), "starved"


def spend(seconds):
    ends = time.thread_time() + seconds
    while time.thread_time() < ends:
        pass
"""


def measure_load(folder: Path, effort: Effort) -> None:
    """Suites with `-n auto` and a timing-sensitive test in 4 and 12 packages, and in two runs at once.

    How sensitive that is depends on what else this machine does: five times what it takes alone, at least a second.
    """
    alone = [spin(0.2) for _ in range(10)]
    os.environ["BENCH_SECONDS"] = str(max(1.0, 5 * max(alone)))
    report(
        "alone", f"0.2 s of CPU take {min(alone):.2f} to {max(alone):.2f} s; red from {os.environ['BENCH_SECONDS']} s"
    )
    cores = len(os.sched_getaffinity(0))
    fixed = [str(heavy) for heavy in sorted({1, max(1, cores // 2), cores, 2 * cores})]
    for name, sizes in (("4 packages", [4]), ("12 packages", [12]), ("two runs of 4", [4, 4])):
        sides = [_side(heavy, sizes) for heavy in [*fixed, DEFAULT]]
        found = alternate(sides, min(effort.rounds, 2), folder)
        report_lines(table.lines(f"{name} by heavy_jobs", found, to=DEFAULT, more=[RED]))
        if not found.failure:
            reds = {heavy: sum(one.counted[RED] for one in found.samples[heavy]) for heavy in found.samples}
            best = min((found.median(heavy) for heavy in fixed if not reds[heavy]), default=math.nan)
            text = f"{reds[DEFAULT]:.0f} false reds (at most 0), {found.median(DEFAULT) / best:.2f} of the best fixed"
            report("default", f"{text} (at most 1.1)")


def spin(cpu: float) -> float:
    """Seconds that so many seconds of CPU take."""
    began, ends = time.perf_counter(), time.thread_time() + cpu
    while time.thread_time() < ends:
        pass
    return time.perf_counter() - began


def _side(heavy: str, sizes: Sequence[int]) -> Side:
    """Runs at once, of so many packages each."""

    def prepare(folder: Path) -> Trial:
        repositories = [_make(folder / str(number), size, heavy) for number, size in enumerate(sizes)]
        run = shlex.join(implement(JOBS))
        script = "".join(f"(cd {shlex.quote(str(repository))} && {run}) & " for repository in repositories) + "wait"
        env = {"XDG_STATE_HOME": str(folder / "state")}  # where slots are counted
        return Trial(["sh", "-c", script], folder, env, counted=lambda: {RED: sum(map(_refused, repositories))})

    return Side(heavy, prepare)


def _refused(repository: Path) -> int:
    """How many packages of a run were not accepted, and one more for a whole that was not."""
    summary = json.loads((repository / ".git/parallel-impl/bench/summary.json").read_bytes())
    packages = sum(one["state"] != "accepted" for one in summary["packages"])
    return packages or int(summary["status"] != "landed")


def _make(folder: Path, packages: int, heavy: str) -> Path:
    """A repository with a suite for each package, and all of them as its gate."""
    scene = make(folder, packages, step=f"{PYTEST} tests/test_{{package}}.py", retries=0)
    for name in scene.names:
        suite = scene.repository / f"tests/test_{name}.py"
        suite.parent.mkdir(exist_ok=True)
        suite.write_text(SUITE)
    settings = "" if heavy == DEFAULT else f"heavy_jobs = {heavy}\n"
    settings += f'setup = []\npass_env = ["BENCH_SECONDS"]\ngates.openspec = false\ngates.pytest = "{PYTEST}"\n'
    (scene.repository / "parallel-impl.toml").write_text(settings)
    commit(scene.repository)
    return scene.repository
