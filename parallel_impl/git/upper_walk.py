"""An agent's work as the upper of its view shows it, for a walk as over a worktree: only what was touched is looked at.

What lies in an upper is the agent's. A folder of a layer that was renamed shows its content at a new path, without a
file of its own in the upper: that content is found in the layers.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from parallel_impl.git.trees import Listing
from parallel_impl.views import upper
from parallel_impl.views.upper import Touched, TouchedAs
from parallel_impl.views.view import View

KINDS = {TouchedAs.FILE: stat.S_IFREG, TouchedAs.LINK: stat.S_IFLNK}


@dataclass(frozen=True, slots=True)
class UpperEntry:
    """One entry of a folder, with what a walk asks of `os.DirEntry`; `place` is where it lies."""

    name: bytes
    kind: int
    place: bytes

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002
        return stat.S_ISDIR(self.kind)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002
        return stat.S_ISREG(self.kind)

    def is_symlink(self) -> bool:
        return stat.S_ISLNK(self.kind)

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:  # noqa: ARG002
        return os.lstat(self.place)


@dataclass(slots=True)
class UpperWalk:
    """What an upper shows. `gone` are paths of the tree that a view started from and that are not in it any more.

    (A path of which something new lies in the upper is among them too.) `moved` are files that the layers have.
    """

    view: View
    gone: set[bytes] = field(default_factory=set)
    moved: dict[bytes, bytes] = field(default_factory=dict)
    touched: set[bytes] = field(default_factory=set)
    _folders: dict[bytes, dict[bytes, UpperEntry]] = field(default_factory=dict)
    _unreadable: set[bytes] = field(default_factory=set)

    @classmethod
    def of(cls, view: View, listing: Listing) -> UpperWalk:
        """Read the upper of a view that started from the files of this tree."""
        found = cls(view)
        root = os.fsencode(view.store / view.upper)
        for one in upper.read(view):
            found._apply(one, os.path.join(root, one.path), listing)  # noqa: PTH118 - bytes
        return found

    def scan(self, folder: bytes) -> Iterable[UpperEntry]:
        """The entries of a folder. PermissionError for one that could not be read."""
        if folder in self._unreadable:
            raise PermissionError(13, os.strerror(13))
        return list(self._folders.get(folder, {}).values())

    def files(self) -> set[bytes]:
        """Every file that the upper shows, changed, new or moved."""
        below = ((folder + b"/" if folder else b"", entries) for folder, entries in self._folders.items())
        return {above + entry.name for above, entries in below for entry in entries.values() if not entry.is_dir()}

    def place(self, path: bytes) -> Path:
        """Where a file lies that the upper shows."""
        return Path(os.fsdecode(self.moved.get(path) or os.fsencode(self.view.store / self.view.upper) + b"/" + path))

    def lay_out(self, paths: Iterable[bytes], folder: Path) -> None:
        """Copy moved files to a folder, each where it is now."""
        for path in paths:
            target = folder / os.fsdecode(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(self.place(path), target, follow_symlinks=False)

    # -- one after the other, a folder before what it holds

    def _apply(self, one: Touched, place: bytes, listing: Listing) -> None:
        if one.path == b".git":  # it is ours, whatever became of it
            return
        self.touched.add(one.path)
        if one.kind is TouchedAs.FOLDER:
            if one.path in listing.entries:
                self.gone.add(one.path)
            if not self._is_folder(one.path):
                self._put(one.path, stat.S_IFDIR, place)
            return
        if one.kind is TouchedAs.ODD and self._is_folder(one.path):
            self._unreadable.add(one.path)
            return
        self.gone.update(listing.at_or_below(one.path))
        self._hide(one.path)
        if one.kind is TouchedAs.GONE:
            return
        if one.kind in (TouchedAs.OPAQUE, TouchedAs.RENAMED):
            self._put(one.path, stat.S_IFDIR, place)
        else:
            self._put(one.path, KINDS.get(one.kind) or stat.S_IFMT(os.lstat(place).st_mode), place)
        if one.kind is TouchedAs.RENAMED:
            self._move(one)

    def _move(self, folder: Touched) -> None:
        if not upper.is_there(self.view, folder.source):
            self._unreadable.add(folder.path)
            return
        for relative, kind, place in upper.below(self.view, folder.source):
            path = folder.path + b"/" + relative
            self._put(path, kind, place)
            if not stat.S_ISDIR(kind):
                self.moved[path] = place

    def _put(self, path: bytes, kind: int, place: bytes) -> None:
        above, _, name = path.rpartition(b"/")
        self._folders.setdefault(above, {})[name] = UpperEntry(name, kind, place)
        self.moved.pop(path, None)

    def _hide(self, path: bytes) -> None:
        """Forget what a folder that was moved showed there."""
        if self._is_folder(path):
            for folder in [one for one in self._folders if one == path or one.startswith(path + b"/")]:
                del self._folders[folder]
            for moved in [one for one in self.moved if one.startswith(path + b"/")]:
                del self.moved[moved]
        above, _, name = path.rpartition(b"/")
        self._folders.get(above, {}).pop(name, None)
        self.moved.pop(path, None)

    def _is_folder(self, path: bytes) -> bool:
        above, _, name = path.rpartition(b"/")
        entry = self._folders.get(above, {}).get(name)
        return entry is not None and entry.is_dir()


class InLayers:
    """The paths (a folder ends in `/`) that were there before the agent: set-up made what no tree has of them."""

    def __init__(self, view: View) -> None:
        self._view = view

    def __contains__(self, path: object) -> bool:
        assert isinstance(path, bytes)  # noqa: S101  (for `in`)
        return self.place(path) is not None

    def place(self, path: bytes) -> Path | None:
        """Where it lies; None where there is nothing."""
        places = upper.find(self._view, path.rstrip(b"/"))
        return Path(os.fsdecode(places[0])) if places else None
