"""What each client is to the one runner of agents that are programs: a dialect, which is pure.

A dialect says how its client is started, what a line of its output means and how it ended. It starts nothing and reads
no file, so that all of it is tested on recorded lines.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec

from parallel_impl.agents.budget import Budget, Tell
from parallel_impl.agents.refusals import refusal
from parallel_impl.agents.seen import Seen
from parallel_impl.config import AgentSettings
from parallel_impl.processes.process import Ended, Reason
from parallel_impl.record.activity import Activity, Complained, Limited, Usage, cut


class Setting(StrEnum):
    """A setting of an agent that not every client can follow."""

    MODEL = "model"
    EFFORT = "effort"
    BASE_URL = "base_url"


Settings = AgentSettings


@dataclass(frozen=True, slots=True)
class Task:
    """All that a start depends on: what was configured, and what a dialect needs of the job.

    `key` is the key itself; `home` the private HOME of the package, None: the user's own, with its log-in. `resume`:
    the conversation that goes on, "" for a fresh one. `budget`: what is left of it; clients count from their start.
    `seconds`: the wall-clock limit, for a driver to end in time. `answer`: the one file that is asked for ("": none).
    """

    settings: Settings
    key: str = ""
    home: Path | None = None
    write_allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    resume: str = ""
    budget: Budget = field(default_factory=Budget)
    seconds: float = 0.0
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Start:
    """How a program is started. `files` (relative path: text) are written below the private HOME first.

    On stdin comes `before_prompt` and then the prompt. `before_prompt` may hold the key: no file with a name has it.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    before_prompt: bytes = b""
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """How an attempt's agent ended: a failure code and its reason; no code when it says that it is done."""

    code: str = ""
    why: str = ""


DONE = Judgement()

KEYS = {  # the usual variables of providers, for clients that serve several
    "anthropic": "ANTHROPIC_API_KEY",
    "openai": "OPENAI_API_KEY",
    "google": "GOOGLE_GENERATIVE_AI_API_KEY",
    "gemini": "GEMINI_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
}


@dataclass(frozen=True, slots=True)
class LogIn:
    """How a client is asked whether somebody is logged in: `words` after its program, and what the answer means.

    `found` gets exit code and standard output. It proves that a log-in is there, not that it is valid.
    """

    words: tuple[str, ...]
    found: Callable[[int, bytes], bool]


NO_LOG_IN = LogIn((), lambda _code, _output: False)  # of an agent that needs a key


class Dialect(Protocol):
    """One kind of client. Everything here is data or pure."""

    @property
    def name(self) -> str:
        """The `kind` of the configuration, and the program unless the configuration names one."""

    @property
    def provider(self) -> str:
        """Whose limits hold for it; "": that depends on its settings (`provider`)."""

    @property
    def key(self) -> str:
        """The variable that usually holds its key; "": that depends on its settings (`key_variable`)."""

    @property
    def tells(self) -> frozenset[Tell]:
        """What it reports."""

    @property
    def live(self) -> frozenset[Tell]:
        """What of `tells` it reports while it works, not only at its end; tool calls: when they begin."""

    @property
    def follows(self) -> frozenset[Setting]:
        """Which settings it can follow; another one is an error of the configuration."""

    @property
    def resumes(self) -> bool:
        """Whether a conversation can go on."""

    @property
    def cumulative(self) -> frozenset[str]:
        """The fields of `Usage` that count the earlier starts of a resumed conversation again."""

    @property
    def log_in(self) -> LogIn | None:
        """How it is asked for a log-in; None when it cannot be asked. (`NO_LOG_IN`: there is none.)"""

    @property
    def version_after(self) -> str:
        """What stands before the version in what `--version` prints."""

    @property
    def permissions(self) -> str:
        """What its tools may do by default, for people."""

    @property
    def mode_flags(self) -> tuple[str, ...]:
        """The flags in `args` which replace that default."""

    def start(self, task: Task) -> Start:
        """How it is started."""

    def read(self, line: bytes) -> Iterable[Activity]:
        """The activity in one line of standard output; junk yields nothing and raises nothing."""

    def complain(self, line: bytes) -> Iterable[Activity]:
        """The same for one line of standard error."""

    def judge(self, seen: Seen, ended: Ended) -> Judgement:
        """Whether it says that it is done."""


