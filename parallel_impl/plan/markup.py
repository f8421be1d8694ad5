"""YAML and JSON of contracts to plain data: tolerant where the plan's own reader is strict, and as safe.

Used by `plan.contracts` and `plan.openapi`. Contracts are other people's files: anchors, merge keys, `on`,
floats and numeric keys are ordinary there. Scalars follow the core schema of YAML 1.2 (dates stay text), keys
are the text as written (`200:` is the key "200"), and nothing but plain data comes out. Limits are checked on
each event of libyaml's parser, before anything is built.
"""

from __future__ import annotations

import gc
import json
import re
from typing import Any, NoReturn

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from parallel_impl.text import shorten

MAX_BYTES = 16 * 1024 * 1024
MAX_NODES = 300_000  # libyaml's events cost 4 µs each; ten times as much JSON is read in that time
MAX_DEPTH = 200
MAX_ALIAS_NODES = 100_000  # reached through aliases and merge keys, after expansion
MAX_DIGITS = 300  # CPython refuses to convert very long numbers with a ValueError

Place = tuple[int, int]

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_FIRST = frozenset("0123456789+-.")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_INTEGER = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LATER = object()


class MarkupError(Exception):
    """The text cannot be read; `place` is line and column (1-based) where known. Never quotes the text."""

    def __init__(self, what: str, hint: str = "", place: Place | None = None) -> None:
        super().__init__(what)
        self.what, self.hint, self.place = what, hint, place


def decode(content: bytes) -> str:
    """`content` as text without a byte order mark; MarkupError when it is too large or not UTF-8."""
    if len(content) > MAX_BYTES:
        raise MarkupError(f"larger than {MAX_BYTES // 2**20} MB", "split it into files that refer to each other")
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        place = (content.count(b"\n", 0, error.start) + 1, error.start - content.rfind(b"\n", 0, error.start))
        raise MarkupError("not UTF-8", "save it as UTF-8", place) from None


def parse_json(text: str) -> Any:
    """The value of a JSON text (RFC 8259, and no name twice in one object); MarkupError otherwise."""
    collecting = gc.isenabled()
    gc.disable()  # 100,000s of small objects and not one cycle: the collector costs two thirds of the time
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_integer)
    except json.JSONDecodeError as error:
        what = f"not valid JSON: {error.msg}"  # the module's own words, never the text's
        raise MarkupError(what, "correct it there", (error.lineno, error.colno)) from None
    except RecursionError:
        raise MarkupError(f"nested deeper than {MAX_DEPTH} levels", "flatten it") from None
    finally:
        if collecting:
            gc.enable()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise MarkupError(f"the key {_short(twice)} is twice in one object", "keep one of them")
    return found


def _no_constant(_: str) -> NoReturn:
    raise MarkupError("not valid JSON: NaN and Infinity are no JSON numbers", "write a number or null")


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise MarkupError(f"a number of more than {MAX_DIGITS} digits", "quote it if it is meant as text")
    return int(text)


def _short(name: str) -> str:
    return f'"{shorten(name, 60)}"'


