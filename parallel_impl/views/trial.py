"""Finds by a real trial what this machine can do: overlays, a bound copy, or neither.

It does in a view what agents and tools do: write, remove, replace and rename, start a program in a PID namespace and in
bubblewrap, and it reads the work from outside. Nothing is concluded from versions or names of file systems.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from parallel_impl import storage
from parallel_impl.views import upper
from parallel_impl.views.slot import Contained, OpenView, Slot, ViewError
from parallel_impl.views.tree_copy import copy_tree
from parallel_impl.views.upper import TouchedAs
from parallel_impl.views.view import Means, View

NAME = ".trial-"
SECONDS = 20
# a folder is replaced, and its old content must be gone; files are changed, removed, made executable
WORK = """\
set -e
[ "$(pwd -P)" = "$1" ] && [ ! -e "$2" ] && [ -z "$(ls -A "$3")" ]
echo more >> kept/file
rm kept/removed
rm -r replaced && mkdir replaced && echo new > replaced/new
[ "$(ls replaced)" = new ]
"""
WANTED = {
    (b"kept", TouchedAs.FOLDER),
    (b"kept/file", TouchedAs.FILE),
    (b"kept/removed", TouchedAs.GONE),
    (b"replaced", TouchedAs.OPAQUE),
    (b"replaced/new", TouchedAs.FILE),
}
# calls that fail, and where they do
KNOWN = (
    ("mount overlay", errno.EINVAL, "the worktrees' file system takes none: a container's own, or one of a network"),
    ("unshare", errno.EPERM, "namespaces are not allowed, as in many containers"),
    ("unshare", errno.ENOSPC, "user namespaces are switched off by user.max_user_namespaces"),
)
BUBBLEWRAP = ("--unshare-all", "--dev-bind", "/", "/", "--dev", "/dev", "--proc", "/proc")


@dataclass(frozen=True, slots=True)
class Ability:
    """What this machine can do, and in one clause why it is no overlay ("" when it is).

    `user`: views need a user namespace. `renames`: a folder of the base can be renamed by rename(2). `reads_seen`: the
    file system tells when a file was last read; `copies_seen`: also of one that a program let it copy.
    """

    means: Means
    why: str = ""
    user: bool = False
    renames: bool = True
    reads_seen: bool = True
    copies_seen: bool = True


def find(folder: Path, *, first_process: Path | None = None, slot: Slot | None = None) -> Ability:
    """What can be done with layers in `folder`, which is made. `first_process`: its module, where agents are contained.

    (`Contained.module`.) `slot` is the run's: only one is started then. Root, too, may need a user namespace: in a
    container, or being root of one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    reads, copies = _reads_are_seen(folder)
    found, no_overlay = Ability(Means.EACH, reads_seen=reads, copies_seen=copies), dict[bool, str]()
    users = (False, True) if os.geteuid() == 0 else (True,)
    with nullcontext(slot) if slot else Slot() as started:
        for user in users:
            with _laid_out(folder, user=user) as view:
                if not (why := _try(started, view, first_process)):
                    return replace(found, means=Means.OVERLAY, user=user, renames=_renames(started, view))
                no_overlay[user] = _explained(why, view)
        for user in users:
            with _laid_out(folder, user=user) as view:
                if not (why := _try_copy(started, view, first_process)):
                    return replace(found, means=Means.COPY, why=no_overlay[user], user=user)
                found = replace(found, why=_explained(why, view))
    return found


def _explained(words: str, view: View) -> str:
    """What was in the way, without the place of the trial, and what machines it is like that on."""
    words = words.replace(f" at {view.at}", "")
    of = (more for call, number, more in KNOWN if words == f"{call}: {os.strerror(number)}")
    return f"{words} ({more})" if (more := next(of, "")) else words


@contextmanager
def _laid_out(folder: Path, *, user: bool) -> Iterator[View]:
    """A small checkout of its own to try with; nothing of it stays."""
    place = Path(tempfile.mkdtemp(prefix=NAME, dir=folder))
    try:
        at, level, store, shown = place / "at" / "files", place / "level", place / "store", place / "shown"
        for made in (at.parent, level / "files", store / "upper", store / "work", shown):
            made.mkdir(parents=True)
        for file in ("kept/file", "kept/removed", "replaced/old"):
            (store / "layer" / file).parent.mkdir(parents=True, exist_ok=True)
            storage.write(store / "layer" / file, b"old\n")
        yield View(at, level, store, ("layer",), "upper", "work", covers=(place,), shown=(shown,), user=user)
    finally:
        for above, names, _ in os.walk(place):  # the kernel left one that is closed
            for name in names:
                (Path(above) / name).chmod(0o700)
        shutil.rmtree(place, ignore_errors=True)


