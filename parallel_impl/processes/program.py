"""One short program from start to end, at the least cost: `posix_spawn`, a pipe for what it prints, files for the rest.

For git, which is started a dozen times a package. Agents, steps and gates are started by `process`, which watches them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CHUNK = 1 << 20
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)  # which a program takes for granted
Action = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended: its exit code (negative for a signal), and what it printed."""

    code: int
    out: bytes
    err: bytes


class AbsentError(FileNotFoundError):
    """There is no such program on PATH."""


def run(argv: Sequence[str], environment: Mapping[str, str], *, input: bytes = b"", stdin: Path | None = None) -> Done:
    """Run `argv` with `environment` on top of our own; `stdin` is a file in the place of `input`.

    It has a process group of its own: Ctrl-C goes to the terminal's whole group, and must not fail what git is at. It
    shares our session. AbsentError when there is no such program.
    """
    whole = dict(os.environb) | {key.encode(): os.fsencode(value) for key, value in environment.items()}
    program = _find(argv[0], whole.get(b"PATH", os.fsencode(os.defpath)))
    with contextlib.ExitStack() as opened:
        with contextlib.ExitStack() as theirs:
            out, end = os.pipe()
            opened.callback(os.close, out)
            theirs.callback(os.close, end)
            complaints = _file(opened)
            ends = [_above_standard(each, theirs) for each in (_stdin(input, stdin, theirs), end, complaints)]
            actions = [(os.POSIX_SPAWN_DUP2, each, number) for number, each in enumerate(ends)]
            pid = _spawn(program, list(argv), whole, actions)
        printed, code = _wait(pid, out)
        size = os.fstat(complaints).st_size
        return Done(code, printed, os.pread(complaints, size, 0) if size else b"")


def _spawn(program: str, argv: list[str], environment: Mapping[bytes, bytes], actions: list[Action]) -> int:
    try:
        return os.posix_spawn(
            program, argv, environment, file_actions=actions, setpgroup=0, setsigdef=IGNORED_BY_PYTHON
        )
    except FileNotFoundError as error:  # it was there when it was looked up
        raise AbsentError(str(error)) from error


def _wait(pid: int, out: int) -> tuple[bytes, int]:
    try:
        parts = []
        while part := os.read(out, CHUNK):
            parts.append(part)
        return b"".join(parts), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except BaseException:  # an interruption: nothing of ours goes on beside the clearing up
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)  # on TERM git removes its lock files
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        raise


def _stdin(input: bytes, stdin: Path | None, opened: contextlib.ExitStack) -> int:
    if stdin or not input:
        given = os.open(stdin or os.devnull, os.O_RDONLY)
        opened.callback(os.close, given)
        return given
    given, left = _file(opened), memoryview(input)
    while left:
        left = left[os.write(given, left) :]
    os.lseek(given, 0, os.SEEK_SET)
    return given


def _above_standard(descriptor: int, opened: contextlib.ExitStack) -> int:
    """The same file under a number that no standard stream has: one of ours may be closed, and its number free."""
    if descriptor > 2:
        return descriptor
    higher = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    opened.callback(os.close, higher)
    return higher


def _file(opened: contextlib.ExitStack) -> int:
    """A file without a name: in memory, where this system has such files."""
    if not hasattr(os, "memfd_create"):
        return opened.enter_context(tempfile.TemporaryFile(buffering=0)).fileno()
    descriptor = os.memfd_create("program")
    opened.callback(os.close, descriptor)
    return descriptor


@cache
def _find(name: str, path: bytes) -> str:
    found = shutil.which(name, path=os.fsdecode(path))
    if found is None:
        raise AbsentError(f"{name} is not on PATH")
    return found
