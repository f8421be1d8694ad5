"""How many planners work at once, how deep each plans, and which rules hold, by complexity, debt and phases. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from parallel_impl.planning.preparation.scores import Scores

LOW_TO, HIGH_FROM = 40, 70  # complexity up to which it is low, above which it is high
DEBT_FROM = 70


class Track(StrEnum):
    """What a planner is for."""

    CORE = "core"
    INTEGRATIONS = "integrations"
    TESTS = "tests"
    DOCS = "docs"


class Level(StrEnum):
    """How complex a change is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Depth(StrEnum):
    """How deep a planner plans, from the least on."""

    MINIMAL = "minimal"
    BASIC = "basic"
    ESSENTIAL = "essential"
    STANDARD = "standard"
    DETAILED = "detailed"
    THOROUGH = "thorough"
    COMPREHENSIVE = "comprehensive"
    EXHAUSTIVE = "exhaustive"


ENTRIES = dict(zip(Depth, (3, 5, 8, 12, 16, 20, 30, 50), strict=True))  # at most, in each list of a planner's answer
CONCURRENCY = {Level.LOW: 4, Level.MEDIUM: 3, Level.HIGH: 2}
DEPTHS: Mapping[Level, Mapping[Track, Depth]] = {
    Level.LOW: {
        Track.CORE: Depth.STANDARD,
        Track.INTEGRATIONS: Depth.BASIC,
        Track.TESTS: Depth.ESSENTIAL,
        Track.DOCS: Depth.MINIMAL,
    },
    Level.MEDIUM: {
        Track.CORE: Depth.THOROUGH,
        Track.INTEGRATIONS: Depth.COMPREHENSIVE,
        Track.TESTS: Depth.DETAILED,
        Track.DOCS: Depth.STANDARD,
    },
    Level.HIGH: dict.fromkeys(Track, Depth.EXHAUSTIVE),
}
COMPLEX = (
    "This change is highly complex: set a checkpoint after each component.",
    "Test exhaustively: every task, its failures and its borders.",
    "Review comprehensively: look at each pair of tracks.",
)
INDEBTED = (
    "The code that it meets carries much technical debt: plan the refactoring extensively, before what builds on it.",
    "Test by full regression: what works today is tested before it is changed.",
    "Migrate in several phases; what exists stays compatible with the version before.",
    "Rewrite the documentation of what changes completely.",
)
PHASED = (
    "Implement in phases: break the work into the phases that the tasks name, with frequent checkpoints.",
    "Validate each phase by itself, and say how it is rolled back.",
)


@dataclass(frozen=True, slots=True)
class Effort:
    """What preparation takes: `rules` go into every prompt."""

    level: Level
    concurrency: int
    depth: Mapping[Track, Depth]
    rules: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The effort for people."""
        depths = ", ".join(f"{track} {depth}" for track, depth in self.depth.items())
        return f"{self.level} complexity: {self.concurrency} planners at once; {depths}"


def choose(scores: Scores, *, phased: bool) -> Effort:
    """The effort that a change needs."""
    level = Level.LOW if scores.complexity <= LOW_TO else Level.HIGH if scores.complexity > HIGH_FROM else Level.MEDIUM
    rules = (*(COMPLEX if level is Level.HIGH else ()), *(INDEBTED if scores.debt > DEBT_FROM else ()))
    return Effort(level, CONCURRENCY[level], DEPTHS[level], (*rules, *(PHASED if phased else ())))


def reduced(depth: Depth, times: int) -> Depth:
    """The depth of a planner that is tried again: one step less, then the least."""
    steps = list(Depth)
    return depth if not times else steps[max(0, steps.index(depth) - 1)] if times == 1 else Depth.MINIMAL
