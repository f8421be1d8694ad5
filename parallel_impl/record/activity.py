"""What an agent does while it works, as data: one frozen class per happening, and their lines of JSON.

An attempt keeps them in a file of its own, never in the journal: they are many, and nothing is decided from them after
the attempt ended. So they are read tolerantly: a line that was torn, or written by a later version, is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from functools import reduce
from operator import or_
from typing import TypeVar

import msgspec

LONGEST = 500  # characters of a target, an answer or a reason; the client's own lines hold the rest

Number = TypeVar("Number", int, float)


def _kind(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


class Usage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Tokens, dollars and turns; None where the client does not report it, which is not 0.

    `input` counts what was not read from a cache and `turns` requests to the model.
    """

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    dollars: float | None = None
    turns: int | None = None

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input=_sum(self.input, other.input),
            output=_sum(self.output, other.output),
            cache_read=_sum(self.cache_read, other.cache_read),
            cache_write=_sum(self.cache_write, other.cache_write),
            dollars=_sum(self.dollars, other.dollars),
            turns=_sum(self.turns, other.turns),
        )

    @property
    def tokens(self) -> int | None:
        """Everything that was not read from a cache; None when none of it is reported."""
        return _sum(_sum(self.input, self.cache_write), self.output)


def _sum(one: Number | None, other: Number | None) -> Number | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


class Activity(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="did", tag=_kind, gc=False):
    """Something that an agent did; subclasses say what. `at` is seconds since 1970 (UTC), 0 before it is stamped."""

    at: float = 0.0


class Opened(Activity, frozen=True, kw_only=True):
    """The conversation exists; `session` resumes it."""

    session: str = ""
    model: str = ""


class Said(Activity, frozen=True, kw_only=True):
    """A text of the model's."""

    text: str


class Called(Activity, frozen=True, kw_only=True):
    """A tool call began: `target` is its path or command, cut; `call` names it in its answer."""

    tool: str
    target: str = ""
    call: str = ""


class Answered(Activity, frozen=True, kw_only=True):
    """A tool call ended; `text` is the beginning of what it gave."""

    call: str = ""
    ok: bool = True
    text: str = ""


class Changed(Activity, frozen=True, kw_only=True):
    """Files that the client reports as written or deleted; what really changed is read from git."""

    paths: list[str]


class Denied(Activity, frozen=True, kw_only=True):
    """A tool call was refused: by the client's own rules, by our scope or by a guardrail."""

    tool: str
    target: str = ""
    why: str = ""


class Used(Activity, frozen=True, kw_only=True):
    """What was used: the sum of this start of the client (`whole`, replaces what came before), else one part more."""

    usage: Usage
    whole: bool = False


class Retrying(Activity, frozen=True, kw_only=True):
    """The client asks its provider once more, which is no progress. `status` 0: no HTTP answer; `wait` in seconds."""

    status: int = 0
    wait: float | None = None
    why: str = ""


class Limited(Activity, frozen=True, kw_only=True):
    """The provider refuses: PROVIDER_LIMIT, PROVIDER_QUOTA or PROVIDER_AUTH.

    `terminal`: going on is useless, before `until` (seconds since 1970, 0: not reported) or at all.
    """

    terminal: bool
    why: str
    until: float = 0.0
    code: str = "PROVIDER_LIMIT"


class Complained(Activity, frozen=True, kw_only=True):
    """A line for people on the client's standard error, which is no progress."""

    text: str


class Concluded(Activity, frozen=True, kw_only=True):
    """The client's own last word: whether it says that it is done, and its text or its reason.

    `code`: the failure, where the client knows it: BUDGET_EXCEEDED.
    """

    ok: bool
    why: str = ""
    code: str = ""


class AgentNote(Activity, frozen=True, kw_only=True, tag="noted"):
    """Something that the agent wrote to its report file."""

    heading: str
    text: str


KINDS: tuple[type[Activity], ...] = tuple(Activity.__subclasses__())
_line = msgspec.json.Decoder(reduce(or_, KINDS))


def to_line(activity: Activity) -> bytes:
    """One line of JSON without its newline; the parts of names that are not Unicode are written `?`."""
    try:
        return msgspec.json.encode(activity)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(activity), ensure_ascii=False).encode("utf-8", "replace")


def from_line(line: bytes) -> Activity:
    """The activity that `to_line` made; ValueError for anything else: other JSON, an unknown kind, a wrong field."""
    try:
        found: Activity = _line.decode(line)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return found


def read(lines: Iterable[bytes]) -> Iterator[Activity]:
    """Those lines which are activity: a torn last line, an unknown kind and a wrong field are left out."""
    for line in lines:
        try:
            yield from_line(line)
        except ValueError:  # msgspec's DecodeError and ValidationError are both
            continue


def stamped(activity: Activity, at: float) -> Activity:
    """The same, at this time; one that has a time keeps it."""
    return activity if activity.at else msgspec.structs.replace(activity, at=at)


def cut(text: str) -> str:
    """At most LONGEST characters, with an ellipsis where something is left out."""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
