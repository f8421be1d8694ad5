"""Whether a run may write where it keeps things, found out before anything is made or paid.

Tried by making a file without a name, so that nothing is left even by a crash: permission bits do not tell about a
read-only mount.
"""

from __future__ import annotations

import errno
import os
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

from parallel_impl import storage
from parallel_impl.errors import Problem, UserError
from parallel_impl.run.places import Places


def check_repository(places: Places) -> None:
    """UserError that names every folder of the repository which cannot be written."""
    _raise_all(
        *_problems(places.state, "the journal and the logs of a run lie there"),
        *_problems(places.locks, "the locks of all runs lie there"),
        *_problems(places.common / "objects", "the work of agents is committed there"),
        *_problems(places.common / "refs", "every commit is put on a ref"),
    )


def check_home(home: Path) -> None:
    """UserError when worktrees cannot be made in `home`, or when there is no folder for temporary files."""
    _raise_all(
        *_problems(home, "worktrees lie there"), *_problems(_temporary(), "agents and steps get their TMPDIR there")
    )


def _raise_all(*found: Problem) -> None:
    """One error for each place."""
    if problems := list(dict.fromkeys(found)):
        raise UserError(problems)


def _problems(folder: Path, why: str) -> Iterator[Problem]:
    if there := storage.obstruction(folder):
        target = f": a link to {there.readlink()}" if there.is_symlink() else ""
        aside = f"mv {shlex.quote(str(there))} {shlex.quote(f'{there}.old')}"
        yield Problem(f"is no folder{target}, and {why}", where=str(there), hint=f"put it aside: {aside}")
        return
    nearest = storage.nearest(folder)
    try:
        with tempfile.TemporaryFile(dir=nearest):
            return
    except OSError as error:
        yield Problem(
            f"cannot be written: {error.strerror}", where=str(nearest), hint=f"{_what_to_do(error, nearest)}: {why}"
        )


def _what_to_do(error: OSError, folder: Path) -> str:
    if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):  # permissions have nothing to do with it
        return storage.what_to_do(error) or "look at what its disk can do"
    return f"make {folder} writable (it belongs to uid {folder.stat().st_uid}, you are {os.geteuid()})"


def _temporary() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:  # it tries TMPDIR, /tmp and others, and found none that it can write to
        return Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108  (only named, nothing is made there)
