"""The files of a commit as something that names can be looked up in: by path, by the end of a path, by folder."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from parallel_impl.plan.globs import globs

MANIFESTS = (
    "pyproject.toml", "setup.py", "package.json", "go.mod", "Cargo.toml", "pom.xml", "build.gradle", "build.gradle.kts",
    "Gemfile", "composer.json", "mix.exs", "pubspec.yaml", "Package.swift", "CMakeLists.txt",
)  # fmt: skip


class FileTree:
    """The paths of a commit's files, and their folders (without the top, which is "")."""

    def __init__(self, files: Iterable[str]) -> None:
        self.files = frozenset(files)
        self.folders: dict[str, int] = {}  # how many files are below each
        self.direct: dict[str, list[str]] = {"": []}  # the files that lie in each
        for path in sorted(self.files):
            self.direct.setdefault(path.rpartition("/")[0], []).append(path)
            for folder in above(path):
                self.folders[folder] = self.folders.get(folder, 0) + 1

    @cached_property
    def by_name(self) -> dict[str, list[str]]:
        """The files of each file name."""
        found: dict[str, list[str]] = {}
        for path in sorted(self.files):
            found.setdefault(path.rpartition("/")[2], []).append(path)
        return found

    @cached_property
    def folders_by_name(self) -> dict[str, list[str]]:
        """The folders of each name."""
        found: dict[str, list[str]] = {}
        for path in sorted(self.folders):
            found.setdefault(path.rpartition("/")[2], []).append(path)
        return found

    @cached_property
    def extensions(self) -> frozenset[str]:
        """The endings of file names, with the dot, that more than one file has."""
        seen: dict[str, int] = {}
        for path in self.files:
            ending = extension(path)
            seen[ending] = seen.get(ending, 0) + 1
        return frozenset(ending for ending, count in seen.items() if ending and count > 1)

    @cached_property
    def components(self) -> frozenset[str]:
        """The folders that are built or published on their own: a manifest lies in them. The top is none of them."""
        return frozenset(
            folder for name in MANIFESTS for path in self.by_name.get(name, ()) if (folder := folder_of(path))
        )

    def component(self, path: str) -> str:
        """The innermost component that a path lies in; "" outside of all."""
        return next((folder for folder in reversed(above(path)) if folder in self.components), "")

    def ending(self, name: str) -> list[str]:
        """The files whose path is `name` or ends in `/name`."""
        return [path for path in self.by_name.get(name.rpartition("/")[2], ()) if ends(path, name)]

    def folders_ending(self, name: str) -> list[str]:
        """The folders whose path is `name` or ends in `/name`."""
        return [path for path in self.folders_by_name.get(name.rpartition("/")[2], ()) if ends(path, name)]

    def matching(self, pattern: str) -> list[str]:
        """The files that a glob matches; none for one that cannot be read."""
        if globs.problem(pattern):
            return []
        head = pattern.partition("*")[0].rpartition("/")[0]
        return [path for path in sorted(self.files) if path.startswith(head) and globs.match(pattern, path)]


def above(path: str) -> list[str]:
    """The folders that a path lies in, from the outside in."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def folder_of(path: str) -> str:
    """The folder of a path; "" at the top."""
    return path.removesuffix("/").rpartition("/")[0]


def name_of(path: str) -> str:
    """The last part of a path."""
    return path.removesuffix("/").rpartition("/")[2]


def extension(path: str) -> str:
    """The ending of a file name with its dot, in lower case; "" without one (`.gitignore`, `Makefile`)."""
    stem, dot, ending = name_of(path).rpartition(".")
    return f".{ending.lower()}" if dot and stem.strip(".") else ""


def ends(path: str, name: str) -> bool:
    """Whether a path is `name` or ends in it, by whole parts."""
    return path == name or path.endswith(f"/{name}")


def shared(first: str, second: str) -> int:
    """How many folders two paths have in common, from the top."""
    count = 0
    for one, other in zip(first.split("/")[:-1], second.split("/")[:-1], strict=False):
        if one != other:
            break
        count += 1
    return count
