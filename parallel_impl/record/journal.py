"""The run's events on disk: one append-only file, one JSON object a line, one writer.

An event is on disk before its effect is relied on (`append` fsyncs). A torn last line, from a power cut, is cut off
when the journal is opened again; a broken line before the last is damage that nobody repairs silently.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Sequence
from pathlib import Path

from parallel_impl import storage
from parallel_impl.errors import UserError
from parallel_impl.record.events import Event, from_line, from_lines, to_line
from parallel_impl.record.state import ImpossibleError, State

HINT = "your refs still hold all accepted work; to start again from the base, move the folder of this run away"


def now() -> float:
    """Seconds since 1970, UTC, as events carry them."""
    return round(time.time(), 3)


class Journal:
    """An open journal. `path` is the file; `append` adds events durably, `close` ends it."""

    def __init__(self, path: Path) -> None:
        """Open for appending, made with its folder when absent; a torn last line is removed first.

        UserError when another process has it open: the last barrier, should all lock files have been removed.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        made = not path.exists()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            self._lock()
            self._cut_torn_line()
        except BaseException:
            os.close(self._file)
            raise
        if made:
            storage.sync_folder(path.parent)

    def _lock(self) -> None:
        for _ in range(50):  # a process that only asks whether one writes has the lock for an instant
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except (BlockingIOError, PermissionError):
                time.sleep(0.01)
        hint = "wait for it, or stop it with Ctrl-C where it runs: its work is kept"
        raise UserError("another process writes this journal", where=str(self.path), hint=hint)

    def append(self, *events: Event, sync: bool = True) -> None:
        """Write the events, one line each, with one fsync for all of them. OSError when they are not on disk.

        Without `sync` they may be lost in a power cut, not when this process is killed: for what nothing relies on.
        """
        lines = b"".join(to_line(event) + b"\n" for event in events)
        size = os.fstat(self._file).st_size
        try:
            with storage.named(self.path):
                while lines:
                    lines = lines[os.write(self._file, lines) :]
                if sync:
                    os.fsync(self._file)
        except OSError:
            with contextlib.suppress(OSError):  # a full disk must not leave half an event before the next one;
                os.ftruncate(self._file, size)  # where even this fails, the next start cuts it off
            raise

    def close(self) -> None:
        os.close(self._file)

    def _cut_torn_line(self) -> None:
        size = os.fstat(self._file).st_size
        end = size
        while end > 0:
            start = max(0, end - 65536)
            newline = os.pread(self._file, end - start, start).rfind(b"\n")
            if newline != -1:
                end = start + newline + 1
                break
            end = start
        if end != size:
            with storage.named(self.path):
                os.ftruncate(self._file, end)
                os.fsync(self._file)


def read(path: Path) -> list[Event]:
    """The events of a journal, in order; none when there is none. A torn last line is passed over.

    UserError names the line that is damaged.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    lines = content.split(b"\n")[:-1]  # what follows the last newline is a torn line, or empty
    try:
        return from_lines(lines)
    except ValueError as error:
        raise _damage(path, lines, error) from error


def load_state(path: Path) -> State:
    """The state after all events of a journal; that of a run which did not start when there is none.

    UserError names the line that is damaged, or that cannot follow what happened before it.
    """
    state = State()
    for number, event in enumerate(read(path), 1):
        try:
            state.apply(event)
        except (ImpossibleError, KeyError) as error:
            what = f"{event.__struct_config__.tag!r} cannot follow what happened before it"
            raise UserError(f"the journal is damaged: {what}", where=f"{path}:{number}", hint=HINT) from error
    return state


def _damage(path: Path, lines: Sequence[bytes], error: ValueError) -> UserError:
    where, why = str(path), error
    for number, line in enumerate(lines, 1):
        try:
            from_line(line)
        except ValueError as found:
            where, why = f"{path}:{number}", found
            break
    return UserError(f"the journal is damaged: {why}", where=where, hint=HINT)
