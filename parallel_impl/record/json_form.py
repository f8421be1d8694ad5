"""Structs as JSON files. Fields that are not known, written by another version, are passed over.

Names of files need not be Unicode: their odd bytes are surrogates in our text, which JSON writes as escapes.
"""

from __future__ import annotations

import json
import math
from typing import Any, TypeVar

import msgspec

from parallel_impl import structs

T = TypeVar("T")
DEEPEST = 100  # levels of what others wrote: Python gives up at about 1,000, counted from wherever it is asked


def encode(value: object, *, indent: int | None = None) -> bytes:
    """The value as ASCII JSON, with a last newline where it is indented for people."""
    built = msgspec.to_builtins(value)
    text = json.dumps(built)
    if not indent:
        return text.encode()
    try:  # the same text as by `json.dumps`, at a tenth of the time: with an indent that is no C
        return f"{msgspec.json.format(text, indent=indent)}\n".encode()
    except msgspec.DecodeError:  # a surrogate
        return f"{json.dumps(built, indent=indent)}\n".encode()


def decode(content: bytes, kind: type[T]) -> T:
    """What `encode` made of a `kind`; ValueError says what is wrong with anything else."""
    try:
        return structs.convert(json.loads(content.decode(), parse_constant=_refuse, parse_float=_finite), kind)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _finite(number: str) -> float:
    """The number; ValueError for one that is too large, which would be written again as `Infinity`."""
    if math.isinf(found := float(number)):
        _refuse(number[:20])
    return found


def is_shallow(value: object, levels: int = DEEPEST) -> bool:
    """Whether parsed JSON is nested no deeper than this, so that it can be written again."""
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(is_shallow(one, levels - 1) for one in below)


def plain(value: object) -> Any:
    """The value as its JSON reads: dicts, lists and texts, for a validator."""
    return json.loads(encode(value))
