"""Work that an agent left in its package's repository, and that is not in what was taken from its worktree.

On another branch, in the stash, in a worktree of its own, in commits that a reset dropped: an agent that ends so has
lost it with the repository. Found by the objects, whatever names them, and brought into the user's repository.

What was only on the way to the taken tree is no such work: commits that the worktree's HEAD holds or that an amended
or rebased one replaced, and stash entries that are gone from the stash (`stash pop` looks like `stash drop`) when the
worktree has changes. What came from the user's repository or from a remote is none either.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from parallel_impl import storage
from parallel_impl.git import commit_names, own_objects
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.commit_names import CommitName, CommitNames
from parallel_impl.git.index import CONFIG
from parallel_impl.git.own_objects import UnreadableError
from parallel_impl.git.repo import Change, Repo, decode, encode, quoted
from parallel_impl.git.staging import Snapshot, Staging
from parallel_impl.git.trees import GITLINK, Listing, Trees

ABSENT = "000000"
ONE_PACK = ("pack.packSizeLimit=0",)
OF_STASH = "index on "  # how the message of a stash entry's index begins
LONGEST = 40  # characters of a name in a ref
DROPPED = CommitName("", "a commit that no branch of its repository has", "dropped")
Version = tuple[str, str]  # mode and object id


@dataclass(frozen=True, slots=True)
class TakenTree:
    """What was taken: its `tree`, the paths that it changed, and the tree that the worktree had before the agent.

    `own` are paths that only the orchestrator writes.
    """

    tree: str
    changed: frozenset[str]
    before: str
    own: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SideWork:
    """A commit with work that was not taken: where it lies, for people, and the paths; `name` may end a ref."""

    commit: str
    where: str
    name: str
    paths: tuple[str, ...]


def find(
    trees: Trees,
    checkout: Checkout,
    taken: TakenTree,
    *,
    date: int,
    known: Callable[[], Mapping[str, str]] = dict,
    ending: Sequence[Path] = (),
) -> list[SideWork]:
    """The work in the checkout's repository that is not in `taken`. Costs no process where the agent made no object.

    What lies uncommitted in further worktrees is committed first, at `date`, where they go with the checkout or lie in
    one of the folders that are `ending` too; `known` tells by name what an earlier search found, and is asked where
    there is something to compare. UnreadableError or GitError when something is not as git makes it: nobody knows then
    what is in there.
    """
    own = own_objects.find(trees.repo, checkout.git_dir)
    both = trees.repo.with_objects(checkout.git_dir / "objects")
    commits = _commits(trees.repo, both, own)
    if not commits and not commit_names.has_more_worktrees(checkout.git_dir, checkout.admin):
        return []
    names = commit_names.read(checkout.git_dir, checkout.admin)
    made = list(_uncommitted(trees.with_repo(both), checkout, names, taken.own, date=date, ending=ending))
    named = (*made, *(name for name in names.named if name.oid in set(own)))
    commits |= _parents(both, [name.oid for name in made])
    found = _Look(trees, both, checkout, taken, commits, replace(names, named=named), date).find()
    before = known() if found else {}
    used = set(map(str.casefold, before))
    new = (one for one in found if one.commit not in before.values())
    return [replace(one, name=_free(one.name, used)) for one in new]


def bring(repo: Repo, git_dir: Path, commits: Sequence[str], *, scratch: Path) -> None:
    """Put commits, with all that they reach, from a package's repository into `repo`, whose own they are then.

    Each object is named by its content there, whatever the agent called it.
    """
    own = own_objects.find(repo, git_dir)
    both = repo.with_objects(git_dir / "objects")
    new = _commits(repo, both, own) | _parents(both, commits)
    edges = {f"^{parent}" for parents in new.values() for parent in parents if parent not in new}
    wanted = "".join(f"{line}\n" for line in (*commits, *sorted(edges)))
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="side-work-", dir=scratch) as folder:
        packs = Path(folder)
        both.git("pack-objects", "--revs", "-q", str(packs / "work"), input=wanted.encode(), config=ONE_PACK)
        for pack in packs.glob("*.pack"):
            repo.git("index-pack", "--stdin", stdin=pack)


def _commits(repo: Repo, both: Repo, own: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The commits among a package's own objects that the user has on no ref, newest first, with their parents.

    One that the user's repository has without a ref may be of a search that was killed before it was on one.
    """
    commits = [oid for oid, kind in _kinds(both, own).items() if kind == "commit"]
    if not commits:
        return {}
    known = list(_kinds(repo, commits))
    listed = "".join(f"{oid}\n" for oid in known).encode()
    loose = repo.git("rev-list", "--stdin", "--not", "--all", input=listed).decode().split() if known else ()
    theirs = set(known) - set(loose)
    return _parents(both, [oid for oid in commits if oid not in theirs])


