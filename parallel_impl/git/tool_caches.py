"""What is named like a tool's cache: when it is left out of an agent's work although nothing ignores it.

Names alone do not tell: a fixture for a test that finds environments lies in a `.venv`, and landed as nothing.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from functools import lru_cache

from parallel_impl.errors import UserError
from parallel_impl.git.repo import decode
from parallel_impl.git.walk import CACHE_RULE, Disk, is_cache, is_left_by_program
from parallel_impl.plan.globs.globs import folders_above, match
from parallel_impl.plan.globs.overlap import intersect_scopes
from parallel_impl.plan.model import Scope

MOST = 500  # new files below one such name that a person may have meant
AGENT_RULE = "the agent program's own file"
AGENT_FOLDERS = (b".codex", b".gemini", b".opencode")
INSTALLED = "new files below a name of tools that no pattern spells"
_SPECIALS = re.compile(r"[*?\[]")


class ToolCaches:
    """The rule for one package: `before` is what was left out before its agent, set-up made it."""

    def __init__(self, before: Container[bytes], scope: Scope) -> None:
        self._before, self._scope = before, scope

    def rule(self, path: bytes) -> str:
        """Why what lies at `path` (a folder ends in `/`) is none of the agent's work; "" where git's rules decide.

        Of what is named like a cache: what set-up had made, what lies outside the scope, and what only programs write;
        and the files by which an agent program is known. What a pattern spells counts.
        """
        raw = path.rstrip(b"/").rpartition(b"/")[2]
        if own := _agent_name(path):
            return "" if spells(self._scope, decode(path), own) else AGENT_RULE
        if not is_cache(raw):
            return ""
        place, name = decode(path), decode(raw)
        inside = reaches(self._scope, place) if place.endswith("/") else not self._scope.refusal(place)
        counts = inside and (not is_left_by_program(raw) or spells(self._scope, place, name))
        return "" if counts and path not in self._before else CACHE_RULE

    def leave_out_installed(self, disk: Disk) -> None:
        """Leave out what no person wrote: more than 500 new files below one such name that no pattern spells."""
        below: dict[bytes, list[bytes]] = {}
        for path in disk.new:
            if top := next(_named_folders(path), None):
                below.setdefault(top, []).append(path)
        for top, paths in below.items():
            name = decode(top.rstrip(b"/").rpartition(b"/")[2])
            if len(paths) > MOST and not spells(self._scope, decode(top), name):
                disk.new -= set(paths)
                disk.ignored[top] = f"{len(paths)} {INSTALLED}"


def is_installed(rule: str) -> bool:
    """Whether `leave_out_installed` left something out by this rule."""
    return rule.endswith(INSTALLED)


@lru_cache(maxsize=4096)
def reaches(scope: Scope, folder: str) -> bool:
    """Whether the scope has a path below the folder; yes where that cannot be told."""
    pattern = _SPECIALS.sub(r"[\g<0>]", folder.rstrip("/")) + "/**"
    try:
        return intersect_scopes((pattern,), (), scope.write_allow, scope.deny) is not None
    except UserError:
        return True


def spells(scope: Scope, path: str, name: str) -> bool:
    """Whether a pattern that means `path`, or something below it, has `name` in it, and not only a `*` for it."""
    return any(_spells(pattern, name) and _meets(pattern, path) for pattern in scope.write_allow)


def _spells(pattern: str, name: str) -> bool:
    parts = (part for part in pattern.split("/") if len(_SPECIALS.sub("", part)) > 1)
    return any(part == name or (_SPECIALS.search(part) and match(part, name)) for part in parts)


def _agent_name(path: bytes) -> str:
    """The name by which a path is known as an agent program's own; "" for any other path."""
    above, _, name = path.rstrip(b"/").rpartition(b"/")
    if name.startswith(b".aider") or (path.endswith(b"/") and name in AGENT_FOLDERS):
        return decode(name)
    folder = above.rpartition(b"/")[2]
    known = folder in AGENT_FOLDERS or (folder == b".claude" and name == b"settings.local.json")
    return decode(folder) if known else ""


def _meets(pattern: str, path: str) -> bool:
    return reaches(Scope((pattern,)), path) if path.endswith("/") else match(pattern, path)


def _named_folders(path: bytes) -> Iterator[bytes]:
    """The folders above a path that are named like a cache, the topmost first."""
    for folder in folders_above(decode(path)):
        raw = folder.encode("utf-8", "surrogateescape")
        if is_cache(raw.rpartition(b"/")[2]):
            yield raw + b"/"
