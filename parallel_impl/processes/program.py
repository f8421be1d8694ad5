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

from parallel_impl.processes import cpu_time

CHUNK = 1 << 20
IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)  # which a program takes for granted


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
    with contextlib.ExitStack() as opened:
        with contextlib.ExitStack() as theirs:
            out, end = os.pipe()
            opened.callback(os.close, out)
            theirs.callback(os.close, end)
            complaints = file_without_name(opened)
            pid = spawn(argv, environment, (_stdin(input, stdin, theirs), end, complaints))
        printed, code = _wait(pid, out)
        return Done(code, printed, content(complaints))


def spawn(argv: Sequence[str], environment: Mapping[str, str], ends: tuple[int, int, int]) -> int:
    """Start `argv` as `run` does, with these descriptors for its stdin, stdout and stderr; its pid.

    Whoever calls this waits for it.
    """
    whole = dict(os.environb) | {key.encode(): os.fsencode(value) for key, value in environment.items()}
    program = find(argv[0], os.fsdecode(whole.get(b"PATH", os.fsencode(os.defpath))))
    with contextlib.ExitStack() as theirs:
        above = [_above_standard(each, theirs) for each in ends]
        actions = [(os.POSIX_SPAWN_DUP2, each, number) for number, each in enumerate(above)]
        try:
            return os.posix_spawn(
                program, list(argv), whole, file_actions=actions, setpgroup=0, setsigdef=IGNORED_BY_PYTHON
            )
        except FileNotFoundError as error:  # it was there when it was looked up
            raise AbsentError(str(error)) from error


def content(file: int) -> bytes:
    """All that was written to a file."""
    size = os.fstat(file).st_size
    return os.pread(file, size, 0) if size else b""


def _wait(pid: int, out: int) -> tuple[bytes, int]:
    try:
        parts = []
        while part := os.read(out, CHUNK):
            parts.append(part)
        return b"".join(parts), os.waitstatus_to_exitcode(cpu_time.reap(pid)[1])
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
    given, left = file_without_name(opened), memoryview(input)
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


def file_without_name(opened: contextlib.ExitStack) -> int:
    """A file that ends with its last descriptor: in memory, where this system has such files."""
    if not hasattr(os, "memfd_create"):
        return opened.enter_context(tempfile.TemporaryFile(buffering=0)).fileno()
    descriptor = os.memfd_create("program")
    opened.callback(os.close, descriptor)
    return descriptor


@cache
def find(name: str, path: str) -> str:
    """Where a program lies, looked up once; AbsentError when it is in none of the folders of `path`."""
    found = shutil.which(name, path=path)
    if found is None:
        raise AbsentError(f"{name} is not on PATH")
    return found
