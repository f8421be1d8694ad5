"""What the journal costs in a run, and how fast the events of a large one are read."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from parallel_impl.record import events as e
from parallel_impl.record.journal import Journal, read
from parallel_impl.record.state import fold
from tests.bench.effort import Effort, median, report
from tests.bench.scenes import CHANGE, make
from tests.bench.spent import read_load, spend

JOBS = 8
TIMED = """
import sys, time
from parallel_impl.cli import main
from parallel_impl.record.journal import Journal
append, spent, costs = Journal.append, [], sys.argv.pop(1)
def timed(self, *events, sync=True):
    began = time.perf_counter()
    append(self, *events, sync=sync)
    spent.append((sync, time.perf_counter() - began))
Journal.append = timed
try:
    main.implement()
finally:
    with open(costs, "w") as file:
        print(sum(sync for sync, _ in spent), sum(took for _, took in spent), file=file)
"""


def measure_journal(folder: Path, effort: Effort) -> None:
    """What the journal costs in a run of 200 packages, and the fold of 100,000 events."""
    packages = 30 if effort.quick else 200
    scene, costs = make(folder / "run", packages), folder / "costs"
    agent = "command: sh agent.sh {package_id} 0"
    arguments = [str(costs), CHANGE, "--jobs", str(JOBS), "--agent", agent]
    spent = spend([sys.executable, "-c", TIMED, *arguments], scene.repository)
    appends, took = costs.read_text().split()
    figures = f"{appends} fsyncs of the journal in {float(took):.2f} s of {spent.wall:.1f} s"
    report(f"{packages} packages", f"{figures}; load {read_load():.1f}")

    written = _write(folder / "journal.jsonl", 33_333)
    total = sum(1 for _ in read(written))

    def read_and_fold() -> float:
        began = time.perf_counter()
        fold(read(written))
        return time.perf_counter() - began

    report(
        "fold", f"{total} events in {median(effort.rounds, read_and_fold):.2f} s; at most 1 s; load {read_load():.1f}"
    )


def _write(file: Path, packages: int) -> Path:
    """The journal of a run whose packages were all accepted."""
    names: dict[str, list[str]] = {f"p{number:05d}": [] for number in range(packages)}
    happened: list[e.Event] = [
        e.RunStarted(
            run_id="r", change_id="c", base="b", base_from="HEAD", plan_blob="p", plan_revision=1,
            contracts_revision=1, packages=names, home="/h", date=1, agent="a", jobs=8,
        )
    ]  # fmt: skip
    for name in names:
        happened.append(e.AttemptStarted(package=name, number=1))
        happened.append(e.AttemptEnded(package=name, number=1, commit="c"))
        happened.append(e.PackageAccepted(package=name, number=1, commit="c"))
    journal = Journal(file)
    journal.append(*happened)
    journal.close()
    return file
