"""Our own agent on the `anthropic` SDK, for people who have a key and no client: a driver program of ours."""

from __future__ import annotations

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

MODEL = "claude-opus-5-5"


@dataclass(frozen=True, slots=True)
class Anthropic:
    """The dialect of our driver of the SDK. It reports no dollars: prices are not in the provider's answers."""

    name: ClassVar[str] = "anthropic"
    provider: ClassVar[str] = "anthropic"
    key: ClassVar[str] = "ANTHROPIC_API_KEY"
    tells: ClassVar[frozenset[Tell]] = frozenset(Tell) - {Tell.DOLLARS}
    live: ClassVar[frozenset[Tell]] = tells
    resumes: ClassVar[bool] = False
    cumulative: ClassVar[frozenset[str]] = frozenset()
    follows: ClassVar[frozenset[Setting]] = frozenset(Setting)
    log_in: ClassVar[LogIn | None] = dialect.NO_LOG_IN
    version_after: ClassVar[str] = ""
    permissions: ClassVar[str] = "file tools within the write scope, bash"
    mode_flags: ClassVar[tuple[str, ...]] = ()

    def start(self, task: Task) -> Start:
        settings = task.settings
        order = DriverOrder(
            model=settings.model or MODEL,
            effort=settings.effort,
            base_url=settings.base_url,
            key=task.key,
            write_allow=task.write_allow,
            deny=task.deny,
            seconds=task.seconds,
            turns=task.budget.turns,
            tokens=task.budget.tokens,
            answer=task.answer,
        )
        argv = (*driven.words(self.name), *settings.args)
        return Start(argv, dict(settings.env), before_prompt=driven.to_line(order))

    def read(self, line: bytes) -> Iterable[Activity]:
        return driven.read(line)

    def complain(self, line: bytes) -> Iterable[Activity]:
        return dialect.complaint(line)

    def judge(self, seen: Seen, ended: Ended) -> Judgement:
        return driven.judge(seen, ended)
