"""One child process, watched from start to end: own session, masked and capped log, limits.

`run` returns only when nothing of the child is left: its group gets TERM, a grace, then KILL, and so does what left the
group (`processes.orphans`). From a PID namespace nothing can be left behind; asking what is in it to end goes through
its first process. Waiting costs next to no CPU: one `poll` on a pidfd, the output pipes and the stops.
"""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, BinaryIO

from parallel_impl import storage
from parallel_impl.processes import orphans, procfs
from parallel_impl.processes.launch import Launch
from parallel_impl.processes.namespace import NAMESPACE_INIT, Channel
from parallel_impl.processes.orphans import Child
from parallel_impl.processes.output import Log, Output, Tell
from parallel_impl.views.slot import Contained

GRACE_AFTER_EXIT = 0.5  # seconds, for what a program left behind


class Reason(StrEnum):
    """Why a process is over."""

    EXITED = "exited"
    TIMEOUT = "timeout"
    SILENT = "silent"
    STOPPED = "stopped"
    NOT_STARTED = "not-started"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended; `exit_code` is negative for a signal and None when it never started.

    `truncated`: the log was cut at its limit. `survivors`: processes that were left behind and ended by us. `dropped`:
    lines that were too long to be heard.
    """

    reason: Reason
    exit_code: int | None
    seconds: float
    log_bytes: int = 0
    truncated: bool = False
    survivors: int = 0
    dropped: int = 0
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


def run(
    argv: Sequence[str],
    launch: Launch,
    log: Path,
    *,
    stdin: Path | bytes | int | None = None,
    heard: Tell | None = None,
    complained: Tell | None = None,
    unmasked: Tell | None = None,
    progress: Callable[[float], float] | None = None,
    started: Callable[[int], None] | None = None,
) -> Ended:
    """Run `argv` as `launch` says, its output appended to `log`, and see it to its end.

    A program that cannot be started is `NOT_STARTED` with the reason, not an exception. `stdin` is a file, what is in
    one, or a descriptor of the caller's (else /dev/null). `heard` and `complained` are told whole masked lines of
    stdout and stderr, without their ends, in this thread; lines that are heard are not in the log. `unmasked` gets all
    output as it comes, with secrets: whoever reads a report in it writes that nowhere. `progress` gets the time of the
    last output and tells when (`time.monotonic`) the last progress was made, for the limit of silence. `started` is
    told the pid as soon as there is one (in a namespace, that of the process which holds it: with it everything in
    there ends). Whatever a callback raises ends the process and is raised here.
    """
    began = time.monotonic()
    mark = f"{os.getpid()}-{threading.get_ident()}-{time.monotonic_ns()}"
    log.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(storage.open_to_append(log))
        source = subprocess.DEVNULL if stdin is None else stdin if isinstance(stdin, int) else _opened(stdin, stack)
        channel = stack.enter_context(Channel()) if launch.namespace else None
        apart = bool(heard or complained)
        # Ctrl-C may come after the fork and before there is a pid to end
        stack.push(lambda raised, *_: orphans.end_marked(mark, patience=GRACE_AFTER_EXIT) if raised else None)
        try:
            child = _start(argv, launch, channel, mark, stdin=source, apart=apart)
        except (OSError, ValueError) as error:
            return _not_started(argv, getattr(error, "strerror", None) or str(error), file, began)
        written = Log(file, launch.limits.log_bytes)
        output = Output(child, written, launch.mask, heard, complained, unmasked=unmasked)
        ask = channel.hang_up if channel else (lambda: orphans.signal_group(child.pid, signal.SIGTERM))
        try:
            if started:
                started(child.pid)
            reason = _watch(child, output, launch, began, progress)
            grace = launch.limits.grace_seconds if reason is not Reason.EXITED else GRACE_AFTER_EXIT
            left = orphans.end(child, mark, grace, ask)
            output.drain()
        except BaseException:  # a bug in a callback, a full disk, an interruption: nothing goes on without us
            orphans.end(child, mark, GRACE_AFTER_EXIT, ask)
            raise
        finally:
            output.close()
            orphans.forget(child)
        code = child.returncode
        if channel:
            told = channel.told()
            if told.error:
                return _not_started(argv, os.strerror(told.error), file, began)
            if not told.started and reason is Reason.EXITED:
                return _not_started(argv, f"there was no PID namespace for it (unshare: exit {code})", file, began)
            code, left = -signal.SIGKILL if told.exit_code is None else told.exit_code, left + told.left
    seconds = time.monotonic() - began
    return Ended(reason, code, seconds, written.written, written.truncated, left, output.dropped)


def _opened(stdin: Path | bytes, stack: contextlib.ExitStack) -> IO[bytes]:
    """A file to read from, never a pipe: a child that does not read it blocks nobody."""
    file: IO[bytes] = stdin.open("rb") if isinstance(stdin, Path) else tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
    stack.enter_context(file)
    if isinstance(stdin, Path):
        return file
    with storage.named(Path(tempfile.gettempdir())):
        while stdin:
            stdin = stdin[file.write(stdin) :]
        file.seek(0)
    return file


def _start(
    argv: Sequence[str], launch: Launch, channel: Channel | None, mark: str, *, stdin: int | IO[bytes], apart: bool
) -> Child:
    contained, command = None, list(argv)
    if channel and launch.namespace:
        grace = launch.limits.grace_seconds
        if launch.view:  # there forks do what words and Python would have to be started for
            contained = Contained(NAMESPACE_INIT, channel.theirs.fileno(), grace)
        else:
            command = launch.namespace.around(argv, channel, grace)
    return orphans.start(
        command,
        env=launch.env,
        mark=mark,
        cwd=launch.cwd,
        stdin=stdin,
        stderr=subprocess.PIPE if apart else subprocess.STDOUT,
        pass_fds=(channel.theirs.fileno(),) if channel else (),
        nice=launch.nice,
        view=launch.view,
        contained=contained,
    )


def _not_started(argv: Sequence[str], why: str, log: BinaryIO, began: float) -> Ended:
    why = f"{argv[0] if argv else '(empty command)'}: {why}"
    with storage.named(Path(log.name)):
        log.write(f"could not be started: {why}\n".encode(errors="replace"))
    return Ended(Reason.NOT_STARTED, None, time.monotonic() - began, why=why)


def _watch(
    child: Child,
    output: Output,
    launch: Launch,
    began: float,
    progress: Callable[[float], float] | None,
) -> Reason:
    """Wait for the end of the child itself, copying its output; the reason why waiting is over."""
    ended, stops = procfs.pidfd(child.pid), {stop.fileno() for stop in launch.stops}
    poll = select.poll()
    for descriptor in (*output.pipes, *stops, *(() if ended is None else (ended,))):
        poll.register(descriptor, select.POLLIN)
    deadline, silence, last = began + launch.limits.seconds, launch.limits.silence_seconds or math.inf, began
    longest = 0.05 if ended is None else orphans.REAPED_SECONDS  # without a pidfd the end is asked for, not told
    try:
        while True:
            latest = max(began, progress(last)) if progress else last
            now = time.monotonic()
            if now >= deadline:
                return Reason.TIMEOUT
            if now >= latest + silence:
                return Reason.SILENT
            wait = min(deadline - now, latest + silence - now, longest)
            ready = {descriptor for descriptor, _ in poll.poll(int(wait * 1000) + 1)}
            for pipe in ready.intersection(output.pipes):
                last = time.monotonic()
                if not output.read(pipe):
                    poll.unregister(pipe)
            if ended in ready or (ended is None and orphans.poll(child) is not None):
                orphans.poll(child, wait=True)
                return Reason.EXITED
            if ready & stops:
                return Reason.STOPPED
            orphans.reap_dead()
    finally:
        if ended is not None:
            os.close(ended)
