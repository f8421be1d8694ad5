"""The paths of a whole tree, in which what a glob means is looked up by how it begins.

A scope of a repository with 100,000 files is looked up in microseconds where it begins with a folder, and in 50 ms
where it begins with `**`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from parallel_impl.plan.globs.globs import is_literal, match
from parallel_impl.plan.model import Scope

_SPECIALS = re.compile(r"[*?\[]")
_AFTER = chr(ord("/") + 1)  # sorts behind everything that begins with a slash


class Paths:
    """The sorted paths of files; every answer is in that order."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = sorted(paths)
        self._known: dict[str, Sequence[str]] = {}

    def __len__(self) -> int:
        return len(self.paths)

    def __contains__(self, path: str) -> bool:
        at = bisect_left(self.paths, path)
        return at < len(self.paths) and self.paths[at] == path

    def below(self, folder: str) -> Sequence[str]:
        """The files in a folder and in those below it."""
        return self._between(f"{folder}/", f"{folder}{_AFTER}")

    def matching(self, pattern: str) -> Sequence[str]:
        """The files that a glob means."""
        if pattern not in self._known:
            self._known[pattern] = self._find(pattern)
        return self._known[pattern]

    def in_scope(self, scope: Scope) -> list[str]:
        """The files that a package with this scope may write."""
        found = dict.fromkeys(path for pattern in scope.write_allow for path in self.matching(pattern))
        return sorted(path for path in found if not scope.denied_by(path)) if scope.deny else sorted(found)

    def _find(self, pattern: str) -> Sequence[str]:
        if is_literal(pattern):
            path = pattern.removesuffix("/")
            return [*([path] if path == pattern and path in self else []), *self.below(path)]
        head = pattern.removesuffix("/**")
        if is_literal(head) and head != pattern:
            return self.below(head)
        start = pattern[: _SPECIALS.search(pattern).start()]  # type: ignore[union-attr]  # it is not literal
        return [path for path in self._between(start, f"{start}\U0010ffff") if match(pattern, path)]

    def _between(self, first: str, behind: str) -> Sequence[str]:
        return self.paths[bisect_left(self.paths, first) : bisect_left(self.paths, behind)]
