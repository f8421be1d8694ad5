"""The run's events on disk: one append-only file, one JSON object a line, one writer.

An event is on disk before its effect is relied on (`append` fsyncs). A torn last line, from a power cut, is cut off
when the journal is opened again; a broken line before the last is damage that nobody repairs silently. What somebody
does to the file while it is open is undone: its writer knows every line.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shlex
import stat
import time
from collections.abc import Sequence
from pathlib import Path

from parallel_impl import storage
from parallel_impl.errors import UserError
from parallel_impl.record.events import Event, from_line, from_lines, to_line
from parallel_impl.record.state import ImpossibleError, State

CHANGED = ".changed"  # the ending of a file that somebody put in the place of the journal, or wrote to


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
        _check_regular(path)
        made = not path.exists()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            self._lock()
            self._content = self._read_whole_lines()
        except BaseException:
            os.close(self._file)
            raise
        self._disturbed = ""
        self._seen = storage.signature(path)
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
        self._undo()
        lines = b"".join(to_line(event) + b"\n" for event in events)
        try:
            with storage.named(self.path):
                self._write(lines)
                if sync:
                    os.fsync(self._file)
        except OSError:
            with contextlib.suppress(OSError):  # a full disk must not leave half an event before the next one;
                os.ftruncate(self._file, len(self._content))  # where even this fails, the next start cuts it off
            raise
        self._content += lines
        self._seen = storage.signature(self.path)

    def events(self) -> list[Event]:
        """All that was written to it so far, whatever became of the file."""
        return from_lines(bytes(self._content).split(b"\n")[:-1])

    def take_disturbance(self) -> str:
        """What somebody did to the file since this was asked last, in words; it is undone. "" for nothing."""
        self._undo()
        found, self._disturbed = self._disturbed, ""
        return found

    def close(self) -> None:
        os.close(self._file)

    def _write(self, lines: bytes) -> None:
        while lines:
            lines = lines[os.write(self._file, lines) :]

    def _undo(self) -> None:
        """Write the whole journal again where the file is not as this process left it: an agent can reach it."""
        if self._seen and storage.signature(self.path) == self._seen:
            return
        if not (what := self._find_disturbance()):
            self._seen = storage.signature(self.path)  # somebody touched it
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        storage.put_aside(self.path, CHANGED)
        before = self._file
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._lock()
        os.close(before)
        with storage.named(self.path):
            self._write(bytes(self._content))
            os.fsync(self._file)
        storage.sync_folder(self.path.parent)
        self._disturbed, self._seen = what, storage.signature(self.path)

    def _find_disturbance(self) -> str:
        ours = os.fstat(self._file)
        try:
            there = self.path.lstat()
        except OSError:
            return "was removed"
        if (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino):
            return "was replaced"
        if os.pread(self._file, max(ours.st_size, 1), 0) == self._content:
            return ""
        return "was cut" if ours.st_size < len(self._content) else "was written to"

    def _read_whole_lines(self) -> bytearray:
        """What is in the file; a torn last line is cut off."""
        content = bytearray()
        while part := os.pread(self._file, 1 << 20, len(content)):
            content += part
        end = content.rfind(b"\n") + 1
        if end != len(content):
            with storage.named(self.path):
                os.ftruncate(self._file, end)
                os.fsync(self._file)
            del content[end:]
        return content


def read(path: Path) -> list[Event]:
    """The events of a journal, in order; none when there is none. A torn last line is passed over.

    UserError names the line that is damaged.
    """
    _check_regular(path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    lines = content.split(b"\n")[:-1]  # what follows the last newline is a torn line, or empty
    try:
        return from_lines(lines)
    except ValueError as error:
        raise _damage(path, lines, error) from error


def _check_regular(path: Path) -> None:
    """UserError for what is no file: a FIFO would be waited for, a link may lead anywhere."""
    if os.path.lexists(path) and not stat.S_ISREG(path.lstat().st_mode):
        raise damage(path, "it is no regular file")


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
            raise damage(path, what, line=number) from error
    return state


def damage(path: Path, what: str, *, line: int = 0) -> UserError:
    """A journal that cannot be believed, and the command that goes on without it: all work is on refs.

    Not by cutting it: attempts that it does not know any more would be made again on the refs of the first ones.
    """
    names = (path.with_name(f"{path.stem}.damaged{number or ''}{path.suffix}") for number in itertools.count())
    free = next(name for name in names if not os.path.lexists(name))
    hint = (
        "all work is on refs, and stays there; to start again from the base, put the journal aside:\n"
        f"    mv {shlex.quote(str(path))} {shlex.quote(str(free))}"
    )
    return UserError(f"the journal is damaged: {what}", where=f"{path}:{line}" if line else str(path), hint=hint)


def _damage(path: Path, lines: Sequence[bytes], error: ValueError) -> UserError:
    for number, line in enumerate(lines, 1):
        try:
            from_line(line)
        except ValueError as found:
            return damage(path, str(found), line=number)
    return damage(path, str(error))
