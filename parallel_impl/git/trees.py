"""What trees hold, read once a run: their paths, their ignore rules, and whether their files survive filters.

One `Trees` serves all packages of a run; attempts share it across threads.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from parallel_impl import storage
from parallel_impl.git.identity import Identity
from parallel_impl.git.objects import Objects, UnusualError
from parallel_impl.git.repo import Change, Repo, decode, encode
from parallel_impl.plan.globs.globs import fold

GITLINK = "160000"
SYMLINK = "120000"
ABSENT = "000000"
ATTRIBUTES = b".gitattributes"
CONVERTING = ("filter.", "core.autocrlf", "core.eol", "core.symlinks", "core.attributesfile")
KEPT_PATHS = 400_000  # about 100 MB of listings
KEPT_BYTES = 1_000_000  # of one file that is read more than once
DEEP, LONG = 100, 2_000


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

    @cached_property
    def paths(self) -> list[bytes]:
        """All files, in git's order."""
        return sorted(self.entries)

    @cached_property
    def _all(self) -> list[bytes]:
        return sorted((*self.entries, *self.links))

    def below(self, folder: bytes) -> list[bytes]:
        """The files below a folder, in git's order."""
        return _below(self.paths, folder)

    def at_or_below(self, path: bytes) -> list[bytes]:
        """The path itself where the tree has a file or gitlink there, else those below it."""
        return [path] if path in self.entries or path in self.links else _below(self._all, path)

    def at(self, paths: Iterable[bytes]) -> dict[bytes, tuple[str, str]]:
        """The entries of those of the paths that the tree has; gitlinks too."""
        files = {path: self.entries[path] for path in paths if path in self.entries}
        return files | {path: (GITLINK, self.links[path]) for path in paths if path in self.links}

    def named(self, name: bytes) -> dict[bytes, str]:
        """The regular files with this last component: path to object id."""
        ending = b"/" + name
        return {
            path: oid
            for path, (mode, oid) in self.entries.items()
            if (path == name or path.endswith(ending)) and mode != SYMLINK
        }


def _below(paths: list[bytes], folder: bytes) -> list[bytes]:
    first = bisect_left(paths, folder + b"/")
    return paths[first : bisect_left(paths, folder + b"0", first)]  # `0` comes after `/`


