"""Slots for heavy work (set-up, steps, gates), so that what runs at once does not starve what it is run beside.

Whoever has a slot waits for no second one, so no two can wait for each other. Work is served in the order in which it
came, that of other runs included where they share a folder of tickets.
"""

from __future__ import annotations

import copy
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from parallel_impl.processes import cores
from parallel_impl.processes.launch import Stop
from parallel_impl.processes.slot_files import SlotFiles
from parallel_impl.processes.slot_order import SlotTicket, choose

LOOK_SECONDS = 0.02  # between two looks of the first in line, which other processes do not wake
REST_SECONDS = 0.5  # of the others, which are woken and look for signals only


@dataclass(slots=True)
class Share:
    """A slot that was taken. `beside`, known when it is given back: other heavy work ran at any time of it."""

    beside: bool = False


class SlotWait:
    """How long one piece of work has only waited for slots: while one of its threads did and none had one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._changed = clock, threading.Lock()
        self._waiting = self._having = 0
        self._total, self._since = 0.0, 0.0

    @property
    def seconds(self) -> float:
        """Until now."""
        with self._changed:
            return self._total + self._running()

    def change(self, *, waiting: int = 0, having: int = 0) -> None:
        """One thread more or less that waits, or that has a slot."""
        with self._changed:
            self._total, self._since = self._total + self._running(), self._clock()
            self._waiting, self._having = self._waiting + waiting, self._having + having

    def _running(self) -> float:
        return self._clock() - self._since if self._waiting and not self._having else 0.0


Take = Callable[[], AbstractContextManager[Share]]


def unlimited() -> AbstractContextManager[Share]:
    """A share of a machine that nobody else uses."""
    return nullcontext(Share())


class Tickets(Protocol):
    """Requests, in their order."""

    def draw(self) -> int:
        """The next number."""

    def start(self, number: int, slots: int, *, alone: bool) -> object | None:
        """Something true when it is the turn of this number, which has a slot then; None while it has to wait."""

    def end(self, number: int) -> bool:
        """Give back what this number has; whether anything else had a slot at any time of it."""


class OwnTickets:
    """The tickets of one process, where no others are to be seen."""

    def __init__(self) -> None:
        self._drawn = self._starts = 0
        self._tickets: dict[int, SlotTicket] = {}
        self._began: dict[int, tuple[int, bool]] = {}

    def draw(self) -> int:
        self._drawn += 1
        return self._drawn

    def start(self, number: int, slots: int, *, alone: bool) -> SlotTicket | None:
        others = [one for one in self._tickets.values() if one.number != number]
        slot = choose(number, [SlotTicket(number, slots, alone), *others])
        self._tickets[number] = ticket = SlotTicket(number, slots, alone, slot)
        if not slot:
            return None
        self._starts += 1
        self._began[number] = self._starts, any(one.slot for one in others)
        return ticket

    def end(self, number: int) -> bool:
        self._tickets.pop(number, None)
        starts, beside = self._began.pop(number, (self._starts, False))
        return beside or starts != self._starts


class Slots:
    """The slots of a run: `count` at once, each with its share of the `cores`. Any thread may take one."""

    def __init__(self, count: int, machine_cores: int, tickets: SlotFiles | None = None) -> None:
        self.count = count
        self.cores = machine_cores
        self.wait = SlotWait()
        self._tickets: Tickets = tickets or OwnTickets()
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    def environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """What tells tools how many cores they may use, where `env` does not."""
        return cores.environment(self.cores, self.count, env)

    def measured_by(self, wait: SlotWait) -> Slots:
        """The same slots, for work whose waits this one counts."""
        same = copy.copy(self)
        same.wait = wait
        return same

    @contextmanager
    def take(
        self, stops: tuple[Stop, ...] = (), *, alone: bool = False, waits: Callable[[], None] = lambda: None
    ) -> Iterator[Share]:
        """A slot for the time of the context; alone: while nothing else has one. `waits` hears that it is waited for.

        A stop ends the wait: what starts then without a slot is ended by the same stop.
        """
        self.wait.change(waiting=1)
        share, number = Share(), 0
        try:
            number = self._wait(stops, alone=alone, waits=waits)
        finally:
            self.wait.change(waiting=-1, having=1)
        try:
            yield share
        finally:
            self.wait.change(having=-1)
            if number:
                share.beside = self._give_back(number)

    def _wait(self, stops: tuple[Stop, ...], *, alone: bool, waits: Callable[[], None]) -> int:
        """The number that has a slot; 0 after a stop."""
        me, number, told = object(), 0, False
        with self._changed:
            number = self._tickets.draw()
            self._waiting.append(me)
        try:
            while not any(stops):
                with self._changed:
                    first = self._waiting[0] is me
                    if first and self._tickets.start(number, self.count, alone=alone):
                        number, mine = 0, number
                        return mine
                    if told:
                        self._changed.wait(LOOK_SECONDS if first else REST_SECONDS)
                if not told:
                    waits()
                    told = True
            return 0
        finally:
            with self._changed:
                self._waiting.remove(me)
                if number:
                    self._tickets.end(number)
                self._changed.notify_all()

    def _give_back(self, number: int) -> bool:
        with self._changed:
            beside = self._tickets.end(number)
            self._changed.notify_all()
        return beside


def own(count: int = 0, usable: int = 0) -> Slots:
    """Slots that no other process sees: `count` of them (0: half of the cores) on `usable` cores (0: all)."""
    usable = usable or cores.count()
    return Slots(count or default(usable), usable)


def default(usable: int) -> int:
    """How many slots there are for so many cores where the configuration does not say it."""
    return max(1, usable // 2)
