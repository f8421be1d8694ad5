"""What trees hold, read once a run: their paths, their ignore rules, and whether their files survive filters.

One `Trees` serves all packages of a run; attempts share it across threads. Used by `staging`, `violations`
and `suitability`.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from parallel_impl.git.remove import remove
from parallel_impl.git.repo import Repo, decode
from parallel_impl.git.union import fold

GITLINK = "160000"
SYMLINK = "120000"
KEPT_PATHS = 400_000  # about 100 MB of listings


@dataclass(frozen=True)
class Listing:
    """All paths of one tree, as bytes. `entries` maps a path to (six-digit mode, object id); gitlinks are apart."""

    tree: str
    entries: Mapping[bytes, tuple[str, str]]
    links: Mapping[bytes, str]

    @cached_property
    def folders(self) -> frozenset[bytes]:
        """Every folder that holds something of the tree, without the root."""
        found: set[bytes] = set()
        for path in (*self.entries, *self.links):
            at = path.rfind(b"/")
            while at != -1 and (parent := path[:at]) not in found:
                found.add(parent)
                at = path.rfind(b"/", 0, at)
        return frozenset(found)

    @cached_property
    def spelling(self) -> Mapping[str, tuple[str, ...]]:
        """Folded path (casefold of NFC) to the spellings of it in the tree, folders included."""
        found: dict[str, tuple[str, ...]] = {}
        for raw in (*self.entries, *self.links, *self.folders):
            path = decode(raw)
            key = fold(path)
            found[key] = (*found.get(key, ()), path)
        return found

    def named(self, name: bytes) -> dict[bytes, str]:
        """The regular files with this last component: path to object id."""
        ending = b"/" + name
        return {
            path: oid
            for path, (mode, oid) in self.entries.items()
            if (path == name or path.endswith(ending)) and mode != SYMLINK
        }


@dataclass(slots=True)
class Trees:
    """The trees of one repository. `scratch` is a folder of ours that no agent reaches."""

    repo: Repo
    scratch: Path
    _listings: OrderedDict[str, Listing] = field(default_factory=OrderedDict)
    _ids: dict[str, str] = field(default_factory=dict)
    _skeletons: dict[str, Path] = field(default_factory=dict)
    _exact: set[str] = field(default_factory=set)
    _filters_everywhere: bool | None = None
    _guard: threading.RLock = field(default_factory=threading.RLock)

    def id(self, treeish: str) -> str:
        """The tree id of a commit or tree id."""
        with self._guard:
            if treeish not in self._ids:
                found = self.repo.tree(treeish)
                self._ids |= {treeish: found, found: found}
            return self._ids[treeish]

    def listing(self, treeish: str) -> Listing:
        """The paths of a tree; kept while there is room."""
        tree = self.id(treeish)
        with self._guard:
            if tree in self._listings:
                self._listings.move_to_end(tree)
                return self._listings[tree]
            found = _read(self.repo, tree)
            self._listings[tree] = found
            while len(self._listings) > 2 and sum(len(kept.entries) for kept in self._listings.values()) > KEPT_PATHS:
                self._listings.popitem(last=False)
            return found

    def ignored(self, listing: Listing, paths: Collection[bytes]) -> dict[bytes, str]:
        """Which `paths` (a folder ends in `/`) the rules of the tree and of the user ignore: path to `file:line: rule`.

        The rules are read from a skeleton of the tree's own `.gitignore` files: what an agent did to those in its
        worktree counts from the next package on. `check-ignore -v` prints `!` rules too: they ignore nothing.
        """
        if not paths:
            return {}
        skeleton = self._skeleton(listing)
        arguments = ("check-ignore", "--no-index", "--stdin", "-z", "-v")
        # check-ignore refuses literal pathspecs, of the magic it knows only the leading colon
        stdin = b"\0".join(b"./" + path if path.startswith(b":") else path for path in paths)
        environment = {"GIT_LITERAL_PATHSPECS": "0"}
        out = self.repo.git(*arguments, input=stdin, work_tree=skeleton, ok=(0, 1), env=environment)
        fields = out.split(b"\0")[:-1]
        found = {}
        for source, line, rule, path in zip(fields[::4], fields[1::4], fields[2::4], fields[3::4], strict=True):
            if not rule.startswith(b"!"):
                found[path.removeprefix(b"./")] = decode(source + b":" + line + b": " + rule)
        return found

    def exact(self, treeish: str) -> bool:
        """Whether a fresh checkout of the tree, staged untouched, is known to give the tree again.

        So without attributes and line-ending settings nothing converts a file; else once it was seen (`saw_exact`).
        """
        tree = self.id(treeish)
        with self._guard:
            if tree in self._exact:
                return True
            if self._filters_everywhere is None:
                self._filters_everywhere = _converts(self.repo)
            if self._filters_everywhere or self.listing(tree).named(b".gitattributes"):
                return False
            self._exact.add(tree)
            return True

    def saw_exact(self, tree: str) -> None:
        """A full staging of this tree's checkout gave the tree again."""
        with self._guard:
            self._exact.add(tree)

    def _skeleton(self, listing: Listing) -> Path:
        rules = listing.named(b".gitignore")
        key = hashlib.sha256(repr(sorted(rules.items())).encode()).hexdigest()[:16]
        with self._guard:
            if key not in self._skeletons:
                folder = self.scratch / f"ignore-{key}"
                remove(folder)
                folder.mkdir(parents=True)
                contents = self.repo.blobs(rules.values())
                for path, oid in rules.items():
                    place = os.path.join(os.fsencode(folder), path)  # noqa: PTH118 - a path of bytes
                    os.makedirs(os.path.dirname(place), exist_ok=True)  # noqa: PTH103, PTH120
                    Path(os.fsdecode(place)).write_bytes(contents[oid])
                self._skeletons[key] = folder
            return self._skeletons[key]


def _read(repo: Repo, tree: str) -> Listing:
    entries, links = {}, {}
    for line in repo.git("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0")[:-1]:
        head, _, path = line.partition(b"\t")
        mode, _, oid = head.decode().split(" ")
        if mode == GITLINK:
            links[path] = oid
        else:
            entries[path] = (mode, oid)
    return Listing(tree, entries, links)


def _converts(repo: Repo) -> bool:
    """Whether the user's own settings can make a file differ from its blob, for any path."""
    config = dict(repo.config())
    config_home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    named = config.get("core.attributesfile")
    files = [repo.git_dir / "info/attributes", Path("/etc/gitattributes")]
    files.append(Path(named).expanduser() if named else config_home / "git/attributes")
    settings = config.get("core.autocrlf", "false").lower(), config.get("core.symlinks", "true").lower()
    return settings != ("false", "true") or any(file.exists() for file in files)
