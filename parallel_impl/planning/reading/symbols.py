"""Names of functions and types in a text, and the files that define them: half of the boxes name no path, but these.

Definitions are found by the form of their line, in any of the languages below: enough to look a name up, and a name
that several files define means none of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from parallel_impl.plan import names_of_tests
from parallel_impl.planning.reading.tree import extension

_SCRIPT = (
    rb"^\s*(?:export\s+)?(?:default\s+)?(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?"
    rb"(?:function\*?|class|interface|type|enum|const)\s+(\w+)"
)
_DEFINED = {
    ".py": re.compile(rb"^\s*(?:async\s+def|def|class)\s+(\w+)", re.M),
    ".go": re.compile(rb"^(?:func\s+(?:\([^)]*\)\s*)?|type\s+)(\w+)", re.M),
    ".rs": re.compile(rb"^\s*(?:pub(?:\([^)]*\))?\s+)?(?:async\s+)?(?:fn|struct|enum|trait|type)\s+(\w+)", re.M),
} | dict.fromkeys((".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts"), re.compile(_SCRIPT, re.M))
LANGUAGES = frozenset(_DEFINED)
_IDENTIFIER = re.compile(r"(?<![\w./-])[A-Za-z_]\w{4,60}(?![\w/-])")
_SAYING = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+|[A-Z][a-z0-9]+(?:[A-Z][A-Za-z0-9]*)+|[a-z]+(?:[A-Z][a-z0-9]+)+")


def find(text: str) -> list[str]:
    """The names of a text whose form says that they are of code: `load_plan`, `LoadPlan`, `loadPlan`; each once."""
    words = (word.strip("_") for word in _IDENTIFIER.findall(text))
    return list(dict.fromkeys(word for word in words if _SAYING.fullmatch(word)))


def defined(contents: Mapping[str, bytes], wanted: Iterable[str]) -> dict[str, str]:
    """The one file, no test, that defines each of the wanted names."""
    names = {name.encode() for name in wanted}
    places: dict[str, set[str]] = {}
    for path, content in contents.items():
        if not names_of_tests.is_test(path):
            for name in names.intersection(_DEFINED[extension(path)].findall(content)):
                places.setdefault(name.decode(), set()).add(path)
    return {name: next(iter(paths)) for name, paths in places.items() if len(paths) == 1}
