"""The one runner for every agent that is a program with a dialect: it starts it, reads it, limits it, judges it.

Its activity and its own lines are kept in files of the attempt; what they add up to is in the `Worked`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from parallel_impl import storage
from parallel_impl.agents import dialect as dialects
from parallel_impl.agents.agent import AgentJob, Resume, Worked
from parallel_impl.agents.budget import Tell
from parallel_impl.agents.dialect import Dialect, Judgement, Settings, Task
from parallel_impl.agents.seen import PROGRESS, Seen
from parallel_impl.processes import procfs, progress
from parallel_impl.processes.launch import Launch, Stop
from parallel_impl.processes.output import Log
from parallel_impl.processes.process import Ended, run
from parallel_impl.record import activity
from parallel_impl.record.activity import Activity
from parallel_impl.record.codes import Failure
from parallel_impl.record.result import AgentRecord
from parallel_impl.text import useful

LARGEST = 50_000_000  # bytes of activity, and of the client's own lines
SHOWN = 5  # lines of a failure
# where package managers keep their caches below a HOME: those of the user serve an agent with a private one too
CACHES = {
    "UV_CACHE_DIR": ".cache/uv",
    "UV_PYTHON_INSTALL_DIR": ".local/share/uv/python",
    "PIP_CACHE_DIR": ".cache/pip",
    "npm_config_cache": ".npm",
}
GIT_CONFIG = (".gitconfig", ".config/git/config")


@dataclass(frozen=True, slots=True)
class Account:
    """Who pays for a client: the key in this variable, or ("") the log-in in the user's HOME.

    `seen`: the client said itself that somebody is logged in; otherwise it cannot be asked.
    """

    variable: str = ""
    key: str = field(default="", repr=False)
    seen: bool = False

    def __str__(self) -> str:
        if self.variable:
            return f"the key in {self.variable}"
        return "its log-in" if self.seen else "its log-in, which it cannot be asked about"


@dataclass(frozen=True, slots=True)
class Client:
    """The agent for every dialect."""

    name: str
    dialect: Dialect
    settings: Settings
    account: Account = field(default_factory=Account)
    version: str = ""
    starts_processes: ClassVar[bool] = True

    @property
    def record(self) -> AgentRecord:
        return AgentRecord(
            name=self.name,
            kind=self.dialect.name,
            program=self.settings.program or self.dialect.name,
            version=self.version,
            model=self.settings.model,
        )

    @property
    def provider(self) -> str:
        return dialects.provider(self.dialect, self.settings)

    @property
    def most(self) -> int:
        return self.settings.max

    @property
    def permissions(self) -> str:
        """What its tools may do, for people: the words of `args` where they change it."""
        return dialects.mode(self.dialect, self.settings)

    def work(self, job: AgentJob) -> Worked:
        """Run the client in the worktree; a conversation that cannot go on is begun again in the same attempt."""
        worked = self._work(job, job.resume)
        if job.resume and _never_opened(worked):
            why = worked.why.partition("\n")[0]
            note = f"the conversation {job.resume.session} could not go on ({why}): begun again"
            worked = replace(self._work(job, None), notes=(note,))
        return worked

    def _work(self, job: AgentJob, resume: Resume | None) -> Worked:
        home = job.home if self.account.key else None
        task = Task(
            settings=self.settings,
            key=self.account.key,
            home=home,
            write_allow=job.write_allow,
            deny=job.deny,
            resume=resume.session if resume else "",
            budget=job.budget,
            seconds=job.launch.limits.seconds,
            answer=job.answer,
        )
        start = self.dialect.start(task)
        if home:
            _furnish(home, start.files)
        prompt = resume.message if resume else job.prompt_file
        stdin = start.before_prompt + prompt.read_bytes() if start.before_prompt else prompt
        with ExitStack() as stack:
            files = [
                Log(stack.enter_context(storage.open_to_append(file)), LARGEST) for file in (job.activity, job.raw)
            ]
            listening = _Listening(self.dialect, job, files, self._spent(resume))
            ended = run(
                start.argv,
                self._launch(job, start.env, home, listening.stop),
                job.log,
                stdin=stdin,
                heard=listening.heard,
                complained=listening.complained,
                progress=listening.last_progress,
                started=listening.started,
            )
        return self._judge(job, listening, ended)

    def _spent(self, resume: Resume | None) -> activity.Usage:
        return dialects.spent(self.dialect, resume.spent) if resume else activity.Usage()

    def _launch(self, job: AgentJob, env: Mapping[str, str], home: Path | None, own: Stop) -> Launch:
        around = dict(job.launch.env)
        if home:
            around = _private(around, home)
        return replace(job.launch, env={**around, **env}, stop=(*job.launch.stops, own))

    def _judge(self, job: AgentJob, listening: _Listening, ended: Ended) -> Worked:
        seen, stopped = listening.seen, any(job.launch.stops)
        judgement = dialects.judge(
            self.dialect, seen, ended, over=listening.over, stopped=stopped, may_be_empty=job.may_be_empty
        )
        if not judgement.code:
            return Worked(ended, None, "", seen)
        why = _short(judgement, seen, useful("\n".join(seen.complaints)))
        return Worked(ended, Failure(judgement.code), f"{self.name}: {why}", seen)


class _Listening:
    """What a client tells while it works: kept, added up, and the reason to end it before it does so itself."""

    def __init__(self, dialect: Dialect, job: AgentJob, files: Sequence[Log], spent: activity.Usage) -> None:
        self.seen, self.over, self.stop = Seen(spent=spent), "", Stop()
        self._dialect, self._job, (self._kept, self._raw) = dialect, job, files
        self._tells = dialect.tells
        self._progress, self._pid = time.monotonic(), 0
        silence = job.launch.limits.silence_seconds or progress.WINDOW
        self._busy = progress.Busy(self._tools, silence)

    def started(self, pid: int) -> None:
        self._pid = pid
        self._job.started(pid)

    def heard(self, line: bytes) -> None:
        self._raw.write(line + b"\n")
        self._take(self._dialect.read(line))

    def complained(self, line: bytes) -> None:
        self._take(self._dialect.complain(line))

    def last_progress(self, _output: float) -> float:
        return max(self._progress, self._busy.look())

    def _take(self, happened: Iterable[Activity]) -> None:
        for one in happened:
            stamped = activity.stamped(one, round(time.time(), 3))
            self._kept.write(activity.to_line(stamped) + b"\n")
            self.seen = self.seen.after(stamped)
            if isinstance(one, PROGRESS):
                self._progress = time.monotonic()
        self._job.heard(self.seen)
        refused = self.seen.limited is not None and self.seen.limited.terminal
        self.over = self.over or ("" if self.seen.concluded else self._job.budget.exceeded(self.seen, self._tells))
        if refused or self.over:
            self.stop.set()

    def _tools(self) -> float | None:
        """The CPU-seconds of the client's tools, while one is open; what it uses itself (a spinner) is no progress."""
        told = Tell.CALLS in self._dialect.live
        if not self._pid or (told and not self.seen.open_calls):
            return None
        # in a namespace its holder and its first process come before the client
        return procfs.cpu_seconds(self._pid, above=3 if self._job.launch.namespace else 1)


