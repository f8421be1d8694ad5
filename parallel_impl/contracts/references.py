"""The references of one document: where each leads, rings of them, and how large a schema becomes through them.

Used by `plan.openapi`. Nothing is fetched: a reference is a JSON pointer (RFC 6901) into the same document, or
into another file that the caller's `load` may give. Data (examples, defaults, enums, extensions) is told from
structure, because a `$ref` in data is not a reference; a property that is called `default` is not data.
"""

from __future__ import annotations

import gc
import posixpath
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from parallel_impl.plan.patterns import is_catastrophic
from parallel_impl.plan.pointers import Link, Pointer, follow, pointer_of

MAX_DEPTH = 160  # levels of one document; the validator was seen to survive 220 and to break above
MAX_EXPANDED = 20_000  # schemas that one schema becomes when references and allOf are written out
MAX_FINDINGS = 50

DATA = frozenset(("example", "default", "enum", "const", "value"))
NAMES = frozenset(
    (
        "properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies",
        "schemas", "responses", "parameters", "headers", "securitySchemes", "links", "callbacks", "pathItems",
        "paths", "requestBodies", "mediaTypes", "examples", "content", "variables", "webhooks", "encoding",
        "mapping", "scopes", "additionalOperations", "securityDefinitions",
    )
)  # fmt: skip
VALUED = ("default", "example", "examples", "const", "enum")
IDENTITY = ("$id", "$schema", "$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor", "jsonSchemaDialect")
DIALECTS = re.compile(
    r"https?://(?:json-schema\.org/(?:draft-0[34567]|draft/2019-09|draft/2020-12)/schema#?"
    r"|spec\.openapis\.org/oas/3\.[12]/(?:dialect|meta)/[a-z0-9-]+)"
)

SPOKEN = frozenset((*IDENTITY, "$ref", "allOf", "pattern"))

Load = Callable[[str], Any]


class UnreadableError(Exception):
    """A file that a reference names cannot be used; the message says why, without any of its content."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at `pointer` of the document `path`."""

    what: str
    path: str
    pointer: Pointer
    hint: str = ""


@dataclass(slots=True)
class _File:
    """One document: its path, its data, and under which name it is bundled ("" for the first)."""

    path: str
    data: Any
    name: str = ""


@dataclass(slots=True)
class _Graph:
    """What a schema stands for in place: the target of its reference and the members of its allOf."""

    edges: dict[int, list[Any]] = field(default_factory=dict)
    place: dict[int, tuple[_File, Link]] = field(default_factory=dict)


