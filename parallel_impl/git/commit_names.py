"""The names that a package's repository has for commits, read from its files: refs, stash entries, HEADs, reflogs.

git itself is not asked: it would read the configuration that an agent may have written. What cannot be read gives no
name; the commit is found all the same, among the objects.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from parallel_impl import storage
from parallel_impl.git.repo import decode

LARGEST = 100_000_000  # bytes of one file: `packed-refs` of a large repository has a few
ID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
AUTOSTASHES = ("MERGE_AUTOSTASH", "rebase-merge/autostash", "rebase-apply/autostash")
REMOTE, STASH = "refs/remotes/", "refs/stash"
KINDS = {"refs/heads/": ("branch ", ""), "refs/tags/": ("tag ", "tag-"), "refs/": ("refs/", "")}


@dataclass(frozen=True, slots=True)
class CommitName:
    """One name of an object: `where` is for people, `short` may become a part of a ref."""

    oid: str
    where: str
    short: str


@dataclass(frozen=True, slots=True)
class CommitNames:
    """`head` is the commit of the package's own worktree ("" when it is not known), `named` what any other name means.

    `remote` are commits that came from a remote, `moves` where HEAD was, one after the other; `worktrees` are others
    that the agent made: name, folder and the commit that their HEAD names.
    """

    head: str
    named: tuple[CommitName, ...]
    remote: frozenset[str]
    moves: tuple[str, ...]
    worktrees: tuple[tuple[str, Path, str], ...] = ()


def read(git_dir: Path, admin: Path) -> CommitNames:
    """The names in the package's repository; `admin` is the folder in it that its own worktree has."""
    refs = _refs(git_dir)
    for folder in _subfolders(git_dir / "worktrees"):
        prefix = "" if folder == admin else f"worktrees/{folder.name}/"
        refs |= {prefix + name: oid for name, oid in _loose(folder, "refs").items()}
    worktrees = [
        (folder.name, Path(_text(folder / "gitdir")).parent, _resolve(_text(folder / "HEAD"), refs))
        for folder in _subfolders(git_dir / "worktrees")
        if folder != admin
    ]
    heads = (CommitName(oid, f"worktree {name}", f"worktree-{name}") for name, _, oid in worktrees if oid)
    return CommitNames(
        _resolve(_text(admin / "HEAD"), refs),
        (*_of_refs(refs), *_stash(git_dir, refs), *_autostashes(git_dir, admin), *heads),
        frozenset(_from_remotes(git_dir, refs)),
        tuple(new for new, _ in _reflog(admin / "logs/HEAD")),
        tuple(worktrees),
    )


def has_more_worktrees(git_dir: Path, admin: Path) -> bool:
    """Whether the agent made a worktree beside the package's own."""
    return any(folder != admin for folder in _subfolders(git_dir / "worktrees"))


def _of_refs(refs: dict[str, str]) -> Iterator[CommitName]:
    """The names of refs but those of remotes; the stash has its own."""
    for ref, oid in sorted(refs.items()):
        if ref.startswith(REMOTE) or ref == STASH:
            continue
        prefix = next((one for one in KINDS if ref.startswith(one)), "")
        where, short = KINDS.get(prefix, ("", ""))
        name = ref.removeprefix(prefix)
        yield CommitName(oid, where + name, short + name)


def _stash(git_dir: Path, refs: dict[str, str]) -> Iterator[CommitName]:
    """All entries of the stash, the newest first: only that one is on a ref, the others are in its log."""
    entries = [new for new, _ in _reflog(git_dir / "logs" / STASH)][::-1]
    if STASH in refs and refs[STASH] not in entries:
        entries.insert(0, refs[STASH])
    for number, oid in enumerate(entries):
        yield CommitName(oid, f"stash@{{{number}}}", f"stash-{number}" if number else "stash")


def _autostashes(git_dir: Path, admin: Path) -> Iterator[CommitName]:
    """What a rebase or a merge that is not over put aside."""
    for folder in dict.fromkeys((admin, *_subfolders(git_dir / "worktrees"))):
        for name in AUTOSTASHES:
            if ID.fullmatch(oid := _text(folder / name)):
                yield CommitName(oid, "what an unfinished rebase or merge put aside", "autostash")


def _from_remotes(git_dir: Path, refs: dict[str, str]) -> Iterator[str]:
    """Where remotes' branches are and were, and what was fetched otherwise; not what was pushed there from here."""
    pushed: set[str] = set()
    for log in _below(git_dir / "logs"):
        of_remote = str(log.relative_to(git_dir / "logs")).startswith(REMOTE)
        for new, message in _reflog(log):
            if of_remote and message.startswith("update by push"):
                pushed.add(new)
            elif of_remote or message.startswith("fetch"):
                yield new
    yield from (oid for ref, oid in refs.items() if ref.startswith(REMOTE) and oid not in pushed)
    for folder in (git_dir, *_subfolders(git_dir / "worktrees")):
        for line in _text(folder / "FETCH_HEAD").split("\n"):
            yield line.partition("\t")[0]


def _refs(git_dir: Path) -> dict[str, str]:
    """Full names and object ids; a symbolic one has that of the ref it names."""
    lines = (line.partition(" ") for line in _text(git_dir / "packed-refs").split("\n"))
    packed = {name: oid for oid, _, name in lines if ID.fullmatch(oid) and name}
    return packed | _loose(git_dir, "refs", packed)


def _loose(folder: Path, below: str, packed: dict[str, str] | None = None) -> dict[str, str]:
    contents = {decode(os.fsencode(file.relative_to(folder))): _text(file) for file in _below(folder / below)}
    known = (packed or {}) | {name: text for name, text in contents.items() if ID.fullmatch(text)}
    return {name: oid for name, text in contents.items() if (oid := _resolve(text, known))}


def _resolve(text: str, refs: dict[str, str]) -> str:
    """The object id that the content of a ref or of HEAD means; "" for none."""
    name = text.removeprefix("ref:").strip()
    return text if ID.fullmatch(text) else refs.get(name, "")


def _reflog(file: Path) -> Iterator[tuple[str, str]]:
    """The new object ids of a reflog and why, the oldest first."""
    for line in _text(file).split("\n"):
        ids, _, message = line.partition("\t")
        fields = ids.split(" ")
        if len(fields) > 2 and ID.fullmatch(fields[1]):
            yield fields[1], message


def _text(file: Path) -> str:
    """What is in a file, without the newline at its end; "" where it is none that can be read."""
    try:
        content = storage.read_regular(file, LARGEST)
    except OSError as error:
        if storage.problem(error) and not isinstance(error, PermissionError):
            raise
        return ""
    return decode(content or b"").removesuffix("\n")


def _below(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        yield from (Path(place, name) for name in sorted(names))


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.is_symlink())
    except OSError:
        return []
