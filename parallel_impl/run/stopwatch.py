"""Measures where the time of a thread goes: the phase that it is in, the clock, and the CPU that its work uses.

A thread has the stopwatch that was started in it last. `phase` marks what is inside: nothing where no stopwatch runs.
"""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from parallel_impl.processes import cpu_time
from parallel_impl.processes.slots import SlotWait
from parallel_impl.record import times
from parallel_impl.record.events import TimesMeasured
from parallel_impl.record.journal import now
from parallel_impl.record.times import NOTHING, RUN, WAITING, TimePhase, Times, TimeSpent

LEAST = 0.001  # seconds that are worth an event


class Stopwatch:
    """Of one thread. Phases are nested and exclusive: an inner one stops the outer one.

    What `wait` counts in a phase is the phase `slot`, unless the thread only waits for others in it.
    """

    def __init__(
        self,
        first: TimePhase = TimePhase.OTHER,
        wait: SlotWait | None = None,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = cpu_time.spent,
    ) -> None:
        self.wait = wait or SlotWait()
        self._clock, self._cpu = clock, cpu
        self._phases = [first]
        self._spent: dict[TimePhase, TimeSpent] = {}
        self._last, self._process = self._read(), _process_cpu()

    def enter(self, phase: TimePhase) -> None:
        """Go over to a phase inside of this one."""
        self._book()
        self._phases.append(phase)

    def leave(self) -> None:
        """Go back to the phase around this one."""
        self._book()
        self._phases.pop()

    def times(self) -> Times:
        """Until now."""
        self._book()
        return times.of(self._spent)

    @property
    def process_cpu(self) -> float:
        """The CPU seconds of this whole process, with the children that have ended, since this was started."""
        return _process_cpu() - self._process

    def _read(self) -> tuple[float, float, float]:
        return self._clock(), self._cpu(), self.wait.seconds

    def _book(self) -> None:
        (at, cpu, waited), phase = self._read(), self._phases[-1]
        last_at, last_cpu, last_waited = self._last
        self._last = at, cpu, waited
        in_line = 0.0 if phase in WAITING else min(waited - last_waited, at - last_at)
        self._add(phase, TimeSpent(at - last_at - in_line, cpu - last_cpu))
        if in_line:
            self._add(TimePhase.SLOT, TimeSpent(in_line))

    def _add(self, phase: TimePhase, spent: TimeSpent) -> None:
        self._spent[phase] = self._spent.get(phase, NOTHING) + spent


class _Thread(threading.local):
    watch: Stopwatch | None = None


_thread = _Thread()


def start(wait: SlotWait | None = None, first: TimePhase = TimePhase.OTHER) -> Stopwatch:
    """A new stopwatch for this thread, in the place of any other."""
    _thread.watch = Stopwatch(first, wait)
    return _thread.watch


@contextmanager
def phase(which: TimePhase) -> Iterator[None]:
    """What this thread does inside is in this phase; also a decorator."""
    watch = _thread.watch
    if watch:
        watch.enter(which)
    try:
        yield
    finally:
        if watch:
            watch.leave()


def running() -> Stopwatch:
    """The one of this thread; a new one where it has none."""
    return _thread.watch or start()


@contextmanager
def measuring(on: str, wait: SlotWait, first: TimePhase, tell: Callable[[TimesMeasured], None]) -> Iterator[None]:
    """What this thread does inside is measured, and told at the end: what is not marked inside is in the phase `first`.

    Nothing where it was not as long as a thousandth of a second.
    """
    before, watch = _thread.watch, start(wait, first)
    try:
        yield
    finally:
        _thread.watch, found = before, watch.times()
        if found.total.seconds >= LEAST:
            tell(TimesMeasured(at=now(), on=on, times=found))


def of_run() -> TimesMeasured:
    """What the main thread has measured until now."""
    watch = running()
    cpu_seconds = round(watch.process_cpu, times.DIGITS)
    return TimesMeasured(at=now(), on=RUN, times=watch.times(), cpu_seconds=cpu_seconds)


def _process_cpu() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)
