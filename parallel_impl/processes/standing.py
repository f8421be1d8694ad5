"""A short program that stays, to be asked again and again: a process for each question is often all that it costs.

It ends with this process, however that ends: nothing else holds the other end of its stdin.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from parallel_impl.processes import program

CHUNK = 1 << 16
LARGEST = 4_000  # bytes: a pipe takes so many at once wherever it is


class EndedError(Exception):
    """The program ended in the place of an answer: its exit code (negative for a signal), and what it complained."""

    def __init__(self, code: int, err: bytes) -> None:
        super().__init__(code, err)
        self.code, self.err = code, err


@dataclass(frozen=True, slots=True)
class _Child:
    """A program at work: its pid, the other ends of its stdin and stdout, the file of its stderr."""

    pid: int
    given: int
    printed: int
    complaints: int


class StandingProgram:
    """One program at a time; threads take turns. It is started when it is first asked, and after it has ended."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._child: _Child | None = None
        self._made_of: object = None

    def ask(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        request: bytes,
        *,
        answered: Callable[[bytes], bool],
        made_of: object,
    ) -> bytes:
        """What the program prints after this request, as far as that is `answered` by it.

        A request fits into a pipe (`LARGEST`).

        Where `made_of` is another one than before, another program is started with these arguments and environment.
        EndedError when it ends before it has answered; what it did with the request is not known then.
        """
        with self._guard:
            if self._child and made_of != self._made_of:
                self._end(self._child)
            child = self._child or self._start(argv, environment, made_of)
            try:
                return _exchange(child, request, answered)
            except EOFError:
                raise self._end(child) from None
            except BaseException:  # an interruption: it must not go on with what it was asked
                os.kill(child.pid, signal.SIGTERM)
                self._end(child)
                raise

    def close(self) -> None:
        """End the program; it is started again where it is asked again."""
        with self._guard:
            if child := self._child:
                self._end(child)

    def __del__(self) -> None:
        self.close()

    def _start(self, argv: Sequence[str], environment: Mapping[str, str], made_of: object) -> _Child:
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            given, stdin = _pipe(ours, theirs, ours_is=1)
            printed, stdout = _pipe(ours, theirs, ours_is=0)
            complaints = program.file_without_name(ours)
            pid = program.spawn(argv, environment, (stdin, stdout, complaints))
            ours.pop_all()
        self._made_of = made_of
        self._child = _Child(pid, given, printed, complaints)
        return self._child

    def _end(self, child: _Child) -> EndedError:
        """Hang up, and wait for its end."""
        self._child = None
        os.close(child.given)
        os.close(child.printed)
        _, status = os.waitpid(child.pid, 0)
        ended = EndedError(os.waitstatus_to_exitcode(status), program.content(child.complaints))
        os.close(child.complaints)
        return ended


def _pipe(ours: contextlib.ExitStack, theirs: contextlib.ExitStack, *, ours_is: int) -> tuple[int, int]:
    """Our end of a pipe, and the program's."""
    ends = os.pipe()
    ours.callback(os.close, ends[ours_is])
    theirs.callback(os.close, ends[1 - ours_is])
    return ends[ours_is], ends[1 - ours_is]


def _exchange(child: _Child, request: bytes, answered: Callable[[bytes], bool]) -> bytes:
    """Write a request and read what answers it; EOFError when the program has ended."""
    try:
        left = memoryview(request)
        while left:
            left = left[os.write(child.given, left) :]
    except BrokenPipeError:
        raise EOFError from None
    answer = b""
    while not answered(answer):
        part = os.read(child.printed, CHUNK)
        if not part:
            raise EOFError
        answer += part
    return answer
