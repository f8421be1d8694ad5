"""Where time went, by phase: of an attempt, of the gates on a tree, of the loop of a start. Pure.

A piece of work is in one phase at every instant, so its seconds add up to the time that it took. Work that ran side by
side adds up to more than the clock shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

import msgspec

DIGITS = 6  # of a second
RUN = "run"  # whose times they are: the main thread's of a start


class TimePhase(StrEnum):
    """What a piece of work is at; the value is the field of `Times`."""

    PREFLIGHT = "preflight"
    BASE = "base"
    PACKAGES = "packages"
    PROVING = "proving"
    LANDING = "landing"
    CHECKOUT = "checkout"
    SET_UP = "set_up"
    SLOT = "slot"
    AGENT = "agent"
    TAKING = "taking"
    VERIFICATION = "verification"
    GATES = "gates"
    OTHER = "other"


# the main thread's, while others do what is measured there
WAITING = frozenset((TimePhase.BASE, TimePhase.PACKAGES, TimePhase.PROVING))


class TimeSpent(msgspec.Struct, frozen=True):
    """Seconds of the clock, and of CPU: of the threads that were at it and of the programs that they waited for."""

    seconds: float
    cpu_seconds: float = 0.0

    def __add__(self, other: TimeSpent) -> TimeSpent:
        return TimeSpent(
            round(self.seconds + other.seconds, DIGITS), round(self.cpu_seconds + other.cpu_seconds, DIGITS)
        )


NOTHING = TimeSpent(0.0)


class Times(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was spent in each phase; None where it did not come to that, in all where nothing was measured.

    `checkout`: checkouts made and removed. `set_up` is without the wait for its `slot`, as are `verification` (steps of
    packages, on the base too) and `gates`. `base`, `packages`, `proving`: the main thread waits for gates and steps on
    the base, for attempts, for gates on the whole. `other` is what is left.
    """

    preflight: TimeSpent | None = None
    base: TimeSpent | None = None
    packages: TimeSpent | None = None
    proving: TimeSpent | None = None
    landing: TimeSpent | None = None
    checkout: TimeSpent | None = None
    set_up: TimeSpent | None = None
    slot: TimeSpent | None = None
    agent: TimeSpent | None = None
    taking: TimeSpent | None = None
    verification: TimeSpent | None = None
    gates: TimeSpent | None = None
    other: TimeSpent | None = None

    def items(self) -> Iterator[tuple[TimePhase, TimeSpent]]:
        """The phases that it came to."""
        for phase in TimePhase:
            spent: TimeSpent | None = getattr(self, phase)
            if spent is not None:
                yield phase, spent

    @property
    def total(self) -> TimeSpent:
        """Of all phases."""
        return sum((spent for _, spent in self.items()), NOTHING)


def of(spent: Mapping[TimePhase, TimeSpent]) -> Times:
    """Times from what was spent in some phases."""
    return Times(**{phase.value: one for phase, one in spent.items()})


def add_up(all_times: Iterable[Times], *, without: Iterable[TimePhase] = ()) -> Times:
    """What was spent in all of them, in each phase."""
    found: dict[TimePhase, TimeSpent] = {}
    for times in all_times:
        for phase, spent in times.items():
            if phase not in without:
                found[phase] = found.get(phase, NOTHING) + spent
    return of(found)
