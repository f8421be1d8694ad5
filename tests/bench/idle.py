"""CPU that the tool itself uses while its agents sleep, read from the processes of one run."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.effort import Effort, report
from tests.bench.scenes import make
from tests.bench.spent import MeasureError, read_load
from tests.bench.ways import implement

AGENTS = 8
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Seen:
    """One process in /proc: its parent, its name, and its CPU time with that of its ended children, in ticks."""

    parent: int
    name: str
    ticks: int


def measure_idle(folder: Path, effort: Effort) -> None:
    """Eight agents that sleep: CPU time of the run and all its descendants, between two looks at them."""
    seconds = 4 if effort.quick else 20
    scene = make(folder, AGENTS)
    command = implement(AGENTS, seconds + 5)
    before, quiet = read_load(), subprocess.DEVNULL
    with subprocess.Popen(command, cwd=scene.repository, stdin=quiet, stdout=quiet, stderr=quiet) as run:
        _wait_for_agents(run)
        began, first = time.perf_counter(), tree(run.pid)
        time.sleep(seconds)
        took, last = time.perf_counter() - began, tree(run.pid)
    if run.returncode:
        raise MeasureError(f"the run of {AGENTS} agents that sleep: exit {run.returncode}")
    used = (cpu(last) - cpu(first)) / TICKS
    text = f"{used * 1000 / took:.1f} ms of CPU a second, over {took:.0f} s, in {len(last)} processes"
    report(f"{AGENTS} agents asleep", f"{text}; load {before:.1f} to {read_load():.1f}")


def tree(root: int) -> dict[int, Seen]:
    """A process and its descendants, by pid."""
    everything = {int(file.parent.name): one for file in Path("/proc").glob("[0-9]*/stat") if (one := look(file))}
    found, added = dict[int, Seen](), {root}
    while added:
        found |= {pid: everything[pid] for pid in added if pid in everything}
        added = {pid for pid, one in everything.items() if one.parent in added and pid not in found}
    return found


def look(file: Path) -> Seen | None:
    """What a `/proc/<pid>/stat` says; None when the process has ended."""
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")  # a name may have blanks and parentheses
    words = rest.split()
    return Seen(int(words[1]), name, sum(map(int, words[11:15])))


def cpu(processes: dict[int, Seen]) -> int:
    """All ticks of these processes."""
    return sum(one.ticks for one in processes.values())


def _wait_for_agents(run: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        if sum(one.name == "sleep" for one in tree(run.pid).values()) == AGENTS:
            return
        if run.poll() is not None:
            break
        time.sleep(0.1)
    run.terminate()
    raise MeasureError(f"{AGENTS} agents were never asleep at once")
