"""A small client program and its dialect: what the tests of the one runner act on."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from parallel_impl.agents import dialect
from parallel_impl.agents.agent import AgentJob, Resume
from parallel_impl.agents.budget import Budget, Tell
from parallel_impl.agents.client import Account, Client
from parallel_impl.agents.dialect import Judgement, LogIn, Setting, Settings, Start, Task
from parallel_impl.agents.seen import Seen
from parallel_impl.processes.launch import Launch, Limits, Stop
from parallel_impl.processes.process import Ended
from parallel_impl.record import activity
from parallel_impl.record.activity import Activity

KEY = "sk-fake-0123456789"
DONE = '{"did": "concluded", "ok": true}'
CALL = '{"did": "called", "tool": "bash", "call": "1"}'


@dataclass(frozen=True, slots=True)
class Fake:
    """The dialect of a shell script; its lines are activity already. `words` come before what it resumes."""

    script: str
    live: frozenset[Tell] = frozenset({Tell.CALLS})
    cumulative: frozenset[str] = frozenset()
    name: ClassVar[str] = "fake"
    provider: ClassVar[str] = "fakes"
    key: ClassVar[str] = "FAKE_KEY"
    tells: ClassVar[frozenset[Tell]] = frozenset(Tell)
    resumes: ClassVar[bool] = True
    follows: ClassVar[frozenset[Setting]] = frozenset(Setting)
    log_in: ClassVar[LogIn | None] = None
    version_after: ClassVar[str] = ""
    permissions: ClassVar[str] = "all"
    mode_flags: ClassVar[tuple[str, ...]] = ()

    def start(self, task: Task) -> Start:
        env = {"FAKE_KEY": task.key} if task.key else {}
        return Start(("sh", "-c", self.script, "fake", task.resume), env, files={"conf/fake.json": "{}"})

    def read(self, line: bytes) -> Iterable[Activity]:
        return activity.read([line])

    def complain(self, line: bytes) -> Iterable[Activity]:
        return dialect.complaint(line)

    def judge(self, seen: Seen, ended: Ended) -> Judgement:
        return dialect.by_last_word(seen, ended, word="conclusion")


@dataclass
class Desk:
    """Where a client works in a test."""

    folder: Path
    stop: Stop = field(default_factory=Stop)
    pids: list[int] = field(default_factory=list)

    def job(
        self,
        *,
        seconds: float = 60,
        silence: float | None = None,
        budget: Budget | None = None,
        resume: Resume | None = None,
        may_be_empty: bool = False,
        mask: tuple[bytes, ...] = (KEY.encode(),),
    ) -> AgentJob:
        worktree, attempt = self.folder / "worktree", self.folder / "attempt"
        for each in (worktree, attempt):
            each.mkdir(exist_ok=True)
        (attempt / "prompt.md").write_text("Do all of it.\n")
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder / "users"), "TMPDIR": str(self.folder)}
        return AgentJob(
            package_id="wp-a",
            change_id="c1",
            attempt=1,
            prompt_file=attempt / "prompt.md",
            result_file=attempt / "reported.json",
            log=attempt / "agent.log",
            launch=Launch(worktree, env, Limits(seconds, silence, grace_seconds=0.5), stop=self.stop, mask=mask),
            started=self.pids.append,
            home=self.folder / "home",
            activity=attempt / "activity.jsonl",
            raw=attempt / "agent.raw.jsonl",
            may_be_empty=may_be_empty,
            resume=resume,
            budget=budget or Budget(),
        )

    def resume(self, text: str = "It failed.\n", **spent: int) -> Resume:
        message = self.folder / "message.md"
        message.write_text(text)
        return Resume("s-1", message, activity.Usage(**spent))

    @property
    def happened(self) -> list[Activity]:
        """What the activity file of the attempt holds."""
        return list(activity.read((self.folder / "attempt/activity.jsonl").read_bytes().splitlines()))

    @property
    def raw(self) -> str:
        return (self.folder / "attempt/agent.raw.jsonl").read_text()


def client(
    script: str, *, key: str = "", live: bool = True, cumulative: Iterator[str] | tuple[str, ...] = ()
) -> Client:
    """A client that runs `script`: `$1` is the conversation to go on with."""
    kind = Fake(script, frozenset({Tell.CALLS}) if live else frozenset(), frozenset(cumulative))
    return Client("mine", kind, Settings(kind="fake"), Account("FAKE_KEY", key) if key else Account())


def say(**what: object) -> str:
    """The shell line that tells an activity."""
    return f"printf '%s\\n' '{json.dumps(what)}'"


PYTHON = sys.executable
