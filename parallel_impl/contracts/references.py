"""The references of one document: every one is looked up, by `referencing`, and nothing is fetched.

A validator follows only some references (none of a request body's) and reads whatever a URL names. So all of them are
looked up here first, through one way: to a file of the repository. Data (examples, defaults, enums, extensions) is kept
apart from structure, because a `$ref` in data is no reference; a property that is called `default` is not data.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from parallel_impl.contracts import reading
from parallel_impl.errors import UserError

HOME = "http://repository.invalid/"
KEYS = ("$ref", "$dynamicRef", "$recursiveRef")
DATA = frozenset(("example", "examples", "default", "enum", "const", "value"))
NAMES = frozenset((
    "properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies", "schemas",
    "responses", "parameters", "headers", "examples", "securitySchemes", "links", "callbacks", "pathItems", "paths",
    "requestBodies", "mediaTypes", "content", "variables", "webhooks", "encoding", "additionalOperations", "mapping",
    "scopes", "securityDefinitions",
))  # fmt: skip

Link = tuple[Any, str] | None  # a pointer as its parent's link and its last part: no tuple of parts for each node
Pointer = tuple[str, ...]


class RefusedError(Exception):
    """A reference that is not followed: what is wrong with where it leads."""


def uri(path: str) -> str:
    """Where the libraries believe a file of the repository to be."""
    return HOME + quote(path)


class Files:
    """The files of the repository by URI: each is asked for once, everything else is refused."""

    def __init__(self, ask: Callable[[str], bytes | None]) -> None:
        self._ask = ask
        self.known: dict[str, reading.File] = {}

    def load(self, uri: str) -> Any:
        """The data of a file; RefusedError where there is none to use."""
        if not uri.startswith(HOME):
            raise RefusedError("leads out of the repository: nothing is fetched")
        path = posixpath.normpath(unquote(urlsplit(uri).path)).lstrip("/")
        if path not in self.known:
            content = self._ask(path) if path.isprintable() and not path.startswith("..") else None
            if content is None or not path.lower().endswith(reading.MARKUP):
                raise RefusedError(f"leads to {path!r}, which is not there or neither .json nor .yaml")
            try:
                self.known[path] = reading.read(path, content)
            except UserError as error:
                raise RefusedError(f"leads to {path!r}, which cannot be read: {error.problems[0].what}") from None
        return self.known[path].data

    def retrieve(self, uri: str) -> Resource[Any]:
        return DRAFT202012.create_resource(self.load(uri))


def unresolved(first: reading.File, files: Files | None) -> Iterator[tuple[reading.File, Pointer, str]]:
    """Every reference that leads nowhere, in the document and in the files that it refers to.

    Without `files` (JSON Schema, where nothing resolves them) references to other documents are left alone.
    """
    registry: Any = Registry(retrieve=files.retrieve) if files else Registry()  # type: ignore[call-arg]
    done, todo = set[str](), [first]
    while todo:
        file = todo.pop()
        done.add(file.path)
        found = list(_references(file, rebased=files is None))
        roots = {uri(file.path): file.data} | {base: root for base, root, _, _ in found}
        resources = ((base, Resource.from_contents(root, DRAFT202012)) for base, root in roots.items())
        registry = registry.with_resources(resources).crawl()
        answers: dict[tuple[str, str], str] = {}
        for base, _, link, reference in found:
            if files is None and not reference.startswith("#"):
                continue
            if (base, reference) not in answers:
                answers[base, reference] = _answer(registry.resolver(base), reference)
            if answers[base, reference]:
                yield file, _pointer(link), f"the reference {reference[:100]!r} {answers[base, reference]}"
        todo += [one for path, one in files.known.items() if path not in done] if files and not todo else []


def _answer(resolver: Any, reference: Any) -> str:
    """What is wrong with a reference, and with those that it leads to; "" for nothing."""
    seen: dict[int, Any] = {}
    try:
        while isinstance(reference, str):
            resolved = resolver.lookup(reference)
            target, resolver = resolved.contents, resolved.resolver
            if not isinstance(target, (dict, bool)):
                return "leads to something that is no object"
            if id(target) in seen:
                return "leads back to itself"
            seen[id(target)] = target
            reference = target.get("$ref") if isinstance(target, dict) else None
    except Unresolvable as error:
        cause: BaseException | None = error
        while cause and not isinstance(cause, RefusedError):
            cause = cause.__cause__
        return str(cause or "leads nowhere")
    except (ValueError, TypeError):  # a pointer into text or by name into a list; brackets that are no host
        return "leads nowhere"
    return ""


def _references(file: reading.File, *, rebased: bool) -> Iterator[tuple[str, Any, Link, str]]:
    """Every reference: the URI and the document that it is relative to, where it stands, and what it says.

    `rebased`: an inner `$id` moves what `#/…` means below it (openapi-spec-validator does not see it so).
    """
    todo: list[tuple[Any, Link, bool, str, Any]] = [(file.data, None, False, uri(file.path), file.data)]
    while todo:
        node, link, naming, base, root = todo.pop()
        if isinstance(node, dict) and not naming:
            if rebased and link and isinstance(node.get("$id"), str) and not node["$id"].startswith("#"):
                base, root = urljoin(base, node["$id"]), node
            for key in KEYS:
                if isinstance(node.get(key), str):
                    yield base, root, (link, key), node[key]
        for name, child in node.items() if isinstance(node, dict) else enumerate(node):
            if isinstance(child, (dict, list)):
                names = not naming and name in NAMES and isinstance(child, dict)
                if naming or names or not (name in DATA or str(name).startswith("x-")):
                    todo.append((child, (link, str(name)), names, base, root))


def _pointer(link: Link) -> Pointer:
    parts: Pointer = ()
    while link is not None:
        parts, link = (link[1], *parts), link[0]
    return parts
