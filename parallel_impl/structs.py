"""Structs from parsed or written JSON, also by several threads at once.

msgspec (0.22) learns a type when it meets it first, and while one thread does, another one that reads the same type
crashes the process. So each type is learnt before, by one thread at a time; after that nothing waits.
"""

from __future__ import annotations

import threading
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")

_LEARNING = threading.Lock()
_KNOWN: dict[Any, Any] = {}


@overload
def convert(value: object, kind: type[T]) -> T: ...
@overload
def convert(value: object, kind: Any) -> Any: ...
def convert(value: object, kind: Any) -> Any:
    """The value as a `kind`. msgspec.ValidationError says what is wrong with it."""
    decoder(kind)
    return msgspec.convert(value, kind)


def decode(content: bytes, kind: type[T]) -> T:
    """JSON as a `kind`. msgspec.MsgspecError or UnicodeDecodeError say what is wrong with it."""
    return decoder(kind).decode(content)


def decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """The one decoder for this type, which may be used by all threads."""
    found: msgspec.json.Decoder[T] | None = _KNOWN.get(kind)
    if found is None:
        with _LEARNING:
            found = _KNOWN.setdefault(kind, msgspec.json.Decoder(kind))
    return found