def _try(slot: Slot, view: View, first_process: Path | None) -> str:
    """Work in a view, and read that from outside: what went wrong, or ""."""
    try:
        opened = slot.open(view)
        try:
            seen = str(view.at), str(view.store), str(view.shown[0])
            why = _run(opened, ["sh", "-c", WORK, "sh", *seen]) or _read(view, opened)
            why = why or (_contain(opened, first_process) if first_process else "")
            return why or (_run(opened, [inside, *BUBBLEWRAP, "true"]) if (inside := _bubblewrap()) else "")
        finally:
            opened.close()
    except ViewError as error:
        return error.words
    except OSError as error:
        return str(error)


def _try_copy(slot: Slot, view: View, first_process: Path | None) -> str:
    """The same in a copy of the layer."""
    try:
        copy_tree(view.store / "layer", view.store / "copy")
    except OSError as error:
        return str(error)
    return _try(slot, replace(view, layers=(), upper="", work="", copy="copy"), first_process)


def _run(opened: OpenView, argv: list[str], contained: Contained | None = None) -> str:
    """Run a command in the view: what it printed where it failed, or ""."""
    child = opened.start(
        argv,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        cwd=opened.at,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
        pass_fds=(contained.channel,) if contained else (),
        contained=contained,
    )
    with child.stdout:
        said = child.stdout.read()
    code = child.wait()
    last = said.decode(errors="replace").strip().rpartition("\n")[2]
    return "" if code == 0 else f"{argv[0]} in a view: {last or f'exit {code}'}"


def _contain(opened: OpenView, first_process: Path) -> str:
    """Run a command in a PID namespace in the view: what was in the way, or ""."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            contained = Contained(first_process, theirs.fileno(), 1.0)
            why = _run(opened, ["sh", "-c", "[ -e /proc/1/stat ] && [ $$ != 1 ]"], contained)
        ours.setblocking(False)
        said = ours.recv(1000).decode(errors="replace") if not why else ""
    return why or ("" if "exit 0" in said else f"a PID namespace in a view: {said.strip()}")


def _read(view: View, opened: OpenView) -> str:
    """Whether the work is seen from outside as it was done."""
    if (opened.files / "kept/file").read_text() != "old\nmore\n":
        return "what is written in a view is not seen from outside"
    if view.copy:
        return ""
    found = {(one.path, one.kind) for one in upper.read(view)}
    return "" if found == WANTED else f"the upper of a view cannot be read: {sorted(found ^ WANTED)[0]}"


def _renames(slot: Slot, view: View) -> bool:
    """Whether rename(2) moves a folder of a layer: in a user namespace the kernel refuses it."""
    opened = slot.open(view)
    try:
        (opened.files / "kept").rename(opened.files / "renamed")
    except OSError:
        return False
    finally:
        opened.close()
    return True


def _bubblewrap() -> str | None:
    """The program, where it works outside of a view: one that is refused everywhere says nothing about views."""
    program = shutil.which("bwrap")
    outside = program and subprocess.run([program, *BUBBLEWRAP, "true"], check=False, capture_output=True).returncode
    return program if outside == 0 else None


def _reads_are_seen(folder: Path) -> tuple[bool, bool]:
    """Whether reading a file that was not read for long moves its access time; and whether copying it does.

    Where file systems copy by themselves (overlays; those that share blocks) nobody has read it.
    """
    with tempfile.TemporaryDirectory(prefix=NAME, dir=folder) as place:
        one = Path(place) / "one"
        one.mkdir()
        read, copied = one / "read", one / "copied"
        for file in (read, copied):
            storage.write(file, b"text")
            os.utime(file, ns=(0, file.stat().st_mtime_ns))
        read.read_text()
        seen = read.stat().st_atime_ns != 0
        copy_tree(one, Path(place) / "two")
        return seen, seen and copied.stat().st_atime_ns != 0
