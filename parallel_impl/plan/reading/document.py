"""YAML text to plain data with positions, in one pass over the events of libyaml's parser.

The one reader of YAML: strict as it stands here, for plans; a subclass says what it takes more tolerantly. Nothing
but dict, list, str, int, bool and None comes out. The C *loader* is not used: it crashes the process at flow depth
100,000, runs for minutes on a bomb of merge keys, and takes twice as long; its event parser keeps its own stack and was
seen to survive a depth of 1,000,000 (or refuses it), so every limit is checked here, on each event, before anything is
built.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined]

from parallel_impl.errors import Problem, Severity, UserError
from parallel_impl.plan.model import YamlPath, yaml_path
from parallel_impl.plan.reading import advice, scalars
from parallel_impl.plan.reading.depth import is_too_deep
from parallel_impl.plan.reading.positions import Positions, place_of
from parallel_impl.text import shorten

MAX_EVENTS = 2_000_000
MAX_DEPTH = 64
MAX_ALIAS_NODES = 10_000  # reached through aliases, after expansion
MAX_ENTRIES = 10_000  # in one list or mapping: twice the packages that a plan may have
MAX_PROBLEMS = 50
MAX_MESSAGE = 500  # characters: a key or value may be a megabyte

_NOTHING = re.compile(r"(?:\s++|#[^\n]*+|\.\.\.(?=\s|\Z))*+\Z")


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file: its data, where everything stands, and the name it is called by in messages."""

    data: dict[str, Any]
    position: Positions
    source: str

    def problem(
        self, path: YamlPath, what: str, hint: str = "", *, severity: Severity = Severity.ERROR, key: bool = False
    ) -> Problem:
        """A problem at `path` (of its key, where `key`), ready to be shown."""
        line, column = self.position.nearest(path, key=key)
        said = (shorten(text, MAX_MESSAGE) for text in (what, hint))
        return Problem(next(said), f"{self.source}:{line}:{column}", _one_line(path), next(said), severity)


def parse(content: bytes, source: str) -> Document:
    """The one document in `content`, a mapping; UserError with all that is wrong with it."""
    with uncollected():
        return Builder(scalars.decode(content, source), source).build()


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage collection meanwhile: of 100,000s of small objects without a cycle it only costs time (a third)."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


class _Open:
    """A list or mapping that has begun and not ended; `key` is the key that waits for its value."""

    __slots__ = ("anchor", "data", "key", "marks")

    def __init__(self, data: Any, anchor: str | None) -> None:
        self.data = data
        self.marks: list[Any] = []
        self.key: Any = None
        self.anchor = anchor


class StopError(Exception):
    """Nothing after this point is read; where that is a problem, it is among those collected."""


