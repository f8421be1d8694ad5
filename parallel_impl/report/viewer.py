"""What a view of a run knows of it: any thread tells it events, the thread that draws takes them in.

So a view that is slow, or that writes where nobody reads, never holds up the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from parallel_impl.record.events import Event
from parallel_impl.report.course import Course
from parallel_impl.report.follow import Follower
from parallel_impl.report.outline import Outline
from parallel_impl.report.picture import Picture, picture


@dataclass(frozen=True, slots=True)
class Beginning:
    """The run has its plan; `earlier` is what happened in its earlier starts."""

    outline: Outline
    earlier: Sequence[Event]


@dataclass(slots=True)
class Viewer:
    """The course of a run, up to the last `catch_up`."""

    course: Course = field(default_factory=Course)
    told: SimpleQueue[Event | Beginning] = field(default_factory=SimpleQueue)
    follower: Follower | None = None

    def begin(self, outline: Outline, earlier: Sequence[Event] = ()) -> None:
        """From any thread: the plan of the run, before its first event of this start."""
        self.told.put(Beginning(outline, earlier))

    def event(self, event: Event) -> None:
        """From any thread: something happened."""
        self.told.put(event)

    def catch_up(self) -> bool:
        """Take in what was told, and what agents wrote meanwhile; whether there was anything."""
        new = False
        for _ in range(self.told.qsize()):
            told, new = self.told.get(), True
            if isinstance(told, Beginning):
                self._begin(told)
            else:
                self.course.take(told)
        return self._look() or new

    @property
    def begun(self) -> bool:
        """Whether there is a run to show, or its set-up."""
        return bool(self.course.state.started or self.course.setups)

    @property
    def busy(self) -> bool:
        """Whether something is at work, so that the clocks go on."""
        course = self.course
        checks = (*course.setups.values(), *course.gates.values())
        return bool(course.state.live()) or any(one.seconds is None for one in checks)

    def picture(self, now: float, *, alive: bool = True) -> Picture:
        """The run at this time, as far as it was taken in."""
        return picture(self.course, now, alive=alive)

    def _begin(self, told: Beginning) -> None:
        before, self.course = self.course, Course()
        self.course.begin(told.outline)
        self.follower = Follower(Path(told.outline.state) / "attempts")
        for event in told.earlier:
            self.course.take(event)
        self.course.setups |= before.setups  # of the base, before there was a run to tell of

    def _look(self) -> bool:
        live = [(name, one.number) for name, one in self.course.live.items()]
        found = False
        for package, number, done in self.follower.read(live) if self.follower else ():
            self.course.hear(package, number, done)
            found = True
        return found
