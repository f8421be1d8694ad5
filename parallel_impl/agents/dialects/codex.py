"""Codex, `codex exec --json` (seen: 0.169.0).

Facts that decide here: a patch that its sandbox refused is on standard error only, and ends with exit 0; after `resume`
the usage is that of the whole thread; SIGTERM ends without a last event; retries
are told as English text, and its first four not at all; `exec` reads CODEX_API_KEY, not OPENAI_API_KEY; `exec resume`
has no `-s`, so the sandbox is always given by `-c`; with its own provider it tries WebSockets first.
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

MODE_FLAGS = ("--sandbox", "-s", "--dangerously-bypass-approvals-and-sandbox", "--approve-for-me")
PROVIDER = "parallel-impl"  # the name, in codex's configuration, of the provider that `base_url` makes
RETRY = re.compile(r"Reconnecting\.\.\. (?:\d+/\d+|waiting for network)(?: \((?P<why>.*)\))?", re.DOTALL)
STATUS = re.compile(r"\bstatus:? (\d{3})\b")
PATCH = re.compile(r"error=patch rejected: (.*)")
REFUSED = re.compile(r"patch rejected|rejected by user|read-only file system|operation not permitted", re.IGNORECASE)
LOG_IN = LogIn(("login", "status"), lambda code, _: code == 0)  # its words go to standard error
WEB = ("web_search", "mcp_tool_call", "collab_tool_call")


@dataclass(frozen=True, slots=True)
class Codex:
    """The dialect of Codex."""

    name: ClassVar[str] = "codex"
    provider: ClassVar[str] = "openai"
    key: ClassVar[str] = "OPENAI_API_KEY"
    tells: ClassVar[frozenset[Tell]] = frozenset(Tell) - {Tell.DOLLARS, Tell.TURNS}
    live: ClassVar[frozenset[Tell]] = frozenset({Tell.CALLS, Tell.DENIALS, Tell.RETRIES, Tell.LIMITS})
    resumes: ClassVar[bool] = True
    cumulative: ClassVar[frozenset[str]] = frozenset({"input", "output", "cache_read"})
    follows: ClassVar[frozenset[Setting]] = frozenset(Setting)
    log_in: ClassVar[LogIn | None] = LOG_IN
    version_after: ClassVar[str] = "codex-cli "
    permissions: ClassVar[str] = "workspace-write, no network for its tools"
    mode_flags: ClassVar[tuple[str, ...]] = MODE_FLAGS

    def start(self, task: Task) -> Start:
        settings, key, home = task.settings, task.key, task.home
        argv = [*dialect.program(settings, self.name), "exec", *(["resume"] if task.resume else [])]
        argv += ["--json", "--skip-git-repo-check"]
        if not dialect.changed_words(settings.args, MODE_FLAGS):
            argv += ["-c", 'sandbox_mode="workspace-write"']
        argv += ["-m", settings.model] if settings.model else []
        argv += ["-c", f"model_reasoning_effort={json.dumps(settings.effort)}"] if settings.effort else []
        argv += _provider(settings.base_url) if settings.base_url else []
        argv += [*settings.args, *([task.resume] if task.resume else []), "-"]
        env = {"CODEX_API_KEY": key} if key else {}
        env |= {"CODEX_HOME": str(home / ".codex")} if home else {}
        # it refuses a CODEX_HOME that is not there
        return Start(tuple(argv), {**env, **settings.env}, files={".codex/config.toml": ""} if home else {})

    def read(self, line: bytes) -> Iterator[Activity]:
        event = Fields.of(line)
        match event.text("type"):
            case "thread.started":
                yield Opened(session=event.text("thread_id"))
            case "item.started":
                yield from _began(event.at("item"))
            case "item.completed":
                yield from _ended(event.at("item"))
            case "turn.completed":
                yield Used(usage=_usage(event.at("usage")), whole=True)
                yield Concluded(ok=True)
            case "turn.failed":
                yield from _failed(event.text("error", "message"))
                yield Concluded(ok=False, why=cut(event.text("error", "message")))
            case "error":
                yield from _failed(event.text("message"))

    def complain(self, line: bytes) -> Iterable[Activity]:
        text = line.decode(errors="replace")
        if refused := PATCH.search(text):  # the call itself is in no event
            return [Denied(tool="apply_patch", why=cut(refused[1].strip()))]
        return [] if "could not create PATH aliases" in text else dialect.complaint(line)

    def judge(self, seen: Seen, ended: Ended) -> Judgement:
        return dialect.by_last_word(seen, ended, word="turn.completed")


def _provider(base_url: str) -> list[str]:
    values = {"name": PROVIDER, "base_url": base_url, "env_key": "CODEX_API_KEY", "wire_api": "responses"}
    table = ",".join(f"{name}={json.dumps(value)}" for name, value in values.items())  # JSON strings are TOML strings
    return ["-c", f'model_provider="{PROVIDER}"', "-c", f"model_providers.{PROVIDER}={{{table}}}"]


def _usage(told: Fields) -> Usage:
    whole, cached = told.count("input_tokens"), told.count("cached_input_tokens")
    return Usage(
        input=None if whole is None else whole - (cached or 0),
        output=told.count("output_tokens"),
        cache_read=cached,
    )


def _paths(item: Fields) -> list[str]:
    return [path for change in item.each("changes") if (path := change.text("path"))]


def _began(item: Fields) -> Iterator[Activity]:
    match item.text("type"):
        case "command_execution":
            yield Called(tool="shell", target=cut(item.text("command")), call=item.text("id"))
        case "file_change":
            yield Called(tool="apply_patch", target=cut(", ".join(_paths(item))), call=item.text("id"))
        case kind if kind in WEB:
            yield Called(tool=item.text("tool") or kind, target=cut(item.text("query")), call=item.text("id"))


def _ended(item: Fields) -> Iterator[Activity]:
    call, status = item.text("id"), item.text("status")
    match item.text("type"):
        case "agent_message":
            yield Said(text=item.text("text"))
        case "command_execution":
            output = item.text("aggregated_output")
            yield Answered(call=call, ok=item.count("exit_code") == 0, text=cut(output))
            if status == "declined" or (status == "failed" and REFUSED.search(output)):
                yield Denied(tool="shell", target=cut(item.text("command")), why=cut(output) or status)
        case "file_change":
            yield Answered(call=call, ok=status == "completed")
            if status == "completed":
                yield Changed(paths=_paths(item))
            else:
                yield Denied(tool="apply_patch", target=cut(", ".join(_paths(item))), why=status)
        case "error":  # a warning: "Model metadata not found", "Falling back from WebSockets"
            yield Complained(text=cut(item.text("message")))
        case kind if kind in WEB:
            yield Answered(call=call, ok=status != "failed")


def _failed(text: str) -> Iterator[Activity]:
    found = refusal(text)
    if retry := RETRY.match(text):
        status = STATUS.search(text)
        yield Retrying(status=int(status[1]) if status else 0, why=cut(retry["why"] or text))
        if found is not None and found.code == "PROVIDER_AUTH":
            return  # a log-in may be refreshed meanwhile; the error after the last retry is the refusal
    if found is not None:
        yield found
