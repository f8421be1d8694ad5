"""Ends a child with everything that came from it, whatever that did to leave it.

Children that left the group of a child (double forks, `setsid`) are found as orphans of this process, which makes
itself their parent, or by the mark in their environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import IO, Any

from parallel_impl.processes import cpu_time, procfs
from parallel_impl.processes.procfs import children_of_thread, descendants, environ, group_lives, session, start_time
from parallel_impl.views.slot import Contained, Entered, OpenView

MARK = "PARALLEL_IMPL_JOB"
LOWEST = 19  # priority
REAPED_SECONDS = 1.0  # apart: many watchers ask
Child = subprocess.Popen[bytes] | Entered

_started: dict[int, int] = {}  # pid -> start time, of what `start` started and `forget` has not forgotten
_parents: dict[int, threading.Event] = {}  # what ends the thread that started one with a lower priority
_guard = threading.RLock()
_reaped = 0.0


def adopt_orphans() -> bool:
    """Become the parent of descendants whose parents die, so that none is lost; False where the system can't."""
    return procfs.become_subreaper()


def start(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    mark: str,
    cwd: Path,
    stdin: int | IO[bytes],
    stderr: int,
    pass_fds: Sequence[int] = (),
    nice: int = 0,
    view: OpenView | None = None,
    contained: Contained | None = None,
) -> Child:
    """Start a child in a session of its own, and in this view, with `mark` in its environment; its stdout is a pipe.

    A mark that is in `env` already stays: an agent of ours starts its tools by this too, and they are the run's too.
    With `nice` its priority is that much lower from its first instruction on, and so is that of whatever it starts.
    """
    marks = " ".join([*env.get(MARK, "").split(), mark])
    with _guard:  # an orphan hunt must not take a child that was just started for an orphan
        how: dict[str, Any] = {"env": {**env, MARK: marks}, "cwd": cwd, "stdin": stdin, "stderr": stderr}
        how["pass_fds"] = pass_fds
        child: Child
        if view:
            child = view.start(argv, nice=nice, contained=contained, **how)
        else:
            given = {"args": argv, "stdout": subprocess.PIPE, "bufsize": 0, "start_new_session": True, **how}
            child = _start_lower(given, nice) if nice else subprocess.Popen(**given)
        if nice:
            _lower_session(child.pid, nice)
        _started[child.pid] = start_time(child.pid, ended=True)  # one that is over already too: 0 is older than all
    return child


def _start_lower(how: dict[str, Any], nice: int) -> subprocess.Popen[bytes]:
    """Start a child by a thread of lower priority, which the child inherits: a thread cannot raise its own again.

    The thread stays until the child is forgotten: a child may be bound to its parent thread (prctl(2), PDEATHSIG).
    """
    started, over = Future[subprocess.Popen[bytes]](), threading.Event()

    def parent() -> None:
        try:
            _lower(nice)
            started.set_result(subprocess.Popen(**how))
        except BaseException as error:  # for whoever asked for the child
            started.set_exception(error)
        else:
            over.wait()

    threading.Thread(target=parent, name="parent", daemon=True).start()
    child = started.result()
    _parents[child.pid] = over
    return child


def _lower_session(pid: int, nice: int) -> None:
    """Where sessions are scheduled as groups, the group's priority counts (sched(7), autogroup)."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(nice))


def _lower(nice: int) -> None:
    """Lower the priority of this thread; other systems than Linux know only that of the whole process."""
    if sys.platform == "linux":
        own = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, own, min(os.getpriority(os.PRIO_PROCESS, own) + nice, LOWEST))


def forget(child: Child) -> None:
    """A child has ended, and what came from it."""
    with _guard:
        _started.pop(child.pid, None)
        if parent := _parents.pop(child.pid, None):
            parent.set()


def poll(child: Child, *, wait: bool = False) -> int | None:
    """Its exit code, negative for a signal; None while it runs, unless that is waited for. Its CPU time is counted."""
    if child.returncode is None:
        try:
            found, status = cpu_time.reap(child.pid, 0 if wait else os.WNOHANG)
        except ChildProcessError:  # somebody else has reaped it
            return child.poll()
        if found:
            child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode


def end(child: Child, mark: str, grace: float, ask: Callable[[], None]) -> int:
    """End the child and every descendant that left its group; the number of living processes left behind.

    `ask` asks all that can be reached together to end: the group, or what is in the namespace.
    """
    _reap(_orphans())  # what has ended was not left behind
    left = _others(child.pid, mark)
    alive = child.returncode is None
    if not alive and not left and not group_lives(child.pid):
        return 0
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 2.0)):
        ask() if number is signal.SIGTERM else signal_group(child.pid, number)
        _signal(left, number)
        until = time.monotonic() + patience
        while time.monotonic() < until:
            poll(child)
            now = _others(child.pid, mark)
            left |= now
            _reap(now)
            if child.returncode is not None and not now and not group_lives(child.pid):
                return len(left)
            time.sleep(0.01)
    poll(child, wait=True)
    return len(left)


def end_all(find: Callable[[], Iterable[int]], *, patience: float) -> list[int]:
    """End what `find` finds until it finds nothing: TERM, after `patience` KILL; what still lives after twice that."""
    began = time.monotonic()
    while found := list(find()):
        if time.monotonic() > began + 2 * patience:
            return found
        _signal(found, signal.SIGTERM if time.monotonic() < began + patience else signal.SIGKILL)
        time.sleep(0.05)
    return []


def end_marked(mark: str, *, patience: float) -> None:
    """End what carries the mark in its environment: a child whose start was interrupted, so that no one has its pid."""
    end_all(lambda: procfs.with_variable(MARK, mark), patience=patience)


def reap_dead() -> None:
    """Reap orphans that have ended, which nobody else waits for. Asked often, it looks once a second."""
    global _reaped  # noqa: PLW0603  (one for all watchers)
    with _guard:
        if time.monotonic() >= _reaped + REAPED_SECONDS:
            _reaped = time.monotonic()
            _reap(_orphans())


def signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or another user's: not ours to end
        os.killpg(group, number)


def _signal(pids: Iterable[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _others(group: int, mark: str) -> set[int]:
    """Processes that came from this child: orphans that we adopted, and all below them."""
    found = {pid for pid in _orphans() if _is_from(pid, group, mark)}
    for pid in list(found):
        found |= descendants(pid)
    return found - {group}


def _orphans() -> set[int]:
    """Children of this process that `start` did not start: what it inherited as subreaper.

    The first thread has them. Programs that this process starts otherwise (git) share its session; no descendant of a
    child of `start` can.
    """
    with _guard:
        found = children_of_thread(os.getpid(), os.getpid()) - _started.keys()
    return {pid for pid in found if session(pid) not in (None, os.getsid(0))}


def _is_from(pid: int, group: int, mark: str) -> bool:
    """Whether an orphan came from this child: by its process group, or the mark in its environment.

    One that cleared its environment is nobody else's if it is younger than this child, and no other child that is
    still alive started before it.
    """
    with contextlib.suppress(OSError):
        if os.getpgid(pid) == group:
            return True
    variables = environ(pid)
    marks = [value.partition(b"=")[2].split() for value in variables if value.startswith(f"{MARK}=".encode())]
    if marks:
        return any(mark.encode() in each for each in marks)
    born = start_time(pid)
    with _guard:
        own = _started.get(group, 0)
        others = [began for child, began in _started.items() if child != group]
    return own <= born and all(began > born for began in others)


def _reap(pids: Iterable[int]) -> None:
    with _guard:  # a pid that is free again must not become that of a new child in between
        for pid in pids:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
