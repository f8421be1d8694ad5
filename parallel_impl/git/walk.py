"""What lies on disk in a worktree, beside what git was told: new files, vanished ones, and what git cannot take.

Nothing that an agent can change is believed: no index, no ignore file, no configuration.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path

from parallel_impl import storage
from parallel_impl.git.trees import Listing
from parallel_impl.git.upper_walk import UpperEntry
from parallel_impl.plan.globs.git_folder import INVISIBLE, is_git_folder

# what only programs write, beside their work
LEFT_BY_PROGRAMS = frozenset((b"__pycache__", b".hypothesis", b".coverage", b".DS_Store"))
# what tools fill, and people may write on purpose: a fixture for a test that finds environments, say
FILLED_BY_TOOLS = frozenset((b"node_modules", b".venv", b".tox", b".nox"))
CACHE_RULE = "known tool cache"
DEEPEST = 200
LISTED = 1_000  # files of one ignored folder that are listed one by one
ROUND = 5_000  # entries of new folders that are looked at before the ignore rules are asked about them
KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a device", stat.S_IFCHR: "a device"}

Scan = Callable[[bytes], Iterable[os.DirEntry[bytes] | UpperEntry]]
Ask = Callable[[Collection[bytes]], Mapping[bytes, str]]
Rule = Callable[[bytes], str]  # why a path (a folder ends in `/`) is left out at once; "" to ask git


@dataclass(slots=True)
class Disk:
    """What a walk found, as paths in bytes relative to the worktree.

    `tracked`: files of the tree that are there (changed or not); `new`: files that are not in the tree and not
    ignored; `ignored`: what is left out, topmost folders with a closing `/`, and by which rule; `odd`: what git
    cannot take, and why; `links`: folders of submodules.
    """

    tracked: set[bytes] = field(default_factory=set)
    new: set[bytes] = field(default_factory=set)
    ignored: dict[bytes, str] = field(default_factory=dict)
    odd: dict[bytes, str] = field(default_factory=dict)
    links: set[bytes] = field(default_factory=set)


def is_cache(name: bytes) -> bool:
    """Whether a file or folder of this name is a known tool's cache."""
    return name in FILLED_BY_TOOLS or is_left_by_program(name)


def is_left_by_program(name: bytes) -> bool:
    """Whether only programs write a file or folder of this name."""
    return (
        name in LEFT_BY_PROGRAMS
        or name.endswith((b".pyc", b".pyo"))
        or name.startswith(b".coverage.")
        or (name.startswith(b".") and name.endswith(b"_cache"))
    )


def looks_like_git(name: bytes) -> bool:
    """Whether a component is `.git` to some file system: by case, invisible characters, NTFS short name or stream."""
    return is_git_folder(name.decode(errors="replace"))


def means_gitmodules(name: bytes) -> bool:
    """Whether a name is `.gitmodules`, by any of the file systems' spellings; a symlink of it git passes over."""
    plain = name.decode(errors="replace").translate(INVISIBLE).casefold().split(":")[0].rstrip(" .")
    return plain == ".gitmodules" or plain.startswith(("gitmod~", "gi7eba~"))


def by_name(path: bytes) -> str:
    """Everything that has the name of a known tool's cache is left out."""
    return CACHE_RULE if is_cache(path.rstrip(b"/").rpartition(b"/")[2]) else ""


def walk(root: bytes, listing: Listing, ask: Ask, rule: Rule = by_name, scan: Scan | None = None) -> Disk:
    """Compare the folder `root` with a tree. `ask` says which paths the ignore rules leave out, in batches.

    `rule` says what is left out before they are asked. `scan` gives the entries of a folder where those on disk are
    not the ones.
    """
    return _Walk(listing, ask, rule, scan or partial(_scan, root)).run()


def _scan(root: bytes, folder: bytes) -> list[os.DirEntry[bytes]]:
    with os.scandir(os.path.join(root, folder)) as entries:  # noqa: PTH118 - bytes
        return list(entries)


