"""`make bench`: what the tool costs, measured on this machine; timings are never test assertions.

Every ratio is of sides that took turns in one run and landed the same tree; CPU time of the whole process tree stands
beside wall time, minimum beside median, and the load before and after. `FLOOR=script make bench` measures against
another floor than tests/bench/floor.py. `--quick` (`make bench-quick`) is over in two minutes; `make bench-scale`
writes the curves. PARALLEL_IMPL_CHECKOUTS=each|copy|overlay measures that way to make checkouts.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench.checkouts import measure_checkouts
from tests.bench.effort import Effort
from tests.bench.idle import measure_idle
from tests.bench.journal_cost import measure_journal
from tests.bench.runs import measure_agents, measure_runs
from tests.bench.scale import measure_scale
from tests.bench.set_up import measure_set_up, measure_ways
from tests.bench.spent import MeasureError, read_load
from tests.bench.start import measure_preflight, measure_start
from tests.bench.under_load import measure_load
from tests.repository import hermetic

MEASURES: dict[str, Callable[[Path, Effort], None]] = {
    "start-up": measure_start,
    "preflight": measure_preflight,
    "idle": measure_idle,
    "checkouts": measure_checkouts,
    "runs": measure_runs,
    "agents": measure_agents,
    "set-up": measure_set_up,
    "ways": measure_ways,
    "journal": measure_journal,
    "load": measure_load,
    "scale": measure_scale,
}
QUICK = ("start-up", "idle", "checkouts", "runs", "agents", "set-up")
ROUNDS = 5


def main() -> None:
    """Measure everything but the curves, or what is named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=[*MEASURES, []], help="default: all but scale")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--quick", action="store_true", help="the ratios that matter, on small sizes")
    given = parser.parse_args()
    effort = Effort(given.rounds or (2 if given.quick else ROUNDS), given.quick)
    wanted = given.what or (QUICK if given.quick else [name for name in MEASURES if name != "scale"])
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        _replace_environment(Path(folder, "home"))
        print(machine(Path(folder)), flush=True)
        for name in wanted:
            print(f"{name}:", flush=True)
            with tempfile.TemporaryDirectory(dir=folder) as own:
                try:
                    MEASURES[name](Path(own), effort)
                except MeasureError as error:
                    print(f"  NOT MEASURED: {error}", flush=True)


def _replace_environment(home: Path) -> None:
    """An own HOME, and nothing of the developer's git; of this tool's variables only how checkouts are made stays."""
    replaced, chosen = hermetic(os.environ, home), os.environ.get("PARALLEL_IMPL_CHECKOUTS")
    replaced.pop("PARALLEL_IMPL_CHECKOUTS")  # of the tests
    replaced |= {"PARALLEL_IMPL_CHECKOUTS": chosen} if chosen else {}
    os.environ.clear()
    os.environ.update(replaced)


def machine(folder: Path) -> str:
    """One line about where this is measured."""
    git = subprocess.run(["git", "--version"], check=True, capture_output=True, text=True).stdout.split()[2]
    disk = subprocess.run(["stat", "-f", "-c", "%T", str(folder)], check=True, capture_output=True, text=True).stdout
    cores, who = len(os.sched_getaffinity(0)), "root" if os.geteuid() == 0 else "an ordinary user"
    versions = f"Linux {platform.release()}, git {git}, Python {platform.python_version()}"
    by = os.environ.get("PARALLEL_IMPL_CHECKOUTS", "what the trial finds")
    floor = f", floor by {os.environ['FLOOR']}" if os.environ.get("FLOOR") else ""
    return f"{cores} cores, {versions}, {disk.strip()}, as {who}, checkouts by {by}{floor}, load {read_load():.1f}"


if __name__ == "__main__":
    main()
