"""gemini-cli, `gemini -o stream-json` (seen: 0.61.0).

Facts that decide here: retries and 429 are on standard error only; SIGTERM ends with exit 0 and without a `result`;
it repeats the whole prompt on standard output; with a base URL it asks for an authentication type of that name unless
its settings choose the key; errors carry the provider's JSON inside their text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from parallel_impl.agents import dialect
from parallel_impl.agents.budget import Tell
from parallel_impl.agents.dialect import Judgement, LogIn, Setting, Start, Task
from parallel_impl.agents.dialects.fields import Fields
from parallel_impl.agents.refusals import refusal
from parallel_impl.agents.seen import Seen
from parallel_impl.processes.process import Ended
from parallel_impl.record.activity import (
    Activity,
    Answered,
    Called,
    Complained,
    Concluded,
    Denied,
    Opened,
    Retrying,
    Said,
    Usage,
    Used,
    cut,
)

MODE_FLAGS = ("--approval-mode", "--yolo", "-y")
SETTINGS = {
    "security": {"auth": {"selectedType": "gemini-api-key"}},
    "privacy": {"usageStatisticsEnabled": False},
    "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
}
ATTEMPT = re.compile(r"Attempt \d+ failed(?: with status (?P<status>\d{3}))?")
FRAME = "[API Error: "
REFUSED = re.compile(r"denied|not within|not allowed|policy|not in workspace", re.IGNORECASE)
NOISE = (
    "[STARTUP]",
    "YOLO mode",
    "Warning: ",
    "Ripgrep is not available",
    "at ",
    "status: ",
    "}",
    "Loaded cached credentials",
)


@dataclass(frozen=True, slots=True)
class Gemini:
    """The dialect of gemini-cli."""

    name: ClassVar[str] = "gemini"
    provider: ClassVar[str] = "google"
    key: ClassVar[str] = "GEMINI_API_KEY"
    tells: ClassVar[frozenset[Tell]] = frozenset(Tell) - {Tell.DOLLARS, Tell.TURNS}
    live: ClassVar[frozenset[Tell]] = frozenset({Tell.CALLS, Tell.DENIALS, Tell.RETRIES, Tell.LIMITS})
    resumes: ClassVar[bool] = False
    cumulative: ClassVar[frozenset[str]] = frozenset()
    follows: ClassVar[frozenset[Setting]] = frozenset({Setting.MODEL, Setting.BASE_URL})
    log_in: ClassVar[LogIn | None] = None
    version_after: ClassVar[str] = ""
    permissions: ClassVar[str] = "yolo: everything"
    mode_flags: ClassVar[tuple[str, ...]] = MODE_FLAGS

    def start(self, task: Task) -> Start:
        settings, key, home = task.settings, task.key, task.home
        argv = [*dialect.program(settings, self.name), "-o", "stream-json", "--skip-trust"]
        if not dialect.changed_words(settings.args, MODE_FLAGS):
            argv += ["--approval-mode", "yolo"]
        argv += ["-m", settings.model] if settings.model else []
        env = {"GOOGLE_GEMINI_BASE_URL": settings.base_url} if settings.base_url else {}
        env |= {"GEMINI_API_KEY": key} if key else {}
        files = {".gemini/settings.json": json.dumps(SETTINGS)} if home and key else {}
        return Start((*argv, *settings.args), {**env, **settings.env}, files=files)

    def read(self, line: bytes) -> Iterator[Activity]:
        event = Fields.of(line)
        match event.text("type"):
            case "init":
                yield Opened(session=event.text("session_id"), model=event.text("model"))
            case "message" if event.text("role") == "assistant" and event.text("content"):
                yield Said(text=event.text("content"))
            case "tool_use":
                yield from _called(event)
            case "tool_result":
                yield from _answered(event)
            case "error":
                yield Complained(text=cut(event.text("message")))
            case "result":
                yield from _result(event)

    def complain(self, line: bytes) -> Iterable[Activity]:
        text = line.decode(errors="replace").strip()
        if found := ATTEMPT.search(text):
            status = int(found["status"] or 0)
            head, _, error = text.partition(" _ApiError: ")
            why = f"{head} {_plain(error)}".strip()
            limited = refusal(why, status=status)
            return [Retrying(status=status, why=cut(why)), *([limited] if limited else [])]
        return [] if text.startswith(NOISE) else dialect.complaint(line)

    def judge(self, seen: Seen, ended: Ended) -> Judgement:
        return dialect.by_last_word(seen, ended, word="result event")


def _called(event: Fields) -> Iterator[Activity]:
    given = event.at("parameters")
    target = cut(given.first("file_path", "command", "pattern", "path", "query", "prompt"))
    yield Called(tool=event.text("tool_name"), call=event.text("tool_id"), target=target)


def _answered(event: Fields) -> Iterator[Activity]:
    error, ok = event.text("error", "message"), event.text("status") == "success"
    call = event.text("tool_id")
    yield Answered(call=call, ok=ok, text=cut(event.text("output") or error))
    if not ok and REFUSED.search(f"{event.text('error', 'type')} {error}"):
        yield Denied(tool=call.split("__", 1)[0], why=cut(error))


def _result(event: Fields) -> Iterator[Activity]:
    stats, error = event.at("stats"), event.text("error", "message")
    usage = Usage(input=stats.count("input"), output=stats.count("output_tokens"), cache_read=stats.count("cached"))
    yield Used(whole=True, usage=usage)
    text = _plain(error)
    if found := refusal(error):
        yield dialect.reworded(found, text)
    yield Concluded(ok=event.text("status") == "success", why=cut(text))


def _plain(error: str) -> str:
    """The text of an error without the client's frame and the JSON of the provider around it."""
    body = error.removeprefix(FRAME)
    inner = Fields.of(body.removesuffix("]")).text("error", "message")
    return inner or (body.replace("]", "", 1) if body != error else error)
