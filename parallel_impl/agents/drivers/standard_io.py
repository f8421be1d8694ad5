"""What our driver programs read and write: an order and a prompt on stdin, one activity a line on stdout.

Nobody else may get the key which the order may hold: not a tool that looks into this process, nor one that opens what
this process had for stdin.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path

from parallel_impl.agents.dialects import driven
from parallel_impl.agents.dialects.driven import DriverOrder
from parallel_impl.processes import procfs
from parallel_impl.record import activity
from parallel_impl.record.activity import Activity, Concluded, cut

WRITTEN_FOR_US = ("PARALLEL_IMPL_RESULT_FILE", "PARALLEL_IMPL_REPORT_FILE")


def read() -> tuple[DriverOrder, str]:
    """The order and the prompt; ValueError when the first line is no order. Afterwards stdin is empty."""
    procfs.forbid_tracing()
    line, _, prompt = sys.stdin.buffer.read().partition(b"\n")
    _forget_stdin()
    return driven.from_line(line), prompt.decode(errors="replace")


def tell(happened: Activity) -> None:
    """Write one activity."""
    sys.stdout.buffer.write(activity.to_line(activity.stamped(happened, round(time.time(), 3))) + b"\n")
    sys.stdout.buffer.flush()


def conclude(why: str, *, ok: bool = False, code: str = "") -> int:
    """Write the last word, and return the exit code that goes with it."""
    tell(Concluded(ok=ok, why=cut(why), code=code))
    return 0 if ok else 1


def also_writable() -> tuple[Path, ...]:
    """The files outside the worktree that an agent is asked to write."""
    named = (os.environ.get(name) for name in WRITTEN_FOR_US)
    return tuple(Path(os.path.realpath(name)) for name in named if name)


def _forget_stdin() -> None:
    """Whoever may look at our descriptors could open stdin again, where it is a file: a nameless one is emptied."""
    found = os.fstat(0)
    if stat.S_ISREG(found.st_mode) and not found.st_nlink:
        os.ftruncate(0, 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
