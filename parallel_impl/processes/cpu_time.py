"""The CPU time of a piece of work: of its thread, of the children that it waited for, of threads that work for it.

Of a child the kernel counts the process itself and all below it that was waited for (wait4(2)): a shell's commands, the
whole of a PID namespace. What outlived its parent is not in it, nor a process of ours that stays for the whole run.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from typing import TypeVar

Given = TypeVar("Given")
Made = TypeVar("Made")


class _Account:
    """CPU seconds that count for a thread and were not its own; any thread may add to it."""

    def __init__(self) -> None:
        self._adding = threading.Lock()
        self.seconds = 0.0

    def add(self, seconds: float) -> None:
        with self._adding:
            self.seconds += seconds


class _Own(threading.local):
    def __init__(self) -> None:
        self.account = _Account()


_own = _Own()


def spent() -> float:
    """The CPU seconds of this thread's work until now; only differences of it mean something."""
    return time.thread_time() + _own.account.seconds


def reap(pid: int, options: int = 0) -> tuple[int, int]:
    """As `os.waitpid`; what the child used counts for this thread. ChildProcessError where somebody else reaped it."""
    found, status, used = os.wait4(pid, options)
    if found:
        _own.account.add(used.ru_utime + used.ru_stime)
    return found, status


def for_caller(work: Callable[[Given], Made]) -> Callable[[Given], Made]:
    """The same work for another thread to do; what it uses there counts for the thread that asks for it here."""
    account = _own.account

    def done(given: Given) -> Made:
        began = spent()
        try:
            return work(given)
        finally:
            account.add(spent() - began)

    return done
