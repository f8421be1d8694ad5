"""Reading of fields from plain data that may be of the wrong type, and the list of what is wrong.

The schema reports wrong types; here a wrong value counts as absent, so that the other rules are checked on the rest
and all problems are reported at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from parallel_impl.errors import Problem, Severity
from parallel_impl.plan.globs import globs
from parallel_impl.plan.model import YamlPath
from parallel_impl.plan.reading.document import Document


def mapping(data: Any, key: str) -> dict[str, Any]:
    """The mapping under `key`; empty where there is none."""
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, dict) else {}


def entries(data: Any, key: str) -> list[Any]:
    """The list under `key`; empty where there is none."""
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, list) else []


def texts(data: Any, key: str) -> tuple[str, ...]:
    """The texts in the list under `key`."""
    return tuple(value for value in entries(data, key) if isinstance(value, str))


def text(data: Any, key: str, default: str = "") -> str:
    """The text under `key`."""
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, str) else default


def number(data: Any, key: str, default: int) -> int:
    """The whole number under `key`."""
    value = data.get(key) if isinstance(data, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else default


@dataclass
class Reading:
    """One plan while it is read: its document, and the problems found so far."""

    document: Document
    problems: list[Problem] = field(default_factory=list)
    not_acted_on: set[str] = field(default_factory=set)
    foreign_keys: dict[str, YamlPath] = field(default_factory=dict)  # by namespace, the first that it is written in
    _patterns: dict[str, Problem | None] = field(default_factory=dict)

    def error(self, path: YamlPath, what: str, hint: str, *, key: bool = False) -> None:
        """Report an error at `path`."""
        self.problems.append(self.document.problem(path, what, hint, key=key))

    def report(self, path: YamlPath, what: str, hint: str, severity: Severity) -> None:
        """Report a warning or a notice at `path`."""
        self.problems.append(self.document.problem(path, what, hint, severity=severity))

    def check_pattern(self, path: YamlPath, pattern: str) -> None:
        """Report `pattern` if it is no path or glob that stays inside the repository."""
        if pattern not in self._patterns:
            self._patterns[pattern] = globs.problem(pattern) if pattern else None  # empty: the schema reports it
        if wrong := self._patterns[pattern]:
            self.error(path, wrong.what, wrong.hint)

    def patterns(self, data: Any, key: str, path: YamlPath) -> tuple[str, ...]:
        """The texts in the list under `key` of `data`, which is at `path`, each checked."""
        for position, value in enumerate(entries(data, key)):
            if isinstance(value, str):
                self.check_pattern((*path, key, position), value)
        return texts(data, key)

    def paths(self, data: Any, key: str, path: YamlPath) -> tuple[str, ...]:
        """The texts in the list under `key` of `data`, which is at `path`, each checked to name one file."""
        for position, value in enumerate(entries(data, key)):
            if isinstance(value, str):
                self.check_path((*path, key, position), value)
        return texts(data, key)

    def check_path(self, path: YamlPath, name: str) -> None:
        """Report `name` if it is not the path of one file inside the repository."""
        self.check_pattern(path, name)
        if "*" in name or "?" in name or name.endswith("/"):
            self.error(path, f"names no file: {globs.quoted(name)}", "write the path of each file, without * or ?")

    def note(self, data: Any, prefix: str, names: tuple[str, ...]) -> None:
        """Remember which of the fields `names` of `data` are there and not acted on."""
        if isinstance(data, dict):
            self.not_acted_on.update(f"{prefix}{name}" for name in names if name in data)
