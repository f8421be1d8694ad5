"""What planning knows of a repository: the files of a commit with their sizes, blobs, the last commits' paths."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Code:
    """A commit's files with their bytes, the paths of the last commits (newest first), and how to read files of it."""

    sizes: Mapping[str, int]
    commits: tuple[frozenset[str], ...]
    read: Callable[[Collection[str]], Mapping[str, bytes]]
