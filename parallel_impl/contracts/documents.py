"""The look that we take at a contract's structure before any validator sees it: fast, bounded, nothing fetched.

Used by `plan.contracts`. It decides what a document is, and finds what validators answer badly: references to
other places (openapi-spec-validator reads `file:///etc/passwd` and shows it in its error, fetches http, hangs
on a FIFO), rings of references (RecursionError), depth, ladders of allOf, patterns of exponential time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from parallel_impl.plan import markup
from parallel_impl.plan.references import Finding, Scan, UnreadableError

MAX_FILES = 200
_VERSION = re.compile(r"2\.0|3\.[0-2]\.[0-9]+")
_SCHEMA_KEYS = frozenset(("type", "properties", "$defs", "definitions", "allOf", "oneOf", "anyOf", "$ref", "enum"))


@dataclass(frozen=True, slots=True)
class Scanned:
    """What the look found; `bundled`: other files were put into the document that was given."""

    findings: tuple[Finding, ...]
    bundled: bool = False


def is_openapi(data: Any) -> bool:
    """Whether a parsed contract calls itself OpenAPI (or Swagger 2)."""
    return isinstance(data, dict) and ("openapi" in data or "swagger" in data)


def is_schema(path: str, data: Any) -> bool:
    """Whether a parsed contract is a JSON Schema: by `$schema`, or by its name and its keywords."""
    if not isinstance(data, dict):
        return isinstance(data, bool) and ".schema." in path
    named = re.search(r"[.-]schema\.(json|ya?ml)$", path)
    return isinstance(data.get("$schema"), str) or bool(named and not _SCHEMA_KEYS.isdisjoint(data))


def scan_openapi(path: str, data: Any, read: Callable[[str], bytes | None], folders: Collection[str]) -> Scanned:
    """Look at an OpenAPI document; other files are read by `read`, from `folders` or the document's own only."""
    findings = list(_structure(path, data))
    if findings:
        return Scanned(tuple(findings))
    scan = Scan(path, data, _Loader(read), folders)
    return Scanned(tuple(scan.findings), bundled=not scan.findings and scan.bundle())


def scan_schema(path: str, data: Any) -> Scanned:
    """Look at a JSON Schema: pointers within it, rings, depth. References elsewhere are nobody's to resolve here."""
    scan = Scan(path, data, None, ())
    return Scanned(tuple(scan.findings))


def parse(path: str, content: bytes) -> Any:
    """The data of a JSON or YAML contract, by its suffix; a list of all where YAML has several documents."""
    text = markup.decode(content)
    if path.lower().endswith(".json"):
        return markup.parse_json(text)
    if text.lstrip()[:1] == "{":
        try:
            return markup.parse_json(text)  # JSON in a .yaml file: ten times as fast, and the same data
        except markup.MarkupError:
            pass  # flow style that is no JSON
    documents = markup.parse_yaml(text)
    return documents[0] if len(documents) == 1 else documents


class _Loader:
    """Reads the other files of one document, a bounded number and size of them."""

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        self._read = read
        self._files = self._bytes = 0

    def __call__(self, path: str) -> Any:
        content = self._read(path)
        if content is None:
            raise UnreadableError("is not there")
        self._files += 1
        self._bytes += len(content)
        if self._files > MAX_FILES or self._bytes > markup.MAX_BYTES:
            raise UnreadableError(f"is one too many: {MAX_FILES} files or {markup.MAX_BYTES // 2**20} MB in all")
        if not path.lower().endswith((".json", ".yaml", ".yml")):
            raise UnreadableError("is neither .json nor .yaml")
        try:
            return parse(path, content)
        except markup.MarkupError as error:
            raise UnreadableError("cannot be read as JSON or YAML") from error


def _structure(path: str, data: dict[str, Any]) -> list[Finding]:
    """What a document must have at its top; the validator says the rest, unless it runs out of time."""
    key = "openapi" if "openapi" in data else "swagger"
    found = []
    if not isinstance(data[key], str) or not _VERSION.fullmatch(data[key]):
        hint = f'write {key}: "{"3.1.0" if key == "openapi" else "2.0"}" (2.0, 3.0, 3.1 and 3.2 are known)'
        found.append(Finding("the version is not a known one in quotes", path, (key,), hint))
    if not isinstance(data.get("info"), dict):
        found.append(Finding("info is missing or no mapping", path, ("info",), "write info with title and version"))
    later = ("components", "webhooks") if str(data[key]).startswith(("3.1", "3.2")) else ()
    paths = data.get("paths", {} if any(name in data for name in later) else None)
    if not isinstance(paths, dict):
        found.append(Finding("paths is missing or no mapping", path, ("paths",), "write paths: {} if there are none"))
        return found
    for name, item in paths.items():
        if not name.startswith(("/", "x-")):
            found.append(Finding("a path must begin with /", path, ("paths", name), "write /… "))
        elif not isinstance(item, dict) and not name.startswith("x-"):
            found.append(Finding("a path must be a mapping of methods", path, ("paths", name), "write get: …"))
    return found[:50]
