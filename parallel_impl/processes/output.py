"""What a child prints: secrets masked, a log with a limit, whole lines for a listener."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from parallel_impl import storage
from parallel_impl.processes.orphans import Child
from parallel_impl.text import masked

CHUNK = 1 << 16
LONGEST_LINE = 8_000_000
Tell = Callable[[bytes], None]


class Log:
    """A log file with a size limit."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self._file, self._limit = file, limit
        self.written = 0
        self.truncated = False

    def write(self, data: bytes) -> None:
        if self.truncated:
            return
        room = self._limit - self.written
        if len(data) > room:
            data, self.truncated = data[:room], True
        with storage.named(Path(self._file.name)):
            self._file.write(data)
            self.written += len(data)
            if self.truncated:
                self._file.write(f"\n[log cut at {self._limit} bytes]\n".encode())


class Lines:
    """Passes on whole lines, without their ends; one that is too long is dropped and counted."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._line = bytearray()
        self._size = 0
        self.dropped = 0

    def write(self, data: bytes) -> None:
        *whole, begun = data.split(b"\n")
        for part in whole:
            self._add(part)
            self._end()
        self._add(begun)

    def close(self) -> None:
        """Pass on the last line, which has no end."""
        if self._size:
            self._end()

    def _add(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= LONGEST_LINE:
            self._line += part
        else:
            self._line.clear()

    def _end(self) -> None:
        line, fits = bytes(self._line), self._size <= LONGEST_LINE
        self._line.clear()
        self._size = 0
        if fits:
            self._tell(line)
        else:
            self.dropped += 1


class Masked:
    """Passes a stream on with secrets masked, also one that comes in pieces: what may be its beginning waits."""

    def __init__(self, secrets: tuple[bytes, ...], *tell: Tell) -> None:
        self._secrets = tuple(filter(None, secrets))
        self._tell = tell
        self._waiting = b""

    def write(self, data: bytes) -> None:
        data = self._waiting + data
        cut = self._whole(data)
        self._waiting = data[cut:]
        self._pass_on(data[:cut])

    def close(self) -> None:
        """Pass on what waits: nothing follows it."""
        self._pass_on(self._waiting)
        self._waiting = b""

    def _pass_on(self, data: bytes) -> None:
        if data := masked(data, self._secrets):
            for tell in self._tell:
                tell(data)

    def _whole(self, data: bytes) -> int:
        """How much of `data` can be passed on: no secret begins in it and ends behind it."""
        cut = min((_begins(data, value) for value in self._secrets), default=len(data))
        while found := list(self._across(data, cut)):
            cut = min(found)
        return cut

    def _across(self, data: bytes, cut: int) -> Iterator[int]:
        for value in self._secrets:
            start = data.find(value, max(0, cut - len(value) + 1), cut + len(value) - 1)
            if start >= 0:
                yield start


def _begins(data: bytes, value: bytes) -> int:
    """Where the end of `data` may be the beginning of `value`; behind its last byte when nowhere."""
    start = max(0, len(data) - len(value) + 1)
    while (start := data.find(value[:1], start)) >= 0:
        if value.startswith(data[start:]):
            return start
        start += 1
    return len(data)


class Output:
    """The pipes of one child, and where what comes through them goes.

    Without a listener there is one pipe, for the log. With one, stderr has its own: lines of JSON over 4 KiB that share
    a pipe with something else may be torn (pipe(7), PIPE_BUF).
    """

    def __init__(
        self,
        child: Child,
        log: Log,
        mask: tuple[bytes, ...],
        heard: Tell | None,
        complained: Tell | None,
        *,
        unmasked: Tell | None = None,
    ) -> None:
        said, complaints = heard and Lines(heard), complained and Lines(complained)
        self._child, self._unmasked = child, unmasked
        self._lines = [lines for lines in (said, complaints) if lines]
        self._streams: dict[int, Masked] = {}
        if child.stdout:
            self._streams[child.stdout.fileno()] = Masked(mask, said.write if said else log.write)
        if child.stderr:
            told = (log.write, complaints.write) if complaints else (log.write,)
            self._streams[child.stderr.fileno()] = Masked(mask, *told)

    @property
    def pipes(self) -> tuple[int, ...]:
        return tuple(self._streams)

    @property
    def dropped(self) -> int:
        """How many lines were too long to be passed on."""
        return sum(lines.dropped for lines in self._lines)

    def read(self, pipe: int) -> bool:
        """Pass on what is in a pipe; False at its end."""
        data = os.read(pipe, CHUNK)
        if self._unmasked:
            self._unmasked(data)
        self._streams[pipe].write(data)
        return bool(data)

    def drain(self) -> None:
        """Pass on what is left in the pipes; nobody of ours can write to them any more."""
        for pipe, stream in self._streams.items():
            os.set_blocking(pipe, False)
            try:
                while self.read(pipe):
                    pass
            except BlockingIOError:
                pass
            stream.close()
        for lines in self._lines:
            lines.close()

    def close(self) -> None:
        for pipe in (self._child.stdout, self._child.stderr):
            if pipe:
                pipe.close()