class Builder:
    """Builds the data from the events, and collects what is wrong. What a policy may change comes last.

    Events and marks are `Any`: the stubs call every field of theirs optional, and the parser sets them all.
    """

    max_events, max_depth, max_entries, max_alias_nodes = MAX_EVENTS, MAX_DEPTH, MAX_ENTRIES, MAX_ALIAS_NODES

    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source
        self.problems: list[Problem] = []
        self.stack: list[_Open] = []
        self.marks: dict[int, list[Any]] = {}
        self.by_alias = 0  # nodes
        self.anchors: dict[str, Any] = {}
        self.root: Any = None
        self.root_mark: Any = None

    def build(self) -> Document:
        self.collect()
        return Document(self.root, Positions(self.root, self.marks, self.root_mark), self.source)

    def collect(self) -> None:
        """Read everything; UserError with all that is wrong."""
        try:
            self.read()
        except StopError:
            pass
        except yaml.MarkedYAMLError as error:
            self.syntax(error)
        except (yaml.YAMLError, ValueError):  # e.g. a noncharacter: such errors carry no mark
            line, column = place_of(self.stack[-1].marks[-1]) if self.stack and self.stack[-1].marks else (1, 1)
            self.problem(line, column, "cannot be read as YAML near here", "look for characters that are not text")
        if self.problems:
            raise UserError(self.problems)

    def read(self) -> None:
        act = {
            yaml.ScalarEvent: self.scalar,
            yaml.MappingStartEvent: self.mapping,
            yaml.SequenceStartEvent: self.sequence,
            yaml.MappingEndEvent: self.close,
            yaml.SequenceEndEvent: self.close,
            yaml.AliasEvent: self.alias,
            yaml.StreamStartEvent: self.ignore,
            yaml.DocumentStartEvent: self.ignore,
            yaml.DocumentEndEvent: self.end,
            yaml.StreamEndEvent: self.finish,
        }
        next_event = CParser(self.text.encode("utf-8")).get_event
        for _ in range(self.max_events):
            event: Any = next_event()
            act[type(event)](event)
        self.stop(event.start_mark, f"more than {self.max_events:,} YAML events", "split it")

    def ignore(self, event: Any) -> None:
        """The stream and the document begin: nothing to build."""

    def scalar(self, event: Any) -> None:
        mark, text, style = event.start_mark, event.value, event.style
        value: Any = text
        if not style:  # plain; the C parser says '' where the pure one says None
            if text[:1] in scalars.SUSPECT:
                value = self.resolved(text, mark)
        elif style == '"':
            self.quoted(text, mark)
        if event.tag is not None:
            self.tagged(event)
        if event.anchor is not None:
            self.anchors[event.anchor] = value
        self.add(value, mark, text, style)

    def add(self, value: Any, mark: Any, text: str = "", style: str = "'") -> None:
        """Put a node into the innermost open list or mapping (`text` and `style`: of a scalar)."""
        if not self.stack:
            self.begin(value, mark)
            return
        top = self.stack[-1]
        data, marks = top.data, top.marks
        if type(data) is list:
            data.append(value)
        elif top.key is not None:
            data[top.key] = value
            top.key = None
        else:
            top.key = value
            if type(value) is not str or value in data or text == "<<":
                top.key = self.odd_key(top, value, mark, text, style)
        marks.append(mark)
        if len(data) > self.max_entries:
            self.stop(mark, f"more than {self.max_entries:,} entries in one list or mapping", "split the change")

    def second(self, top: _Open, key: str, mark: Any) -> None:
        """Report a key that is there twice."""
        line, column = place_of(top.marks[2 * list(top.data).index(key)])
        self.at(mark, f"the key {advice.glimpse(key)} is here a second time", f"the first is at line {line}:{column}")

    def mapping(self, event: Any) -> None:
        self.open({}, event)

    def sequence(self, event: Any) -> None:
        self.open([], event)

    def open(self, data: Any, event: Any) -> None:
        mark = event.start_mark
        if len(self.stack) >= self.max_depth:
            self.stop(mark, *self.too_deep())
        if event.tag is not None:
            self.tagged(event)
        if self.stack and type(self.stack[-1].data) is dict and self.stack[-1].key is None:
            self.stop(mark, "a key must be text, not a list or mapping", "quote it if it is meant as text")
        self.add(data, mark)
        self.stack.append(_Open(data, event.anchor))

    def close(self, event: Any) -> None:  # noqa: ARG002  (called as every action is)
        done = self.stack.pop()
        if done.marks:
            self.marks[id(done.data)] = done.marks
        if done.anchor is not None:
            self.anchors[done.anchor] = done.data

    def alias(self, event: Any) -> None:
        mark, name = event.start_mark, event.anchor
        if any(frame.anchor == name for frame in self.stack):
            self.stop(mark, f"the alias *{advice.glimpse(name)} contains itself", "write the value out")
        if name not in self.anchors:
            self.stop(
                mark,
                f"the alias *{advice.glimpse(name)} has no anchor before it",
                f"define it: &{advice.glimpse(name)}",
            )
        value = self.anchors[name]
        nodes, height = _size(value, self.max_alias_nodes - self.by_alias)
        self.by_alias += nodes
        if self.by_alias > self.max_alias_nodes:
            self.stop(mark, f"aliases stand for more than {self.max_alias_nodes:,} nodes", "write the values out")
        if len(self.stack) + height > self.max_depth:
            self.stop(mark, f"nested deeper than {self.max_depth} levels through an alias", "flatten it")
        top = self.stack[-1]
        if type(top.data) is dict and top.key is None and not isinstance(value, str):
            self.stop(mark, "a key must be text", "write the key out")
        self.add(value, mark)

    def tagged(self, event: Any) -> None:
        tag = advice.glimpse(event.tag)
        self.at(event.start_mark, f"the tag {tag} is not admitted", "delete it; quote the value if it is text")

    def syntax(self, error: yaml.MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        line, column = place_of(mark) if mark else (1, 1)
        if is_too_deep(error):
            self.problem(line, column, *self.too_deep())
            return
        said = f"{error.problem or 'cannot be read'}{f' {error.context}' if error.context else ''}"
        self.problem(line, column, f"not valid YAML: {said}", advice.syntax(said))

    def stop(self, mark: Any, what: str, hint: str) -> NoReturn:
        self.at(mark, what, hint)
        raise StopError

    def at(self, mark: Any, what: str, hint: str) -> None:
        self.problem(mark.line + 1, mark.column + 1, what, hint)
        if len(self.problems) >= MAX_PROBLEMS:
            raise StopError

    def problem(self, line: int, column: int, what: str, hint: str) -> None:
        where = f"{self.source}:{line}:{column}"
        self.problems.append(Problem(what, where, _one_line(tuple(map(_entry, self.stack)))[:MAX_MESSAGE], hint))

    def too_deep(self) -> tuple[str, str]:
        return f"nested deeper than {self.max_depth} levels", "flatten it; a plan needs about eight"

    # -- what a policy may change; here the strict one

    def begin(self, value: Any, mark: Any) -> None:
        """The root of a document."""
        if type(value) is not dict:
            listed = ", not a list" if type(value) is list else ""
            self.stop(mark, f"the file must be a mapping{listed}", "begin with schema_version: 1")
        self.root, self.root_mark = value, mark

    def end(self, event: Any) -> None:
        """Look at what follows as text: directives of a second document would cost quadratic time to parse."""
        if not _NOTHING.match(self.text, event.end_mark.index):
            self.stop(event.end_mark, "text after the end of the document", "one file holds one document: delete it")
        raise StopError

    def finish(self, event: Any) -> None:
        """The stream ends without a document."""
        self.stop(event.start_mark, "the file is empty", "write at least schema_version, feature and packages")

    def resolved(self, text: str, mark: Any) -> Any:
        """The value of a plain scalar that may be something else than text."""
        try:
            return scalars.resolve(text)
        except scalars.AmbiguousError as error:
            if text != "<<":
                self.at(mark, f"unquoted {advice.glimpse(text)}: {error}", advice.quoted(text))
            return text

    def quoted(self, text: str, mark: Any) -> None:
        """A scalar in double quotes, which may have escapes."""
        if found := scalars.CONTROL_IN_SCALAR.search(text):
            self.at(mark, f"control or invisible character U+{ord(found[0]):04X} in a string", "delete the escape")

    def odd_key(self, top: _Open, value: Any, mark: Any, text: str, style: str) -> Any:
        """The key to use for one that is no text, a merge key, or there already."""
        if text == "<<" and not style:
            self.at(mark, "merge keys (<<) are not admitted", "write the fields out, or put them under defaults:")
        elif type(value) is not str:
            self.at(mark, "a key must be text", advice.quoted(text))
        else:
            self.second(top, value, mark)
        return value if type(value) is str else text


def _one_line(path: YamlPath) -> str:
    """The path as people write it; a key with line ends in it must not look like lines of our own."""
    return yaml_path(tuple(advice.glimpse(part) if isinstance(part, str) else part for part in path)).rstrip(".")


def _entry(frame: _Open) -> str | int:
    """What of this list or mapping is being read: its key or number."""
    if type(frame.data) is list:
        return max(0, len(frame.data) - 1)
    return frame.key if frame.key is not None else next(reversed(frame.data), "")


def _size(value: Any, limit: int) -> tuple[int, int]:
    """How many nodes `value` has, and how deep it nests; stops counting soon after `limit` nodes."""
    if not isinstance(value, (dict, list)):
        return 1, 0
    nodes, height = 1, 0
    for member in value.values() if isinstance(value, dict) else value:
        below, depth = _size(member, limit - nodes)
        nodes, height = nodes + below, max(height, depth)
        if nodes > limit:
            break
    return nodes, height + 1
