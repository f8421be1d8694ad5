"""How a process of a run starts: where, with which environment, within which limits, and what stops it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from parallel_impl.processes.namespace import Namespace
from parallel_impl.views.slot import OpenView


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process may use: seconds in all, seconds without progress (None: no limit), bytes kept of its log.

    Progress is output, unless the caller counts it. `grace_seconds` lie between TERM and KILL.
    """

    seconds: float
    silence_seconds: float | None = None
    log_bytes: int = 50_000_000
    grace_seconds: float = 5.0


class Stop:
    """A signal that ends every process started with it; set once, from any thread or signal handler."""

    def __init__(self) -> None:
        self._read, write = os.pipe()
        self._write = [write]  # taken out by whoever closes it: `pop` is atomic, a lock would block a signal handler
        self._set = False

    def set(self) -> None:
        """Ask all processes to end; a second call changes nothing."""
        self._set = True
        with contextlib.suppress(IndexError):
            os.close(self._write.pop())  # every poller of the read end is woken by the hang-up

    def __bool__(self) -> bool:
        return self._set

    def fileno(self) -> int:
        return self._read

    def __del__(self) -> None:  # one for each attempt would use up the descriptors of a long run
        for descriptor in (self._read, *self._write):
            with contextlib.suppress(OSError):
                os.close(descriptor)


Stops = Stop | tuple[Stop, ...] | None  # any one of several ends what was started


@dataclass(frozen=True, slots=True)
class Launch:
    """How a process starts. `env` is its whole environment, TMPDIR included; any one of several stops ends it.

    `cwd` is a folder as the process sees it: in its `view`, where it has one. `mask` lists byte strings that are shown
    as `***`. `nice` is how much lower its priority is than ours (nice(2)).
    """

    cwd: Path
    env: Mapping[str, str]
    limits: Limits
    stop: Stops = None
    mask: tuple[bytes, ...] = ()
    namespace: Namespace | None = None
    nice: int = 0
    view: OpenView | None = None

    @property
    def stops(self) -> tuple[Stop, ...]:
        """The stops, however many there are. (A Stop that is not set is false: `if stop` asks something else.)"""
        if isinstance(self.stop, Stop):
            return (self.stop,)
        return self.stop or ()
