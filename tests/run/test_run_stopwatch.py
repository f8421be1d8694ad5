"""A stopwatch with clocks that are set by hand: each second is in one phase."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest

from parallel_impl.processes.slots import SlotWait
from parallel_impl.record.events import TimesMeasured
from parallel_impl.record.times import TimePhase, Times, TimeSpent
from parallel_impl.run import stopwatch
from parallel_impl.run.stopwatch import Stopwatch, measuring, phase


@dataclass
class Clock:
    now: float = 0.0
    cpu: float = 0.0

    def go(self, seconds: float, cpu: float = 0.0) -> None:
        self.now += seconds
        self.cpu += cpu


def of(clock: Clock, first: TimePhase = TimePhase.OTHER) -> Stopwatch:
    return Stopwatch(first, SlotWait(lambda: clock.now), lambda: clock.now, lambda: clock.cpu)


def test_an_inner_phase_stops_the_outer_one() -> None:
    clock = Clock()
    watch = of(clock)
    clock.go(1.0)
    watch.enter(TimePhase.VERIFICATION)
    clock.go(2.0, 0.5)
    watch.enter(TimePhase.SET_UP)
    clock.go(4.0, 3.0)
    watch.leave()
    clock.go(8.0)
    watch.leave()
    clock.go(16.0)
    assert watch.times() == Times(other=TimeSpent(17.0), verification=TimeSpent(10.0, 0.5), set_up=TimeSpent(4.0, 3.0))


def test_a_wait_for_a_slot_is_a_phase_of_its_own_unless_one_only_waits_for_others() -> None:
    clock = Clock()
    for first, expected in (
        (TimePhase.GATES, Times(gates=TimeSpent(3.0), slot=TimeSpent(2.0))),
        (TimePhase.PROVING, Times(proving=TimeSpent(5.0))),
    ):
        watch = of(clock, first)
        clock.go(1.0)
        watch.wait.change(waiting=1)
        clock.go(2.0)
        watch.wait.change(waiting=-1, having=1)
        clock.go(2.0)
        assert watch.times() == expected


def test_what_fails_in_a_phase_ends_it() -> None:
    watch = stopwatch.start()

    @phase(TimePhase.AGENT)
    def fail() -> None:
        raise ValueError("so")

    with pytest.raises(ValueError, match="so"):
        fail()
    before = watch.times().agent
    assert sum(range(100_000))
    assert watch.times().agent == before


def test_a_thread_without_a_stopwatch_measures_nothing_and_one_that_has_one_tells_at_its_end() -> None:
    told: list[TimesMeasured] = []

    def work() -> None:
        with phase(TimePhase.SET_UP):
            pass
        with measuring("base", SlotWait(), TimePhase.GATES, told.append):
            while sum(one.cpu_seconds for _, one in stopwatch.running().times().items()) < 0.01:
                pass
        with measuring("base", SlotWait(), TimePhase.GATES, told.append):
            pass  # in no time

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [(one.on, [phase for phase, _ in one.times.items()]) for one in told] == [("base", [TimePhase.GATES])]
    assert told[0].times.total.cpu_seconds >= 0.01
