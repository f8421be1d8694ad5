"""Runs the validators of contracts in a child process with limits, so that no document can hurt this one.

Used by `plan.contracts`. The child has an empty environment, a closed stdin, a process group of its own, limits
on CPU, memory, file size and wall time, and is killed as a group. (Not a session of its own: `process.run` takes
children of another session for orphans that an agent left behind, and ends them.) One child serves all contracts
of a plan (importing the validator takes half a second); after one that it did not survive, another serves the rest.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

MEMORY_MB = 1024  # of address space: an idle validator has 150 MB, 10 MB of JSON take 90 more
START_SECONDS = 30
SCAN_SECONDS = 0.25  # for each MB of a document: what reading and scanning it here has taken of its time
SCRIPT = Path(__file__).with_name("contract_validator.py")


@dataclass(frozen=True, slots=True)
class Job:
    """One document for a validator; `kind` is "openapi" or "schema", `document` is JSON text."""

    kind: str
    document: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a validator said of one document; `broken` is "" or why it said nothing: time, memory, import, crash."""

    errors: tuple[Mapping[str, Any], ...] = ()
    broken: str = ""


@dataclass(slots=True)
class _Round:
    """What one child got done, and how it ended."""

    verdicts: list[Verdict] = field(default_factory=list)
    end: str = ""


def validate(jobs: Sequence[Job], *, seconds: float) -> list[Verdict]:
    """One verdict for each job, in order; `seconds` is the time of each (scan and start-up included)."""
    found: list[Verdict] = []
    while len(found) < len(jobs):
        done = _round(jobs[len(found) :], seconds)
        found += done.verdicts
        if len(found) < len(jobs):
            found.append(Verdict(broken=done.end))
    return found


def _round(jobs: Sequence[Job], seconds: float) -> _Round:
    with tempfile.TemporaryFile() as file:
        for job in jobs:
            content = job.document.encode("utf-8", "surrogatepass")
            file.write(f"{job.kind} {len(content)} {_left(job, seconds)}\n".encode() + content)
        file.seek(0)
        kinds = sorted({job.kind for job in jobs})
        output, code = _run(file, _left(jobs[0], seconds), kinds, START_SECONDS + 2 * seconds * len(jobs))
    verdicts = list(_verdicts(output))[: len(jobs)]
    timed_out = code is None or -code in (signal.SIGALRM, signal.SIGXCPU, signal.SIGKILL)
    return _Round(verdicts, "time" if timed_out else "crash")


def _left(job: Job, seconds: float) -> float:
    return max(seconds / 2, seconds - SCAN_SECONDS * len(job.document) / 1e6)


def _run(file: IO[bytes], seconds: float, kinds: Sequence[str], patience: float) -> tuple[bytes, int | None]:
    """The child's output and exit code; None when it had to be ended because its own alarm did not."""
    arguments = (str(file.fileno()), str(seconds), str(MEMORY_MB), *kinds)
    child = subprocess.Popen(
        [sys.executable, "-I", str(SCRIPT), *arguments],
        cwd="/",
        env={},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=(file.fileno(),),
        process_group=0,
    )
    try:
        output, _ = child.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        _kill(child)
        return child.communicate()[0], None
    finally:
        _kill(child)
    return output, child.returncode


def _kill(child: subprocess.Popen[bytes]) -> None:
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _verdicts(output: bytes) -> Iterable[Verdict]:
    for line in output.split(b"\n"):
        try:
            value = json.loads(line)
        except ValueError:
            return  # a line that its end cut short
        if not isinstance(value, dict):
            return
        yield Verdict(tuple(value.get("errors", ())), str(value.get("broken", "")))
