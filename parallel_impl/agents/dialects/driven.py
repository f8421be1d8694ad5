"""What the dialects of our own driver programs share: their order on stdin, and activity as their lines.

A driver is started like any other client. The first line that it reads on stdin is its order, as JSON, the rest is the
prompt; each line that it writes is an activity. So the run's process imports no SDK, and a key that the driver itself
uses is in no environment and no argument.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import msgspec

from parallel_impl.agents import dialect
from parallel_impl.agents.dialect import Judgement
from parallel_impl.agents.seen import Seen
from parallel_impl.processes.process import Ended
from parallel_impl.record import activity
from parallel_impl.record.activity import Activity

DRIVERS = "parallel_impl.agents.drivers"


class DriverOrder(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a driver is asked to do; `program` is the client that `acp` drives, `key` is for the SDK's own requests.

    `seconds`, `turns`, `tokens` and `dollars` are limits, 0: none; `resume` names the conversation that goes on.
    `answer` is the one file that is asked for ("": it works on a package).
    """

    program: tuple[str, ...] = ()
    model: str = ""
    effort: str = ""
    base_url: str = ""
    key: str = ""
    write_allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    resume: str = ""
    seconds: float = 0.0
    turns: int = 0
    tokens: int = 0
    dollars: float = 0.0
    answer: str = ""


def to_line(order: DriverOrder) -> bytes:
    """The first line of the driver's stdin, with its newline."""
    return msgspec.json.encode(order) + b"\n"


def from_line(line: bytes) -> DriverOrder:
    """The order in that line; ValueError for anything else."""
    return msgspec.json.decode(line, type=DriverOrder)


def words(driver: str) -> tuple[str, ...]:
    """How a driver is started. `-P`: the worktree, which is its folder, must not shadow a module."""
    return (sys.executable, "-P", "-m", f"{DRIVERS}.{driver}")


def read(line: bytes) -> Iterable[Activity]:
    """The activity in a line; a driver's traceback goes to standard error."""
    return activity.read([line])


def judge(seen: Seen, ended: Ended) -> Judgement:
    """A driver ends with an activity that concludes."""
    return dialect.by_last_word(seen, ended, word="conclusion")
