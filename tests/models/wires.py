"""The formats in which providers are asked: Anthropic Messages, OpenAI chat completions and responses, Gemini.

Each reads a request, and writes an answer whole or as server-sent events. Sources: the public API references of the
three, and what the clients sent.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from tests.models.clients import Call, Text, Turn
from tests.models.requests import Item, Request, texts

QUOTA = 402  # the status by which scenarios name a quota that is used up; each provider says it in its own way
KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}
SPENT = "You exceeded your current quota, please check your plan and billing details."
_numbers = itertools.count(1)

Body = Mapping[str, Any]
Event = tuple[str, object]  # the name of a server-sent event, "" for none, and its data


class Wire(Protocol):
    ping: ClassVar[tuple[str, object] | None]

    def matches(self, path: str) -> bool: ...

    def read(self, body: Body) -> Request: ...

    def whole(self, turn: Turn, model: str, stop: str) -> object: ...

    def events(self, turn: Turn, model: str, stop: str) -> Iterator[Event]: ...

    def error(self, status: int, message: str) -> tuple[int, object]: ...


def _id(kind: str) -> str:
    return f"{kind}_{next(_numbers):024d}"


def _tools(body: Body) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for tool in body.get("tools") or []:
        for one in tool.get("functionDeclarations") or [tool.get("function") or tool]:
            found[str(one.get("name") or one.get("type"))] = one
    return found


@dataclass(frozen=True, slots=True)
class Anthropic:
    ping: ClassVar[tuple[str, object] | None] = ("ping", {"type": "ping"})

    def matches(self, path: str) -> bool:
        return path.endswith("/messages")

    def read(self, body: Body) -> Request:
        history = []
        for message in body.get("messages", ()):
            content = message.get("content")
            blocks = content if isinstance(content, list) else []
            if message.get("role") != "user":
                item = Item.ANSWER
            elif any(block.get("type") == "tool_result" for block in blocks):
                item = Item.RESULTS
            else:
                item = Item.PROMPT
            prompts = [block for block in blocks if not texts(block).lstrip().startswith("<system-reminder>")]
            history.append((item, texts(prompts or content)))
        return Request(f"{texts(body.get('system'))}\n{_joined(history)}", tuple(history), _tools(body))

    def whole(self, turn: Turn, model: str, stop: str) -> object:
        blocks = [
            {"type": "text", "text": part.text}
            if isinstance(part, Text)
            else {"type": "tool_use", "id": _id("toolu"), "name": part.name, "input": part.input}
            for part in turn
        ]
        return self._message(model) | {"content": blocks, "stop_reason": stop or _stop(turn, "tool_use", "end_turn")}

    def events(self, turn: Turn, model: str, stop: str) -> Iterator[Event]:
        whole: Any = self.whole(turn, model, stop)
        yield _named("message_start", message=whole | {"content": [], "stop_reason": None})
        for index, block in enumerate(whole["content"]):
            if block["type"] == "text":
                start, deltas = (
                    block | {"text": ""},
                    [{"type": "text_delta", "text": piece} for piece in _pieces(block["text"])],
                )
            else:
                written = _pieces(json.dumps(block["input"]))
                start = block | {"input": {}}
                deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in written]
            yield _named("content_block_start", index=index, content_block=start)
            for delta in deltas:
                yield _named("content_block_delta", index=index, delta=delta)
            yield _named("content_block_stop", index=index)
        stopped = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
        yield _named("message_delta", delta=stopped, usage={"output_tokens": 50})
        yield _named("message_stop")

    def error(self, status: int, message: str) -> tuple[int, object]:
        kind, text = KINDS.get(status, "api_error"), message
        if status == QUOTA:
            status, kind = 400, "invalid_request_error"
            text = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."
        return status, {"type": "error", "error": {"type": kind, "message": text}, "request_id": _id("req")}

    def _message(self, model: str) -> dict[str, Any]:
        usage = {
            "input_tokens": 100,
            "cache_creation_input_tokens": 20,
            "cache_read_input_tokens": 300,
            "output_tokens": 50,
        }
        named = {"id": _id("msg"), "type": "message", "role": "assistant", "model": model}
        return named | {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}


@dataclass(frozen=True, slots=True)
class Chat:
    ping: ClassVar[tuple[str, object] | None] = None

    def matches(self, path: str) -> bool:
        return path.endswith("/chat/completions")

    def read(self, body: Body) -> Request:
        roles = {"user": Item.PROMPT, "tool": Item.RESULTS, "assistant": Item.ANSWER}
        messages = body.get("messages", ())
        history = [(roles[m["role"]], texts(m.get("content"))) for m in messages if m.get("role") in roles]
        return Request("\n".join(texts(m.get("content")) for m in messages), tuple(history), _tools(body))

    def whole(self, turn: Turn, model: str, stop: str) -> object:
        message: dict[str, object] = {"role": "assistant", "content": _said(turn) or None}
        if calls := self._calls(turn):
            message["tool_calls"] = calls
        choice = {"index": 0, "message": message, "finish_reason": self._finish(turn, stop)}
        return self._head(model, "chat.completion") | {"choices": [choice], "usage": self._usage()}

    def events(self, turn: Turn, model: str, stop: str) -> Iterator[Event]:
        head = self._head(model, "chat.completion.chunk")

        def chunk(delta: object, finish: str | None = None) -> Event:
            return "", head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

        yield chunk({"role": "assistant", "content": _said(turn)})
        for index, call in enumerate(self._calls(turn)):
            yield chunk({"tool_calls": [{"index": index, **call}]})
        yield chunk({}, self._finish(turn, stop))
        yield "", head | {"choices": [], "usage": self._usage()}
        yield "", "[DONE]"

    def error(self, status: int, message: str) -> tuple[int, object]:
        kind, code = KINDS.get(status, "api_error"), str(status)
        if status == QUOTA:
            status, kind, code, message = 429, "insufficient_quota", "insufficient_quota", SPENT
        if status == 401:
            code = "invalid_api_key"
        return status, {"error": {"message": message, "type": kind, "param": None, "code": code}}

    def _calls(self, turn: Turn) -> list[dict[str, Any]]:
        return [
            {
                "id": _id("call"),
                "type": "function",
                "function": {"name": part.name, "arguments": json.dumps(part.input)},
            }
            for part in turn
            if isinstance(part, Call)
        ]

    def _finish(self, turn: Turn, stop: str) -> str:
        return {"max_tokens": "length", "refusal": "content_filter"}.get(stop) or _stop(turn, "tool_calls", "stop")

    def _head(self, model: str, kind: str) -> dict[str, Any]:
        return {"id": _id("chatcmpl"), "object": kind, "created": 1_700_000_000, "model": model}

    def _usage(self) -> dict[str, int]:
        return {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150}


@dataclass(frozen=True, slots=True)
class Responses:
    ping: ClassVar[tuple[str, object] | None] = None

    def matches(self, path: str) -> bool:
        return path.endswith("/responses")

    def read(self, body: Body) -> Request:
        given = body.get("input", ())
        items = [{"role": "user", "content": given}] if isinstance(given, str) else given
        history = []
        for item in items:
            if str(item.get("type", "")).endswith("_call_output"):
                history.append((Item.RESULTS, ""))
            elif item.get("role") == "user":
                history.append((Item.PROMPT, texts(item.get("content"))))
            elif item.get("role") == "assistant" or str(item.get("type", "")).endswith("_call"):
                history.append((Item.ANSWER, ""))
        text = f"{body.get('instructions', '')}\n" + "\n".join(texts(item.get("content")) for item in items)
        return Request(text, tuple(history), _tools(body))

    def whole(self, turn: Turn, model: str, stop: str) -> object:
        details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
        usage = {"input_tokens": 100, "output_tokens": 50, "total_tokens": 150, **details}
        cut = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}} if stop else {}
        head = {"id": _id("resp"), "object": "response", "created_at": 1_700_000_000, "status": "completed"}
        return head | {"model": model, "output": [self._item(p) for p in turn], "usage": usage} | cut

    def events(self, turn: Turn, model: str, stop: str) -> Iterator[Event]:
        whole: Any = self.whole(turn, model, stop)
        yield _named("response.created", response=whole | {"status": "in_progress", "output": []})
        for index, item in enumerate(whole["output"]):
            yield _named("response.output_item.added", output_index=index, item=item)
            yield _named("response.output_item.done", output_index=index, item=item)
        yield _named("response.incomplete" if stop else "response.completed", response=whole)

    def error(self, status: int, message: str) -> tuple[int, object]:
        return Chat().error(status, message)

    def _item(self, part: Text | Call) -> dict[str, Any]:
        if isinstance(part, Text):
            content = [{"type": "output_text", "text": part.text, "annotations": []}]
            return {"type": "message", "id": _id("msg"), "role": "assistant", "status": "completed", "content": content}
        ids = {"id": _id("fc"), "call_id": _id("call"), "status": "completed", "name": part.name}
        return {"type": "function_call", "arguments": json.dumps(part.input), **ids}


@dataclass(frozen=True, slots=True)
class Gemini:
    ping: ClassVar[tuple[str, object] | None] = None

    def matches(self, path: str) -> bool:
        return path.endswith((":generateContent", ":streamGenerateContent"))

    def read(self, body: Body) -> Request:
        history = []
        for content in body.get("contents", ()):
            parts = content.get("parts", ())
            if content.get("role") == "model":
                item = Item.ANSWER
            else:
                item = Item.RESULTS if any("functionResponse" in part for part in parts) else Item.PROMPT
            history.append((item, texts(parts)))
        return Request(f"{texts(body.get('systemInstruction'))}\n{_joined(history)}", tuple(history), _tools(body))

    def whole(self, turn: Turn, model: str, stop: str) -> object:
        parts = [
            {"text": part.text} if isinstance(part, Text) else {"functionCall": {"name": part.name, "args": part.input}}
            for part in turn
        ]
        reason = {"max_tokens": "MAX_TOKENS", "refusal": "SAFETY"}.get(stop, "STOP")
        usage = {"promptTokenCount": 100, "candidatesTokenCount": 50, "totalTokenCount": 150}
        candidate = {"content": {"role": "model", "parts": parts}, "finishReason": reason, "index": 0}
        return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model}

    def events(self, turn: Turn, model: str, stop: str) -> Iterator[Event]:
        yield "", self.whole(turn, model, stop)

    def error(self, status: int, message: str) -> tuple[int, object]:
        words = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
        found: dict[str, Any] = {"code": status, "message": message, "status": words.get(status, "INTERNAL")}
        if status in (QUOTA, 429):
            status, found = 429, {"code": 429, "message": message or SPENT, "status": "RESOURCE_EXHAUSTED"}
            if not message:
                day = [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]
                failure = "type.googleapis.com/google.rpc.QuotaFailure"
                found["details"] = [{"@type": failure, "violations": day}]
        return status, {"error": found}


WIRES: tuple[Wire, ...] = (Anthropic(), Chat(), Responses(), Gemini())


def _named(kind: str, **data: object) -> Event:
    return kind, {"type": kind, **data}


def _stop(turn: Turn, calls: str, end: str) -> str:
    return calls if any(isinstance(part, Call) for part in turn) else end


def _said(turn: Turn) -> str:
    return "".join(part.text for part in turn if isinstance(part, Text))


def _pieces(text: str) -> list[str]:
    return re.findall(r"(?s).{1,40}", text) or [""]


def _joined(history: Sequence[tuple[Item, str]]) -> str:
    return "\n".join(text for _, text in history)
