"""Where the time of a run went: what was measured of it, added up, and the table of it for people. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import msgspec

from parallel_impl.errors import count
from parallel_impl.record import events as e
from parallel_impl.record import times as phases
from parallel_impl.record.times import NOTHING, RUN, WAITING, TimePhase, Times, TimeSpent

NAMES = {
    TimePhase.PREFLIGHT: "preflight",
    TimePhase.BASE: "waiting for the base",
    TimePhase.PACKAGES: "packages",
    TimePhase.PROVING: "proving",
    TimePhase.LANDING: "landing",
    TimePhase.CHECKOUT: "checkouts",
    TimePhase.SET_UP: "set-up",
    TimePhase.SLOT: "waiting for a slot",
    TimePhase.AGENT: "agent",
    TimePhase.TAKING: "taking the work",
    TimePhase.VERIFICATION: "verification",
    TimePhase.GATES: "gates",
    TimePhase.OTHER: "other",
}
MOST_NAMED = 6  # in the line of the clock
MOST_ROWS = 8  # with two lines above, a sum, and what is not known: twelve lines
LEAST = 0.005  # seconds of a row: less is shown as 0.00


class RunTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time of a run went, over all its starts.

    `clock` is what the main thread was at: it adds up to the time of the run. `work` adds up what attempts, gates and
    the main thread itself took, which ran side by side; what is in no phase of it, of CPU, is in its `other`. Of
    `unknown_starts` and `unknown_attempts` nothing was measured: they were killed, or are of an earlier version.
    """

    clock: Times = Times()
    work: Times = Times()
    unknown_starts: int = 0
    unknown_attempts: int = 0


def measure(happened: Iterable[e.Event]) -> RunTimes:
    """The times of a run, from its events."""
    starts = [_measure_start(events) for events in _starts(happened)]
    return RunTimes(
        clock=phases.add_up(one.clock for one in starts),
        work=phases.add_up(one.work for one in starts),
        unknown_starts=sum(one.unknown_starts for one in starts),
        unknown_attempts=sum(one.unknown_attempts for one in starts),
    )


def _starts(happened: Iterable[e.Event]) -> Iterator[Sequence[e.Event]]:
    """The events of each start; what comes before the first belongs to it."""
    events = [*happened]
    begins = [place for place, one in enumerate(events) if isinstance(one, e.RunStarted | e.RunContinued)]
    for begin, end in pairwise([0, *begins[1:], len(events)] if begins else []):
        yield events[begin:end]


def _measure_start(events: Sequence[e.Event]) -> RunTimes:
    attempts = [one.times for one in events if isinstance(one, e.AttemptEnded)]
    gates = [one.times for one in events if isinstance(one, e.TimesMeasured) and one.on != RUN]
    runs = [one for one in events if isinstance(one, e.TimesMeasured) and one.on == RUN]
    clock = phases.add_up(one.times for one in runs)
    own = phases.add_up([clock], without=WAITING)
    work = phases.add_up([*attempts, *gates, own])
    rest = sum(one.cpu_seconds for one in runs) - work.total.cpu_seconds
    if runs and rest > 0:
        work = phases.add_up([work, phases.of({TimePhase.OTHER: TimeSpent(0.0, rest)})])
    return RunTimes(
        clock=clock, work=work, unknown_starts=int(not runs), unknown_attempts=sum(one == Times() for one in attempts)
    )


def table(measured: RunTimes) -> list[str]:
    """At most twelve lines: the clock, then what took the most work."""
    clock, work = measured.clock, measured.work
    parts = ", ".join(f"{NAMES[phase]} {spent.seconds:.2f}" for phase, spent in rows(clock, MOST_NAMED))
    lines = [f"time by the run's clock: {clock.total.seconds:.2f} s" + (f": {parts}" if parts else "")]
    lines.append(f"{'added up over all that ran side by side':<40}{'seconds':>12}{'CPU seconds':>14}")
    lines += [_line(f"  {NAMES[phase]}", spent) for phase, spent in rows(work, MOST_ROWS)]
    lines.append(_line("  in all", work.total))
    return lines + ([f"not known: the times of {what}"] if (what := unknown(measured)) else [])


def unknown(measured: RunTimes) -> str:
    """What nothing was measured of; "" where all was."""
    starts, attempts = measured.unknown_starts, measured.unknown_attempts
    parts = ([count(starts, "start")] if starts else []) + ([count(attempts, "attempt")] if attempts else [])
    return f"{' and '.join(parts)} (killed, or of an earlier version)" if parts else ""


def rows(times: Times, most: int) -> list[tuple[TimePhase, TimeSpent]]:
    """The phases, the longest first; the shortest are in `other` where there are more than `most`."""
    shown = [(phase, spent) for phase, spent in _longest(times) if _shows(spent)]
    if len(shown) <= most:
        return shown
    named = [one for one in shown if one[0] is not TimePhase.OTHER][: most - 1]
    rest = sum((spent for phase, spent in shown if phase not in dict(named)), NOTHING)
    return [*_longest(phases.of({**dict(named), TimePhase.OTHER: rest}))]


def _longest(times: Times) -> list[tuple[TimePhase, TimeSpent]]:
    return sorted(times.items(), key=lambda one: (-one[1].seconds, -one[1].cpu_seconds, one[0]))


def _shows(spent: TimeSpent) -> bool:
    return max(spent.seconds, spent.cpu_seconds) >= LEAST


def _line(name: str, spent: TimeSpent) -> str:
    return f"{name:<40}{spent.seconds:>12.2f}{spent.cpu_seconds:>14.2f}"
