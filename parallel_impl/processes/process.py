"""One child process, watched from start to end: own session, closed stdin, masked and capped log, limits.

`run` returns only when nothing of the child is left: its group gets TERM, a grace, then KILL, and children that left
the group (double forks, `setsid`) are found as orphans of this process, which makes itself their subreaper, or by the
mark in their environment. From a PID namespace nothing can be left behind; asking what is in it to end goes through its
first process. Waiting costs no CPU: one `poll` on a pidfd, the output pipe and the stop signal.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from parallel_impl import storage
from parallel_impl.processes.namespace import Channel, Namespace
from parallel_impl.processes.procfs import children, descendants, environ, group_lives, session, start_time
from parallel_impl.text import masked

MARK = "PARALLEL_IMPL_JOB"
PR_SET_CHILD_SUBREAPER = 36
CHUNK = 1 << 16


class Reason(StrEnum):
    """Why a process is over."""

    EXITED = "exited"
    TIMEOUT = "timeout"
    SILENT = "silent"
    STOPPED = "stopped"
    NOT_STARTED = "not-started"


@dataclass(frozen=True, slots=True)
class Limits:
    """What one process may use: seconds in all, seconds without output (None: no limit), bytes kept of its log."""

    seconds: float
    silence_seconds: float | None = None
    log_bytes: int = 50_000_000
    grace_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended; `exit_code` is negative for a signal and None when it never started.

    `truncated`: the log was cut at its limit. `survivors`: processes that were left behind and ended by us.
    """

    reason: Reason
    exit_code: int | None
    seconds: float
    log_bytes: int = 0
    truncated: bool = False
    survivors: int = 0
    why: str = ""

    @property
    def clean(self) -> bool:
        """Whether the process ended by itself with exit code 0."""
        return self.reason is Reason.EXITED and self.exit_code == 0

    def __str__(self) -> str:
        if self.reason is Reason.NOT_STARTED:
            return f"could not be started: {self.why}"
        if self.reason is not Reason.EXITED:
            return f"ended by us ({self.reason}) after {self.seconds:.0f} s"
        code = self.exit_code or 0
        if code >= 0:
            return f"exit {code}"
        names = {int(number): number.name for number in signal.Signals}
        return f"killed by {names.get(-code, f'signal {-code}')}"


class Stop:
    """A signal that ends every process started with it; set once, from any thread or signal handler."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._set = False

    def set(self) -> None:
        """Ask all processes to end; a second call changes nothing."""
        if not self._set:
            self._set = True
            os.close(self._write)  # every poller of the read end is woken by the hang-up

    def __bool__(self) -> bool:
        return self._set

    def fileno(self) -> int:
        return self._read


_started: dict[int, int] = {}  # pid -> start time
_guard = threading.Lock()


def adopt_orphans() -> bool:
    """Become the parent of descendants whose parents die, so that none is lost; False where the system can't."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    limits: Limits,
    stop: Stop | None = None,
    mask: tuple[bytes, ...] = (),
    started: Callable[[int], None] | None = None,
    namespace: Namespace | None = None,
) -> Ended:
    """Run `argv` in `cwd` with exactly `env`, its output appended to `log`, and see it to its end.

    A program that cannot be started is `NOT_STARTED` with the reason, not an exception. `mask` lists byte
    strings that are written as `***`; `started` is told the pid as soon as there is one (in a `namespace`, that of
    the process which holds it: with it everything in there ends).
    """
    began = time.monotonic()
    mark = f"{os.getpid()}-{threading.get_ident()}-{time.monotonic_ns()}"
    channel = Channel() if namespace else None
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab", buffering=0) as file, channel or contextlib.nullcontext():
        try:
            with _guard:  # an orphan hunt must not take a child that was just started for an orphan
                child = subprocess.Popen(
                    namespace.around(argv, channel, limits.grace_seconds) if namespace and channel else list(argv),
                    cwd=cwd,
                    env={**env, MARK: mark},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                    pass_fds=(channel.theirs.fileno(),) if channel else (),
                    bufsize=0,
                )
                _started[child.pid] = start_time(child.pid)
        except (OSError, ValueError) as error:
            return _not_started(argv, getattr(error, "strerror", None) or str(error), file, began)
        output = _Log(file, limits.log_bytes, mask)
        ask = channel.hang_up if channel else (lambda: _signal_group(child.pid, signal.SIGTERM))
        try:
            if started:
                started(child.pid)
            reason = _watch(child, output, limits, stop, began)
            left = _end(child, mark, limits.grace_seconds if reason is not Reason.EXITED else 0.5, ask)
            _drain(child, output)
        finally:
            if child.poll() is None:  # an interruption, while a person still waits
                _end(child, mark, 0.5, ask)
            output.close()
            if child.stdout:
                child.stdout.close()
            with _guard:
                _started.pop(child.pid, None)
        code = child.returncode
        if channel:
            told = channel.told()
            if told.error:
                return _not_started(argv, os.strerror(told.error), file, began)
            if not told.started and reason is Reason.EXITED:
                return _not_started(argv, f"there was no PID namespace for it (unshare: exit {code})", file, began)
            code, left = -signal.SIGKILL if told.exit_code is None else told.exit_code, left + told.left
    return Ended(reason, code, time.monotonic() - began, output.written, output.truncated, left)


def _not_started(argv: Sequence[str], why: str, log: BinaryIO, began: float) -> Ended:
    why = f"{argv[0] if argv else '(empty command)'}: {why}"
    log.write(f"could not be started: {why}\n".encode(errors="replace"))
    return Ended(Reason.NOT_STARTED, None, time.monotonic() - began, why=why)


