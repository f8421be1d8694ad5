"""Requests for slots as files that all runs of this user see, each kept by a lock of the operating system.

A ticket is a file that its process holds locked: one whose lock is free is of a process that is gone, and is removed by
whoever looks next. All looking and changing is done under one guard, held for less than a millisecond: whoever does
not get it looks again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from parallel_impl import storage
from parallel_impl.processes.slot_order import SlotTicket, choose

FOLDER = "slots"  # in the state directory of the user
ASLEEP_SECONDS = 5.0  # without a look: a process that was stopped (Ctrl-Z) must not keep all others waiting
GUARD_SECONDS, LOOK_SECONDS = 10.0, 0.02  # for the guard: to draw or give back, to look
RETRY_SECONDS = 0.002
MODE = 0o600


class _Counters(msgspec.Struct, frozen=True):
    """What the guard's file keeps: the last number that was drawn, and how often work has started."""

    drawn: int = 0
    starts: int = 0


@dataclass(slots=True)
class FileTurn:
    """A ticket of this process: its file, locked, and how often anything had started when it did."""

    ticket: SlotTicket
    descriptor: int
    starts: int = 0
    beside: bool = False


class SlotFiles:
    """The tickets in one folder. Threads call it one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._entered: dict[int, FileTurn] = {}

    def draw(self) -> int:
        """The next number. OSError when the guard cannot be had."""
        with self._guarded(GUARD_SECONDS) as guard:
            counters = _counters(guard)
            number = max([counters.drawn, *map(_number, self._names())]) + 1
            _write(guard, msgspec.json.encode(msgspec.structs.replace(counters, drawn=number)))
            return number

    def start(self, number: int, slots: int, *, alone: bool) -> FileTurn | None:
        """The turn of this number, when it is that now; None while it has to wait."""
        try:
            with self._guarded(LOOK_SECONDS) as guard:
                mine = self._entered.get(number) or self._enter(SlotTicket(number, slots, alone))
                os.utime(mine.descriptor)  # it looks, so it is awake
                others = list(self._others(number))
                slot = choose(number, [mine.ticket, *others])
                if not slot:
                    return None
                counters = _counters(guard)
                mine.ticket = msgspec.structs.replace(mine.ticket, slot=slot)
                mine.starts, mine.beside = counters.starts + 1, any(one.slot for one in others)
                _write(guard, msgspec.json.encode(msgspec.structs.replace(counters, starts=mine.starts)))
                _write(mine.descriptor, msgspec.json.encode(mine.ticket))
                return mine
        except BlockingIOError:
            return None

    def end(self, number: int) -> bool:
        """Give the ticket back; whether anything else had a slot at any time while this one had its own."""
        mine = self._entered.pop(number, None)
        if mine is None:
            return False
        try:
            with self._guarded(GUARD_SECONDS) as guard:
                beside = mine.beside or _counters(guard).starts != mine.starts
                self._path(number).unlink(missing_ok=True)
        except OSError:  # the folder was taken away, say: the lock ends with its descriptor
            beside = True
        finally:
            os.close(mine.descriptor)
        return beside

    def in_use(self) -> tuple[int, int]:
        """How many slots are in use, and how many requests wait; of processes that live, not of this one."""
        with self._guarded(GUARD_SECONDS):
            tickets = list(self._others(0))
        having = sum(1 for one in tickets if one.slot)
        return having, len(tickets) - having

    def _enter(self, ticket: SlotTicket) -> FileTurn:
        descriptor = os.open(self._path(ticket.number), os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(descriptor, msgspec.json.encode(ticket))
        except BaseException:
            os.close(descriptor)
            raise
        self._entered[ticket.number] = FileTurn(ticket, descriptor)
        return self._entered[ticket.number]

    def _others(self, number: int) -> Iterator[SlotTicket]:
        """The tickets whose processes live."""
        for name in self._names():
            path = self.folder / name
            if _number(name) == number:
                continue
            with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    path.unlink()  # its process is gone
                except BlockingIOError:
                    awake = time.time() - os.fstat(descriptor).st_mtime < ASLEEP_SECONDS
                    ticket = msgspec.json.decode(os.pread(descriptor, 1000, 0), type=SlotTicket)
                    yield msgspec.structs.replace(ticket, waits=awake)
                finally:
                    os.close(descriptor)

    def _names(self) -> list[str]:
        return [path.name for path in self.folder.glob("ticket-*")]

    def _path(self, number: int) -> Path:
        return self.folder / f"ticket-{number}"

    @contextmanager
    def _guarded(self, seconds: float) -> Iterator[int]:
        """The guard's file, locked. BlockingIOError when another process holds it for all of `seconds`."""
        until = time.monotonic() + seconds
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.folder / "guard", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, MODE)
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= until:
                        raise
                    time.sleep(RETRY_SECONDS)
            with storage.named(self.folder):
                yield descriptor
        finally:
            os.close(descriptor)


def _number(name: str) -> int:
    digits = name.removeprefix("ticket-")
    return int(digits) if digits.isdigit() else 0


def _counters(guard: int) -> _Counters:
    """What the guard keeps; from none where it is new, or its writer was killed within its line."""
    try:
        return msgspec.json.decode(os.pread(guard, 1000, 0), type=_Counters)
    except msgspec.DecodeError:
        return _Counters()


def _write(descriptor: int, content: bytes) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, content, 0)
