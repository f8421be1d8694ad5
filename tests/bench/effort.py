"""How much is measured, and how a figure is printed."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Effort:
    """How often each side of a comparison is measured; `quick`: on small sizes only."""

    rounds: int = 5
    quick: bool = False


def make_folder(folder: Path) -> Path:
    """A folder that is not there yet."""
    return Path(tempfile.mkdtemp(dir=folder))


def median(rounds: int, measure: Callable[[], float]) -> float:
    """The median of several measurements."""
    return statistics.median(measure() for _ in range(rounds))


def report(name: str, text: str) -> None:
    """One figure."""
    print(f"  {name}: {text}", flush=True)


def report_lines(lines: Iterable[str]) -> None:
    """A comparison."""
    for line in lines:
        print(f"  {line}", flush=True)