def _watch(child: subprocess.Popen[bytes], output: _Log, limits: Limits, stop: Stop | None, began: float) -> Reason:
    """Wait for the end of the child itself, copying its output; the reason why waiting is over."""
    assert child.stdout is not None  # noqa: S101  (Popen was given a pipe)
    pipe, ended = child.stdout.fileno(), _pidfd(child)
    poll = select.poll()
    for descriptor in (pipe, ended, stop.fileno() if stop is not None else None):
        if descriptor is not None:
            poll.register(descriptor, select.POLLIN)
    deadline, silence, heard = began + limits.seconds, limits.silence_seconds or math.inf, began
    try:
        while True:
            wait = max(0.0, min(deadline, heard + silence) - time.monotonic())
            longest = 3600.0 if ended is not None else 0.05  # without a pidfd the end is asked for, not told
            ready = {descriptor for descriptor, _ in poll.poll(int(min(wait, longest) * 1000) + 1)}
            if pipe in ready:
                heard = time.monotonic()
                if data := os.read(pipe, CHUNK):
                    output.write(data)
                else:
                    poll.unregister(pipe)
            if ended in ready or (ended is None and child.poll() is not None):
                child.wait()
                return Reason.EXITED
            if stop is not None and stop.fileno() in ready:
                return Reason.STOPPED
            if time.monotonic() >= deadline:
                return Reason.TIMEOUT
            if time.monotonic() >= heard + silence:
                return Reason.SILENT
    finally:
        if ended is not None:
            os.close(ended)


def _pidfd(child: subprocess.Popen[bytes]) -> int | None:
    try:
        return os.pidfd_open(child.pid)
    except (AttributeError, OSError):
        return None


def _end(child: subprocess.Popen[bytes], mark: str, grace: float, ask: Callable[[], None]) -> int:
    """End the child and every descendant that left its group; the number of processes left behind.

    `ask` asks all that can be reached together to end: the group, or what is in the namespace.
    """
    left = _others(child.pid, mark)
    alive = child.returncode is None
    if not alive and not left and not group_lives(child.pid):
        return 0
    for send, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 2.0)):
        ask() if send is signal.SIGTERM else _signal_group(child.pid, send)
        for pid in left:
            _signal(pid, send)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            child.poll()
            now = _others(child.pid, mark)
            left |= now
            _reap(now)
            if child.returncode is not None and not now and not group_lives(child.pid):
                return len(left)
            time.sleep(0.01)
    child.wait()
    return len(left)


def _others(group: int, mark: str) -> set[int]:
    """Living processes that came from this child: orphans that we adopted, and all below them."""
    found = {pid for pid in _orphans() if _is_from(pid, group, mark)}
    for pid in list(found):
        found |= descendants(pid)
    return found - {group}


def _orphans() -> set[int]:
    """Children of this process that `run` did not start: what it inherited as subreaper.

    Programs that this process starts otherwise (git) share its session; no descendant of a child of `run` can.
    """
    with _guard:
        found = children(os.getpid()) - _started.keys()
    return {pid for pid in found if session(pid) not in (None, os.getsid(0))}


def _is_from(pid: int, group: int, mark: str) -> bool:
    """Whether an orphan came from this child: by its process group, or the mark in its environment.

    One that cleared its environment is nobody else's if no other child that is still alive started before it.
    """
    with contextlib.suppress(OSError):
        if os.getpgid(pid) == group:
            return True
    variables = environ(pid)
    marks = [value for value in variables if value.startswith(f"{MARK}=".encode())]
    if marks:
        return f"{MARK}={mark}".encode() in marks
    with _guard:
        others = [began for child, began in _started.items() if child != group]
    return all(began > start_time(pid) for began in others)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or another user's: not ours to end
        os.killpg(group, number)


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _reap(pids: Iterable[int]) -> None:
    """Take the exit status of adopted orphans, which nobody else waits for."""
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _drain(child: subprocess.Popen[bytes], output: _Log) -> None:
    """Copy what is left in the pipe; nobody of ours can write to it any more."""
    assert child.stdout is not None  # noqa: S101
    pipe = child.stdout.fileno()
    os.set_blocking(pipe, False)
    try:
        while data := os.read(pipe, CHUNK):
            output.write(data)
    except BlockingIOError:
        pass


class _Log:
    """A log file with a size limit and masked secrets (also where a secret spans two reads)."""

    def __init__(self, file: BinaryIO, limit: int, mask: tuple[bytes, ...]) -> None:
        self._file, self._limit, self._mask = file, limit, mask
        self._keep = max((len(value) for value in mask), default=1) - 1
        self._tail = b""
        self.written = 0
        self.truncated = False

    def write(self, data: bytes) -> None:
        if self.truncated:
            return
        data = masked(self._tail + data, self._mask)
        cut = len(data) - self._keep
        self._tail = data[max(cut, 0) :]
        self._put(data[: max(cut, 0)])

    def _put(self, data: bytes) -> None:
        room = self._limit - self.written
        if len(data) > room:
            data, self.truncated = data[:room], True
        with storage.named(Path(self._file.name)):
            self._file.write(data)
            self.written += len(data)
            if self.truncated:
                self._file.write(f"\n[log cut at {self._limit} bytes]\n".encode())

    def close(self) -> None:
        if not self.truncated:
            self._put(self._tail)
        self._tail = b""
