"""A PID namespace around one child process: what is in it ends with it, whatever it did to leave its parent.

A process may change its session and clear its environment, and then nothing tells whose it is; the kernel ends it with
its namespace all the same. The numbers of processes begin anywhere: programs take theirs for unique on the machine, and
two that replaced `file.<pid>` in one HOME at once damaged each other's. `find` asks once a run whether this machine
has such namespaces, by a real trial; `Channel` is the line to the first process of one.

Measured (util-linux 2.38, two cores): 1.5 ms for `unshare`, 18 ms for the first process, 60 ms for a trial.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

NAMESPACE_INIT = Path(__file__).with_name("namespace_init.py")
PID_NAMESPACE = ("--pid", "--fork", "--kill-child=KILL", "--mount-proc")
AS_ROOT = PID_NAMESPACE
AS_USER = ("--user", "--map-current-user", *PID_NAMESPACE)
# the first process may say where numbers begin; it gives the capabilities up before the program starts
AS_USER_WITH_CAPABILITIES = ("--keep-caps", *AS_USER)
PATIENCE = 5.0
# /proc is that of the namespace; then a process that nothing but its namespace could find
TRIAL = (
    "read pid rest </proc/self/stat; [ $pid = $$ ] || { echo '/proc is not its own'; exit 1; }; "
    "setsid env -i sh -c 'echo ready; exec sleep 60' & wait"
)


@dataclass(frozen=True, slots=True)
class Namespace:
    """How a program is started in a namespace of its own: the words that come before it."""

    words: tuple[str, ...]

    def around(self, argv: Sequence[str], channel: Channel, grace: float) -> list[str]:
        """The whole command for `argv`; `grace` is in seconds, between TERM and KILL after a hang-up."""
        first = (sys.executable, "-I", "-S", str(NAMESPACE_INIT), str(channel.theirs.fileno()), str(grace))
        return [*self.words, "--", *first, *argv]


@dataclass(frozen=True, slots=True)
class Found:
    """What this machine can do; `why` says why there is no namespace ("" when there is one).

    `equal_numbers` says why processes of all namespaces have the same numbers ("" when they begin anywhere).
    """

    namespace: Namespace | None
    why: str = ""
    equal_numbers: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """What a first process said: whether the program ran, its exit code, and how many processes it left behind.

    `error` is the number of the error that kept the program from starting (0: none), `equal_numbers` that of the one
    that kept the numbers of processes from beginning anywhere.
    """

    started: bool = False
    exit_code: int | None = None
    left: int = 0
    error: int = 0
    equal_numbers: int = 0


class Channel:
    """The line to a first process. `theirs` is its end, to be passed on; hanging up asks for the end of everything.

    It hangs up by itself when this process is killed: nothing else holds its end.
    """

    def __init__(self) -> None:
        self._ours, self.theirs = socket.socketpair()

    def __enter__(self) -> Channel:
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self.theirs.close()

    def hang_up(self) -> None:
        """Ask: TERM to everything in the namespace, and the end after the grace that it was started with."""
        with contextlib.suppress(OSError):  # it is over already
            self._ours.shutdown(socket.SHUT_WR)

    def told(self) -> Told:
        """What was said. To be asked when the process is over."""
        self._ours.setblocking(False)
        said = b""
        with contextlib.suppress(BlockingIOError):
            while data := self._ours.recv(4096):
                said += data
        told = Told()
        for line in said.decode().splitlines():
            match line.split():
                case ["equal-numbers", number]:
                    told = replace(told, equal_numbers=int(number))
                case ["started"]:
                    told = replace(told, started=True)
                case ["errno", number]:
                    told = replace(told, error=int(number))
                case ["exit", code, left]:
                    told = replace(told, started=True, exit_code=int(code), left=int(left))
        return told


def find() -> Found:
    """Whether programs can be started in PID namespaces here, as this user: tried, not guessed.

    One whose numbers begin anywhere is taken before any other.
    """
    program = shutil.which("unshare")
    if program is None:
        return Found(None, "there is no unshare on PATH (util-linux)")
    why, second_best = "", None
    for options in (AS_ROOT, AS_USER) if os.geteuid() == 0 else (AS_USER_WITH_CAPABILITIES, AS_USER):
        namespace = Namespace((program, *options))
        why, told = _trial(namespace)
        if not why and not told.equal_numbers:
            return Found(namespace)
        if not why:
            second_best = second_best or Found(namespace, equal_numbers=os.strerror(told.equal_numbers))
    return second_best or Found(None, why)


def _trial(namespace: Namespace) -> tuple[str, Told]:
    """Start a process that left its parent behind, end the namespace from outside: why it did not hold, or "".

    And what its first process said.
    """
    with (
        Channel() as channel,
        subprocess.Popen(
            namespace.around(["sh", "-c", TRIAL], channel, PATIENCE),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(channel.theirs.fileno(),),
            bufsize=0,
        ) as child,
    ):
        assert child.stdout is not None  # noqa: S101  (Popen was given a pipe)
        said = _read(child.stdout.fileno(), until=b"ready\n")
        child.kill()
        if not said.endswith(b"ready\n"):
            why = said.decode(errors="replace").strip().partition("\n")[0] or "unshare printed nothing"
        else:  # the pipe ends when nothing holds it any more
            why = "" if _read(child.stdout.fileno(), until=None) == b"" else "a process outlived its namespace"
        return why, channel.told()


def _read(pipe: int, *, until: bytes | None) -> bytes:
    """What comes through the pipe until it ends with `until`, or at its end; `b"?"` when it stays open too long."""
    data, deadline = b"", time.monotonic() + PATIENCE
    while until is None or not data.endswith(until):
        if not select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return data + b"?"
        more = os.read(pipe, 4096)
        if not more:
            return data
        data += more
    return data
