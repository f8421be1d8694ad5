"""Symlinks and submodules of a tree, or of the index of a worktree."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from parallel_impl.errors import UserError
from parallel_impl.git.repo import Entry, Repo, decode
from parallel_impl.plan.links import SUBMODULE, Tree

GITLINK, SYMLINK = "160000", "120000"


def of_entries(repo: Repo, entries: Iterable[Entry]) -> Tree:
    """The files and links among the entries of a tree that was listed whole."""
    listed = list(entries)
    written = repo.blobs({entry.oid for entry in listed if entry.mode == SYMLINK})
    links = {entry.path: decode(written[entry.oid]) for entry in listed if entry.mode == SYMLINK}
    links |= {entry.path: SUBMODULE for entry in listed if entry.mode == GITLINK}
    return Tree({entry.path for entry in listed} - links.keys(), links)


def of_index(folder: Path) -> Tree:
    """The files and links that git tracks in the worktree that `folder` lies in; nothing where there is no worktree."""
    try:
        repo = Repo.discover(folder)
    except UserError:
        return Tree((), {})
    top = repo.top(folder)
    if top is None:
        return Tree((), {})
    out = repo.git("-C", str(top), "ls-files", "-z", "--stage", discover=True)
    entries = []
    for line in decode(out).split("\0")[:-1]:
        head, _, path = line.partition("\t")
        mode, oid, _ = head.split()
        entries.append(Entry(mode, "", oid, path))
    return of_entries(repo, entries)
