"""What was changed in a view, read from outside by its upper alone.

An upper holds only what was written: whole files, symlinks, and marks for what was removed, replaced or renamed
(Documentation/filesystems/overlayfs.rst). Marks are believed only in the form that the kernel writes in this view:
whoever works in it can write the other one, and a device 0/0 cannot be made through an overlay.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from parallel_impl.views.view import View

DEEPEST = 2_000  # folders in each other


class TouchedAs(StrEnum):
    """What became of a path."""

    FILE = "file"
    LINK = "link"
    GONE = "gone"  # also what lay below it
    FOLDER = "folder"  # something below it may be touched
    OPAQUE = "opaque"  # a folder that shows nothing of the one that was there
    RENAMED = "renamed"  # a folder that shows what another one held
    ODD = "odd"  # a FIFO, a socket, a device, a folder that cannot be read


@dataclass(frozen=True, slots=True)
class Touched:
    """One path in an upper, relative to its root. `source`: where the layers have what a folder shows."""

    path: bytes
    kind: TouchedAs
    source: bytes = b""


def read(view: View) -> Iterator[Touched]:
    """Everything in a view's upper, a folder before what it holds. OSError when the upper itself cannot be read."""
    place = view.store / view.upper
    place.stat()
    root, prefix = os.fsencode(place), "user.overlay." if view.user else "trusted.overlay."
    waiting = [Touched(b"", TouchedAs.FOLDER)]
    while waiting:
        folder = waiting.pop()
        if folder.path:
            yield folder
        if folder.kind is TouchedAs.ODD:
            continue
        try:
            with os.scandir(os.path.join(root, folder.path)) as entries:  # noqa: PTH118 - bytes
                found = [_look(entry, folder, prefix) for entry in entries]
        except OSError:  # no permission: the agent's own doing
            yield Touched(folder.path or b".", TouchedAs.ODD)
            continue
        yield from (one for one in found if one.kind not in FOLDERS)
        waiting += (one for one in found if one.kind in FOLDERS)


FOLDERS = frozenset((TouchedAs.FOLDER, TouchedAs.OPAQUE, TouchedAs.RENAMED))


def _look(entry: os.DirEntry[bytes], above: Touched, prefix: str) -> Touched:
    path = above.path + b"/" + entry.name if above.path else entry.name
    status = entry.stat(follow_symlinks=False)
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG:
        return Touched(path, TouchedAs.FILE)
    if kind == stat.S_IFLNK:
        return Touched(path, TouchedAs.LINK)
    if kind == stat.S_IFCHR and status.st_rdev == 0:
        return Touched(path, TouchedAs.GONE)
    if kind != stat.S_IFDIR or path.count(b"/") > DEEPEST:
        return Touched(path, TouchedAs.ODD)
    source = (above.source if above.path else b"") + b"/" + entry.name
    if (redirect := _attribute(entry.path, f"{prefix}redirect")) is not None:
        if not _leads_inside(redirect):  # the kernel writes no such one, and follows none
            return Touched(path, TouchedAs.ODD)
        absolute = redirect.startswith(b"/")
        source = redirect if absolute else source.rpartition(b"/")[0] + b"/" + redirect
        return Touched(path, TouchedAs.RENAMED, source.lstrip(b"/"))
    if _attribute(entry.path, f"{prefix}opaque") == b"y":
        return Touched(path, TouchedAs.OPAQUE, source.lstrip(b"/"))
    return Touched(path, TouchedAs.FOLDER, source.lstrip(b"/"))


def _leads_inside(redirect: bytes) -> bool:
    """Whether it is a name, or a path from the root of the layers, without `.` and `..`."""
    names = redirect.removeprefix(b"/").split(b"/")
    whole = all(name not in (b"", b".", b"..") for name in names)
    return whole and (redirect.startswith(b"/") or len(names) == 1)


def _attribute(path: bytes, name: str) -> bytes | None:
    try:
        return os.getxattr(path, name, follow_symlinks=False)
    except OSError:
        return None


def is_there(view: View, source: bytes) -> bool:
    """Whether a layer of a view has this folder: what was renamed from there is lost with a layer that is gone."""
    return any(os.path.isdir(os.path.join(os.fsencode(view.store / layer), source)) for layer in view.layers)  # noqa: PTH112, PTH118


def below(view: View, source: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    """What the layers of a view show below one of their folders: relative path, kind, and where it lies.

    A folder comes before what it holds.
    """
    waiting = [(b"", [place for place in find(view, source) if _is_folder(place)])]
    while waiting:
        folder, layers = waiting.pop()
        for name, found in _shown(layers).items():
            path = folder + b"/" + name if folder else name
            kind = stat.S_IFMT(os.lstat(found[0]).st_mode)
            yield path, kind, found[0]
            if stat.S_ISDIR(kind):
                waiting.append((path, found))


def find(view: View, path: bytes) -> list[bytes]:
    """Where the layers of a view have what they show under a path: the uppermost place, and folders merged with it.

    Layers hide by whiteouts, and by what is no folder. No symlink is followed: below one there is nothing.
    """
    places = [os.fsencode(view.store / layer) for layer in view.layers]
    for name in path.split(b"/"):
        places = _named([place for place in places if _is_folder(place)], name)
    return places


def _named(layers: list[bytes], name: bytes) -> list[bytes]:
    """The places of one entry of a folder that lies in these layers."""
    found: list[bytes] = []
    for layer in layers:
        place = os.path.join(layer, name)  # noqa: PTH118 - bytes
        try:
            status = os.lstat(place)
        except FileNotFoundError:
            continue
        if stat.S_ISDIR(status.st_mode):
            found.append(place)
            continue
        return found or ([] if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0 else [place])
    return found


def _is_folder(place: bytes) -> bool:
    return stat.S_ISDIR(os.lstat(place).st_mode)


def _shown(layers: list[bytes]) -> dict[bytes, list[bytes]]:
    """The entries of a folder by their names: the places of the uppermost one, and of folders merged with it."""
    found: dict[bytes, list[bytes]] = {}
    hidden: set[bytes] = set()
    for layer in layers:
        with os.scandir(layer) as entries:
            for entry in entries:
                if entry.name in hidden:
                    continue
                status = entry.stat(follow_symlinks=False)
                is_folder = stat.S_ISDIR(status.st_mode)
                whiteout = stat.S_ISCHR(status.st_mode) and status.st_rdev == 0
                if (entry.name not in found or is_folder) and not whiteout:
                    found.setdefault(entry.name, []).append(entry.path)
                if not is_folder:
                    hidden.add(entry.name)
    return found
