"""A gate that was found, as data, and the names that found gates have."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass

from parallel_impl.gates.project_files import Read


@dataclass(frozen=True, slots=True)
class FoundGate:
    """One gate by the files of a repository; `where` is the file that asks for it.

    `required`: the project says that it uses the tool, so that an absent program is an error and not `not run`.
    """

    name: str
    command: str
    parser: str
    where: str
    required: bool = True


@dataclass(frozen=True, slots=True)
class Unfound:
    """A project in a sub-folder that has tests and is no declared member: `command` runs them, `setup` readies it."""

    where: str
    folder: str
    command: str
    parser: str = "exit-code"
    setup: str = ""


@dataclass(frozen=True, slots=True)
class ProjectTree:
    """The files of the base: `read` gives one by its path, `paths` are all of them (empty: not known)."""

    read: Read
    paths: Collection[str] = ()

    def has(self, path: str) -> bool:
        """Whether there is a file of this path."""
        return path in self.paths if self.paths else self.read(path) is not None

    def content(self, path: str) -> bytes | None:
        """What is in a file; most names that are asked for are not there, and each read is a process."""
        return self.read(path) if not self.paths or path in self.paths else None

    def below(self, folder: str) -> Read:
        """Reads the files of a sub-folder."""
        return lambda name: self.content(place(folder, name))

    def folders_with(self, name: str) -> list[str]:
        """The sub-folders that have a file of this name, sorted."""
        return sorted(path[: -len(name) - 1] for path in self.paths if path.endswith(f"/{name}"))


def place(folder: str, name: str) -> str:
    """A file of a folder; the root is ""."""
    return f"{folder}/{name}" if folder else name


def named(name: str, folder: str) -> str:
    """A gate's name: that of a member ends with its folder."""
    return f"{name}:{folder}" if folder else name


def inside(folder: str, command: str) -> str:
    """A command as it is given from the root."""
    return f"cd {shlex.quote(folder)} && {command}" if folder else command
