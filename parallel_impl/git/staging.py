"""Taking an agent's work: the worktree staged before and after the agent, and the difference put on its start.

The agent may commit or not, its commits are not used. Both stagings use the user's repository as git dir and a private
index, so index bits, ignore rules, configuration and filters of the agent's are never believed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path

from parallel_impl.errors import printable
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.file_clock import pass_tick
from parallel_impl.git.index import copy_index
from parallel_impl.git.objects import UnusualError, compare
from parallel_impl.git.remove import remove
from parallel_impl.git.repo import Change, GitError, Repo, decode, encode
from parallel_impl.git.tool_caches import ToolCaches
from parallel_impl.git.trees import ATTRIBUTES, GITLINK, Listing, Trees
from parallel_impl.git.upper_walk import InLayers, UpperWalk
from parallel_impl.git.walk import CACHE_RULE, Disk, by_name, fingerprint, newer, signature, walk
from parallel_impl.plan.model import Scope

NO_FILE = "000000"
REFUSED = "git cannot take it"
MEGABYTE = 1_000_000
CONVERSIONS = ("text", "crlf", "eol", "ident", "working-tree-encoding")  # attributes, beside filters
# with the stat checks weakened, a same-size edit with its time set back is missed; ignoreStat plants index bits;
# safecrlf only warns, but `true` makes git die; a sparse user checkout would make new files fatal
CONFIG = (
    "core.sparseCheckout=false",
    "index.sparse=false",
    "core.fileMode=true",
    "core.trustctime=true",
    "core.checkStat=default",
    "core.ignoreStat=false",
    "core.safecrlf=false",
)


@dataclass(frozen=True, slots=True)
class Violation:
    """One path that makes an attempt fail, and why."""

    path: str
    why: str

    def __str__(self) -> str:
        return printable(f"{self.path}: {self.why}".replace("\n", "\\n"))


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something that the work leaves out (a folder ends in `/`), and the rule: `file:line: pattern`, or ours."""

    path: str
    rule: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The worktree immediately before the agent: its tree, and what was already odd or ignored in it.

    What was written before it has a ctime before `taken_ns`; the agent's files have that one or a later.
    """

    tree: str
    odd: frozenset[bytes] = frozenset()
    ignored: frozenset[bytes] = frozenset()
    submodules: Mapping[bytes, str] = field(default_factory=dict)
    left_out: Mapping[bytes, tuple[int, ...]] = field(default_factory=dict)
    taken_ns: int = 0


@dataclass(frozen=True, slots=True)
class Work:
    """What an agent did. `changes` compares the package's base with `tree`; `ignored` is left out of it.

    With `unstageable` nothing was staged (`tree` is empty): the worktree must be kept whole. `too_big` fails the
    attempt; what of it is `not_taken` is not in `tree` either. `made` are the other objects of the tree that the base
    may not have, by id, with their sizes where these are known (else 0).
    """

    tree: str
    changes: tuple[Change, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    unstageable: tuple[Violation, ...] = ()
    too_big: tuple[Violation, ...] = ()
    not_taken: tuple[str, ...] = ()
    made: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Written:
    """A tree that was written, what it changes of the base, and what it is made of: see `Work.made`."""

    tree: str
    changes: tuple[Change, ...]
    made: Mapping[str, int]


class Staging:
    """The staging of one worktree, by its checkout's private index.

    `base` is the package's base; the checkout's own commit differs from it in a retry on the last attempt's work.
    Paths in `left_out` (the change's tasks.md) are never part of the work. Of what is named like a tool's cache `scope`
    decides (without one it never is).
    """

    def __init__(
        self,
        trees: Trees,
        checkout: Checkout,
        *,
        base: str,
        left_out: Collection[str] = (),
        max_blob_mb: float = 50,
        scope: Scope | None = None,
    ) -> None:
        self.repo = trees.repo
        self._trees, self._checkout, self._index = trees, checkout, checkout.index
        self._git_dir, self._start, self._base = checkout.git_dir, checkout.commit, base
        self._left_out = frozenset(encode(path) for path in left_out)
        self._scope = scope
        self._limit = int(max_blob_mb * MEGABYTE)

    def before(self, *, set_up: bool) -> Snapshot:
        """Stage the worktree as it is now. Costs no process where no set-up ran and nothing converts files.

        Nor where it is a view: what an agent changes is told from everything else there. GitError when it cannot be
        staged at all.
        """
        start = self._trees.id(self._start)
        if self._upper:
            return Snapshot(start)
        exact = self._trees.exact(start)
        if exact and not set_up:
            return self._snapshot(start, Disk())
        listing = self._trees.listing(start)
        if not exact:  # entries without stat data: every file is read again
            self.repo.git("read-tree", start, index=self._index)
        disk = walk(os.fsencode(self._root), listing, self._ask)
        tree = self._stage(self._index, _whole(listing, disk, self._root))
        if tree == start and not set_up:
            self._trees.saw_exact(tree)
        return self._snapshot(tree, disk)

    def after(self, snapshot: Snapshot) -> Work:
        """Stage the worktree again: the work is the difference, put on the tree that the worktree started from."""
        if not stat.S_ISDIR(_mode(self._upper or self._root)):
            return Work("", unstageable=(Violation(".", "the worktree is gone or is no folder any more"),))
        listing = self._trees.listing(snapshot.tree)
        found = self._look(snapshot, listing)
        disk = found.disk
        if wrong := self._unstageable(snapshot, found):
            return Work("", unstageable=wrong)
        large = [_over(decode(path), found.size(path), self._limit) for path in self._stored_as_they_are(found)]
        disk.new -= {encode(violation.path) for violation in large}
        if not self._index.is_file():  # somebody removed our folder: without what lstat said, every file is read
            self._index.parent.mkdir(parents=True, exist_ok=True)
            self.repo.git("read-tree", snapshot.tree, index=self._index)
        try:
            written = self._write_here(snapshot, listing, found) or self._write_by_git(snapshot, found)
        except GitError as error:
            return Work("", unstageable=(Violation(".", f"{REFUSED}: {error.stderr}"),))
        tree, changes, made = written.tree, written.changes, written.made
        if passed_over := self._passed_over(tree, disk.new - {encode(change.path) for change in changes}):
            return Work("", unstageable=passed_over)
        not_taken = tuple(violation.path for violation in large)
        large += too_big(self._trees, changes, made, base=self._base, limit_mb=self._limit / MEGABYTE)
        ignored = tuple(self._list_ignored(snapshot, found))
        return Work(tree, changes, ignored, too_big=tuple(large), not_taken=not_taken, made=made)

    # -- the steps

    @property
    def _root(self) -> Path:
        return self._checkout.files

    @property
    def _upper(self) -> Path | None:
        """Where what the agent changed lies; None where it works in a plain folder."""
        mounted = self._checkout.mounted
        return mounted.upper if mounted else None

    def _look(self, snapshot: Snapshot, listing: Listing) -> _Found:
        """What is there now."""
        before: Container[bytes] = snapshot.ignored
        mounted, written = self._checkout.mounted, None
        if mounted and self._upper:
            written, before = UpperWalk.of(mounted.about, listing), InLayers(mounted.about)
        tools = ToolCaches(before, self._scope) if self._scope else None
        scan = written.scan if written else None
        disk = walk(os.fsencode(self._root), listing, self._ask, tools.rule if tools else by_name, scan)
        if tools:
            tools.leave_out_installed(disk)
        if written and self._upper:
            return _Found(disk, written.gone - disk.tracked - disk.links, self._upper, before, written)
        return _whole(listing, disk, self._root, before)

    def _ask(self, paths: Collection[bytes]) -> dict[bytes, str]:
        return self._trees.ignored(self._trees.listing(self._base), paths)

    def _snapshot(self, tree: str, disk: Disk) -> Snapshot:
        """What is noted beside the tree. A tick passes at its end: no edit of the agent's has the times noted here."""
        return Snapshot(
            tree,
            odd=frozenset(disk.odd),
            ignored=frozenset(disk.ignored),
            submodules={path: fingerprint(self._root, path) for path in disk.links},
            left_out={path: signature(self._root, path) for path in self._left_out},
            taken_ns=pass_tick(self._git_dir),
        )

    def _unstageable(self, snapshot: Snapshot, found: _Found) -> tuple[Violation, ...]:
        wrong = {path: why for path, why in found.disk.odd.items() if path not in snapshot.odd}
        for path in found.disk.links:
            if fingerprint(found.root, path) != snapshot.submodules.get(path, ""):
                wrong[path] = "a submodule was edited: such work cannot be taken"
        return tuple(Violation(decode(path), why) for path, why in sorted(wrong.items()))

    def _write_here(self, snapshot: Snapshot, listing: Listing, found: _Found) -> _Written | None:
        """Write the tree in this process; None where git has to, or has to say why it cannot be."""
        start, disk = self._trees.id(self._start), found.disk
        if not (snapshot.tree == start == self._trees.id(self._base) and self._trees.is_plain(start)):
            return None
        if any(path.rpartition(b"/")[2] == ATTRIBUTES for path in (*disk.new, *disk.ignored, *disk.odd)):
            return None  # git would ask them, ignored or not
        try:
            return self._write_changed(start, listing, found)
        except UnusualError:
            return None

    def _write_changed(self, start: str, listing: Listing, found: _Found) -> _Written:
        objects = self._trees.objects
        entries: dict[bytes, tuple[str, str] | None] = dict.fromkeys(found.gone - self._left_out)
        made: dict[str, int] = {}
        for path in (self._edited(found) | found.disk.new) - self._left_out:
            entry, size = objects.file(found.place(path))
            entries[path], made[entry[1]] = entry, size
        changes = tuple(compare(listing.at(entries), entries, self.repo.null))
        if not changes:
            return _Written(start, (), {})
        tree, below = objects.edit(start, {encode(one.path): entries[encode(one.path)] for one in changes})
        stored = {change.new: made[change.new] for change in changes if change.new in made}
        return _Written(tree, changes, {**dict.fromkeys(below, 0), **stored})

    def _edited(self, found: _Found) -> set[bytes]:
        """The files of the tree that may have another content or mode now."""
        if found.written:
            return found.disk.tracked
        out = self._git(self._index, "diff-files", "-z", "--name-only", "--no-ext-diff", "--ignore-submodules=all")
        return found.disk.tracked.intersection(out.split(b"\0"))

    def _write_by_git(self, snapshot: Snapshot, found: _Found) -> _Written:
        scratch = self._index.with_name(f"{self._index.name}.after")
        copy_index(self._index, scratch)
        try:
            tree = self._stage(scratch, found)
            if snapshot.tree != (start := self._trees.id(self._start)):
                tree = self._graft(scratch, start, self.repo.changes(snapshot.tree, tree))
        finally:
            scratch.unlink(missing_ok=True)
        changes, trees = self._compare(tree)
        return _Written(tree, changes, {**dict.fromkeys(trees, 0), **sizes_of(self.repo, changes)})

    def _stage(self, index: Path, found: _Found) -> str:
        """Put what is there into the index and write its tree. Removals go first, in a call of their own.

        In one call git dies on a folder that became a symlink or a file: "beyond a symbolic link".
        """
        here = (found.disk.tracked | found.disk.new) - self._left_out
        # what was touched is read, whatever the index knows of it: its time may be that of the file below
        touched = here if found.written else set()
        self._update(index, "--force-remove", paths=(found.gone | touched) - self._left_out)
        moved = here & found.moved.keys()
        # no folder has all attributes: what lies in another one git reads in the index
        rules = {path for path in here - moved if path.rpartition(b"/")[2] == ATTRIBUTES} if moved else set()
        self._update(index, "--add", "--replace", paths=rules, root=found.root)
        if moved:
            scratch = self._index.with_name(f"{self._index.name}.moved")
            remove(scratch)
            found.lay_out(moved, scratch)
            self._update(index, "--add", "--replace", paths=moved, root=scratch)
            remove(scratch)
        self._update(index, "--add", "--replace", paths=here - moved - rules, root=found.root)
        return self._git(index, "write-tree").decode().strip()

    def _update(self, index: Path, *options: str, paths: Collection[bytes], root: Path | None = None) -> None:
        if paths:
            stdin = b"\0".join(sorted(paths)) + b"\0"
            self._git(index, "update-index", "-z", *options, "--stdin", input=stdin, root=root)

    def _graft(self, index: Path, start: str, changes: list[Change]) -> str:
        """The tree `start` with these changes put in."""
        self._git(index, "read-tree", start)
        removals_first = sorted(changes, key=lambda change: change.new_mode != NO_FILE)
        records = b"".join(
            f"{change.new_mode} {change.new}\t".encode() + encode(change.path) + b"\0" for change in removals_first
        )
        if records:
            self._git(index, "update-index", "-z", "--index-info", input=records)
        return self._git(index, "write-tree").decode().strip()

    def _compare(self, tree: str) -> tuple[tuple[Change, ...], list[str]]:
        """The changes against the base, and the trees below the root that it has not there."""
        base = self._trees.id(self._base)
        if tree == base:
            return (), []
        changes, trees = self.repo.changes_and_trees(base, tree)
        return tuple(changes), trees

    def _passed_over(self, tree: str, paths: set[bytes]) -> tuple[Violation, ...]:
        """New files that are not in the tree: git passes over names that it refuses, without failing."""
        asked = {decode(path) for path in paths - self._left_out}
        taken = {entry.path for entry in self.repo.entries(tree, *asked)} if asked else set()
        return tuple(Violation(path, "git refuses this name") for path in sorted(asked - taken))

    def _stored_as_they_are(self, found: _Found) -> list[bytes]:
        """Those over the limit whose blobs would be the files themselves: they need not be written to know that."""
        large = sorted(path for path in found.disk.new if found.size(path) > self._limit)
        if not large or self._trees.converts_line_ends():
            return []
        attributes = ("filter", *CONVERSIONS)
        answer = self._git(self._index, "check-attr", "-z", "--stdin", *attributes, input=b"\0".join(large) + b"\0")
        fields, converted = answer.split(b"\0")[:-1], set[bytes]()
        for path, name, value in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
            is_filter = name == b"filter"
            if self._trees.runs_filter(decode(value)) if is_filter else value not in (b"unspecified", b"unset"):
                converted.add(path)
        known = {oid for _, oid in self._trees.listing(self._base).entries.values()}
        return [path for path in large if path not in converted and self._hash(found.place(path)) not in known]

    def _hash(self, place: Path) -> str:
        """The id of a file as it is: one that was moved is no new blob."""
        return self.repo.text("hash-object", "--no-filters", "--end-of-options", str(place), ok=(0, 128))

    def _list_ignored(self, snapshot: Snapshot, found: _Found) -> Iterator[Ignored]:
        for path in sorted(self._left_out):
            if found.was_touched(path, snapshot):
                yield Ignored(decode(path), "kept by the orchestrator")
        for path, rule in sorted(found.disk.ignored.items()):
            if path not in found.before:
                yield Ignored(decode(path), rule)
            elif path.endswith(b"/") and rule != CACHE_RULE:
                for file in newer(found.root, path, snapshot.taken_ns):
                    yield Ignored(decode(file), rule)

    def _git(self, index: Path, *args: str, input: bytes = b"", root: Path | None = None) -> bytes:
        """Run git on the worktree as its processes see it; or on an upper, or another folder of ours."""
        root = root or self._upper or self._root
        view = self._checkout.view if root == self._root else None
        return self.repo.git(
            *args,
            input=input,
            index=index,
            work_tree=self._checkout.path if view else root,
            view=view,
            config=(*CONFIG, *self._trees.must_clean()),
            env=self._trees.environment,
        )


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found in a worktree: its files, those of its tree that are gone, the folder where they lie.

    `before`: what was there before the agent. `written` is there where only what it touched was looked at.
    """

    disk: Disk
    gone: AbstractSet[bytes]
    root: Path
    before: Container[bytes]
    written: UpperWalk | None = None

    @property
    def moved(self) -> Mapping[bytes, bytes]:
        """Files that do not lie in the folder."""
        return self.written.moved if self.written else {}

    def place(self, path: bytes) -> Path:
        """Where a file lies."""
        return self.written.place(path) if self.written else self.root / os.fsdecode(path)

    def size(self, path: bytes) -> int:
        """The size of a regular file; 0 of anything else."""
        try:
            found = self.place(path).lstat()
        except OSError:
            return 0
        return found.st_size if stat.S_ISREG(found.st_mode) else 0

    def lay_out(self, paths: Collection[bytes], folder: Path) -> None:
        """Copy files that do not lie in the folder to another one."""
        if self.written:
            self.written.lay_out(paths, folder)

    def was_touched(self, path: bytes, snapshot: Snapshot) -> bool:
        """Whether the agent wrote or removed a file that is left out of its work."""
        if self.written:
            return path in self.written.touched or path in self.written.gone
        known = snapshot.left_out.get(path)  # None: the snapshot of a crashed process, kept without it
        return known is not None and signature(self.root, path) != known


def _whole(listing: Listing, disk: Disk, root: Path, before: Container[bytes] = ()) -> _Found:
    """What was found where everything was looked at."""
    gone = (listing.entries.keys() - disk.tracked) | (listing.links.keys() - disk.links)
    return _Found(disk, gone, root, before)


def round_trip(trees: Trees, checkout: Checkout) -> list[str]:
    """The paths that differ when a fresh, untouched checkout is staged; none means that its filters agree.

    Run once in preflight: what it finds out also spares every package a full reading of its checkout.
    """
    tree = Staging(trees, checkout, base=checkout.commit).before(set_up=False).tree
    start = trees.id(checkout.commit)
    return [change.path for change in trees.repo.changes(start, tree)] if tree != start else []


def sizes_of(repo: Repo, changes: Sequence[Change]) -> dict[str, int]:
    """The new blobs and their sizes (0: not there); what is stored counts, whatever filters made of it."""
    oids = {change.new for change in changes if change.new_mode not in (NO_FILE, GITLINK)}
    return dict.fromkeys(oids, 0) | repo.sizes(oids)


def too_big(
    trees: Trees, changes: Sequence[Change], sizes: Mapping[str, int], *, base: str, limit_mb: float
) -> list[Violation]:
    """The new blobs over the limit; LFS stores a pointer, which is small."""
    limit = int(limit_mb * MEGABYTE)
    files = [change for change in changes if change.new_mode not in (NO_FILE, GITLINK)]
    large = [change for change in files if sizes.get(change.new, 0) > limit]
    known = {oid for _, oid in trees.listing(base).entries.values()} if large else set()
    return [_over(change.path, sizes[change.new], limit) for change in large if change.new not in known]


def _over(path: str, size: int, limit: int) -> Violation:
    return Violation(path, f"{size / MEGABYTE:.0f} MB, more than max_blob_mb ({limit / MEGABYTE:g})")


def _mode(path: Path) -> int:
    try:
        return path.lstat().st_mode
    except OSError:
        return 0
