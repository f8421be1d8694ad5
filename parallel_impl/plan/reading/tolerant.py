"""The tolerant policy of reading YAML, for other people's files: as safe as the strict one, and as quick.

Anchors, merge keys, `on`, floats, numeric keys and several documents are ordinary there. Scalars follow the core schema
of YAML 1.2 (section 10.3.2; dates stay text), keys are the text as written (`200:` is the key "200").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from parallel_impl.plan.reading import document
from parallel_impl.plan.reading.positions import Positions

MAX_DEPTH = 160
MAX_DIGITS = 300  # CPython refuses to convert very long numbers with a ValueError

_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_WORDS |= {form: value for word, value in _WORDS.items() for form in (word.capitalize(), word.upper())}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)


def parse(text: str, source: str) -> tuple[list[Any], Positions | None]:
    """The documents in `text`, and where everything stands if there is one; UserError with all that is wrong."""
    with document.uncollected():
        builder = _Builder(text, source)
        builder.collect()
    found = builder.documents
    return found, Positions(found[0], builder.marks, builder.root_mark) if len(found) == 1 else None


class _Merge(str):
    """Stands for one merge key until its mapping is complete."""

    __slots__ = ()
    __eq__, __hash__ = object.__eq__, object.__hash__


class _Builder(document.Builder):
    """The tolerant policy of reading YAML."""

    max_events, max_depth, max_entries, max_alias_nodes = 600_000, MAX_DEPTH, 600_000, 100_000

    def __init__(self, text: str, source: str) -> None:
        super().__init__(text, source)
        self.documents: list[Any] = []
        self.merging: set[int] = set()

    def too_deep(self) -> tuple[str, str]:
        return f"nested deeper than {MAX_DEPTH} levels", "flatten it, or use references"

    def begin(self, value: Any, mark: Any) -> None:
        self.root_mark = mark
        self.documents.append(value)

    def end(self, event: Any) -> None:  # noqa: ARG002  (called as every action is)
        self.anchors = {}

    def finish(self, event: Any) -> None:  # noqa: ARG002
        raise document.StopError

    def quoted(self, text: str, mark: Any) -> None:
        """Any character may be escaped in a contract."""

    def resolved(self, text: str, mark: Any) -> Any:  # noqa: ARG002  (as the strict policy has it)
        if text in _WORDS:
            return _WORDS[text]
        if len(text) > MAX_DIGITS:
            return text
        if _INTEGER.fullmatch(text):
            return int(text[2:], {"0o": 8, "0x": 16}[text[:2]]) if text[:2] in ("0o", "0x") else int(text)
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan")) if _FLOAT.fullmatch(text) else text

    def odd_key(self, top: Any, value: Any, mark: Any, text: str, style: str) -> Any:
        if text == "<<" and not style:
            self.merging.add(id(top.data))
            return _Merge("<<")
        key = text or value
        if key in top.data:
            self.second(top, key, mark)
        return key

    def close(self, event: Any) -> None:
        if id(self.stack[-1].data) in self.merging:
            self.merge(self.stack[-1])
        super().close(event)

    def merge(self, frame: Any) -> None:
        """Write out the merge keys of a complete mapping: what it says itself counts, then the first source."""
        data, marks = frame.data, iter(frame.marks)
        entries = [(key, value, next(marks), next(marks)) for key, value in data.items()]
        found = [entry for entry in entries if not isinstance(entry[0], _Merge)]
        for key, value, mark, _ in entries:
            for source in (value if isinstance(value, list) else [value]) if isinstance(key, _Merge) else ():
                if not isinstance(source, dict):
                    self.stop(mark, "a merge key (<<) wants a mapping or a list of them", "use *alias")
                places: Iterator[Any] = iter(self.marks.get(id(source), ()))
                found += [(name, inner, next(places), next(places)) for name, inner in source.items()]
        data.clear()
        frame.marks = []
        for key, value, *both in found:
            if key not in data:
                data[key] = value
                frame.marks += both