def _parents(repo: Repo, commits: Collection[str]) -> dict[str, tuple[str, ...]]:
    """These commits, newest first, with their parents."""
    if not commits:
        return {}
    stdin = "".join(f"{oid}\n" for oid in commits).encode()
    lines = repo.git("rev-list", "--no-walk=sorted", "--parents", "--stdin", input=stdin).decode().split("\n")[:-1]
    return {oid: tuple(parents) for oid, *parents in map(str.split, lines)}


def _below_shallow(repo: Repo) -> list[str]:
    """The parents that a shallow repository has not, of the commits that its history is cut off at."""
    try:
        cut = (repo.git_dir / "shallow").read_bytes()
    except FileNotFoundError:
        return []
    return re.findall(r"^parent ([0-9a-f]+)$", decode(repo.git("cat-file", "--batch", input=cut)), re.MULTILINE)


def _kinds(repo: Repo, oids: Collection[str]) -> dict[str, str]:
    """The types of those objects that are there."""
    if not oids:
        return {}
    stdin = "".join(f"{oid}\n" for oid in oids).encode()
    out = repo.git("cat-file", "--batch-check=%(objectname) %(objecttype)", input=stdin).decode()
    pairs = (line.split(" ") for line in out.split("\n")[:-1])
    return {oid: kind for oid, kind in pairs if kind != "missing"}


def _uncommitted(
    trees: Trees, checkout: Checkout, names: CommitNames, own: frozenset[str], *, date: int, ending: Sequence[Path]
) -> Iterator[CommitName]:
    """What lies uncommitted in worktrees that the agent made and that go with its own: one new commit on each HEAD."""
    for name, folder, head in names.worktrees:
        found = _ending_with(checkout, folder, ending) if head else None
        if found is None:
            continue
        index = _scratch(checkout)
        trees.repo.git("read-tree", head, index=index)
        side = replace(found, index=index, commit=head)
        work = Staging(trees, side, base=head, left_out=own).after(Snapshot(trees.id(head)))
        if work.unstageable:
            raise UnreadableError(f"worktree {name}: {work.unstageable[0]}")
        if work.changes:
            message = f"What lay uncommitted in the worktree {name}\n"
            commit = trees.repo.commit_tree(work.tree, [head], message, date=date)
            yield CommitName(commit, f"worktree {name}, not committed", f"worktree-{name}")


def _ending_with(checkout: Checkout, folder: Path, ending: Sequence[Path]) -> Checkout | None:
    """A worktree that goes with the checkout, or with one of the folders that are `ending` too."""
    if found := checkout.inside(folder):
        return found
    places = map(storage.real, ending)
    here = folder.is_dir() and any(map(storage.real(folder).is_relative_to, places))
    return replace(checkout, path=folder, mounts=None) if here else None


def _scratch(checkout: Checkout) -> Path:
    """The place of an index that nobody else reads."""
    index = checkout.index.with_name("side-work")
    index.parent.mkdir(parents=True, exist_ok=True)
    return index