@dataclass(slots=True)
class Trees:
    """The trees of one repository. `scratch` is a folder of ours that no agent reaches.

    `environment` is what filters see beside the variables of this process.
    """

    repo: Repo
    scratch: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    _listings: OrderedDict[str, Listing] = field(default_factory=OrderedDict)
    _ids: dict[str, str] = field(default_factory=dict)
    _contents: dict[str, bytes] = field(default_factory=dict)
    _ignore_files: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    _exact: set[str] = field(default_factory=set)
    _plain: set[str] = field(default_factory=set)  # exact since nothing converts a file, not since it was seen once
    _derived: dict[str, tuple[str, tuple[Change, ...]]] = field(default_factory=dict)
    _filters_everywhere: bool | None = None
    _config: dict[str, str] | None = None
    _objects: Objects | None = None
    _guard: threading.RLock = field(default_factory=threading.RLock)
    _asking: threading.Lock = field(default_factory=threading.Lock)

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
            above, changes = self._derived.get(tree, ("", ()))
            known = self._listings.get(above)
            found = _apply(known, tree, changes) if known else _read(self.repo, tree)
            self._listings[tree] = found
            while len(self._listings) > 2 and sum(len(kept.entries) for kept in self._listings.values()) > KEPT_PATHS:
                self._listings.popitem(last=False)
            return found

    def read(self, treeish: str, path: str) -> bytes | None:
        """The content of a regular file in a tree, or None when there is no such file; read once a run."""
        mode, oid = self.listing(treeish).entries.get(encode(path), (SYMLINK, ""))
        if mode == SYMLINK:
            return None
        with self._guard:
            if oid in self._contents:
                return self._contents[oid]
        content = self.repo.blobs([oid])[oid]
        if len(content) <= KEPT_BYTES:
            with self._guard:
                self._contents[oid] = content
        return content

    def learn(self, commit: str, tree: str, base: str, changes: Sequence[Change]) -> None:
        """Take in what is known of a commit that was made here: its tree, and how that differs from that of `base`."""
        with self._guard:
            above = self.id(base)
            self._ids |= {commit: tree, tree: tree}
            if above in self._plain and not any(is_attributes(change.path) for change in changes):
                self._exact.add(tree)
                self._plain.add(tree)
            if tree != above:
                self._derived[tree] = (above, tuple(changes))

    def changes(self, old: str, new: str) -> Sequence[Change]:
        """The changes between two trees, as git lists them; without a process where they are known."""
        before, after = self.id(old), self.id(new)
        if before == after:
            return ()
        above, known = self._derived.get(after, ("", ()))
        return known if above == before else self.repo.changes(before, after)

    def ignored(self, listing: Listing, paths: Collection[bytes]) -> dict[bytes, str]:
        """Which `paths` (a folder ends in `/`) the rules of the tree and of the user ignore: path to `file:line: rule`.

        The rules are read from a skeleton of the tree's own `.gitignore` files: what an agent did to those in its
        worktree counts from the next package on. `check-ignore -v` prints `!` rules too: they ignore nothing.
        """
        if not paths:
            return {}
        plain = {path.rstrip(b"/"): path for path in paths}
        # check-ignore refuses literal pathspecs, of their magic it knows only the leading colon
        asked = [b"./" + path if path.startswith(b":") else path for path in plain]
        found, skeleton = {}, self.scratch / "ignored"
        with self._asking:  # by one at a time in one folder, which stays: the git that is asked works in it
            skeleton.mkdir(parents=True, exist_ok=True)
            try:
                _empty(skeleton)  # a killed run may have left something
                self._lay_out(os.fsencode(skeleton), listing, paths)
                rules = frozenset(self._rules(listing).items()), skeleton.stat().st_ino
                answers = self.repo.check_ignore(asked, skeleton, rules=rules)
            finally:
                _empty(skeleton)
        for source, line, rule, path in answers:
            if rule and not rule.startswith(b"!"):
                found[plain[path.removeprefix(b"./")]] = decode(source + b":" + line + b": " + rule)
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
                self._filters_everywhere = _converts(self.repo, self._settings())
            if self._filters_everywhere or self.listing(tree).named(ATTRIBUTES):
                return False
            self._exact.add(tree)
            self._plain.add(tree)
            return True

    def must_clean(self) -> tuple[str, ...]:
        """Settings with which no file is staged past a filter that could not run: what lands would be unfiltered."""
        with self._guard:
            config = self._settings()
            names = [key.removeprefix("filter.").removesuffix(".clean") for key in config if _is_clean(key)]
            alone = [name for name in names if not config.get(f"filter.{name}.process") and "=" not in name]
            return tuple(f"filter.{name}.required=true" for name in alone)

    def runs_filter(self, name: str) -> bool:
        """Whether a filter of this name makes something else of what is stored: its commands are set up here."""
        with self._guard:
            return any(self._settings().get(f"filter.{name}.{kind}") for kind in ("clean", "process"))

    def converts_line_ends(self) -> bool:
        """Whether the line ends of files that no attribute names are converted too."""
        with self._guard:
            return self._settings().get("core.autocrlf", "false").lower() != "false"

    def _settings(self) -> dict[str, str]:
        """The user's configuration as it was when it was first asked for."""
        if self._config is None:
            self._config = dict(self.repo.config())
        return self._config

    def is_plain(self, treeish: str) -> bool:
        """Whether every file of the tree is stored as it is on disk: no attribute, no setting converts one."""
        tree = self.id(treeish)
        return self.exact(tree) and tree in self._plain

    def with_repo(self, repo: Repo) -> Trees:
        """What is known so far, with another repository to read and write."""
        return replace(self, repo=repo, _objects=None)

    @property
    def objects(self) -> Objects:
        """The writer of this repository's objects."""
        with self._guard:
            if self._objects is None:
                self._objects = Objects(self.repo, self._settings())
            return self._objects

    def commit_tree(self, tree: str, parent: str, message: str, *, date: int, identity: Identity) -> str:
        """A commit on no ref, made in this process where that can be."""
        try:
            return self.objects.commit(tree, parent, message, date=date, identity=identity)
        except UnusualError:
            return self.repo.commit_tree(tree, [parent], message, date=date, identity=identity)

    def saw_exact(self, tree: str) -> None:
        """A full staging of this tree's checkout gave the tree again."""
        with self._guard:
            self._exact.add(tree)

    def _lay_out(self, skeleton: bytes, listing: Listing, paths: Collection[bytes]) -> None:
        """The asked folders, and the ignore files that rule over the asked paths.

        A folder must be one on disk: asked as `out/` it would match `out/*`, as a name alone not `out/`.
        """
        rules = self._rules(listing)
        above = {b"", *(prefix for path in paths for prefix in _folders_above(path))}
        for path in sorted(path for path in paths if path.endswith(b"/")):  # a folder before those in it
            # Deeper ones have their files asked about one by one as well; an ignore file is none to be made a folder.
            if path.count(b"/") <= DEEP and len(path) < LONG and not any(one in rules for one in _folders_above(path)):
                os.makedirs(os.path.join(skeleton, path), exist_ok=True)  # noqa: PTH103, PTH118 - bytes
        for folder in above:
            content = rules.get(folder + b"/.gitignore" if folder else b".gitignore")
            if content is not None:
                place = os.path.join(skeleton, folder)  # noqa: PTH118
                os.makedirs(place, exist_ok=True)  # noqa: PTH103
                storage.write(Path(os.fsdecode(place), ".gitignore"), content)

    def _rules(self, listing: Listing) -> dict[bytes, bytes]:
        """The contents of the tree's ignore files."""
        with self._guard:
            if listing.tree not in self._ignore_files:
                files = listing.named(b".gitignore")
                absent = [oid for oid in files.values() if oid not in self._contents]
                self._contents |= self.repo.blobs(absent)
                self._ignore_files[listing.tree] = {path: self._contents[oid] for path, oid in files.items()}
            return self._ignore_files[listing.tree]


