"""What the user's commits held before a run began, and what only later ones hold.

A file of the user's checkout that becomes what such a commit has is the user's own move: a switch, a rebase, a stash.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from parallel_impl import storage
from parallel_impl.git.repo import GitError, Repo
from parallel_impl.git.trees import SYMLINK

EXECUTABLE = "100755"
Version = tuple[str, str]  # mode and object id


class History:
    """The commits that are reachable from refs and worktrees now; `checkouts` are the tops of the user's worktrees."""

    def __init__(self, repo: Repo, refs: Collection[str], checkouts: Sequence[Path]) -> None:
        self._repo = repo
        heads = (repo.head(checkout) for checkout in checkouts)
        self.checkouts = tuple(checkouts)
        self._tips = frozenset({*refs, *filter(None, heads)})

    def had(self, file: Path, content: bytes, *, executable: bool | None = None, link: bool = False) -> bool:
        """Whether one of the commits has this content there, and the mode where that is asked for."""
        return bool(self._wanted(content, executable=executable, link=link) & self._versions(file))

    def tracked(self, file: Path) -> bool:
        """Whether one of the commits has a file there."""
        return bool(self._versions(file))

    def later(self, file: Path, content: bytes, refs: Collection[str]) -> str:
        """A commit of `refs` that none of the commits reaches and that has this content there; "" for none."""
        heads = (self._repo.head(checkout) for checkout in self.checkouts)
        tips, wanted = {*refs, *filter(None, heads)}, self._wanted(content, executable=None, link=False)
        for relative in self._relative(file):
            for commit in self._commits(tips, relative, without=self._tips):
                if any(version in wanted for version in self._changed([commit], relative)):
                    return commit
        return ""

    def _wanted(self, content: bytes, *, executable: bool | None, link: bool) -> set[Version]:
        modes = ["100644", EXECUTABLE] if executable is None else [EXECUTABLE if executable else "100644"]
        plain = {content, content.replace(b"\r\n", b"\n")}
        ids = {self._repo.blob_id(one) for one in plain}
        return {(mode, oid) for mode in ([SYMLINK] if link else modes) for oid in ids}

    def _versions(self, file: Path) -> set[Version]:
        found: set[Version] = set()
        for relative in self._relative(file):
            found |= set(self._changed(self._commits(self._tips, relative), relative))
        return found

    def _relative(self, file: Path) -> set[str]:
        """The file's path from the top of each checkout that it lies in."""
        places = {Path(os.path.normpath(file)), storage.real(file)}
        return {str(place.relative_to(top)) for place in places for top in self.checkouts if place.is_relative_to(top)}

    def _commits(self, tips: Collection[str], relative: str, *, without: Collection[str] = ()) -> list[str]:
        """The commits from `tips` that changed the path, the newest first; refs may name what is no commit."""
        stdin = "".join(f"{tip}\n" for tip in sorted(tips)) + "".join(f"^{tip}\n" for tip in sorted(without))
        arguments = ("rev-list", "--full-history", "--ignore-missing", "--stdin", "--", relative)
        try:
            return self._repo.git(*arguments, input=stdin.encode()).decode().split()
        except GitError:  # pruned beside us, say: then nothing is proven
            return []

    def _changed(self, commits: Sequence[str], relative: str) -> Iterator[Version]:
        """What the path became in these commits."""
        if not commits:
            return
        options = (
            "-m",
            "--root",
            "-r",
            "-z",
            "--raw",
            "--no-renames",
            "--no-abbrev",
            "--no-ext-diff",
            "--no-commit-id",
        )
        absent = self._repo.git_dir / "parallel-impl.no-index"
        stdin = "".join(f"{commit}\n" for commit in commits).encode()
        try:
            out = self._repo.git("diff-tree", "--stdin", *options, "--", relative, input=stdin, index=absent)
        except GitError:
            return
        for field in out.split(b"\0"):
            if field.startswith(b":"):
                _, mode, _, oid, _ = field.decode("ascii", "replace").split(" ")
                if set(oid) != {"0"}:
                    yield mode, oid


def checkouts(repo: Repo, *more: Path | None) -> list[Path]:
    """The tops of all worktrees of the user's that are there, by every name that they were given."""
    found = [worktree.path for worktree in repo.worktrees() if worktree.path != repo.git_dir]
    found += [path for path in more if path]
    names = dict.fromkeys(name for path in found for name in (path, storage.real(path)))
    return [path for path in names if os.path.lexists(path / ".git")]