class _Walk:
    def __init__(self, listing: Listing, ask: Ask, rule: Rule, scan: Scan) -> None:
        self.listing, self.ask, self.rule, self.scan = listing, ask, rule, scan
        self.disk = Disk()
        self.files: set[bytes] = set()  # not in the tree, not yet asked about
        self.odd: dict[bytes, str] = {}
        self.folders: deque[bytes] = deque()  # not in the tree, not yet looked into

    def run(self) -> Disk:
        waiting = [b""]
        while waiting:
            waiting += self.look(waiting.pop(), tracked=True)
        while self.files or self.odd or self.folders:
            self.settle(self.look_into_new_folders())
        return self.disk

    def look(self, folder: bytes, *, tracked: bool) -> list[bytes]:
        """Sort the entries of one folder; its tracked folders are returned, the others wait in `folders`."""
        below: list[bytes] = []
        prefix = folder + b"/" if folder else b""
        try:
            for entry in self.scan(folder):
                path = prefix + entry.name
                if not (tracked and self.known(path, entry, below)) and path != b".git":
                    self.sort(path, entry)
        except FileNotFoundError:
            pass  # a process that outlived the agent removed it
        except OSError as error:
            where = self.odd if folder else self.disk.odd
            where[folder or b"."] = f"cannot be read: {error.strerror}"
        return below

    def known(self, path: bytes, entry: os.DirEntry[bytes] | UpperEntry, below: list[bytes]) -> bool:
        """Whether the tree has this path with this kind of thing; it is noted."""
        if entry.is_dir(follow_symlinks=False):
            if path in self.listing.folders:
                below.append(path)
                return True
            if path in self.listing.links:
                self.disk.links.add(path)
                return True
        elif entry.is_symlink() and means_gitmodules(entry.name):
            return False
        elif path in self.listing.entries and (entry.is_file(follow_symlinks=False) or entry.is_symlink()):
            self.disk.tracked.add(path)
            return True
        return False

    def sort(self, path: bytes, entry: os.DirEntry[bytes] | UpperEntry) -> None:
        """File something that is not in the tree."""
        if looks_like_git(entry.name):
            self.odd[path] = (
                "a git repository inside the worktree" if entry.name == b".git" else "a name that means .git"
            )
        elif entry.is_symlink() and means_gitmodules(entry.name):
            self.odd[path] = "a symlink named .gitmodules"
        elif rule := self.rule(key := path + (b"/" if entry.is_dir(follow_symlinks=False) else b"")):
            self.disk.ignored[key] = rule
        elif entry.is_dir(follow_symlinks=False):
            if path.count(b"/") < DEEPEST:
                self.folders.append(path)
            else:
                self.odd[path] = f"more than {DEEPEST} folders deep"
        elif entry.is_symlink() or entry.is_file(follow_symlinks=False):
            self.files.add(path)
        else:
            kind = stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
            self.odd[path] = KINDS.get(kind, "not a file")

    def look_into_new_folders(self) -> list[bytes]:
        """Look into folders that are not in the tree until a round is full; what was looked into is returned."""
        seen: list[bytes] = []
        while self.folders and len(self.files) + len(seen) < ROUND:
            seen.append(self.folders.popleft())
            self.look(seen[-1], tracked=False)
        return seen

    def settle(self, seen: Collection[bytes]) -> None:
        """Ask the ignore rules about this round; what is in an ignored folder goes with that folder."""
        folders = {*seen, *self.folders}
        special = [path for path in self.odd if path not in folders and not looks_like_git(path.rpartition(b"/")[2])]
        rules = self.ask([*self.files, *special, *(folder + b"/" for folder in folders)])
        dropped = {folder for folder in folders if folder + b"/" in rules}
        for path in (*folders, *self.files, *self.odd):
            key = path + b"/" if path in folders else path
            if _below(path, dropped):
                continue
            if key in rules:
                self.disk.ignored[key] = rules[key]
            elif path in self.odd:
                self.disk.odd[path] = self.odd[path]
            elif path in self.files:
                self.disk.new.add(path)
        self.disk.ignored = {path: rule for path, rule in self.disk.ignored.items() if not _below(path, dropped)}
        self.folders = deque(path for path in self.folders if path not in dropped and not _below(path, dropped))
        self.files, self.odd = set(), {}


def _below(path: bytes, folders: Collection[bytes]) -> bool:
    at = path.find(b"/") if folders else -1
    while at != -1 and at != len(path) - 1:
        if path[:at] in folders:
            return True
        at = path.find(b"/", at + 1)
    return False


def signature(root: Path, path: bytes) -> tuple[int, ...]:
    """What lstat says about a file, to tell whether it was written."""
    return storage.signature(os.path.join(os.fsencode(root), path))  # noqa: PTH118 - bytes


def files_below(root: Path, folder: bytes) -> Iterator[bytes]:
    """Every file and symlink below `folder`, relative to `root`, unsorted; what cannot be read is passed over.

    Not by `os.walk`: before Python 3.12 it recurses, and an agent may leave a thousand folders in each other.
    """
    top, waiting = os.fsencode(root), [folder.rstrip(b"/")]
    while waiting:
        place = waiting.pop()
        with contextlib.suppress(OSError), os.scandir(os.path.join(top, place)) as entries:  # noqa: PTH118 - bytes
            for entry in entries:
                path = place + b"/" + entry.name
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                else:
                    yield path


def fingerprint(root: Path, folder: bytes) -> str:
    """A text that changes when anything in the folder does, the same in every process; "" for an empty folder."""
    state = sorted((path, signature(root, path)) for path in files_below(root, folder))
    return hashlib.sha256(repr(state).encode()).hexdigest() if state else ""


def newer(root: Path, folder: bytes, since_ns: int) -> list[bytes]:
    """The first files in the folder that were written since, in order."""
    written = (path for path in files_below(root, folder) if (signature(root, path) or (0,))[-1] >= since_ns)
    return sorted(islice(written, LISTED))
