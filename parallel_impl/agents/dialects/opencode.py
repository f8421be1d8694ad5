"""OpenCode, `opencode run --format json` (seen: 1.18.33).

Facts that decide here: it has no last event, so the last step's reason is its last word; a limit is never on standard
output and it retries for ever, so its log is asked for on standard error; a call is reported only when it ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from parallel_impl.agents import dialect
from parallel_impl.agents.budget import Tell
from parallel_impl.agents.dialect import Judgement, LogIn, Setting, Settings, Start, Task
from parallel_impl.agents.dialects.fields import Fields
from parallel_impl.agents.refusals import refusal
from parallel_impl.agents.seen import Seen
from parallel_impl.processes.process import Ended
from parallel_impl.record.activity import (
    Activity,
    Answered,
    Called,
    Changed,
    Concluded,
    Denied,
    Opened,
    Retrying,
    Said,
    Usage,
    Used,
    cut,
)

MODE_FLAGS = ("--auto",)
KNOWN = ("anthropic", "openai", "google", "openrouter")  # providers whose package it knows by their name
ERROR = re.compile(r' error\.error="(?P<why>(?:[^"\\]|\\.)*)"')
REFUSED = re.compile(r"rejected permission|rule which prevents|unavailable tool", re.IGNORECASE)
WRITES = ("write", "edit", "patch", "multiedit")


def _logged_in(exit_code: int, output: bytes) -> bool:
    """It exits with 0 when there is no credential, and counts those of its file and of the environment."""
    counts = re.findall(rb"(\d+) (?:credential|environment variable)s?\b", output)
    return exit_code == 0 and any(int(count) for count in counts)


LOG_IN = LogIn(("auth", "list"), _logged_in)


@dataclass(frozen=True, slots=True)
class OpenCode:
    """The dialect of OpenCode. Its models are named `provider/model`."""

    name: ClassVar[str] = "opencode"
    provider: ClassVar[str] = ""
    key: ClassVar[str] = ""
    tells: ClassVar[frozenset[Tell]] = frozenset(Tell)
    live: ClassVar[frozenset[Tell]] = frozenset(Tell) - {Tell.CALLS}
    resumes: ClassVar[bool] = True
    cumulative: ClassVar[frozenset[str]] = frozenset()
    follows: ClassVar[frozenset[Setting]] = frozenset(Setting)
    log_in: ClassVar[LogIn | None] = LOG_IN
    version_after: ClassVar[str] = ""
    permissions: ClassVar[str] = "auto: everything that its configuration does not deny"
    mode_flags: ClassVar[tuple[str, ...]] = MODE_FLAGS

    def start(self, task: Task) -> Start:
        settings, key = task.settings, task.key
        argv = [
            *dialect.program(settings, self.name),
            "run",
            "--format",
            "json",
            "--print-logs",
            "--log-level",
            "ERROR",
        ]
        argv += [] if "--auto" in settings.args else ["--auto"]
        argv += ["-m", settings.model] if settings.model else []
        argv += ["--variant", settings.effort] if settings.effort else []
        argv += ["--session", task.resume] if task.resume else []
        env = {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_LSP_DOWNLOAD": "1"}
        variable = dialect.key_variable(self, settings) if key else ""
        env |= {variable: key} if key else {}
        if settings.base_url:
            env["OPENCODE_CONFIG_CONTENT"] = json.dumps(_provider(settings, variable))
        return Start((*argv, *settings.args), {**env, **settings.env})

    def read(self, line: bytes) -> Iterator[Activity]:
        event = Fields.of(line)
        part = event.at("part")
        match event.text("type"):
            case "step_start":
                yield Opened(session=event.text("sessionID"))
            case "text":
                yield Said(text=part.text("text"))
            case "tool_use":
                yield from _call(part)
            case "step_finish":
                yield from _step(part)
            case "error":
                yield from _error(event.at("error"))

    def complain(self, line: bytes) -> Iterable[Activity]:
        text = line.decode(errors="replace").strip()
        found = ERROR.search(text)
        if found is None:
            return [] if text.startswith("timestamp=") else dialect.complaint(line)
        if " agent=title " in text:  # a request of its own beside the work
            return []
        why = found["why"].replace('\\"', '"')
        limited = refusal(why)
        return [Retrying(why=cut(why)), *([limited] if limited else [])]

    def judge(self, seen: Seen, ended: Ended) -> Judgement:
        return dialect.by_last_word(seen, ended, word="last step")


def _provider(settings: Settings, key: str) -> dict[str, object]:
    """The configuration in which the model's provider is asked at `base_url`; another one's key is a variable."""
    name, _, model = settings.model.partition("/")
    options = {"baseURL": settings.base_url} | ({"apiKey": f"{{env:{key}}}"} if key else {})
    own: dict[str, object] = {} if name in KNOWN else {"npm": "@ai-sdk/openai-compatible", "models": {model: {}}}
    return {"provider": {name: {"options": options, **own}}}


def _call(part: Fields) -> Iterator[Activity]:
    state, tool, call = part.at("state"), part.text("tool"), part.text("callID")
    given, status = state.at("input"), state.text("status")
    answer = state.text("output") if status == "completed" else state.text("error")
    target = cut(given.first("filePath", "command", "pattern", "path", "url", "description", "tool"))
    if status not in ("completed", "error"):
        return
    yield Called(tool=tool, target=target, call=call)
    yield Answered(call=call, ok=status == "completed" and tool != "invalid", text=cut(answer))
    if (status == "error" or tool == "invalid") and REFUSED.search(answer):
        yield Denied(tool=tool, target=target, why=cut(answer))
    elif status == "completed" and tool in WRITES and given.text("filePath"):
        yield Changed(paths=[given.text("filePath")])


def _step(part: Fields) -> Iterator[Activity]:
    tokens, reason = part.at("tokens"), part.text("reason")
    usage = Usage(
        input=tokens.count("input"),
        output=tokens.count("output"),
        cache_read=tokens.count("cache", "read"),
        cache_write=tokens.count("cache", "write"),
        dollars=part.number("cost"),
        turns=1,
    )
    yield Used(usage=usage)
    if reason != "tool-calls":
        yield Concluded(ok=reason == "stop", why="" if reason == "stop" else reason)


def _error(error: Fields) -> Iterator[Activity]:
    text, status = error.text("data", "message") or error.text("name"), error.count("data", "statusCode") or 0
    # the text of the answer names the cause (insufficient_quota); people are shown the client's own
    found = refusal(f"{text} {error.text('data', 'responseBody')}", status=status)
    if found is not None:
        yield dialect.reworded(found, f"{text} (HTTP {status})" if status else text)
    yield Concluded(ok=False, why=cut(text))
