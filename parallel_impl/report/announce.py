"""A program that hears of a run: `announce = "my-tool"` gets the plan and then each event, a line of JSON on its stdin.

It can neither stop nor slow a run: events wait for it in a queue, which drops what it has no room for, and a thread of
its own writes. Three times a program that ended is started again.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from queue import Empty, Full, Queue

import msgspec

from parallel_impl.processes.launch import Launch, Limits, Stop
from parallel_impl.processes.process import Ended, Reason, run
from parallel_impl.record.events import Event, Noted, to_line
from parallel_impl.record.journal import now
from parallel_impl.report.outline import Outline
from parallel_impl.text import masked

WAITING = 10_000  # events
RESTARTS = 3
PATIENCE = 5.0  # seconds at the end of a run, for what it has not read yet
LOOK = 0.2  # seconds between two looks at whether the run is over
FOREVER = 10.0 * 365 * 86400
NOT_STARTED = Ended(Reason.NOT_STARTED, None, 0.0, why="it could not be watched")


class Announcer:
    """A listener that hands a program what it hears. `note` gets what a person must know, as events."""

    def __init__(
        self, argv: Sequence[str], launch: Launch, log: Path, note: Callable[[Event], None], *, waiting: int = WAITING
    ) -> None:
        self._stop = Stop()
        self._argv, self._log, self._note = argv, log, note
        self._launch = replace(launch, limits=Limits(FOREVER, grace_seconds=1.0), stop=self._stop)
        self._queue: Queue[bytes] = Queue(waiting)
        self._plan, self._dropped, self._told = b"", 0, 0
        self._over = self._ended = False
        self._thread = threading.Thread(target=self._serve, name="announce", daemon=True)

    def begin(self, outline: Outline, earlier: Sequence[Event]) -> None:
        """Start the program; what happened in earlier starts is not announced again."""
        del earlier
        told = {"event": "plan", **msgspec.to_builtins(outline)}
        self._plan = masked(json.dumps(told).encode(), self._launch.mask)
        self._thread.start()

    def event(self, event: Event) -> None:
        if self._plan and not self._over:
            try:
                self._queue.put_nowait(masked(to_line(event), self._launch.mask))
            except Full:
                self._dropped += 1

    def say(self, text: str) -> None:
        """Nothing: that is for people."""

    def end(self) -> None:
        """Let it read what waits, for some seconds; then it is ended."""
        if self._ended:
            return
        self._ended = self._over = True
        if self._thread.is_alive():
            self._thread.join(PATIENCE)
            self._stop.set()
            self._thread.join(PATIENCE)
        if self._dropped:
            self._tell(f"{self._dropped} events were dropped: it reads too slowly")

    def _tell(self, what: str) -> None:
        self._note(Noted(at=now(), text=f"announce ({' '.join(self._argv)}): {what}"))

    def _serve(self) -> None:
        """Start the program, and again when it ended too early."""
        rest = b""
        for _ in range(1 + RESTARTS):
            rest, ended = self._serve_one(rest)
            if self._stop:
                return
            if self._over and not rest and self._queue.empty():
                if not ended.clean:
                    self._tell(f"{ended}; log: {self._log}")
                return
        self._over = True
        self._tell(f"{ended}, for the {1 + RESTARTS}th time; nothing more is announced. Log: {self._log}")

    def _serve_one(self, rest: bytes) -> tuple[bytes, Ended]:
        """One process of it: the plan, the line that its predecessor did not take, then what comes."""
        theirs, ours = os.pipe()
        os.set_blocking(ours, False)
        found, kept = [NOT_STARTED], [theirs]

        def close(_pid: int = 0) -> None:
            if kept:
                os.close(kept.pop())  # or nobody would see that the process does not read any more

        def watch() -> None:
            with contextlib.suppress(OSError):
                found.append(run(self._argv, self._launch, self._log, stdin=theirs, started=close))
            close()

        watcher = threading.Thread(target=watch, name="announced", daemon=True)
        watcher.start()
        try:
            rest = self._write_all(ours, watcher, rest)
        finally:
            os.close(ours)
            watcher.join()
        return rest, found[-1]

    def _write_all(self, ours: int, watcher: threading.Thread, rest: bytes) -> bytes:
        """Write until the run is over or the process is; returns the line that it did not take."""
        if not self._write(ours, watcher, self._plan):
            return rest
        line = rest
        while True:
            if line and not self._write(ours, watcher, line):
                return line
            if self._told < (dropped := self._dropped) and self._queue.qsize() < self._queue.maxsize:
                line = json.dumps({"event": "dropped", "count": dropped - self._told}).encode()
                self._told = dropped
                continue
            try:
                line = self._queue.get(timeout=LOOK)
            except Empty:
                line = b""
                if self._over or not watcher.is_alive():
                    return b""

    def _write(self, ours: int, watcher: threading.Thread, line: bytes) -> bool:
        """Whether the process took the line before it ended."""
        data = line + b"\n"
        while data:
            if self._stop or not watcher.is_alive():
                return False
            if not select.select([], [ours], [], LOOK)[1]:
                continue
            try:
                data = data[os.write(ours, data) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                return False
        return True
