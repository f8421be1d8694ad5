"""The folders that views are mounted over: empty, and nobody comes there who has not unmounted a view.

Without a fence root can do that, and what it does then is in no upper and on no commit.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from parallel_impl.errors import printable

KEPT_AS = "_checkout"  # no package is called so


@dataclass(frozen=True, slots=True)
class Mountpoint:
    """An empty folder as it was before a view was mounted over it.

    A mount leaves no trace there. Whoever writes in it does, also when that is removed again: its ctime is another. So
    is that of another folder in its place. (Inodes of folders may change by themselves: overlays give them as needed.)
    """

    folder: Path
    changed_ns: int

    @classmethod
    def of(cls, folder: Path) -> Mountpoint:
        """The folder as it is now."""
        return cls(folder, folder.lstat().st_ctime_ns)

    @property
    def is_unused(self) -> bool:
        """Whether nobody wrote in it since, or removed it, or put another one in its place."""
        try:
            return self == Mountpoint.of(self.folder) and not os.listdir(self.folder)  # noqa: PTH208
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Unmounted:
    """What tells that processes worked outside of their view, and the open checkouts, in one of which they did."""

    what: str
    checkouts: tuple[str, ...]

    def __str__(self) -> str:
        return printable(self.what)


def describe(folder: Path, kept: Path | None) -> str:
    """That a folder below views was used, and where what was left in it is now."""
    left = f"what was left there is kept: {kept}" if kept else "nothing is left there"
    return f"{folder} lies below the checkouts, and somebody who had unmounted one used it; {left}"


def empty(folder: Path, kept: Path) -> Path | None:
    """Move what lies in a folder to one of its own in `kept`, which is made; None when nothing does."""
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return None
    return _move((folder / name for name in names), kept) if names else None


def _move(places: Iterable[Path], kept: Path) -> Path:
    number = 1
    while os.path.lexists(target := kept / f"{KEPT_AS}.{number}"):
        number += 1
    target.mkdir(parents=True)
    for place in places:
        place.rename(target / place.name)
    return target
