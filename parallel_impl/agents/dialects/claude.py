"""Claude Code, `claude -p --output-format stream-json` (seen: 2.1.329).

Facts that decide here: the same message comes as several `assistant` events, so usage is read from `result` only;
`result` has no fixed order of keys; 400, 403 and 404 end as `subtype: success` with `is_error`; SIGTERM ends without a
`result`; SIGINT ends with exit 0; after `--resume` the cost is that of the whole conversation, the usage is not.
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
    Concluded,
    Denied,
    Limited,
    Opened,
    Retrying,
    Said,
    Usage,
    Used,
    cut,
)

MODE_FLAGS = ("--permission-mode", "--dangerously-skip-permissions")
CODES = {
    "billing_error": "PROVIDER_QUOTA",
    "authentication_failed": "PROVIDER_AUTH",
    "oauth_org_not_allowed": "PROVIDER_AUTH",
}
LOG_IN = LogIn(("auth", "status", "--json"), lambda code, output: code == 0 and Fields.of(output).flag("loggedIn"))
PATIENCE = 3  # retries of a refused key before it is believed: a log-in may be refreshed; it would go on for minutes
BUDGETS = ("error_max_turns", "error_max_budget_usd")
LIMITS = ("rate_limit", "overloaded")


@dataclass(frozen=True, slots=True)
class Claude:
    """The dialect of Claude Code."""

    name: ClassVar[str] = "claude"
    provider: ClassVar[str] = "anthropic"
    key: ClassVar[str] = "ANTHROPIC_API_KEY"
    tells: ClassVar[frozenset[Tell]] = frozenset(Tell)
    live: ClassVar[frozenset[Tell]] = frozenset({Tell.CALLS, Tell.RETRIES, Tell.LIMITS})
    resumes: ClassVar[bool] = True
    cumulative: ClassVar[frozenset[str]] = frozenset({"dollars"})
    follows: ClassVar[frozenset[Setting]] = frozenset(Setting)
    log_in: ClassVar[LogIn | None] = LOG_IN
    version_after: ClassVar[str] = ""
    permissions: ClassVar[str] = "acceptEdits, Bash allowed"
    mode_flags: ClassVar[tuple[str, ...]] = MODE_FLAGS

    def start(self, task: Task) -> Start:
        settings, key, home = task.settings, task.key, task.home
        argv = [*dialect.program(settings, self.name), "-p", "--output-format", "stream-json", "--verbose"]
        if not dialect.changed_words(settings.args, MODE_FLAGS):
            argv += ["--permission-mode", "acceptEdits", "--allowedTools", "Bash"]
        argv += ["--model", settings.model] if settings.model else []
        argv += ["--effort", settings.effort] if settings.effort else []
        argv += ["--max-turns", str(task.budget.turns)] if task.budget.turns else []
        argv += ["--max-budget-usd", f"{task.budget.dollars:g}"] if task.budget.dollars else []
        argv += ["--resume", task.resume] if task.resume else []
        env = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1", "DISABLE_TELEMETRY": "1"}
        env |= {"ANTHROPIC_BASE_URL": settings.base_url} if settings.base_url else {}
        env |= {"ANTHROPIC_API_KEY": key} if key else {}
        env |= {"CLAUDE_CONFIG_DIR": str(home / ".claude")} if home else {}
        return Start((*argv, *settings.args), {**env, **settings.env})

    def read(self, line: bytes) -> Iterator[Activity]:
        event = Fields.of(line)
        match event.text("type"), event.text("subtype"):
            case "system", "init":
                yield Opened(session=event.text("session_id"), model=event.text("model"))
            case "system", "api_retry":
                yield from _retry(event)
            case "assistant", _:
                yield from _refused(event) if event.text("error") else _message(event)
            case "user", _:
                yield from _answers(event)
            case "rate_limit_event", _:
                yield from _window(event.at("rate_limit_info"))
            case "result", _:
                yield from _result(event)

    def complain(self, line: bytes) -> Iterable[Activity]:
        return dialect.complaint(line)

    def judge(self, seen: Seen, ended: Ended) -> Judgement:
        return dialect.by_last_word(seen, ended, word="result event")


def _retry(event: Fields) -> Iterator[Activity]:
    status, why = event.count("error_status") or 0, event.text("error")
    delay = event.number("retry_delay_ms")
    yield Retrying(status=status, wait=None if delay is None else delay / 1000, why=why)
    if why in LIMITS:
        yield Limited(terminal=False, why=f"API Error: {status} {why}")
    elif why in CODES and (event.count("attempt") or 0) >= PATIENCE:
        yield Limited(terminal=True, code=CODES[why], why=f"API Error: {status} {why}")


def _message(event: Fields) -> Iterator[Activity]:
    for block in event.each("message", "content"):
        if block.text("type") == "text" and block.text("text"):
            yield Said(text=block.text("text"))
        elif block.text("type") == "tool_use":
            yield Called(tool=block.text("name"), call=block.text("id"), target=_target(block.at("input")))


def _target(given: Fields) -> str:
    return cut(given.first("file_path", "notebook_path", "command", "pattern", "url", "query", "description", "prompt"))


def _refused(event: Fields) -> Iterator[Activity]:
    """An answer that the client made itself, of an error that it met."""
    text = event.shown("message", "content")
    kind = event.text("error")
    if kind in CODES:
        yield Limited(terminal=True, code=CODES[kind], why=cut(text))
    elif found := refusal(text, status=429 if kind in LIMITS else 0):
        yield found


def _answers(event: Fields) -> Iterator[Activity]:
    for block in event.each("message", "content"):
        if block.text("type") == "tool_result":
            yield Answered(
                call=block.text("tool_use_id"), ok=not block.flag("is_error"), text=cut(block.shown("content"))
            )
    path = event.text("tool_use_result", "filePath")
    if path and event.at("tool_use_result", "structuredPatch").value is not None:
        yield Changed(paths=[path])


def _window(info: Fields) -> Iterator[Activity]:
    """A subscription's window of five hours or a week is used up."""
    if info.text("status") == "rejected":
        yield Limited(terminal=True, why=f"{info.text('rateLimitType')} limit", until=info.number("resetsAt") or 0.0)


def _result(event: Fields) -> Iterator[Activity]:
    usage = event.at("usage")
    yield Used(
        whole=True,
        usage=Usage(
            input=usage.count("input_tokens"),
            output=usage.count("output_tokens"),
            cache_read=usage.count("cache_read_input_tokens"),
            cache_write=usage.count("cache_creation_input_tokens"),
            dollars=event.number("total_cost_usd"),
            turns=event.count("num_turns"),
        ),
    )
    for denied in event.each("permission_denials"):
        yield Denied(tool=denied.text("tool_name"), target=_target(denied.at("tool_input")), why="not permitted")
    ok = event.text("subtype") == "success" and not event.flag("is_error")
    errors = "\n".join(error.shown() for error in event.each("errors"))
    code = "BUDGET_EXCEEDED" if event.text("subtype") in BUDGETS else ""
    yield Concluded(ok=ok, code=code, why=cut(event.text("result") or errors or event.text("subtype")))
    if not ok and (found := refusal(event.text("result"), status=event.count("api_error_status") or 0)):
        yield found
