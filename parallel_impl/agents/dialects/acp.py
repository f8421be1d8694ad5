"""Any agent that speaks the Agent Client Protocol, through a driver program of ours.

The configuration names the agent's command line in `program`, the variable of its key in `key`, and in `provider` whose
limits hold for it. The key is in the agent's environment, because such an agent has no other door for it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from parallel_impl.agents import dialect
from parallel_impl.agents.budget import Tell
from parallel_impl.agents.dialect import Judgement, LogIn, Setting, Start, Task
from parallel_impl.agents.dialects import driven
from parallel_impl.agents.dialects.driven import DriverOrder
from parallel_impl.agents.seen import Seen
from parallel_impl.processes.process import Ended
from parallel_impl.record.activity import Activity

NOISE = (b"[session/create] ", b"[session/query] ")  # what claude-agent-acp tells of how long its start takes


@dataclass(frozen=True, slots=True)
class Acp:
    """The dialect of our driver of the protocol. Usage and cost are reported by those agents that know them."""

    name: ClassVar[str] = "acp"
    provider: ClassVar[str] = ""
    key: ClassVar[str] = ""
    tells: ClassVar[frozenset[Tell]] = frozenset({Tell.CALLS, Tell.DENIALS})
    live: ClassVar[frozenset[Tell]] = tells
    resumes: ClassVar[bool] = True  # an agent that cannot says so, and begins again
    cumulative: ClassVar[frozenset[str]] = frozenset()
    follows: ClassVar[frozenset[Setting]] = frozenset({Setting.MODEL})
    log_in: ClassVar[LogIn | None] = None
    version_after: ClassVar[str] = ""
    permissions: ClassVar[str] = "what it asks for within the write scope, each time once"
    mode_flags: ClassVar[tuple[str, ...]] = ()

    def start(self, task: Task) -> Start:
        settings = task.settings
        order = DriverOrder(
            program=(*shlex.split(settings.program), *settings.args),
            model=settings.model,
            write_allow=task.write_allow,
            deny=task.deny,
            resume=task.resume,
            seconds=task.seconds,
            turns=task.budget.turns,
        )
        variable = dialect.key_variable(self, settings) if task.key else ""
        env = {variable: task.key} if variable else {}
        return Start(driven.words(self.name), {**env, **settings.env}, before_prompt=driven.to_line(order))

    def read(self, line: bytes) -> Iterable[Activity]:
        return driven.read(line)

    def complain(self, line: bytes) -> Iterable[Activity]:
        return [] if line.startswith(NOISE) else dialect.complaint(line)

    def judge(self, seen: Seen, ended: Ended) -> Judgement:
        return driven.judge(seen, ended)
