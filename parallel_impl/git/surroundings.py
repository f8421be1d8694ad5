"""The folders around the checkouts of a run: what lies there steers what runs in them, and is in no commit.

pytest, ruff, npm and their like look upward from a checkout. Without a fence any agent can write there.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from parallel_impl import storage
from parallel_impl.errors import printable
from parallel_impl.git.home import KEPT, is_configuration
from parallel_impl.git.walk import is_left_by_program

NESTED = (".cargo/config.toml", ".cargo/config")  # the folder itself is the home of the user's cargo
SETTLED_NS = 3_000_000_000  # no file system has coarser times
EDITORS = (".idea", ".vscode")  # of a person who looks at the worktrees


_known: dict[Path, tuple[tuple[int, ...], tuple[str, ...]]] = {}  # by folder: when it was changed, what it had


@dataclass(frozen=True, slots=True)
class Foreign:
    """Something around the checkouts that is not of this run."""

    path: Path

    def __str__(self) -> str:
        option = "-r " if self.path.is_dir() and not self.path.is_symlink() else ""
        what = f"{self.path} is not of this run, and what runs in its checkouts may read it\n"
        return printable(what) + f"  rm {option}{shlex.quote(printable(str(self.path)))}"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The home of a run, the names of the checkouts in it, and the tool configuration above it at the start."""

    home: Path
    checkouts: frozenset[str]
    above: frozenset[str]

    def foreign(self) -> list[Foreign]:
        """What is not of this run: anything else in its home, tool configuration above that was not there."""
        inside = (self.home / name for name in _names(self.home) if not self._is_ours(name))
        appeared = sorted(configuration_above(self.home).difference(self.above))
        return [Foreign(path) for path in (*inside, *map(Path, appeared))]

    def _is_ours(self, name: str) -> bool:
        known = name in (KEPT, *EDITORS) or name.removesuffix(".git") in self.checkouts
        return known or is_left_by_program(os.fsencode(name))


def foreign_beside(level: Path, worktree: Path, usual: Collection[str]) -> list[Foreign]:
    """Tool configuration beside a worktree on its own level; `usual` are names that set-up makes there."""
    others = (name for name in _names(level) if name not in usual and is_configuration(name))
    return [Foreign(level / name) for name in others if level / name != worktree] if level != worktree else []


def configuration_above(home: Path) -> frozenset[str]:
    """The paths of tool configuration in the folders above a home."""
    folders = [folder for folder in storage.real(home).parents if folder.is_dir()]
    named = (folder / name for folder in folders for name in _configuration_in(folder))
    nested = (folder / name for folder in folders for name in NESTED if (folder / name).is_file())
    return frozenset(map(str, (*named, *nested)))


def _configuration_in(folder: Path) -> tuple[str, ...]:
    """The names of tool configuration in a folder; not looked for again in one where nothing was made or removed.

    Its ctime tells that, which nobody can set; a change within the tick of the one before it would have the same.
    """
    try:
        found = folder.stat()
    except OSError:
        return ()
    stamp = found.st_dev, found.st_ino, found.st_ctime_ns
    before, names = _known.get(folder, ((), ()))
    if before == stamp:
        return names
    names = tuple(filter(is_configuration, _names(folder)))
    if time.time_ns() - found.st_ctime_ns > SETTLED_NS:
        _known[folder] = stamp, names
    return names


def folders_in(home: Path) -> frozenset[str]:
    """The folders that lie in a home already and are no tool's configuration: worktrees of an earlier run."""
    folders = (path for name in _names(home) if (path := home / name).is_dir() and not path.is_symlink())
    return frozenset(path.name.removesuffix(".git") for path in folders if not is_configuration(path.name))


def _names(folder: Path) -> list[str]:
    """What lies in a folder, as names: there may be thousands, asked for three times a package."""
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return []
