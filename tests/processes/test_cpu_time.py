"""The CPU time of work: what counts is what the kernel counts, of a child and of all below it that was waited for."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parallel_impl.processes import cpu_time, namespace, program
from parallel_impl.processes.launch import Launch, Limits
from parallel_impl.processes.namespace import Namespace
from parallel_impl.processes.process import Reason, run

SECONDS = 0.2
BUSY = f"import time\nwhile time.process_time() < {SECONDS}: pass"
BELOW = ("sh", "-c", f"{sys.executable} -S -c '{BUSY}'; true")  # a shell that waits for its command


def used(tmp_path: Path, *argv: str, seconds: float = 60, inside: Namespace | None = None) -> tuple[float, Reason]:
    before = cpu_time.spent()
    ended = run(argv, Launch(tmp_path, {}, Limits(seconds, grace_seconds=1), namespace=inside), tmp_path / "log")
    return cpu_time.spent() - before, ended.reason


def test_a_child_and_what_it_waited_for_count(tmp_path: Path) -> None:
    spent, reason = used(tmp_path, *BELOW)
    assert (reason, SECONDS <= spent < 10 * SECONDS) == (Reason.EXITED, True)


def test_a_child_that_is_ended_counts(tmp_path: Path) -> None:
    spent, reason = used(tmp_path, sys.executable, "-S", "-c", "while True: pass", seconds=1.0)
    assert (reason, spent > 0.02) == (Reason.TIMEOUT, True)


def test_what_is_in_a_namespace_counts(tmp_path: Path) -> None:
    inside = namespace.find().namespace
    if inside is None:
        pytest.skip("no PID namespaces here")
    assert used(tmp_path, *BELOW, inside=inside)[0] >= SECONDS


def test_a_child_that_sleeps_counts_next_to_nothing(tmp_path: Path) -> None:
    assert used(tmp_path, "sleep", "0.3")[0] < SECONDS


def test_a_short_program_counts() -> None:
    before = cpu_time.spent()
    program.run([sys.executable, "-S", "-c", BUSY], {})
    assert cpu_time.spent() - before >= SECONDS


def test_work_that_another_thread_does_counts_for_the_one_that_asks_and_only_once() -> None:
    before = cpu_time.spent()
    with ThreadPoolExecutor(2) as pool:
        ask = cpu_time.for_caller(lambda _: program.run([sys.executable, "-S", "-c", BUSY], {}))
        assert [done.code for done in pool.map(ask, range(2))] == [0, 0]
    assert 2 * SECONDS <= cpu_time.spent() - before < 4 * SECONDS
    with ThreadPoolExecutor(1) as pool:
        between = cpu_time.spent()
        pool.submit(program.run, [sys.executable, "-S", "-c", BUSY], {}).result()
    assert cpu_time.spent() - between < SECONDS  # nobody said whose that is
