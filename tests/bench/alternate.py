"""Two or more ways to do one thing, measured in turn: A B, B A, A B, …, so that other work on the machine meets each.

Only what was measured so, in one run, and has landed the same tree, is put into a ratio.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.spent import MeasureError, Spent, read_load, spend


@dataclass(frozen=True, slots=True)
class Trial:
    """What one side does once: a command. `landed` reads what came of it, which must be the same for all sides.

    `counted` reads other figures of it, by name; they are not compared.
    """

    command: Sequence[str]
    folder: Path | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    landed: Callable[[Spent], str] = lambda _spent: ""
    counted: Callable[[], Mapping[str, float]] = dict


@dataclass(frozen=True, slots=True)
class Side:
    """One of the ways. `prepare` makes in an empty folder what its trial needs; that is not measured."""

    name: str
    prepare: Callable[[Path], Trial]


@dataclass(frozen=True, slots=True)
class Sample:
    """What one trial cost, what it landed, and its other figures."""

    spent: Spent
    landed: str = ""
    counted: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Comparison:
    """All samples by side, in the order of the sides. With a `failure` there are no ratios."""

    samples: dict[str, list[Sample]]
    before: float = 0.0
    after: float = 0.0
    failure: str = ""

    def median(self, side: str, what: str = "wall") -> float:
        return statistics.median(self._values(side, what))

    def least(self, side: str, what: str = "wall") -> float:
        return min(self._values(side, what))

    def ratio(self, side: str, to: str, what: str = "wall") -> float:
        """Median by median."""
        if self.failure:
            raise MeasureError(f"no ratio: {self.failure}")
        return self.median(side, what) / self.median(to, what)

    def _values(self, side: str, what: str) -> list[float]:
        return [
            one.counted[what] if what in one.counted else float(getattr(one.spent, what)) for one in self.samples[side]
        ]


def order(names: Sequence[str], rounds: int) -> Iterator[str]:
    """The order in which sides take turns: each round is the one before it, backwards."""
    for number in range(rounds):
        yield from names if number % 2 == 0 else reversed(names)


def alternate(sides: Sequence[Side], rounds: int, folder: Path) -> Comparison:
    """Measure the sides in turn. The first side that fails, or lands another tree, ends it."""
    by_name = {side.name: side for side in sides}
    found = Comparison({side.name: [] for side in sides}, before=read_load())
    try:
        for name in order(tuple(by_name), rounds):
            found.samples[name].append(_measure(by_name[name], folder))
            _compare(found.samples)
    except MeasureError as error:
        found.failure = f"{name}: {error}"
    found.after = read_load()
    return found


def _measure(side: Side, folder: Path) -> Sample:
    with tempfile.TemporaryDirectory(prefix="trial-", dir=folder) as name:
        trial = side.prepare(Path(name))
        spent = spend(trial.command, trial.folder, trial.env)
        return Sample(spent, trial.landed(spent), trial.counted())


def _compare(samples: Mapping[str, Sequence[Sample]]) -> None:
    landed = {one.landed: name for name, several in samples.items() for one in several if one.landed}
    if len(landed) > 1:
        raise MeasureError("; ".join(f"{name} has landed {tree[:12]}" for tree, name in landed.items()))