def parse_yaml(text: str) -> list[Any]:
    """The documents of a YAML text; MarkupError for what is not YAML, has tags or breaks a limit."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _Builder(text).build()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = (mark.line + 1, mark.column + 1) if mark else None
        raise MarkupError(f"not valid YAML: {error.problem or error.context}", "correct it there", place) from None
    except (yaml.YAMLError, ValueError):  # characters that are no text; an escape that is no character
        raise MarkupError("not valid YAML: a character that is not text", "look for control characters") from None
    finally:
        if collecting:
            gc.enable()


def resolve(text: str) -> Any:
    """The value of a plain scalar by the core schema (YAML 1.2.2, section 10.3.2)."""
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    if text[0] not in _FIRST:
        return text
    if len(text) > MAX_DIGITS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _OTHER_INTEGER.fullmatch(text):
        return int(text[2:], 8 if text[1] == "o" else 16)
    return float(text.replace(".", "", 1)) if _SPECIAL.fullmatch(text) else text


class _Open:
    """A list or mapping that has begun and not ended; `key` is the key that waits for its value."""

    __slots__ = ("anchor", "before", "data", "key", "merged")

    def __init__(self, data: Any, anchor: str | None, before: int) -> None:
        self.data, self.anchor, self.before = data, anchor, before
        self.key: Any = _LATER
        self.merged: list[Any] = []


class _Builder:
    """Builds data from events; stops at the first thing that is wrong."""

    def __init__(self, text: str) -> None:
        self.parser = CParser(text.encode("utf-8", "surrogatepass"))
        self.stack: list[_Open] = []
        self.anchors: dict[str, tuple[Any, int, int]] = {}  # name -> value, nodes in it, levels
        self.nodes = self.by_alias = 0
        self.documents: list[Any] = []

    def build(self) -> list[Any]:
        event_of = self.parser.get_event
        while True:
            event: Any = event_of()
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self.scalar(event)
            elif kind is yaml.MappingStartEvent:
                self.open({}, event)
            elif kind is yaml.SequenceStartEvent:
                self.open([], event)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self.close()
            elif kind is yaml.AliasEvent:
                self.alias(event)
            elif kind is yaml.DocumentStartEvent:
                self.anchors = {}
            elif kind is yaml.StreamEndEvent:
                return self.documents

    def stop(self, mark: Any, what: str, hint: str) -> NoReturn:
        raise MarkupError(what, hint, (mark.line + 1, mark.column + 1))

    def scalar(self, event: yaml.ScalarEvent) -> None:
        if event.tag is not None:
            self.stop(event.start_mark, "YAML tags (!) are not admitted", "write the value without its tag")
        self.count(event)
        top = self.stack[-1] if self.stack else None
        if top is not None and type(top.data) is dict and top.key is _LATER:
            top.key = event.value
            if event.value == "<<" and not event.style:
                top.key = None
            elif event.value in top.data:
                self.stop(event.start_mark, "this key is here a second time", "keep one of them")
            return
        value = event.value if event.style else resolve(event.value)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1, 0)
        self.add(value, event)

    def add(self, value: Any, event: yaml.Event) -> None:
        if not self.stack:
            self.documents.append(value)
            return
        top = self.stack[-1]
        if type(top.data) is list:
            top.data.append(value)
        elif top.key is None:  # a merge key
            sources = value if isinstance(value, list) else [value]
            if not all(isinstance(source, dict) for source in sources):
                self.stop(event.start_mark, "a merge key (<<) wants a mapping or a list of them", "use *alias")
            top.merged += sources
            top.key = _LATER
        elif top.key is _LATER:
            self.stop(event.start_mark, "a key must be text", "quote it if it is meant as text")
        else:
            top.data[top.key] = value
            top.key = _LATER

    def open(self, data: Any, event: yaml.CollectionStartEvent) -> None:
        if len(self.stack) >= MAX_DEPTH:
            self.stop(event.start_mark, f"nested deeper than {MAX_DEPTH} levels", "flatten it")
        if event.tag is not None:
            self.stop(event.start_mark, "YAML tags (!) are not admitted", "write the value without its tag")
        self.count(event)
        top = self.stack[-1] if self.stack else None
        if not (top is not None and type(top.data) is dict and top.key is None):
            self.add(data, event)  # the value of a merge key is added when it is complete
        self.stack.append(_Open(data, event.anchor, self.nodes - 1))

    def close(self) -> None:
        done = self.stack.pop()
        for source in done.merged:
            self.spend(len(source))
            for name, value in source.items():
                done.data.setdefault(name, value)
        if done.anchor is not None:
            self.anchors[done.anchor] = (done.data, self.nodes - done.before, _height(done.data))
        top = self.stack[-1] if self.stack else None
        if top is not None and type(top.data) is dict and top.key is None:
            top.merged += done.data if isinstance(done.data, list) else [done.data]
            top.key = _LATER

    def alias(self, event: yaml.AliasEvent) -> None:
        if event.anchor not in self.anchors:
            open_now = any(frame.anchor == event.anchor for frame in self.stack)
            what = "an alias that contains itself" if open_now else "an alias that has no anchor before it"
            self.stop(event.start_mark, what, "write the value out")
        value, nodes, levels = self.anchors[event.anchor]
        self.nodes += nodes
        self.spend(nodes)
        if len(self.stack) + levels > MAX_DEPTH:
            self.stop(event.start_mark, f"nested deeper than {MAX_DEPTH} levels through an alias", "flatten it")
        top = self.stack[-1] if self.stack else None
        if top is not None and type(top.data) is dict and top.key is _LATER and isinstance(value, str):
            top.key = value
            return
        self.add(value, event)

    def spend(self, nodes: int) -> None:
        self.by_alias += nodes
        if self.by_alias > MAX_ALIAS_NODES:
            raise MarkupError(f"aliases stand for more than {MAX_ALIAS_NODES:,} nodes", "write the values out")

    def count(self, event: yaml.Event) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.stop(
                event.start_mark,
                f"more than {MAX_NODES:,} nodes",
                "save it as JSON, which is read ten times as fast, or split it",
            )


def _height(value: Any) -> int:
    """How many levels of lists and mappings are in `value`."""
    level, height = [value], 0
    while level := [item for item in level if isinstance(item, (dict, list))]:
        height += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
        if height > MAX_DEPTH:
            break
    return height
