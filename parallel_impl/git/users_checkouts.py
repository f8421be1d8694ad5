"""The user's checkouts as they were, to tell at the end what became of them: HEAD, index, tracked and untracked files.

Whoever changed them: the user goes on working, and an agent that is not fenced can write there too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from parallel_impl import storage
from parallel_impl.git import history
from parallel_impl.git.repo import GitError, Repo, decode

NAMES = 20  # that are told, of all checkouts together
HEAD, INDEX, FILES = "HEAD", "index", "files"
CONFIG = ("core.trustctime=true", "core.checkStat=default")  # else an edit of the same size can hide behind its mtime


@dataclass(frozen=True, slots=True)
class _CheckoutState:
    """One checkout: where HEAD leads, the raw listing of its index, and what lstat says of edited and new files."""

    head: str
    index: bytes
    files: Mapping[bytes, tuple[int, ...]]


class UsersCheckouts:
    """All worktrees of a repository, as they are when this is made. `here` is the one that the run was started in."""

    def __init__(self, repo: Repo, here: Path | None) -> None:
        self._here = storage.real(here) if here else None
        tops = dict.fromkeys(storage.real(path) for path in history.checkouts(repo, here))
        own = {top: found for top in tops if (found := _git_dir(top))}
        self._before = {top: (found, state) for top, found in own.items() if (state := _look(found, top))}

    def compare(self) -> list[tuple[str, str]]:
        """What differs now, as (HEAD, index or files; what): at most 20 names, and how many more there are."""
        found, left = list(islice(differences := self._differences(), NAMES)), sum(1 for _ in differences)
        return [*found, (FILES, f"and {left} more")] if left else found

    def _differences(self) -> Iterator[tuple[str, str]]:
        later: list[Iterator[tuple[str, str]]] = []
        for top, (repo, before) in self._before.items():
            now = _look(repo, top)
            if now is None:
                yield FILES, f"{top} cannot be read any more"
            elif now != before:
                if now.head != before.head:
                    yield HEAD, f"of {top} was {before.head}, is {now.head}"
                later.append(self._paths(top, before, now))
        for paths in later:  # every HEAD is told, however many files there are
            yield from paths

    def _paths(self, top: Path, before: _CheckoutState, now: _CheckoutState) -> Iterator[tuple[str, str]]:
        """Each path once: as one of the index where that says something else, else as a file."""
        staged = _entries(before.index) ^ _entries(now.index) if now.index != before.index else set()
        in_index = {entry.partition(b"\t")[2] for entry in staged}
        paths = {*before.files, *now.files}
        on_disk = {path for path in paths if before.files.get(path) != now.files.get(path)}
        for path in sorted(in_index | on_disk):
            name = decode(path) if top == self._here else str(top / decode(path))
            yield INDEX if path in in_index else FILES, name


def _git_dir(top: Path) -> Repo | None:
    """The checkout's own git dir, so that what is done to its `.git` later does not lead elsewhere."""
    try:
        return Repo(Path(Repo(top, (top,)).text("rev-parse", "--absolute-git-dir", discover=True)), (top,))
    except GitError:
        return None


def _look(repo: Repo, top: Path) -> _CheckoutState | None:
    """The checkout as it is; None where git cannot read it: core.worktree was set, say, or a filter cannot run."""
    try:
        head = repo.text("symbolic-ref", "--quiet", "HEAD", ok=(0, 1)) or repo.ref("HEAD") or ""
        index = repo.git("ls-files", "-z", "-v", "--stage", work_tree=top)
        listed = ("ls-files", "-z", "--modified", "--deleted", "--others", "--exclude-standard")
        paths = set(repo.git(*listed, work_tree=top, config=CONFIG).split(b"\0")) - {b""}
    except (GitError, OSError):
        return None
    return _CheckoutState(head, index, {path: storage.signature(top / decode(path)) for path in paths})


def _entries(listing: bytes) -> set[bytes]:
    return set(listing.split(b"\0"))
