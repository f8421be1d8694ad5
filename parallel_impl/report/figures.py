"""How well a run used its time, as figures with the targets that a run of independent packages should reach.

Pure. All seconds are those that the run was worked on. What nothing is known of is None, which is not 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from parallel_impl.record import events as e
from parallel_impl.record.codes import Failure
from parallel_impl.report.active_time import ActiveTime
from parallel_impl.report.course import Course, Try


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Shares are from 0 to 1.

    `parallel_share`: of the seconds of all attempts, those while another one was at work. `utilisation`: of the seconds
    that the jobs could work while any did, those that they did. `plan_seconds`: to read and check the plan.
    `launch_seconds`: until as many attempts had started as jobs and plan allow. `integrate_seconds`: from the last
    accepted package to the whole put together. `first_pass_share`: packages whose first attempt was accepted.
    """

    parallel_share: float | None = None
    utilisation: float | None = None
    plan_seconds: float | None = None
    launch_seconds: float | None = None
    integrate_seconds: float | None = None
    first_pass_share: float | None = None


class Side(StrEnum):
    """On which side of its target a figure should be."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class FigureTarget:
    """What a figure is called, and what it should be."""

    field: str
    name: str
    side: Side
    limit: float

    @property
    def is_share(self) -> bool:
        return self.side is Side.ABOVE

    def met(self, value: float) -> bool:
        """Whether a value is on the right side."""
        return value > self.limit if self.side is Side.ABOVE else value < self.limit


TARGETS = (
    FigureTarget("parallel_share", "work done side by side", Side.ABOVE, 0.8),
    FigureTarget("utilisation", "jobs at work", Side.ABOVE, 0.9),
    FigureTarget("plan_seconds", "to read and check the plan", Side.BELOW, 60),
    FigureTarget("launch_seconds", "to start all that may start", Side.BELOW, 10),
    FigureTarget("integrate_seconds", "to put the work together", Side.BELOW, 30),
    FigureTarget("first_pass_share", "packages accepted at the first attempt", Side.ABOVE, 0.9),
)


def measure(happened: Iterable[e.Event], course: Course) -> Figures:
    """The figures of a run, from its events and the course that they make."""
    events = list(happened)
    first = next((one for one in events if isinstance(one, e.RunStarted)), None)
    spans = sorted((one.start, one.end) for one in _tries(course) if one.end is not None)
    jobs = max((one.jobs for one in events if isinstance(one, e.RunStarted | e.RunContinued)), default=1)
    work, together, busy = _overlap(spans)
    return Figures(
        parallel_share=_share(together, work),
        utilisation=_share(work, busy * min(jobs, max(len(course.tries), 1))),
        plan_seconds=first.plan_seconds if first else None,
        launch_seconds=_launch(course, first.jobs) if first else None,
        integrate_seconds=_integrate(events),
        first_pass_share=_first_pass(course),
    )


def _tries(course: Course) -> Iterator[Try]:
    for tries in course.tries.values():
        yield from tries


def _overlap(spans: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Seconds of work in all, of them while two or more were at work, and of the time while any was."""
    moments = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans])
    live, last, work, together, busy = 0, 0.0, 0.0, 0.0, 0.0
    for at, step in moments:
        passed = at - last
        work += live * passed
        together += live * passed if live > 1 else 0.0
        busy += passed if live else 0.0
        live, last = live + step, at
    return work, together, busy


def _share(part: float, whole: float) -> float | None:
    return round(min(part / whole, 1.0), 3) if whole else None


def _launch(course: Course, jobs: int) -> float | None:
    waves = course.state.order.waves()
    wanted = min(jobs, len(waves[0])) if waves else 0
    starts = sorted(tries[0].start for tries in course.tries.values() if tries)
    return round(starts[wanted - 1], 3) if 0 < wanted <= len(starts) else None


def _integrate(events: Iterable[e.Event]) -> float | None:
    active, accepted, found = ActiveTime(), None, None
    for event in events:
        seconds = active.take(event)
        if isinstance(event, e.PackageAccepted):
            accepted = seconds
        elif isinstance(event, e.CandidateMade) and accepted is not None:
            found = round(seconds - accepted, 3)
            accepted = None  # a candidate that is made again, as the branch moved, waited for the gates of this one
    return found


def _first_pass(course: Course) -> float | None:
    """An attempt that was interrupted has shown nothing, so the next one is the first."""
    firsts = []
    for tries in course.tries.values():
        shown = [one.code for one in tries if one.code is not None and one.code != Failure.INTERRUPTED]
        firsts += shown[:1]
    return _share(sum(code == "" for code in firsts), len(firsts))
