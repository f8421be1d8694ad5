"""GitHub Copilot CLI, `copilot --output-format json` (seen: 1.0.102).

Facts that decide here: the prompt is read from standard input where no `-p` is given; a base URL makes it use that
provider, without GitHub; `model.call_failure` carries status and text of every refusal, also of those it retries for
ever (quota); the last event is `result`, which SIGTERM leaves out. It reports no tokens.
"""

from __future__ import annotations

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
    Changed,
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

NOISE = b"Package extraction took "
MODE_FLAGS = ("--allow-all-tools", "--allow-all", "--yolo", "--allow-tool", "--deny-tool")


@dataclass(frozen=True, slots=True)
class Copilot:
    """The dialect of the Copilot CLI."""

    name: ClassVar[str] = "copilot"
    provider: ClassVar[str] = "github"
    key: ClassVar[str] = "COPILOT_GITHUB_TOKEN"
    tells: ClassVar[frozenset[Tell]] = frozenset(Tell) - {Tell.DOLLARS, Tell.TOKENS}
    live: ClassVar[frozenset[Tell]] = tells
    resumes: ClassVar[bool] = True
    cumulative: ClassVar[frozenset[str]] = frozenset()
    follows: ClassVar[frozenset[Setting]] = frozenset(Setting)
    log_in: ClassVar[LogIn | None] = None
    version_after: ClassVar[str] = "CLI "
    permissions: ClassVar[str] = "all tools, paths checked by it"
    mode_flags: ClassVar[tuple[str, ...]] = MODE_FLAGS

    def start(self, task: Task) -> Start:
        settings, key, home = task.settings, task.key, task.home
        argv = [*dialect.program(settings, self.name), "--output-format", "json", "--no-ask-user", "--no-color"]
        argv += ["--no-auto-update", "--disable-client-telemetry"]
        if not dialect.changed_words(settings.args, MODE_FLAGS):
            argv += ["--allow-all-tools"]
        argv += ["--model", settings.model] if settings.model else []
        argv += ["--reasoning-effort", settings.effort] if settings.effort else []
        argv += [f"--resume={task.resume}"] if task.resume else []
        env = {"COPILOT_HOME": str(home / ".copilot")} if home else {}
        if settings.base_url:
            env |= {"COPILOT_OFFLINE": "true", "COPILOT_PROVIDER_BASE_URL": settings.base_url}
        if key:
            env["COPILOT_PROVIDER_API_KEY" if settings.base_url else self.key] = key
        return Start((*argv, *settings.args), {**env, **settings.env})

    def read(self, line: bytes) -> Iterator[Activity]:
        event = Fields.of(line)
        data = event.at("data")
        match event.text("type"):
            case "session.tools_updated":
                yield Opened(model=data.text("model"))
            case "assistant.turn_start":
                yield Used(usage=Usage(turns=1))
            case "assistant.message" if data.text("content"):
                yield Said(text=data.text("content"))
            case "tool.execution_start":
                yield Called(tool=data.text("toolName"), call=data.text("toolCallId"), target=_target(data))
            case "tool.execution_complete":
                yield from _answered(data)
            case "model.call_failure":
                yield from _failure(data)
            case "session.error":
                yield from _error(data)
            case "result":
                yield Opened(session=event.text("sessionId"))
                code = event.count("exitCode")
                yield Concluded(ok=code == 0, why="" if code == 0 else f"its own exit code is {code}")

    def complain(self, line: bytes) -> Iterable[Activity]:
        return [] if line.startswith(NOISE) else dialect.complaint(line)

    def judge(self, seen: Seen, ended: Ended) -> Judgement:
        judgement = dialect.by_last_word(seen, ended, word="result event")
        if judgement.code and seen.complaints:  # its `session.error` says more than an exit code
            return Judgement(judgement.code, "\n".join(seen.complaints))
        return judgement


def _target(data: Fields) -> str:
    return cut(data.at("arguments").first("path", "command", "pattern", "url", "query", "description"))


def _answered(data: Fields) -> Iterator[Activity]:
    ok, error = data.flag("success"), data.text("error", "message")
    yield Answered(call=data.text("toolCallId"), ok=ok, text=cut(data.text("result", "content") or error))
    if paths := [path for edit in data.each("fileEdits") if (path := edit.text("path"))]:
        yield Changed(paths=paths)
    if data.text("error", "code") == "denied":
        yield Denied(tool=data.text("toolName"), target=data.text("toolCallId"), why=cut(error))


def _failure(data: Fields) -> Iterator[Activity]:
    status = data.count("statusCode") or 0
    text = data.text("errorMessage")
    why = Fields.of(text).text("message") or text or f"HTTP {status}"
    yield Retrying(status=status, why=cut(why))
    found = refusal(text, status=status)
    # a wrong key is asked with three times and then reported by `session.error`; a quota it would ask for ever
    if found is not None and found.code != "PROVIDER_AUTH":
        yield dialect.reworded(found, why)


def _error(data: Fields) -> Iterator[Activity]:
    text = data.text("message")
    yield Complained(text=cut(" ".join(text.split())))
    if found := refusal(text, status=data.count("statusCode") or 0):
        yield found