@dataclass
class _Look:
    trees: Trees
    both: Repo  # the user's, with the objects of the package's
    checkout: Checkout
    taken: TakenTree
    commits: dict[str, tuple[str, ...]]  # that the user's repository has not, newest first
    names: CommitNames
    date: int
    found: list[SideWork] = field(default_factory=list)

    @cached_property
    def line(self) -> frozenset[str]:
        """What the worktree's HEAD holds: all of it was in the worktree at one time."""
        return self.reached([self.names.head])

    @cached_property
    def theirs(self) -> frozenset[str]:
        """What a remote has; of a shallow repository, so is all that lies below what the user has."""
        return self.reached([*self.names.remote, *_below_shallow(self.trees.repo)])

    @cached_property
    def there(self) -> Mapping[bytes, Version]:
        """What the taken tree holds."""
        return _versions(self.trees.listing(self.taken.tree))

    @cached_property
    def before(self) -> Mapping[bytes, Version]:
        """What lay in the worktree before the agent: files that git converts are otherwise in their commit."""
        return _versions(self.trees.listing(self.taken.before))

    @cached_property
    def moved(self) -> frozenset[Version | None]:
        """What the agent's own changes hold, under whatever path: it may have been moved since."""
        return frozenset(self.there.get(encode(path)) for path in self.taken.changed)

    def find(self) -> list[SideWork]:
        """Named commits first, then what has no name any more."""
        named = self.peel(self.names.named)
        self.look_at_head()
        for name in named:
            self.look_at(name)
        self.look_at_dropped(named)
        return self.without_repeats()

    def reached(self, tips: Iterable[str]) -> frozenset[str]:
        """Which of the new commits these commits hold."""
        found: set[str] = set()
        waiting = [tip for tip in tips if tip in self.commits]
        while waiting:
            if (commit := waiting.pop()) not in found:
                found.add(commit)
                waiting += [parent for parent in self.commits[commit] if parent in self.commits]
        return frozenset(found)

    def peel(self, names: Sequence[CommitName]) -> list[CommitName]:
        """The names with the commits that they mean: a tag may be an object of its own."""
        stdin = "".join(f"{name.oid}^{{commit}}\n" for name in names).encode()
        out = self.both.git("cat-file", "--batch-check=%(objectname)", input=stdin).decode().split("\n")
        return [replace(name, oid=oid) for name, oid in zip(names, out, strict=False) if oid in self.commits]

    def look_at_head(self) -> None:
        """A path of HEAD that the worktree shows in no version, neither as HEAD has it nor as a later edit."""
        if self.line:
            root = self.checkout.files
            left = [
                path
                for path in self.untaken(self.changes(self.names.head, self.line))
                if path not in self.taken.changed and (encode(path) in self.there or not os.path.lexists(root / path))
            ]
            self.add(CommitName(self.names.head, "the commit that its HEAD names", "head"), left)

    def look_at(self, name: CommitName) -> None:
        if name.oid in self.line or name.oid in self.theirs:
            return
        if self.is_stash(name.oid):
            self.add_stashed(name)
        else:
            own = self.reached([name.oid]) - self.line - self.theirs
            self.add(name, self.untaken(self.changes(name.oid, own), removed=True))

    def look_at_dropped(self, named: Sequence[CommitName]) -> None:
        """Commits without a name: those that HEAD was at last come first, and speak for what they replaced."""
        kept = self.reached([self.names.head, *(name.oid for name in named)]) | self.theirs
        free = [commit for commit in self.commits if commit not in kept]
        below = {parent for commit in free for parent in self.commits[commit]}
        moves = {commit: number for number, commit in enumerate(self.names.moves)}
        for commit in sorted((one for one in free if one not in below), key=lambda one: -moves.get(one, -1)):
            if self.is_stash(commit):
                if not self.taken.changed:
                    self.add_stashed(replace(DROPPED, oid=commit))
                continue
            changes = self.changes(commit, self.reached([commit]) - kept)
            replaced = self.taken.changed.union(*(one.paths for one in self.found))
            self.add(replace(DROPPED, oid=commit), (path for path in self.untaken(changes) if path not in replaced))

    def is_stash(self, commit: str) -> bool:
        """Whether it is an entry of the stash: the index, and the untracked files, are parents beside HEAD."""
        parents = self.commits[commit]
        if len(parents) not in (2, 3) or self.commits.get(parents[1]) != parents[:1]:
            return False
        return self.both.text("log", "--no-walk", "--format=%s", "--end-of-options", parents[1]).startswith(OF_STASH)

    def add_stashed(self, name: CommitName) -> None:
        """An entry of the stash with what the taken tree has not: of the worktree, of the index, of new files.

        It becomes an ordinary commit, in which people see a change: of the stash's own, git shows only the merge.
        """
        head, staged, *untracked = self.commits[name.oid]
        new = [one for tree in untracked for one in self.both.changes(self.both.empty_tree, tree)]
        changes = [*self.both.changes(head, name.oid), *new]
        paths = dict.fromkeys(self.untaken([*changes, *self.both.changes(head, staged)]))
        if paths:
            tree = self.both.tree(name.oid)
            apart = self.both.tree(staged) not in (tree, self.both.tree(head))
            message = self.both.text("log", "--no-walk", "--format=%B", "--end-of-options", name.oid)
            parents = (staged if apart else head,)
            commit = self.both.commit_tree(self.with_files(name.oid, new), parents, message, date=self.date)
            self.commits[commit] = parents
            self.add(replace(name, oid=commit), paths)

    def with_files(self, commit: str, new: Sequence[Change]) -> str:
        """The tree of a commit with these files in it."""
        if not new:
            return self.both.tree(commit)
        index = _scratch(self.checkout)
        self.both.git("read-tree", commit, index=index)
        lines = b"".join(f"{one.new_mode} {one.new}\t".encode() + encode(one.path) + b"\0" for one in new)
        self.both.git("update-index", "-z", "--index-info", input=lines, index=index)
        return self.both.git("write-tree", index=index).decode().strip()

    def changes(self, commit: str, own: Collection[str]) -> list[Change]:
        """What a commit has otherwise than every commit that its `own` history begins at."""
        edges = {parent for one in own for parent in self.commits[one] if parent not in own}
        first, *more = sorted(edges) or [self.both.empty_tree]
        found = self.both.changes(first, commit)
        for edge in more:
            also = {(one.path, one.new_mode, one.new) for one in self.both.changes(edge, commit)}
            found = [one for one in found if (one.path, one.new_mode, one.new) in also]
        return found

    def untaken(self, changes: Iterable[Change], *, removed: bool = False) -> list[str]:
        """The paths whose new version is not in the taken tree; `removed`: those too that it still has."""
        found = [change for change in changes if self.is_untaken(change, removed=removed)]
        shown = self.shown([change.path for change in found if change.new_mode != ABSENT]) if found else {}
        return [change.path for change in found if shown.get(change.path, "") != change.new]

    def is_untaken(self, change: Change, *, removed: bool) -> bool:
        """Whether its version is in no tree of the worktree."""
        path, new = encode(change.path), (change.new_mode, change.new)
        if change.path in self.taken.own:
            return False
        if change.new_mode == ABSENT:
            return removed and self.there.get(path) == (change.old_mode, change.old)
        return new not in (self.there.get(path), self.before.get(path)) and new not in self.moved

    def shown(self, paths: Sequence[str]) -> dict[str, str]:
        """What git would store of these files of the worktree, where it is a view: nobody asked before the agent."""
        checkout, trees = self.checkout, self.trees
        if not checkout.view or trees.exact(self.taken.before):
            return {}
        modes = {path: storage.signature(checkout.files / path)[:1] for path in paths}
        plain = [path for path, mode in modes.items() if mode and stat.S_ISREG(mode[0])]
        oids = trees.repo.git(
            "hash-object",
            "--stdin-paths",
            input=b"".join(quoted(encode(path)) + b"\n" for path in plain),
            work_tree=checkout.path,
            view=checkout.view,
            config=CONFIG,
            env=trees.environment,
        )
        return dict(zip(plain, oids.decode().split(), strict=True))

    def add(self, name: CommitName, paths: Iterable[str]) -> None:
        if listed := tuple(paths):
            self.found.append(SideWork(name.oid, name.where, name.short, listed))

    def without_repeats(self) -> list[SideWork]:
        """Each commit once, and none whose paths another one has that holds it."""
        unlike = {one.commit: one for one in reversed(self.found)}
        tips = [one for one in self.found if unlike[one.commit] is one]
        below = [(self.reached(self.commits[one.commit]), set(one.paths)) for one in tips]
        return [
            one for one in tips if not any(one.commit in held and paths.issuperset(one.paths) for held, paths in below)
        ]


def _versions(listing: Listing) -> Mapping[bytes, Version]:
    """Mode and id of each path; one that is a submodule's too."""
    return {**listing.entries, **{path: (GITLINK, oid) for path, oid in listing.links.items()}}


def _free(name: str, used: set[str]) -> str:
    """A name that no ref of this attempt has yet, on any file system."""
    short = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:LONGEST].strip("-") or "work"
    number, free = 1, short
    while free.casefold() in used:
        number += 1
        free = f"{short}-{number}"
    used.add(free.casefold())
    return free
