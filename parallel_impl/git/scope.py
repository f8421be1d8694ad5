"""Which changes of an attempt are not allowed: outside its scope, or of a kind that no package may make.

The scope is the plan's, the changes come from comparing trees.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

from parallel_impl.git import gitmodules
from parallel_impl.git.repo import Change, GitError, Repo, decode, encode
from parallel_impl.git.staging import NO_FILE, Ignored, Violation
from parallel_impl.git.tool_caches import is_installed, reaches
from parallel_impl.git.trees import GITLINK, SYMLINK, Trees
from parallel_impl.git.walk import CACHE_RULE, LISTED, files_below, looks_like_git, means_gitmodules
from parallel_impl.plan.globs.globs import fold, folders_above, literal_start
from parallel_impl.plan.model import Scope


def violations(
    trees: Trees, changes: Sequence[Change], scope: Scope, *, base: str, denied: Collection[str] = ()
) -> list[Violation]:
    """Every change that fails the attempt, in path order. `base` is what the changes are against.

    `denied` paths (the change's work-packages.yaml) are closed to every package.
    """
    return _refused(trees, changes, lambda path: _scope(path, scope, denied), base=base)


def beyond(
    trees: Trees, changes: Sequence[Change], scopes: Sequence[Scope], *, base: str, denied: Collection[str] = ()
) -> list[Violation]:
    """The same for the work of several packages together: what the scope of none of them allows."""

    by_start: dict[str, list[Scope]] = {}  # each path against each scope would be a million for 1,000 packages
    for scope in scopes:
        for start in {literal_start(pattern) for pattern in scope.write_allow}:
            by_start.setdefault(start, []).append(scope)

    def refusal(path: str) -> str:
        if path in denied:
            return "no package may change the plan"
        starts = ("", *folders_above(path), path)
        allowed = any(not scope.refusal(path) for start in starts for scope in by_start.get(start, ()))
        return "" if allowed else "in the scope of no accepted package"

    return _refused(trees, changes, refusal, base=base)


def _refused(trees: Trees, changes: Sequence[Change], refusal: Callable[[str], str], *, base: str) -> list[Violation]:
    """What `refusal` says about the paths, and what no scope allows."""
    targets = _link_targets(trees, changes)
    found = []
    for change in changes:
        reasons = [refusal(change.path), _kind(change)]
        if change.new_mode != NO_FILE:
            reasons.append(_name(change.path))
            if change.new_mode == SYMLINK:
                reasons.append(_target(change.path, targets[change.new]))
            elif means_gitmodules(encode(change.path.rpartition("/")[2])):
                reasons.append(_gitmodules(trees.repo, change.new))
        found += [Violation(change.path, why) for why in reasons if why]
    found += _twins(trees, changes, base)
    return sorted(found, key=lambda violation: violation.path)


def spell_out(root: Path, ignored: Sequence[Ignored], scope: Scope) -> list[Ignored]:
    """What the work left out, as the result lists it: inside the scope each file, outside it the topmost folder.

    `root` is the worktree. Of one folder at most 1,000 files are listed; known tool caches stay one line.
    """
    found = []
    for item in ignored:
        files: list[str] = []
        if item.path.endswith("/") and item.rule != CACHE_RULE and not is_installed(item.rule):
            below = (decode(path) for path in files_below(root, encode(item.path)))
            files = sorted(islice((path for path in below if not scope.refusal(path)), LISTED))
        found += [replace(item, path=path) for path in files] or [item]
    return found


def lies_in(path: str, scope: Scope) -> bool:
    """Whether a path (a folder ends in `/`) is in the scope, or something below it can be."""
    return reaches(scope, path) if path.endswith("/") else not scope.refusal(path)


def _scope(path: str, scope: Scope, denied: Collection[str]) -> str:
    return "no package may change the plan" if path in denied else scope.refusal(path)


def _kind(change: Change) -> str:
    if GITLINK in (change.old_mode, change.new_mode):
        return "a submodule was added, moved or removed: no package may do that"
    return ""


def _name(path: str) -> str:
    if path.startswith("-"):
        return "a name that programs take for an option"
    if "*" in path or "?" in path:
        return "a name with * or ?: it would act as a glob elsewhere"
    if any(looks_like_git(encode(part)) for part in path.split("/")):
        return "a name that means .git to some file systems"
    return ""


def _link_targets(trees: Trees, changes: Sequence[Change]) -> dict[str, bytes]:
    return trees.repo.blobs([change.new for change in changes if change.new_mode == SYMLINK])


def _target(path: str, target: bytes) -> str:
    """Why a symlink may not be taken: `..` is exact only before the first name, since a name may be a link itself."""
    parts = [part for part in target.split(b"/") if part not in (b"", b".")]
    up = next((n for n, part in enumerate(parts) if part != b".."), len(parts))
    if not target or target.startswith(b"/") or b"\0" in target:
        return "an absolute or empty symlink"
    if up > path.count("/"):
        return "a symlink that leaves the repository"
    if b".." in parts[up:]:
        return "a symlink with .. after a name: write the target without it"
    if any(looks_like_git(part) for part in parts):
        return "a symlink into .git"
    return ""


def _gitmodules(repo: Repo, blob: str) -> str:
    with suppress(GitError):  # what is no configuration, git's check passes over
        return gitmodules.refusal(repo.config_in(blob))
    return ""


def _twins(trees: Trees, changes: Sequence[Change], base: str) -> Iterator[Violation]:
    """New paths that equal another one of the resulting tree where case or Unicode form is ignored."""
    added = {change.path for change in changes if change.old_mode == NO_FILE}
    if not added:
        return
    gone = {change.path for change in changes if change.new_mode == NO_FILE}
    spelling = trees.listing(base).spelling
    new: dict[str, str] = {}
    for path in sorted(added):
        for prefix in (*folders_above(path), path):
            key = fold(prefix)
            others = {new.setdefault(key, prefix), *spelling.get(key, ())} - {prefix}
            alive = next((other for other in sorted(others) if _exists(trees, base, other, added, gone)), None)
            if alive is not None:
                yield Violation(path, f"differs from {alive} in case or Unicode form only")
                break


def _exists(trees: Trees, base: str, path: str, added: Collection[str], gone: Collection[str]) -> bool:
    """Whether a path, file or folder, is in the resulting tree."""
    below = path + os.sep
    if any(other == path or other.startswith(below) for other in added):
        return True
    listing = trees.listing(base)
    known = (decode(raw) for raw in (*listing.entries, *listing.links))
    return any((other == path or other.startswith(below)) and other not in gone for other in known)
