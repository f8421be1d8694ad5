"""What is waited for before anything is done: the start of the program, and preflight of large plans."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.bench import table
from tests.bench.alternate import Side, Trial, alternate
from tests.bench.effort import Effort, median, report, report_lines
from tests.bench.scenes import CHANGE, make
from tests.bench.spent import Spent, read_load, spend


def measure_start(folder: Path, effort: Effort) -> None:
    """`parallel-impl --help` against `python -c 'import click'`; at most 2.5 times."""
    commands = {"import click": ["-c", "import click"], "--help": ["-m", "parallel_impl", "--help"]}
    sides = [
        Side(name, lambda _folder, words=words: Trial([sys.executable, *words]))  # type: ignore[misc]
        for name, words in commands.items()
    ]
    found = alternate(sides, 2 * effort.rounds, folder)
    report_lines(table.lines("start (wall at most 2.5)", found, to="import click", unit="ms"))


def measure_preflight(folder: Path, effort: Effort) -> None:
    """Plan, scopes, locks, contracts and repository of 1,000 and 5,000 parallel packages with five globs each."""
    for packages, at_most in ((1000, "1.5 s"), (5000, "500 MB")):
        if packages > 1000 and effort.quick:
            return
        scene = make(folder / str(packages), packages, globs=5, step="")
        command = [sys.executable, "-m", "parallel_impl", "implement", CHANGE, "--dry-run"]
        taken = list[Spent]()

        def once() -> float:
            taken.append(spend(command, scene.repository))  # noqa: B023
            return taken[-1].wall  # noqa: B023

        wall = median(effort.rounds if packages == 1000 else 1, once)
        cpu, peak = min(one.cpu for one in taken), max(one.peak_mb for one in taken)
        text = f"{wall:.2f} s, CPU {cpu:.2f} s, {peak} MB; at most {at_most}; load {read_load():.1f}"
        report(f"{packages} packages", text)
