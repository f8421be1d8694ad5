"""Qwen Code, `qwen -o stream-json` (seen: 0.24.4), with events in the shape of Claude Code's.

Facts that decide here: an error of the provider comes as a text of the model's, `[API Error: …]`, and as `error` of the
result; a limit or a quota is reported nowhere, it retries in silence; after
`--resume` the tokens are those of the whole session.
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
    Concluded,
    Denied,
    Opened,
    Said,
    Usage,
    Used,
    cut,
)

MODE_FLAGS = ("--approval-mode", "--yolo", "-y")
TURNS_EXCEEDED = 53
NOISE = ("Ripgrep not available", "Warning: running headless")


@dataclass(frozen=True, slots=True)
class Qwen:
    """The dialect of Qwen Code."""

    name: ClassVar[str] = "qwen"
    provider: ClassVar[str] = "openai"
    key: ClassVar[str] = "OPENAI_API_KEY"
    tells: ClassVar[frozenset[Tell]] = frozenset({Tell.CALLS, Tell.TURNS, Tell.TOKENS, Tell.DENIALS})
    live: ClassVar[frozenset[Tell]] = frozenset({Tell.CALLS})
    resumes: ClassVar[bool] = True
    cumulative: ClassVar[frozenset[str]] = frozenset({"input", "output", "cache_read"})
    follows: ClassVar[frozenset[Setting]] = frozenset({Setting.MODEL, Setting.BASE_URL})
    log_in: ClassVar[LogIn | None] = None
    version_after: ClassVar[str] = ""
    permissions: ClassVar[str] = "yolo: everything"
    mode_flags: ClassVar[tuple[str, ...]] = MODE_FLAGS

    def start(self, task: Task) -> Start:
        settings, key = task.settings, task.key
        argv = [*dialect.program(settings, self.name), "-o", "stream-json"]
        argv += [] if dialect.changed_words(settings.args, MODE_FLAGS) else ["--approval-mode", "yolo"]
        argv += ["--auth-type", "openai"] if key else []
        argv += ["-m", settings.model] if settings.model else []
        argv += ["--max-session-turns", str(task.budget.turns)] if task.budget.turns else []
        argv += ["--resume", task.resume] if task.resume else []
        env = {"OPENAI_BASE_URL": settings.base_url} if settings.base_url else {}
        env |= {"OPENAI_API_KEY": key} if key else {}
        return Start((*argv, *settings.args), {**env, **settings.env})

    def read(self, line: bytes) -> Iterator[Activity]:
        event = Fields.of(line)
        match event.text("type"), event.text("subtype"):
            case "system", "init":
                yield Opened(session=event.text("session_id"), model=event.text("model"))
            case "assistant", _:
                yield from _message(event)
            case "user", _:
                for block in event.each("message", "content"):
                    if block.text("type") == "tool_result":
                        text = cut(block.shown("content"))
                        yield Answered(call=block.text("tool_use_id"), ok=not block.flag("is_error"), text=text)
            case "result", _:
                yield from _result(event)

    def complain(self, line: bytes) -> Iterable[Activity]:
        return [] if line.decode(errors="replace").startswith(NOISE) else dialect.complaint(line)

    def judge(self, seen: Seen, ended: Ended) -> Judgement:
        if ended.exit_code == TURNS_EXCEEDED:  # without a result event
            return Judgement("BUDGET_EXCEEDED", "\n".join(seen.complaints))
        return dialect.by_last_word(seen, ended, word="result event")


def _message(event: Fields) -> Iterator[Activity]:
    for block in event.each("message", "content"):
        if block.text("type") == "text" and block.text("text"):
            yield Said(text=block.text("text"))
        elif block.text("type") == "tool_use":
            given = block.at("input")
            target = cut(given.first("file_path", "command", "pattern", "path", "query", "description", "prompt"))
            yield Called(tool=block.text("name"), call=block.text("id"), target=target)


def _result(event: Fields) -> Iterator[Activity]:
    usage = event.at("usage")
    whole, cached = usage.count("input_tokens"), usage.count("cache_read_input_tokens")
    yield Used(
        whole=True,
        usage=Usage(
            input=None if whole is None else whole - (cached or 0),
            output=usage.count("output_tokens"),
            cache_read=cached,
            turns=event.count("num_turns"),
        ),
    )
    for denied in event.each("permission_denials"):
        given = denied.at("tool_input")
        target = cut(given.first("file_path", "command", "path"))
        yield Denied(tool=denied.text("tool_name"), target=target, why="not permitted")
    ok = event.text("subtype") == "success" and not event.flag("is_error")
    why = _unframed(event.text("error", "message")) or event.text("result") or event.text("subtype")
    if not ok and (found := refusal(why)):
        yield found
    yield Concluded(ok=ok, why=cut(why))


def _unframed(error: str) -> str:
    """The text of an error without the client's brackets, which make it look like JSON."""
    return error[1:-1] if error.startswith("[API Error: ") and error.endswith("]") else error