def judge(
    dialect: Dialect, seen: Seen, ended: Ended, *, over: str = "", stopped: bool = False, may_be_empty: bool = False
) -> Judgement:
    """How an attempt's agent ended. `over`: the budget that it used up; `stopped`: the run asked it to end.

    What we did to it comes before what it says: a client that was ended has nothing to say, or something misleading
    (claude after SIGINT: exit 0). A terminal refusal of the provider comes before both: it costs no try.
    """
    if over:
        return Judgement("BUDGET_EXCEEDED", over)
    limited = None if seen.limited is None else Judgement(seen.limited.code, seen.limited.why)
    if limited is not None and seen.limited is not None and seen.limited.terminal:
        return limited
    if stopped:
        return Judgement("INTERRUPTED", str(ended))
    if ended.reason is Reason.TIMEOUT:
        return Judgement("TIMEOUT", str(ended))
    if ended.reason is Reason.SILENT:
        return limited or Judgement("SILENT", str(ended))
    if ended.reason is Reason.NOT_STARTED:
        return Judgement("AGENT_FAILED", str(ended))
    judgement = dialect.judge(seen, ended)
    if judgement.code == "AGENT_FAILED" and limited is not None:
        return limited
    if not judgement.code and not (seen.calls or seen.denied) and Tell.CALLS in dialect.tells and not may_be_empty:
        return Judgement("NO_WORK", f"it ended without using a single tool: {seen.last_word}".rstrip(": "))
    return judgement


def by_last_word(seen: Seen, ended: Ended, *, word: str) -> Judgement:
    """The judgement of a client that ends with a `word` (an event) of its own, and with exit code 0 when all is well.

    Exit code 0 alone means nothing: clients end so after errors and signals too.
    """
    if seen.concluded is None:
        refused = None if ended.clean else refusal("\n".join(seen.complaints))
        code = "AGENT_FAILED" if refused is None else refused.code
        return Judgement(code, "\n".join([*seen.complaints, f"it ended without its {word} ({ended})"]))
    if not seen.concluded.ok:
        return Judgement(
            seen.concluded.code or "AGENT_FAILED", seen.concluded.why or "\n".join(seen.complaints) or str(ended)
        )
    return DONE if ended.clean else Judgement("AGENT_FAILED", "\n".join([*seen.complaints, str(ended)]))


def spent(dialect: Dialect, earlier: Usage) -> Usage:
    """Of what earlier starts of a conversation used, that part which the client will count again (`Seen.spent`)."""
    return Usage(**{name: getattr(earlier, name) for name in dialect.cumulative})


def complaint(line: bytes) -> list[Activity]:
    """A line of standard error as it is; an empty one is nothing."""
    text = line.decode(errors="replace").strip()
    return [Complained(text=cut(text))] if text else []


def version(output: bytes, after: str) -> str:
    """The first word after `after` in the last line of `--version` that has it; "" when none has."""
    for line in reversed(output.decode(errors="replace").splitlines()):
        _, found, rest = line.partition(after) if after else ("", " ", line)
        if found and rest.strip():
            return rest.split()[0].rstrip(".")
    return ""


def reworded(limited: Limited, why: str) -> Limited:
    """The same refusal, in words that people can read."""
    return msgspec.structs.replace(limited, why=cut(why))


def program(settings: Settings, name: str) -> tuple[str, ...]:
    """The words that start the client itself; with `--version` or those of its log-in they ask it something."""
    return tuple(shlex.split(settings.program)) or (name,)


def provider(dialect: Dialect, settings: Settings) -> str:
    """Whose limits hold for an agent: clients that serve several providers name theirs in front of the model."""
    named, slash, _ = settings.model.partition("/")
    return settings.provider or dialect.provider or (named if slash else dialect.name)


def key_variable(dialect: Dialect, settings: Settings) -> str:
    """The variable that holds the agent's key: what is configured, else the usual one; "" when there is none."""
    return settings.key or dialect.key or KEYS.get(provider(dialect, settings), "")


def mode(dialect: Dialect, settings: Settings) -> str:
    """What the agent's tools may do, for people: what `args` say, else the dialect's default."""
    return " ".join(changed_words(settings.args, dialect.mode_flags)) or dialect.permissions


def unfollowed(dialect: Dialect, settings: Settings) -> list[Setting]:
    """The settings that this client would ignore."""
    given = {Setting.MODEL: settings.model, Setting.EFFORT: settings.effort, Setting.BASE_URL: settings.base_url}
    return [setting for setting, value in given.items() if value and setting not in dialect.follows]


def changed_words(args: Sequence[str], flags: Sequence[str]) -> tuple[str, ...]:
    """Those words of `args` that begin with one of `flags`, each with its value: what the user says instead of us."""
    found: list[str] = []
    for place, word in enumerate(args):
        if word.split("=", 1)[0] in flags:
            found.append(word)
            if "=" not in word and not "".join(args[place + 1 : place + 2]).startswith("-"):
                found += args[place + 1 : place + 2]
    return tuple(found)
