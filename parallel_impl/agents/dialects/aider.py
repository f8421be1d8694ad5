"""Aider, `aider --message-file` (seen: 0.86.2), best effort: it writes text for people, not events.

Facts that decide here: it ends with exit 0 after errors of the provider; it reports no tool calls; unless told not to,
it writes `.gitignore`, its history and a cache of tags into the worktree, which would be outside every scope; it wraps
its lines at the width of the terminal. Its last word is the count of tokens after an answer, or an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from parallel_impl.agents import dialect
from parallel_impl.agents.budget import Tell
from parallel_impl.agents.dialect import Judgement, LogIn, Setting, Start, Task
from parallel_impl.agents.refusals import refusal
from parallel_impl.agents.seen import Seen
from parallel_impl.processes.process import Ended
from parallel_impl.record.activity import (
    Activity,
    Changed,
    Complained,
    Concluded,
    Opened,
    Retrying,
    Said,
    Usage,
    Used,
    cut,
)

FIXED = (
    *("--message-file", "/dev/stdin", "--no-stream", "--no-pretty", "--no-fancy-input", "--no-suggest-shell-commands"),
    *("--no-check-update", "--no-show-release-notes", "--no-show-model-warnings", "--no-analytics", "--no-detect-urls"),
    *("--no-gitignore", "--chat-history-file", "/dev/null", "--input-history-file", "/dev/null", "--map-tokens", "0"),
)
MODE_FLAGS = ("--yes-always", "--no-yes-always")
MODEL = re.compile(r"(?:Main model|Model): (\S+) with ")
EDIT = re.compile(r"Applied edit to (.+)$")
FIGURE = r"\d[\d,]*(?:\.\d+)?"
TOKENS = re.compile(
    rf"Tokens: (?P<sent>{FIGURE}k?) sent.*?, (?P<received>{FIGURE}k?) received\.(?: Cost: \$(?P<cost>\d+\.\d+) )?",
    re.ASCII,
)
ERROR = re.compile(r"litellm\.(?P<kind>\w+): (?:litellm\.)?(?P=kind): (?P<why>.*)")
RETRY = re.compile(r"Retrying in (?P<wait>\d+(?:\.\d+)?) seconds", re.ASCII)


@dataclass(frozen=True, slots=True)
class Aider:
    """The dialect of Aider."""

    name: ClassVar[str] = "aider"
    provider: ClassVar[str] = ""
    key: ClassVar[str] = ""
    tells: ClassVar[frozenset[Tell]] = frozenset({Tell.TURNS, Tell.TOKENS, Tell.DOLLARS, Tell.RETRIES, Tell.LIMITS})
    live: ClassVar[frozenset[Tell]] = tells
    resumes: ClassVar[bool] = False
    cumulative: ClassVar[frozenset[str]] = frozenset()
    follows: ClassVar[frozenset[Setting]] = frozenset(Setting)
    log_in: ClassVar[LogIn | None] = None
    version_after: ClassVar[str] = "aider "
    permissions: ClassVar[str] = "yes-always: edits, no shell commands"
    mode_flags: ClassVar[tuple[str, ...]] = MODE_FLAGS

    def start(self, task: Task) -> Start:
        settings, key = task.settings, task.key
        argv = [*dialect.program(settings, self.name), *FIXED]
        argv += [] if dialect.changed_words(settings.args, MODE_FLAGS) else ["--yes-always"]
        argv += ["--model", settings.model] if settings.model else []
        argv += ["--reasoning-effort", settings.effort] if settings.effort else []
        env = {"COLUMNS": "10000", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        env |= {"OPENAI_API_BASE": settings.base_url} if settings.base_url else {}
        env |= {dialect.key_variable(self, settings): key} if key else {}
        return Start((*argv, *settings.args), {**env, **settings.env})

    def read(self, line: bytes) -> Iterator[Activity]:
        text = line.decode(errors="replace").rstrip()
        if found := MODEL.match(text):
            yield Opened(model=found[1])
        elif found := EDIT.match(text):
            yield Changed(paths=[found[1]])
        elif found := TOKENS.match(text):
            cost = found["cost"]
            usage = Usage(
                input=_count(found["sent"]),
                output=_count(found["received"]),
                dollars=float(cost) if cost else None,
                turns=1,
            )
            yield Used(usage=usage)
            yield Concluded(ok=True)
        elif found := ERROR.match(text):
            yield from _error(found["kind"], found["why"])
        elif found := RETRY.match(text):
            yield Retrying(wait=float(found["wait"]))
        elif text.startswith("The API provider"):  # advice after an error
            yield Complained(text=cut(text))
        elif text:
            yield Said(text=text)

    def complain(self, line: bytes) -> Iterable[Activity]:
        return dialect.complaint(line)

    def judge(self, seen: Seen, ended: Ended) -> Judgement:
        return dialect.by_last_word(seen, ended, word="count of tokens")


def _count(text: str) -> int:
    digits = text.replace(",", "")
    return round(float(digits.rstrip("k")) * 1000) if digits.endswith("k") else round(float(digits))


def _error(kind: str, why: str) -> Iterator[Activity]:
    yield Complained(text=cut(f"{kind}: {why}"))
    status = {"AuthenticationError": 401, "RateLimitError": 429}.get(kind, 0)
    if found := refusal(why, status=status):
        yield found
    yield Concluded(ok=False, why=cut(f"{kind}: {why}"))