def _never_opened(worked: Worked) -> bool:
    """Whether a client that was to go on with a conversation failed before it did anything in it."""
    seen = worked.seen
    return worked.code is Failure.AGENT_FAILED and not (seen.calls or seen.said or seen.usage.output)


def _furnish(home: Path, files: Mapping[str, str]) -> None:
    """Make the private HOME, which may come to hold what the client keeps of the key: nobody else reads it."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        storage.write(home / name, text.encode())


def _private(env: dict[str, str], home: Path) -> dict[str, str]:
    """The environment with another HOME: caches and git's configuration stay the user's own."""
    users = Path(env.get("HOME", "/nonexistent"))
    kept = {name: str(users / below) for name, below in CACHES.items()}
    # git reads one file where this is set; a person who has both mostly writes the first
    if own := next((users / name for name in GIT_CONFIG if (users / name).is_file()), None):
        kept["GIT_CONFIG_GLOBAL"] = str(own)
    return {**kept, **env, "HOME": str(home)}


def _short(judgement: Judgement, seen: Seen, printed: str) -> str:
    """The useful lines of a failure, at most five: its reason first, then the last complaints of the client."""
    told = useful(judgement.why, SHOWN).splitlines() or [judgement.code]
    more = [line for line in printed.splitlines() if not any(line in one or one in line for one in told)]
    denied = [f"denied: {one.tool} {one.target}".rstrip() for one in seen.denied[:1]]
    return "\n".join([*told, *denied, *more[-2:]][:SHOWN])
