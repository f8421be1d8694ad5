"""Slots between threads and between processes: who waits, who is alone, and what a kill leaves."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_impl.processes.launch import Stop
from parallel_impl.processes.slot_files import ASLEEP_SECONDS, SlotFiles
from parallel_impl.processes.slots import Slots, SlotWait
from tests.peer import peer

# takes a slot of `count`, alone or not; says what happens to it, and gives it back when it is told
TAKE = """
import sys
from pathlib import Path
from parallel_impl.processes.slot_files import SlotFiles
from parallel_impl.processes.slots import Slots
slots = Slots(int(sys.argv[2]), 2, SlotFiles(Path(sys.argv[1])))
with slots.take(alone=len(sys.argv) > 3, waits=lambda: print("waits", flush=True)) as share:
    print("has", flush=True)
    sys.stdin.readline()
print("beside" if share.beside else "by itself", flush=True)
"""


@pytest.fixture(params=["own", "shared"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Slots:
    return Slots(2, 4, SlotFiles(tmp_path / "slots") if request.param == "shared" else None)


def begin(
    slots: Slots, order: list[str], name: str, *, alone: bool = False
) -> tuple[threading.Thread, threading.Event]:
    """A thread that has a slot, and notes it, or waits for one; it ends when the event is set."""
    arrived, over = threading.Event(), threading.Event()

    def work() -> None:
        with slots.take(alone=alone, waits=arrived.set) as share:
            order.append(name)
            arrived.set()
            over.wait(20)
        order.append(f"{name} {'beside' if share.beside else 'by itself'}")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert arrived.wait(20)
    return thread, over


def finish(thread: threading.Thread, over: threading.Event) -> None:
    over.set()
    thread.join(20)
    assert not thread.is_alive()


def until(true: Callable[[], bool]) -> None:
    """Until it is true, or 20 seconds later."""
    ends = time.monotonic() + 20
    while not true() and time.monotonic() < ends:
        threading.Event().wait(0.01)
    assert true()


def test_no_more_run_at_once_than_there_are_slots_and_in_their_order(two: Slots) -> None:
    order = list[str]()
    a, b, c, d = (begin(two, order, name) for name in "abcd")
    assert order == ["a", "b"]
    finish(*a)
    until(lambda: "c" in order)
    assert "d" not in order
    finish(*b)
    until(lambda: "d" in order)
    finish(*c)
    finish(*d)
    assert [name for name in order if len(name) == 1] == ["a", "b", "c", "d"]


def test_one_that_is_alone_waits_for_all_and_all_later_ones_for_it(two: Slots) -> None:
    order = list[str]()
    a = begin(two, order, "a")
    b = begin(two, order, "b", alone=True)
    c = begin(two, order, "c")
    assert order == ["a"]
    finish(*a)
    until(lambda: "b" in order)
    assert "c" not in order
    finish(*b)
    finish(*c)
    assert [name for name in order if len(name) == 1] == ["a", "b", "c"]
    assert [name for name in order if len(name) > 1] == ["a by itself", "b by itself", "c by itself"]


def test_it_is_known_afterwards_whether_anything_else_ran_at_any_time_of_it(two: Slots) -> None:
    order = list[str]()
    a = begin(two, order, "a")
    b = begin(two, order, "b")
    finish(*b)  # it began and ended within the time of a
    finish(*a)
    c = begin(two, order, "c")
    finish(*c)
    assert [name for name in order if len(name) > 1] == ["b beside", "a beside", "c by itself"]


def test_a_stop_ends_the_wait_and_leaves_the_place_in_the_line(two: Slots) -> None:
    order = list[str]()
    a = begin(two, order, "a", alone=True)
    stop, waiting, ended = Stop(), threading.Event(), threading.Event()

    def wait() -> None:
        with two.take((stop,), waits=waiting.set):
            ended.set()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    assert waiting.wait(20)
    c = begin(two, order, "c")
    stop.set()
    assert ended.wait(20)
    finish(*a)
    finish(*c)
    assert order == ["a", "a by itself", "c", "c by itself"]


def test_the_slots_are_those_of_all_processes(tmp_path: Path) -> None:
    with peer(TAKE, tmp_path, 1) as first:
        assert first.hears() == "has"
        with peer(TAKE, tmp_path, 1) as second:
            assert second.hears() == "waits"
            first.go_on()
            assert first.hears() == "by itself"
            assert second.hears() == "has"
            second.go_on()
            assert second.hears() == "by itself"


def test_two_runs_that_both_want_to_be_alone_wait_for_each_other_and_no_longer(tmp_path: Path) -> None:
    with contextlib.ExitStack() as peers:
        holder = peers.enter_context(peer(TAKE, tmp_path, 2))
        assert holder.hears() == "has"
        first = peers.enter_context(peer(TAKE, tmp_path, 2, "alone"))
        assert first.hears() == "waits"
        with peer(TAKE, tmp_path, 2, "alone") as second:
            assert second.hears() == "waits"
            holder.go_on()
            assert first.hears() == "has"
            first.go_on()
            assert first.hears() == "by itself"
            assert second.hears() == "has"
            second.go_on()
            assert second.hears() == "by itself"


def test_kill_9_of_a_holder_frees_its_slot_and_of_a_waiting_one_its_place(tmp_path: Path) -> None:
    with contextlib.ExitStack() as peers:
        holder = peers.enter_context(peer(TAKE, tmp_path, 1))
        assert holder.hears() == "has"
        waiting = peers.enter_context(peer(TAKE, tmp_path, 1))
        assert waiting.hears() == "waits"
        with peer(TAKE, tmp_path, 1) as last:
            assert last.hears() == "waits"
            waiting.kill()
            holder.kill()
            assert last.hears() == "has"
            assert [path.name for path in tmp_path.glob("ticket-*")] == ["ticket-3"]


def test_a_run_that_was_stopped_while_it_waits_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    with contextlib.ExitStack() as peers:
        holder = peers.enter_context(peer(TAKE, tmp_path, 1))
        assert holder.hears() == "has"
        waiting = peers.enter_context(peer(TAKE, tmp_path, 1))
        assert waiting.hears() == "waits"
        with (tmp_path / "guard").open() as guard:  # it is not stopped while it holds that itself
            fcntl.flock(guard, fcntl.LOCK_EX)
            os.kill(waiting.pid, signal.SIGSTOP)
        os.utime(tmp_path / "ticket-2", (time.time() - 2 * ASLEEP_SECONDS,) * 2)
        with peer(TAKE, tmp_path, 1) as last:
            assert last.hears() == "waits"
            holder.go_on()
            assert last.hears() == "has"
            os.kill(waiting.pid, signal.SIGCONT)
            last.go_on()
            assert waiting.hears() == "has"


def test_slots_work_on_when_their_folder_is_taken_away(tmp_path: Path) -> None:
    folder = tmp_path / "slots"
    slots = Slots(1, 1, SlotFiles(folder))
    with slots.take():
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
    with slots.take() as share:
        assert folder.is_dir()
    assert not share.beside


def test_what_killed_writers_left_is_no_ticket(tmp_path: Path) -> None:
    (tmp_path / "guard").write_bytes(b"[12")
    (tmp_path / "ticket-7").write_bytes(b"[7,")
    with peer(TAKE, tmp_path, 1) as only:
        assert only.hears() == "has"
        assert [path.name for path in tmp_path.glob("ticket-*")] == ["ticket-8"]


def test_only_the_time_counts_as_waited_in_which_a_thread_waits_and_none_has_a_slot() -> None:
    at = 0.0
    wait = SlotWait(lambda: at)
    for later, change in (
        (1.0, {"waiting": 1}),
        (3.0, {"waiting": 1}),
        (4.0, {"waiting": -1, "having": 1}),  # the other goes on waiting: there is work
        (9.0, {"having": -1}),
        (11.0, {"waiting": -1, "having": 1}),
        (12.0, {"having": -1}),
    ):
        at = later
        wait.change(**change)
    assert wait.seconds == (4.0 - 1.0) + (11.0 - 9.0)


def test_work_that_is_measured_takes_the_same_slots() -> None:
    slots, wait = Slots(1, 1), SlotWait()
    measured, has = slots.measured_by(wait), threading.Event()
    with slots.take():
        waiting = threading.Thread(target=lambda: _take(measured, has))
        waiting.start()
        while wait.seconds == 0.0:
            pass
        assert not has.is_set()
    waiting.join(20)
    assert has.is_set()
    assert wait.seconds > 0


def _take(slots: Slots, has: threading.Event) -> None:
    with slots.take():
        has.set()
