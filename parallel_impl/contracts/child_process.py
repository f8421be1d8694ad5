"""Asks a child process with limits about contracts.

It has an empty environment, a process group of its own, and limits on CPU, memory, file size and time. (Not a session
of its own: `processes.process.run` takes children of another session for orphans of an agent, and ends them.)
Importing the validator takes half a second, so one child serves all; after a document that ended it, another.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from parallel_impl.errors import Problem, Severity

MEMORY_MB = 1024  # of address space: an idle validator has 150 MB, 10 MB of JSON take 90 more
SERVED_BYTES = 16 * 2**20  # of other files that one document refers to
MARGIN = 30.0  # seconds in which a child must have ended after its own alarm
SCRIPT = Path(__file__).with_name("child.py")
# which of its validators the library uses would else depend on what else is installed
ENVIRONMENT = {"OPENAPI_SPEC_VALIDATOR_SCHEMA_VALIDATOR_BACKEND": "jsonschema"}

Read = Callable[[str], bytes | None]


@dataclass(frozen=True, slots=True)
class DocumentVerdict:
    """The problems of one document; or why it was not checked: time, crash, the name of an exception."""

    problems: tuple[Problem, ...] = ()
    broken: str = ""


def check(documents: Iterable[tuple[str, bytes]], read: Read, *, seconds: float) -> Iterator[DocumentVerdict]:
    """One verdict for each document (its path and content), in order; `seconds` is the time of each."""
    child = None
    try:
        for path, content in documents:
            child = child if child and child.poll() is None else _start()
            yield _ask(child, path, content, read, seconds) or DocumentVerdict(broken=_ended_by(child))
    finally:
        if child:
            _close(child)


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-B", str(SCRIPT)], cwd="/", env=ENVIRONMENT, process_group=0,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _ask(
    child: subprocess.Popen[bytes], path: str, content: bytes, read: Read, seconds: float
) -> DocumentVerdict | None:
    """The child's verdict, its questions for other files answered; None when it ended without one."""
    assert child.stdin and child.stdout  # noqa: S101
    served = 0
    alarm = threading.Timer(seconds + MARGIN, child.kill)
    alarm.start()
    try:
        _send(child.stdin, json.dumps([path, len(content), seconds, MEMORY_MB]), content)
        for line in child.stdout:
            said = json.loads(line)
            if "read" not in said:
                found = (Problem(**{**one, "severity": Severity(one["severity"])}) for one in said.get("problems", ()))
                return DocumentVerdict(tuple(found), said.get("broken", ""))
            other = read(said["read"])
            served += len(other or b"")
            other = other if served <= SERVED_BYTES else None
            _send(child.stdin, "-1" if other is None else str(len(other)), other or b"")
    except (OSError, ValueError):
        pass  # it ended while we wrote, or its last line was cut short
    finally:
        alarm.cancel()
    return None


def _send(pipe: IO[bytes], header: str, content: bytes) -> None:
    pipe.write(header.encode() + b"\n" + content)
    pipe.flush()


def _ended_by(child: subprocess.Popen[bytes]) -> str:
    """By what a child ended that gave no answer."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        child.wait(timeout=5)
    _close(child)
    return "time" if -child.wait() in (signal.SIGALRM, signal.SIGXCPU, signal.SIGKILL) else "crash"


def _close(child: subprocess.Popen[bytes]) -> None:
    child.kill()  # it has no children: starting any is refused to it
    with contextlib.suppress(OSError), child:  # closes its pipes
        pass
