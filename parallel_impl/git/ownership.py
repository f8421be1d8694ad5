"""Whose repository it is, found without git: git refuses to look at one of another user before anybody named it.

What root writes into somebody's repository its owner cannot write later, and the owner's filters and hooks would run
as root: so root stops there, or becomes the owner.
"""

from __future__ import annotations

import os
import pwd
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from parallel_impl.errors import UserError

OF_THE_CALLER = ("HOME", "USER", "LOGNAME", "MAIL", "XDG_", "SUDO_")


@dataclass(frozen=True, slots=True)
class Located:
    """A repository as its files lie: the worktree (None: a bare one), its git directory, and the common one."""

    worktree: Path | None
    git_dir: Path
    common: Path

    @property
    def folders(self) -> tuple[Path, ...]:
        """What git may ask about: whether somebody named it as safe."""
        main = (self.common.parent,) if self.common.name == ".git" else ()
        worktree = (self.worktree,) if self.worktree else ()
        return tuple(dict.fromkeys((self.git_dir, self.common, *main, *worktree)))


def locate(folder: Path) -> Located | None:
    """The repository that `folder` lies in; None where there is none, or where its files lead nowhere."""
    real = Path(os.path.realpath(folder))
    for place in (real, *real.parents):
        try:
            if os.path.lexists(place / ".git"):
                git_dir = _git_dir(place / ".git")
                return Located(place, git_dir, _common(git_dir))
            if (place / "HEAD").is_file() and (place / "objects").is_dir() and (place / "refs").is_dir():
                return Located(None, place, place)
        except OSError:
            return None
    return None


def check(folder: Path, command: str) -> None:
    """UserError where this is root, in somebody else's repository. `command` is what was typed."""
    located = locate(folder)
    owner = _owner(located) if located else None
    if owner is None or os.geteuid() != 0:
        return
    name, who = _name(owner), _word(owner)
    raise UserError(
        f"you are {_name(0)}, and this repository belongs to {name}: {name} could not write what {_name(0)} writes "
        f"here, and {name}'s filters would run as {_name(0)}",
        where=str(located.git_dir if located else folder),
        hint=f"type: sudo -u {who} {command}\n    or let the program become {name}: {command} --as-owner",
    )


def become_owner(folder: Path, inherited: Mapping[str, str]) -> None:
    """Go on as the owner of the repository: this program is started again, as that user with that user's HOME.

    Nothing where it is one's own already. UserError where that cannot be. `inherited` is the environment.
    """
    located = locate(folder)
    owner = _owner(located) if located else None
    if owner is None or located is None:
        return
    if os.geteuid() != 0:
        what = f"only root can become {_name(owner)}, whose repository this is"
        raise UserError(what, where="--as-owner", hint=f"type: sudo -u {_word(owner)}, and the command without it")
    group, home = located.common.stat().st_gid, ""
    try:
        entry = pwd.getpwuid(owner)
        group, home = entry.pw_gid, entry.pw_dir
        os.initgroups(entry.pw_name, group)
    except KeyError:
        os.setgroups([group])
    os.setgid(group)
    os.setuid(owner)
    _start_again(owner, environment_of(owner, home, inherited))


def environment_of(owner: int, home: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """The environment as the owner has it: nothing that leads to what is the caller's; `home` is "" when unknown."""
    kept = {name: value for name, value in inherited.items() if not name.startswith(OF_THE_CALLER)}
    if "TMPDIR" in kept and not os.access(kept["TMPDIR"], os.W_OK | os.X_OK):
        del kept["TMPDIR"]
    return {**kept, "HOME": home, "USER": _name(owner), "LOGNAME": _name(owner)} if home else kept


def _start_again(owner: int, environment: Mapping[str, str]) -> NoReturn:
    for file, mode in ((Path(sys.executable), os.X_OK), (Path(__file__), os.R_OK)):
        if not os.access(file, mode):
            what, closed = f"{_name(owner)} may not use this installation of the program", closed_folder(file)
            what += f": it may not enter {closed}" if closed else ""
            raise UserError(what, where=str(file), hint="install it where every user can read it, e.g. below /opt")
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], dict(environment))  # noqa: S606 - ourselves


def closed_folder(file: Path) -> Path | None:
    """The first folder on the way to `file`, and to what its links lead to, that this process may not enter."""
    ways = (file, Path(os.path.realpath(file)))
    folders = (folder for way in ways for folder in reversed(way.absolute().parents))
    return next((folder for folder in folders if not os.access(folder, os.X_OK)), None)


def _owner(located: Located) -> int | None:
    """The owner of the repository; None where one of its folders is this user's."""
    owners = [path.stat().st_uid for path in (located.common, located.worktree) if path]
    return None if os.geteuid() in owners else owners[0]


def _git_dir(link: Path) -> Path:
    if not link.is_file():
        return link
    named = link.read_bytes().removeprefix(b"gitdir: ").rstrip(b"\n")
    return Path(os.path.abspath(link.parent / os.fsdecode(named)))  # noqa: PTH100 - links are followed as git does


def _common(git_dir: Path) -> Path:
    file = git_dir / "commondir"
    if not file.is_file():
        return git_dir
    return Path(os.path.abspath(git_dir / os.fsdecode(file.read_bytes().rstrip(b"\n"))))  # noqa: PTH100


def _name(uid: int) -> str:
    """The user's name; the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _word(uid: int) -> str:
    """The user as `sudo -u` wants it."""
    name = _name(uid)
    return shlex.quote(f"#{uid}" if name == str(uid) else name)