class Scan:
    """One walk over a document and what it refers to; `findings` says all that is wrong (50 at most).

    `load(path)` gives the data of another file or raises UnreadableError; None: other files are not followed
    and remote references left alone (JSON Schema, where nothing resolves them).
    """

    def __init__(self, path: str, data: Any, load: Load | None, folders: Collection[str]) -> None:
        self.findings: list[Finding] = []
        self._load, self._folders = load, folders
        self._files = {path: _File(path, data)}
        self._graph = _Graph()
        self._todo: list[tuple[Any, Link, int, int, _File]] = [(data, None, 0, 1, self._files[path])]
        self._rebased = load is None and any("$id" in inner for inner in _inner(data))
        self._rewrites: list[tuple[dict[str, Any], str]] = []
        self._known: dict[tuple[str, str], list[Any]] = {}  # targets within the first document, by reference
        collecting = gc.isenabled()
        gc.disable()  # 100,000s of small tuples and not one cycle
        try:
            self._walk()
            if not self.findings:
                self._find_rings()
        finally:
            if collecting:
                gc.enable()

    def bundle(self) -> bool:
        """Put every other file into the first document and point the references there; whether there was one."""
        first, *others = self._files.values()
        if not others:
            return False
        for file in others:
            if isinstance(file.data, dict):  # our resolution goes by file, which these two would change
                file.data.pop("$id", None)
                file.data.pop("$schema", None)
        for node, target in self._rewrites:
            node["$ref"] = target
        first.data[others[0].name.split("/")[1]] = {file.name.split("/")[2]: file.data for file in others}
        return True

    def _say(self, file: _File, link: Link, what: str, hint: str = "") -> None:
        if len(self.findings) < MAX_FINDINGS:
            self.findings.append(Finding(what, file.path, pointer_of(link), hint))

    def _walk(self) -> None:
        """Visit every list and mapping once. Contexts: 0 structure, 1 a mapping of names, 2 data."""
        todo, seen = self._todo, (set[int](), set[int](), set[int]())
        while todo and len(self.findings) < MAX_FINDINGS:
            node, link, context, depth, file = todo.pop()
            if id(node) in seen[context]:
                continue
            seen[context].add(id(node))
            if depth > MAX_DEPTH:
                self._say(file, link, f"nested deeper than {MAX_DEPTH} levels", "flatten it, or use references")
                return
            if type(node) is list:
                for number, child in enumerate(node):
                    if type(child) is dict or type(child) is list:
                        todo.append((child, (link, str(number)), context, depth + 1, file))
                continue
            if context == 0 and not SPOKEN.isdisjoint(node):
                self._look(node, link, file)
            for name, child in node.items():
                kind = type(child)
                if kind is dict or kind is list:
                    inner = context or (2 if name in DATA or name[:2] == "x-" else 1 if name in NAMES else 0)
                    if context == 1 or (inner == 1 and kind is list):
                        inner = 2 if name == "examples" and context == 0 else 0
                    todo.append((child, (link, name), inner, depth + 1, file))

    def _look(self, node: dict[str, Any], link: Link, file: _File) -> None:
        """What one structural node says of itself: its reference, its identity, its pattern, its parts in place."""
        # a ring through oneOf or anyOf (a base that lists its kinds, each of them allOf the base) is in daily use
        edges = [part for part in node["allOf"] if isinstance(part, dict)] if type(node.get("allOf")) is list else []
        if "$ref" in node and isinstance(node["$ref"], str):
            edges += self._refer(node, link, file)
        if edges:
            self._graph.edges[id(node)] = edges
            self._graph.place[id(node)] = (file, link)
        if self._load is not None and not node.keys().isdisjoint(IDENTITY):
            self._identify(node, link, file)
        pattern = node.get("pattern")
        if isinstance(pattern, str) and any(name in node for name in VALUED) and is_catastrophic(pattern):
            hint = "let repeats not nest: write a+ for (a+)+"
            self._say(file, (link, "pattern"), "the pattern takes exponential time on its own default or example", hint)

    def _refer(self, node: dict[str, Any], link: Link, file: _File) -> list[Any]:
        """Resolve the reference of `node`: its target as a list of one, or none and a finding."""
        known = self._known.get((file.name, node["$ref"]))
        if known is not None:
            return known
        path, _, fragment = node["$ref"].partition("#")
        at: Link = (link, "$ref")
        if self._load is None and (path or (fragment and not fragment.startswith("/")) or self._rebased):
            return []
        target = self._file(path, file, at) if path else file
        if target is None:
            return []
        if fragment and not fragment.startswith("/"):
            self._say(file, at, "a reference by anchor", "refer by pointer: #/components/…")
            return []
        try:
            found, place = follow(target.data, fragment)
        except KeyError:
            self._say(file, at, "the reference leads nowhere", "correct its path, or define what it names")
            return []
        if not isinstance(found, (dict, bool)):
            self._say(file, at, "the reference leads to something that is no object", "refer to a definition")
            return []
        if target.name or path:
            self._rewrites.append((node, f"#{target.name}{fragment}"))
        else:
            self._known[file.name, node["$ref"]] = [found] if isinstance(found, dict) else []
        if isinstance(found, bool):
            return []
        self._todo.append((found, place, 0, len(pointer_of(place)) + 1, target))
        return [found]

    def _file(self, path: str, file: _File, at: Link) -> _File | None:
        """The other document that a reference names; None and a finding when it is not to be read."""
        assert self._load is not None  # noqa: S101  (the caller left other files alone)
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:|//", path):
            self._say(
                file, at, "a reference to another place by URL: nothing is fetched", "copy it into the change folder"
            )
            return None
        plain = unquote(path)
        where = posixpath.normpath(posixpath.join(posixpath.dirname(file.path), plain))
        home = (*self._folders, posixpath.dirname(next(iter(self._files))))
        inside = any(where.startswith(f"{folder}/") if folder else not where.startswith("../") for folder in home)
        if plain.startswith("/") or not plain.isprintable() or "\\" in plain or not inside:
            self._say(file, at, "a reference that leaves the change folder", "copy the file into the change folder")
            return None
        if where in self._files:
            return self._files[where]
        try:
            data = self._load(where)
        except UnreadableError as error:
            self._say(file, at, f"the reference leads to a file that {error}", "correct its path, or add the file")
            return None
        name = next(f"x-bundled{'-' * n}" for n in range(100) if f"x-bundled{'-' * n}" not in self._first)
        self._files[where] = _File(where, data, f"/{name}/{len(self._files)}")
        self._todo.append((data, None, 2, 1, self._files[where]))  # all of it is bundled, so its depth counts
        return self._files[where]

    @property
    def _first(self) -> Any:
        return next(iter(self._files.values())).data

    def _identify(self, node: dict[str, Any], link: Link, file: _File) -> None:
        """`$id` and its kin change what references mean, or name documents elsewhere."""
        for name in IDENTITY:
            value = node.get(name)
            if name not in node or (link is None and file.name and name in ("$id", "$schema")):
                continue
            known = isinstance(value, str) and DIALECTS.fullmatch(value)
            if name in ("$schema", "jsonSchemaDialect"):
                if not known:
                    self._say(
                        file, (link, name), f"{name} names no published dialect: nothing is fetched", "leave it out"
                    )
            elif name == "$id" or (name in ("$dynamicRef", "$recursiveRef") and not str(value).startswith("#")):
                hint = "refer by $ref: #/components/…" if name != "$id" else "leave it out; refer by pointer"
                self._say(file, (link, name), f"{name} is not admitted here: nothing is looked up by it", hint)

    def _find_rings(self) -> None:
        """Rings of references and allOf have no meaning; long ladders of them no end (post-order, no recursion)."""
        edges, size = self._graph.edges, dict[int, int]()
        for start in edges:
            path: list[tuple[int, Iterator[Any]]] = []
            if start not in size:
                path.append((start, iter(edges[start])))
            on_path = {start}
            while path:
                here, children = path[-1]
                child = next(children, None)
                if child is None:
                    size[here] = self._expanded(here, size)
                    on_path.discard(here)
                    path.pop()
                elif id(child) in on_path:
                    self._ring(here, child)
                elif id(child) in edges and id(child) not in size:
                    on_path.add(id(child))
                    path.append((id(child), iter(edges[id(child)])))

    def _expanded(self, node: int, size: dict[int, int]) -> int:
        total = 1 + sum(size.get(id(child), 1) for child in self._graph.edges[node])
        if total <= MAX_EXPANDED:
            return total
        hint = "let its members refer to each other less often"
        self._say(*self._graph.place[node], f"stands for more than {MAX_EXPANDED:,} schemas when written out", hint)
        return 1

    def _ring(self, node: int, target: Any) -> None:
        file, link = self._graph.place[node]
        what = "the reference leads back to itself" if node == id(target) else "the references go round in a ring"
        self._say(file, link, what, "let one of them go through properties or items")


def _inner(data: Any) -> Iterator[dict[str, Any]]:
    """Every mapping below the root: an `$id` in one of them moves what `#/…` means there."""
    stack = list(data.values()) if isinstance(data, dict) else []
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack += node.values()
        elif isinstance(node, list):
            stack += node
