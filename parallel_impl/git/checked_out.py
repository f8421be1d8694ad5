"""Which worktrees use a branch, as `git branch -f` sees it: one that is being rebased or bisected is in use too.

Nothing but files tells that: `git worktree list` shows a detached HEAD then.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from parallel_impl.git.repo import Repo

CHECKED_OUT, REBASED, BISECTED = "checked out", "being rebased", "being bisected"


@dataclass(frozen=True, slots=True)
class Use:
    """A worktree that uses a branch, and what it does with it, as a verb."""

    worktree: Path
    verb: str


def uses(repo: Repo, branch: str) -> Iterator[Use]:
    """Each use of a branch, by its full ref; a worktree whose folder is gone uses nothing."""
    for worktree in repo.worktrees():
        if worktree.branch == branch and not worktree.gone:
            yield Use(worktree.path, CHECKED_OUT)
    for git_dir in (repo.git_dir, *_linked(repo)):
        for verb, found in _in_progress(git_dir):
            if found == branch:
                yield Use(_worktree(repo, git_dir), verb)


def _linked(repo: Repo) -> Iterator[Path]:
    folder = repo.git_dir / "worktrees"
    yield from sorted(folder.iterdir()) if folder.is_dir() else ()


def _in_progress(git_dir: Path) -> Iterator[tuple[str, str]]:
    """What is in progress in a worktree, with the full refs of the branches that are moved at its end."""
    for file in ("rebase-merge/head-name", "rebase-apply/head-name"):
        if name := _line(git_dir / file):
            yield REBASED, name
    for name in _lines(git_dir / "rebase-merge/update-refs")[::3]:  # ref, where it was, where it is to be
        yield REBASED, name
    if name := _line(git_dir / "BISECT_START"):
        yield BISECTED, name if name.startswith("refs/heads/") else f"refs/heads/{name}"


def _worktree(repo: Repo, git_dir: Path) -> Path:
    """The top of the worktree that a git dir belongs to; the git dir where that is not known."""
    if named := _line(git_dir / "gitdir"):
        return Path(named).parent
    main = next((one.path for one in repo.worktrees() if not one.bare), git_dir)
    return main if git_dir == repo.git_dir else git_dir


def _line(file: Path) -> str:
    return next(iter(_lines(file)), "")


def _lines(file: Path) -> list[str]:
    try:
        return os.fsdecode(file.read_bytes()).splitlines()
    except OSError:
        return []
