"""Whether an agent's program can be started: it is on PATH, or at the path that was given."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from parallel_impl.errors import Problem


def check(program: str, called: str, *, path: str | None = None, install: str, where: str = "") -> Problem | None:
    """What keeps `program` from being started; `called` names it for people.

    `path` is PATH (None: this process's), `install` what helps where nothing of that name is on it.
    """
    if shutil.which(program, path=path):
        return None
    if "/" not in program:
        return Problem(f"{called} is not on PATH", where, hint=install)
    what, hint = _why_not(Path(program))
    return Problem(f"{called.rstrip(',')}: {what}", where, hint=hint)


def _why_not(file: Path) -> tuple[str, str]:
    """What is wrong with the file, and what to do about it."""
    try:
        if file.is_dir():
            return "it is a folder", "name the program in it"
        if file.is_file():
            return "it is not executable", f"chmod +x {shlex.quote(str(file))}"
    except PermissionError:
        return "this user may not enter its folder", f"look: namei -l {shlex.quote(str(file))}"
    return "there is no such file", "correct the path"
