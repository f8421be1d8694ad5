"""One command, measured from outside: wall time, and the CPU time of all processes that came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAM = Path(__file__).with_name("measured.py")


class MeasureError(Exception):
    """Something that was to be measured failed, or did not do what it was measured for: there is no figure."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of wall and of CPU time, the most memory of one process, and what was printed."""

    wall: float
    cpu: float
    peak_mb: int = 0
    out: str = ""


def measure_command(file: Path, *command: str) -> list[str]:
    """A command that runs `command`, and appends to `file` what it cost."""
    return [sys.executable, "-I", "-S", str(PROGRAM), str(file), *command]


def read_costs(file: Path, out: str = "") -> list[Spent]:
    """What `measuring` commands have appended to a file."""
    lines = file.read_text().splitlines() if file.exists() else []
    return [Spent(**json.loads(line), out=out) for line in lines]


def spend(command: Sequence[str], folder: Path | None = None, env: Mapping[str, str] | None = None) -> Spent:
    """Run a command to its end, which must be 0: MeasureError otherwise, with what it printed."""
    with tempfile.TemporaryDirectory(prefix="spent-") as name:
        file = Path(name, "costs")
        done = subprocess.run(
            measure_command(file, *command), cwd=folder, env=os.environ | dict(env or {}), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        if done.returncode:
            printed = f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}".strip()
            raise MeasureError(f"{' '.join(command)}: exit {done.returncode}\n{printed}")
        return read_costs(file, done.stdout)[0]


def read_load() -> float:
    """How many processes wanted a core in the last minute, as the kernel averages it."""
    return os.getloadavg()[0]
