"""For how long a run had been worked on: the axis of its timeline, on which a weekend between two starts is nothing."""

from __future__ import annotations

from dataclasses import dataclass

from parallel_impl.record import events as e


@dataclass(slots=True)
class ActiveTime:
    """Seconds of work until the last event that was taken; the time between two starts does not count.

    What the next start finds to be over (an attempt of a killed process, without a measured time) ended at an unknown
    time: it counts as over with the last event before.
    """

    seconds: float = 0.0
    last: float = 0.0
    found_over: bool = False
    begun: bool = False

    def take(self, event: e.Event) -> float:
        """The seconds at this event."""
        self.found_over = (isinstance(event, e.AttemptEnded) and not event.seconds) or (
            self.found_over and isinstance(event, e.PackageAccepted)
        )
        if isinstance(event, e.RunContinued) or not self.begun:
            self.last = event.at
        elif not self.found_over and not isinstance(event, e.Noted):  # that may be about an attempt that is found over
            self.seconds += max(0.0, event.at - self.last)
            self.last = max(self.last, event.at)
        self.begun = True
        return self.seconds

    def at(self, now: float) -> float:
        """The seconds at a time after the last event, while the run is worked on."""
        return self.seconds + (max(0.0, now - self.last) if self.begun else 0.0)
