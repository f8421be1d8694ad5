"""One model of the Messages API: what it can do, and one answer at a time, through all that may go wrong on the way.

The SDK's own retries are switched off: they are silent, and here each is told. Its time-out is not enough: a stream
that is kept alive by pings never reaches it. So a timer of ours watches for events.
"""

from __future__ import annotations

import email.utils
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import anthropic
import httpx2
from anthropic.types.beta import BetaMessage, BetaModelInfo

from parallel_impl.agents import refusals
from parallel_impl.agents.drivers.standard_io import tell
from parallel_impl.record.activity import Limited, Retrying, cut

MAX_TOKENS = 32_000  # of one answer, where the model's own limit is not known
MOST_TOKENS = 64_000
CLEARED_AT = 120_000  # input tokens at which the provider leaves the oldest tool results out
CLEARED = 30_000  # at least so many at once: each clearing makes the cache of the prompt useless
KEPT_CALLS = 12
CONTEXT_MANAGEMENT = "context-management-2025-06-27"
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
STATUS = {  # an error in the middle of a stream has no status of its own
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class ModelError(Exception):
    """There is no answer to be had; `limited` where the provider refuses."""

    def __init__(self, why: str, limited: Limited | None = None) -> None:
        super().__init__(why)
        self.limited = limited


class SilenceError(Exception):
    """The provider sent nothing of an answer for too long."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait: `silent` seconds for the next event of an answer, `limit` in all for a provider's limit to
    pass, and `tries` of a request that fails otherwise."""

    silent: float = 180.0
    limit: float = 120.0
    tries: int = 5


@dataclass(slots=True)
class Model:
    """A model of one provider, with one key. `seconds_left` caps all waiting."""

    name: str
    key: str
    seconds_left: Callable[[], float]
    base_url: str = ""
    effort: str = ""
    patience: Patience = field(default_factory=Patience)
    options: dict[str, Any] = field(default_factory=dict)
    client: anthropic.Anthropic = field(init=False)

    def __post_init__(self) -> None:
        self.client = self._connect()

    def ask_what_it_can(self) -> None:
        """Set what requests may hold; a gateway that does not know is asked for nothing special."""
        effort = {"output_config": {"effort": self.effort}} if self.effort else {}
        self.options = {"max_tokens": MAX_TOKENS, **effort}
        try:
            with _timer(min(self.patience.silent, 20.0)):
                self.options |= _able(self.client.beta.models.retrieve(self.name))
        except (anthropic.AnthropicError, httpx2.HTTPError, SilenceError, ValueError, AttributeError):
            return  # the SDK checks no answer: a gateway's may lack any attribute

    def answer(self, system: str, tools: list[Any], messages: list[Any]) -> BetaMessage:
        """The next message of the conversation; ModelError when there is none."""
        waited, tries = 0.0, 0
        while True:
            try:
                return self._answer(system, tools, messages)
            except (anthropic.APIError, httpx2.HTTPError, SilenceError) as error:
                status, why = _status(error), _why(error)
                refused = _refused(status, why)
                tries += 1
                wait = _wait(error, tries)
                limit = refused is not None and not refused.terminal
                if refused is not None and refused.terminal:
                    raise ModelError(why, refused) from error
                if not limit and (tries >= self.patience.tries or not _worth_another_try(status)):
                    raise ModelError(why) from error
                if limit and waited + wait > self.patience.limit:
                    told = _asked_wait(error) is not None
                    raise ModelError(why, _limited(why, wait, told=told)) from error
                if wait > self.seconds_left():
                    raise ModelError(f"no time left to try again: {why}", refused) from error
                tell(Retrying(status=status, wait=round(wait, 1), why=cut(why)))
                waited += wait
                time.sleep(wait)
                self.client = self._connect()  # what was interrupted in the middle is not used again

    def _answer(self, system: str, tools: list[Any], messages: list[Any]) -> BetaMessage:
        left = self.seconds_left()
        with (
            _timer(min(self.patience.silent, left)) as again,
            self.client.beta.messages.stream(
                model=self.name,
                messages=messages,
                tools=tools,
                system=[{"type": "text", "text": system, "cache_control": {"type": "ephemeral"}}],
                cache_control={"type": "ephemeral"},  # the provider moves this one along with the conversation
                **self.options,
            ) as stream,
        ):
            for _event in stream:
                again(min(self.patience.silent, self.seconds_left()))
            return stream.get_final_message()

    def _connect(self) -> anthropic.Anthropic:
        return anthropic.Anthropic(api_key=self.key, base_url=self.base_url or None, max_retries=0, timeout=600.0)


def _able(model: BetaModelInfo) -> dict[str, Any]:
    """What requests to this model hold beside the usual."""
    more: dict[str, Any] = {"max_tokens": min(model.max_tokens or MAX_TOKENS, MOST_TOKENS)}
    can = model.capabilities
    if can and can.thinking.supported and can.thinking.types.adaptive.supported:
        more["thinking"] = {"type": "adaptive"}
    clear = can and can.context_management.clear_tool_uses_20250919
    if clear and clear.supported:
        more |= {"betas": [CONTEXT_MANAGEMENT], "context_management": {"edits": [_clearing()]}}
    return more


def _clearing() -> dict[str, Any]:
    return {
        "type": "clear_tool_uses_20250919",
        "trigger": {"type": "input_tokens", "value": CLEARED_AT},
        "clear_at_least": {"type": "input_tokens", "value": CLEARED},
        "keep": {"type": "tool_uses", "value": KEPT_CALLS},
    }


@contextmanager
def _timer(seconds: float) -> Iterator[Callable[[float], None]]:
    """Raise SilenceError after these seconds, unless what is yielded was called with others meanwhile.

    It goes on every second: an exception that a destructor happens to swallow must not be the last one.
    """

    def expire(_number: int, _frame: FrameType | None) -> None:
        raise SilenceError("the provider sent nothing of its answer for too long")

    def again(more: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, max(more, 0.01), 1.0)

    before = signal.signal(signal.SIGALRM, expire)
    again(seconds)
    try:
        yield again
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _status(error: Exception) -> int:
    """The HTTP status of an error; 0 when there was no answer."""
    if not isinstance(error, anthropic.APIStatusError):
        return 0
    if error.status_code < 400:
        return STATUS.get(_error_of(error).get("type", ""), 500)
    return error.status_code


def _why(error: Exception) -> str:
    if not isinstance(error, anthropic.APIStatusError):
        cause = error.__cause__ if isinstance(error, anthropic.APIConnectionError) else None
        return f"{error}: {cause}" if cause else str(error) or type(error).__name__
    found = _error_of(error)
    return f"API error {_status(error)}: {found.get('type', '')}: {found.get('message', '') or error.message}"


def _error_of(error: anthropic.APIStatusError) -> dict[str, str]:
    body = error.body if isinstance(error.body, dict) else {}
    found = body.get("error", body)
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _refused(status: int, why: str) -> Limited | None:
    """Whether the provider refuses; a key that may not do this is as good as none."""
    if status in (401, 403):
        return Limited(terminal=True, code="PROVIDER_AUTH", why=cut(why))
    if status == 402:
        return Limited(terminal=True, code="PROVIDER_QUOTA", why=cut(why))
    found = refusals.refusal(why, status=status) if status >= 400 else None
    return None if found is not None and found.code == "PROVIDER_AUTH" else found


def _worth_another_try(status: int) -> bool:
    return status in (0, 408, 409) or status >= 500


def _limited(why: str, wait: float, *, told: bool) -> Limited:
    """A limit that outlasts our patience; until when is known only where the provider said it."""
    return Limited(terminal=told, why=cut(why), until=round(time.time() + wait, 1) if told else 0.0)


def _asked_wait(error: Exception) -> float | None:
    """The seconds that the provider asks us to wait: `retry-after-ms`, `retry-after` in seconds or as a date."""
    headers = error.response.headers if isinstance(error, anthropic.APIStatusError) else {}
    try:
        if "retry-after-ms" in headers:
            return float(headers["retry-after-ms"]) / 1000
        given = headers.get("retry-after", "")
        if not given or given.replace(".", "", 1).isdigit():
            return float(given) if given else None
        return max(0.0, email.utils.parsedate_to_datetime(given).timestamp() - time.time())
    except ValueError:
        return None


def _wait(error: Exception, tries: int) -> float:
    asked = _asked_wait(error)
    backoff = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tries - 1)) * random.uniform(0.75, 1.0)  # noqa: S311 (jitter)
    return backoff if asked is None else asked
