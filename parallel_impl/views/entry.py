"""This process goes into a view: a live one is joined, and what one has left is mounted to be read.

What is mounted here is seen by this process and what it becomes, and ends with it; nothing is made where others see it.
Both want a process with one thread (setns(2), unshare(2)).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from parallel_impl.processes import procfs
from parallel_impl.views import mount
from parallel_impl.views.mount import FailedError
from parallel_impl.views.slot import ViewError

# what a mount keeps in a user namespace: the flags of statvfs(3) have the same numbers, but for one
KEPT_FLAGS, STAT_RELATIME, RELATIME = 2 | 4 | 8 | 1024 | 2048, 4096, 1 << 21
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
SEEN_BY_NAME = "redirect_dir=follow,metacopy=off,index=off"


@dataclass(frozen=True, slots=True)
class LeftView:
    """What a view has left: its `upper`, changed against `layers` (the uppermost first; none: it is a whole copy).

    It is shown `at` the one path, with `level` around it. `home`, the folder of the change's checkouts, is shown too.
    """

    at: Path
    level: Path
    home: Path
    upper: Path
    layers: tuple[Path, ...]


def find(level: Path, at: Path) -> int:
    """The process that holds the view with this level, or the oldest one in it; 0 when there is none."""
    inside = [int(folder.name) for folder in procfs.PROC.glob("[0-9]*") if _sees(folder / "root", level, at.parent)]
    return min(inside, key=procfs.start_time, default=0)


def _sees(root: Path, level: Path, around: Path) -> bool:
    try:
        return level.samefile(root / around.relative_to("/"))
    except OSError:  # it has ended, is another user's, or sees nothing there
        return False


def join(holder: int, at: Path) -> None:
    """Go into the view that a process holds, to the folder `at`. ViewError where that cannot be.

    Not into the PID namespace of an agent: its end would be that of whoever looks, and it would count what it left.
    """
    try:
        mount.join(holder, user=_namespace(holder) != _namespace("self"))
        os.chdir(at)
    except (FailedError, OSError) as error:
        raise ViewError(_words(error)) from error


def _namespace(pid: int | str) -> str:
    return str((procfs.PROC / str(pid) / "ns/user").readlink())


def look(left: LeftView) -> None:
    """Mount what a view has left, to be read, and go there. ViewError where that cannot be.

    The folder of all homes is another one here: the one path is made in that, so that nothing of it outlives this.
    """
    above = left.at.parent.parent
    try:
        user = _own_namespace()
        opened = {place: os.open(place, FOLDER) for place in (left.upper, *left.layers, left.level, left.home)}
        mount.mount("tmpfs", str(above), "tmpfs", 0, "size=1m,mode=755")
        for source, place in ((left.level, left.at.parent), (left.home, above / left.home.name)):
            place.mkdir()
            mount.mount(_by_descriptor(opened[source]), str(place), None, mount.BIND)
            _make_read_only(place)
        if left.layers:
            lower = ":".join(_by_descriptor(opened[place]) for place in (left.upper, *left.layers))
            own = mount.AS_USER if user else SEEN_BY_NAME
            mount.mount("overlay", str(left.at), "overlay", mount.READ_ONLY, f"lowerdir={lower},{own}")
        else:
            mount.mount(_by_descriptor(opened[left.upper]), str(left.at), None, mount.BIND)
            _make_read_only(left.at)
        _make_read_only(above)
        os.chdir(left.at)
    except (FailedError, OSError) as error:
        raise ViewError(_words(error)) from error


def go_to(folder: Path) -> None:
    """Go to a folder that is no view. ViewError where that cannot be."""
    try:
        os.chdir(folder)
    except OSError as error:
        raise ViewError(_words(error)) from error


def _own_namespace() -> bool:
    """Enter a mount namespace of its own; whether that took a user namespace, as for root without CAP_SYS_ADMIN."""
    if os.geteuid() == 0:
        try:
            mount.enter_namespaces(user=False)
        except FailedError:
            pass
        else:
            return False
    mount.enter_namespaces(user=True)
    return True


def _by_descriptor(descriptor: int) -> str:
    """A name without anything that the options of a mount would read otherwise."""
    return f"/proc/self/fd/{descriptor}"


def _make_read_only(place: Path) -> None:
    found = os.statvfs(place).f_flag
    flags = found & KEPT_FLAGS | (RELATIME if found & STAT_RELATIME else 0)
    mount.mount("none", str(place), None, flags | mount.REMOUNT | mount.BIND | mount.READ_ONLY)


def _words(error: FailedError | OSError) -> str:
    return str(error.answer["what"]) if isinstance(error, FailedError) else str(error)


def become(argv: Sequence[str], env: Mapping[str, str]) -> NoReturn:
    """Become this program, as a shell would start it. OSError where it cannot be started."""
    for number in mount.DEFAULT_AGAIN:
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(argv[0], list(argv), dict(env))  # noqa: S606  (no shell is wanted)
