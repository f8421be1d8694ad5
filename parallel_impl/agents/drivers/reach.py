"""Which files the file tools of a driver may touch: they read inside the worktree and write inside the package's scope.

This helps an honest agent to see its mistake at once. A shell goes round it: what landed is judged afterwards, and the
wall around an agent is not built here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from parallel_impl.plan.model import Scope

SHOWN = 30  # patterns of a scope in one answer


class ScopeError(Exception):
    """A path that a tool may not touch; the text is for the model."""


@dataclass(frozen=True, slots=True)
class Reach:
    """A worktree (`root`, without symlinks) and the scope in it. `also` may be written although it lies elsewhere."""

    root: Path
    scope: Scope
    also: tuple[Path, ...] = ()

    def readable(self, path: str) -> Path:
        """The real file or folder, with all symlinks followed; ScopeError when it lies outside the worktree."""
        real = self._real(path)
        if real.is_relative_to(self.root) or real in self.also:
            return real
        raise ScopeError(f"{path} is outside the worktree {self.root}")

    def writable(self, path: str) -> Path:
        """The same for a file to write; ScopeError when it is outside the scope too."""
        real = self._real(path)
        if real in self.also:
            return real
        if not real.is_relative_to(self.root):
            raise ScopeError(f"{path} is outside the worktree {self.root}; {self.allowed}")
        inside = real.relative_to(self.root).as_posix()
        if self.scope.refusal(inside):
            raise ScopeError(f"{inside} is outside this package's write scope; {self.allowed}")
        return real

    def shown(self, real: Path) -> str:
        """A path as people read it: from the root of the worktree where it lies there."""
        return real.relative_to(self.root).as_posix() if real.is_relative_to(self.root) else str(real)

    @property
    def allowed(self) -> str:
        """The scope in one line, for the model."""
        write, deny = self.scope.write_allow, self.scope.deny
        text = f"you may write: {_listed(write)}" if write else "you may write nothing"
        return f"{text}; but not: {_listed(deny)}" if deny else text

    def _real(self, path: str) -> Path:
        try:
            return Path(os.path.realpath(self.root / path))
        except ValueError as error:  # a null byte
            raise ScopeError(f"{path!r} is no path: {error}") from error


def _listed(patterns: tuple[str, ...]) -> str:
    more = len(patterns) - SHOWN
    return ", ".join(patterns[:SHOWN]) + (f" and {more} more" if more > 0 else "")
