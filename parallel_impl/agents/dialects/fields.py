"""A client's line of JSON, read so that no shape of it raises: what is absent or of another type is empty."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

EXACT = 2**53  # beyond it, and for Infinity and NaN, which Python reads, a number says nothing


@dataclass(frozen=True, slots=True)
class Fields:
    """A value of JSON. Paths are keys, from the outside inwards."""

    value: object

    @classmethod
    def of(cls, line: bytes | str) -> Fields:
        """The object in a line, or in a text of another one; empty for what is no JSON."""
        try:
            return cls(json.loads(line))
        except (ValueError, RecursionError):
            return cls(None)

    def at(self, *path: str) -> Fields:
        value = self.value
        for key in path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return Fields(value)

    def text(self, *path: str) -> str:
        value = self.at(*path).value
        return value if isinstance(value, str) else ""

    def number(self, *path: str) -> float | None:
        value = self.at(*path).value
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < EXACT:
            return None
        return float(value)

    def count(self, *path: str) -> int | None:
        value = self.at(*path).value
        if isinstance(value, bool) or not isinstance(value, int) or not abs(value) < EXACT:
            return None
        return value

    def flag(self, *path: str) -> bool:
        return self.at(*path).value is True

    def each(self, *path: str) -> Iterator[Fields]:
        value = self.at(*path).value
        yield from (Fields(item) for item in value) if isinstance(value, list) else ()

    def first(self, *names: str) -> str:
        """The first of these keys that holds a text."""
        return next((text for name in names if (text := self.text(name))), "")

    def shown(self, *path: str) -> str:
        """A text as it is, a list of text blocks as their texts, anything else as JSON; for people."""
        found = self.at(*path)
        if isinstance(found.value, str):
            return found.value
        texts = [block.text("text") for block in found.each()]
        if any(texts):
            return "\n".join(text for text in texts if text)
        return "" if found.value is None else json.dumps(found.value, ensure_ascii=False)