def _empty(folder: Path) -> None:
    for left in folder.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()


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


def _apply(above: Listing, tree: str, changes: Sequence[Change]) -> Listing:
    """The listing of a tree that differs from a known one by these changes."""
    entries, links = dict(above.entries), dict(above.links)
    for change in changes:
        path = encode(change.path)
        entries.pop(path, None)
        links.pop(path, None)
        if change.new_mode == GITLINK:
            links[path] = change.new
        elif change.new_mode != ABSENT:
            entries[path] = (change.new_mode, change.new)
    return Listing(tree, entries, links)


def is_attributes(path: str) -> bool:
    """Whether git reads in this file how others are converted."""
    return encode(path).rpartition(b"/")[2] == ATTRIBUTES


def conversions(repo: Repo) -> list[tuple[str, str]]:
    """By what the user's git converts files, whatever tree they are of: settings, and the contents of files by path."""
    config = repo.config()
    found = [(name, value) for name, value in config if name.startswith(CONVERTING)]
    for file in _attribute_files(repo, dict(config)):
        with contextlib.suppress(OSError):  # git cannot read it either
            found.append((str(file), decode(file.read_bytes())))
    return found


def _attribute_files(repo: Repo, config: Mapping[str, str]) -> list[Path]:
    """The files, beside those of a tree, in which git reads how others are converted; as far as they are there."""
    named = config.get("core.attributesfile")
    files = [repo.git_dir / "info/attributes", Path("/etc/gitattributes")]
    if named:
        files.append(storage.expand(named))
    elif folder := storage.config_directory():
        files.append(folder / "git/attributes")
    return [file for file in files if file.exists()]


def _converts(repo: Repo, config: Mapping[str, str]) -> bool:
    """Whether the user's own settings can make a file differ from its blob, for any path."""
    settings = config.get("core.autocrlf", "false").lower(), config.get("core.symlinks", "true").lower()
    return settings != ("false", "true") or bool(_attribute_files(repo, config))


def _is_clean(key: str) -> bool:
    return key.startswith("filter.") and key.endswith(".clean")


def _folders_above(path: bytes) -> Iterator[bytes]:
    at = path.find(b"/")
    while at != -1:
        yield path[:at]
        at = path.find(b"/", at + 1)
