"""Blobs, trees and commits written in this process, byte for byte as git would: loose, and on disk when they are named.

Five processes less for each attempt. It is for a repository in which nothing converts or extends what is stored; where
anything is out of the ordinary `UnusualError` says so, and git writes instead. Whoever relies on the objects has git
look them up again after they are on a ref (`object_names.look_up`): they may have been pruned, or have lain there under
these names before.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
import threading
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from parallel_impl import storage
from parallel_impl.git import obstacle
from parallel_impl.git.identity import OURS, Identity
from parallel_impl.git.repo import TREE, Change, Repo, decode

FILE, EXECUTABLE, SYMLINK, GITLINK, ABSENT = "100644", "100755", "120000", "160000", "000000"
LARGEST = 8_000_000  # bytes of a blob that is written here
TRIES = 5
ENTRY = {b"40000": TREE, FILE.encode(): FILE, EXECUTABLE.encode(): EXECUTABLE}
ENTRY |= {SYMLINK.encode(): SYMLINK, GITLINK.encode(): GITLINK}
WRITTEN = {mode: raw for raw, mode in ENTRY.items()}
PLAIN_NAME = re.compile(rb"(?!\.git)(?!.*[\\~:\0])[\x21-\x7e]+( +[\x21-\x7e]+)*", re.IGNORECASE)
# git takes some characters away from the ends of names, and repairs what is no text
PERSON = re.compile(r"""[^\0-\x20.,:;<>"\\'\x7f]([^\0-\x1f<>]*[^\0-\x20.,:;<>"\\'\x7f])?""")
ANOTHER_FORMAT = ("core.sharedrepository", "extensions.compatobjectformat", "extensions.partialclone")
UTF_8 = ("", "utf-8", "utf8")

Entry = tuple[str, str]  # six-digit mode and object id


class UnusualError(Exception):
    """Something that git alone knows how to write, or that it would refuse."""


class Objects:
    """The objects of one repository; threads may share it. `config` is the user's."""

    def __init__(self, repo: Repo, config: Mapping[str, str]) -> None:
        self._repo, self._folder = repo, repo.git_dir / "objects"
        self._usual = not any(key in config for key in ANOTHER_FORMAT)
        self._utf_8 = config.get("i18n.commitencoding", "").lower() in UTF_8
        self._guard = threading.Lock()
        self._trees: dict[str, dict[bytes, Entry]] = {}

    def file(self, path: Path | bytes) -> tuple[Entry, int]:
        """Write a file or symlink as it is on disk: its entry and size."""
        try:
            content, mode = _read(os.fsencode(path))
        except OSError as error:
            raise UnusualError(str(error)) from error
        return (mode, self._write(b"blob", content)), len(content)

    def edit(self, tree: str, changes: Mapping[bytes, Entry | None]) -> tuple[str, list[str]]:
        """The tree `tree` with these files put in (None: removed), and the trees below it that were made for it."""
        if odd := next((path for path in changes if changes[path] and not is_plain(path)), None):
            raise UnusualError(decode(odd))
        nested = _nest(changes)
        self._load(tree, nested)
        made: list[str] = []
        return self._edit(tree, nested, made) or self._tree({}), made

    def commit(self, tree: str, parent: str, message: str, *, date: int, identity: Identity = OURS) -> str:
        """A commit on no ref, the same as `Repo.commit_tree` makes."""
        people = (identity.author, identity.committer)
        fine = all(PERSON.fullmatch(part) for one in people for part in (one.name, one.email))
        signed = identity.sign(message)
        if not (fine and self._utf_8 and is_text("".join(map(str, (*people, signed))))):
            raise UnusualError("commit")
        author, committer = (f"{one.name} <{one.email}> {date} +0000" for one in people)
        head = f"tree {tree}\nparent {parent}\nauthor {author}\ncommitter {committer}\n\n"
        return self._write(b"commit", f"{head}{signed}".encode())

    def _edit(self, tree: str, nested: _Nested, made: list[str]) -> str:
        """The id of the new tree, those below it in `made`; "" when it became empty."""
        entries = dict(self._trees[tree]) if tree else {}
        for name, change in nested.items():
            if not isinstance(change, dict):
                entries.pop(name, None)
                if change:
                    entries[name] = change
        for name, change in nested.items():
            if isinstance(change, dict):
                mode, oid = entries.get(name, ("", ""))
                if new := self._edit(oid if mode == TREE else "", change, made):
                    entries[name] = (TREE, new)
                    made += [new] if new != oid else []
                elif mode == TREE:
                    del entries[name]
        return self._tree(entries) if entries else ""

    def _tree(self, entries: Mapping[bytes, Entry]) -> str:
        oid = self._write(b"tree", _serialized(entries))
        with self._guard:
            self._trees[oid] = dict(entries)
        return oid

    def _load(self, tree: str, nested: _Nested) -> None:
        """Read the trees that will be edited, one level of all in one process; what was read once is known."""
        level: list[tuple[str, _Nested]] = [(tree, nested)]
        while level:
            with self._guard:
                unknown = [oid for oid, _ in level if oid not in self._trees]
            read = {oid: self._parse(oid, content) for oid, content in self._repo.blobs(unknown).items()}
            with self._guard:
                self._trees |= read
                below = [
                    (self._trees[oid].get(name, ("", "")), part) for oid, all_ in level for name, part in all_.items()
                ]
            level = [(oid, part) for (mode, oid), part in below if mode == TREE and isinstance(part, dict)]

    def _parse(self, oid: str, content: bytes) -> dict[bytes, Entry]:
        if self._name(b"tree %d\0%b" % (len(content), content)) != oid:
            raise UnusualError("other content under the name of a tree")
        return _parsed(content, len(oid) // 2)

    def _name(self, whole: bytes) -> str:
        return hashlib.new(self._repo.object_format, whole, usedforsecurity=False).hexdigest()

    def _write(self, kind: bytes, content: bytes) -> str:
        """Write an object unless it lies there loose; its id. What lies there gets the time of now, as git does it.

        A prune removes what is old and on no ref.
        """
        if not self._usual:
            raise UnusualError("another format of objects")
        whole = b"%b %d\0%b" % (kind, len(content), content)
        oid = self._name(whole)
        place = self._folder / oid[:2] / oid[2:]
        try:
            os.utime(place)
        except OSError:
            try:
                self._add(place, whole)
            except OSError as error:
                if error.errno in obstacle.DISK.values():
                    raise
                raise UnusualError(str(error)) from error
        return oid

    def _add(self, place: Path, whole: bytes) -> None:
        """By a file of another name, so that none is torn; prune takes what has such a name when we are killed."""
        temporary = place.with_name(f"tmp_obj_{secrets.token_hex(8)}")
        with storage.named(place):
            file = _create(temporary)
            try:
                _fill(file, zlib.compress(whole, 1))
                os.link(temporary, place)
            except FileExistsError:
                pass  # another thread had the same
            except PermissionError:  # a file system without links
                temporary.rename(place)
            finally:
                temporary.unlink(missing_ok=True)


def _create(path: Path) -> int:
    """Open a new file; its folder may be absent, and a prune removes empty ones."""
    for _ in range(TRIES):
        path.parent.mkdir(exist_ok=True)
        try:
            return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
        except FileNotFoundError:
            continue
    raise FileNotFoundError(str(path.parent))


def _fill(file: int, content: bytes) -> None:
    """Write a file, see that it is on disk, and close it."""
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)
    finally:
        os.close(file)


_Nested = dict[bytes, "Entry | _Nested | None"]


def is_plain(path: bytes) -> bool:
    """Whether no file system and no git could read something else in a path."""
    return all(PLAIN_NAME.fullmatch(name) for name in path.split(b"/")) and len(path) < 4000


def is_text(text: str) -> bool:
    """Whether git takes this for UTF-8 as it is: neither NUL, nor what stands for no character."""
    if text.isascii():
        return "\0" not in text
    numbers = set(map(ord, text))
    odd = any(0xD800 <= one <= 0xDFFF or 0xFDD0 <= one <= 0xFDEF or one & 0xFFFE == 0xFFFE for one in numbers)
    return not odd and 0 not in numbers


def compare(old: Mapping[bytes, Entry], new: Mapping[bytes, Entry | None], null: str) -> Iterator[Change]:
    """What entries put into a tree change there, as git lists it: `old` are the entries that the tree has."""
    absent = (ABSENT, null)
    for path in sorted(new):
        before, after = old.get(path, absent), new[path] or absent
        if before != after:
            same_type = before[0][:2] == after[0][:2]
            status = "A" if before == absent else "D" if after == absent else "M" if same_type else "T"
            yield Change(before[0], after[0], before[1], after[1], status, decode(path))


def _read(path: bytes) -> tuple[bytes, str]:
    """The content of a file or symlink, and its mode in a tree."""
    if stat.S_ISLNK(os.lstat(path).st_mode):
        return os.readlink(path), SYMLINK  # noqa: PTH115 - bytes
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(file, "rb") as opened:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
            raise UnusualError(decode(path))
        content = opened.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise UnusualError(decode(path))
    return content, EXECUTABLE if found.st_mode & stat.S_IXUSR else FILE


def _nest(changes: Mapping[bytes, Entry | None]) -> _Nested:
    nested: _Nested = {}
    removals_first = sorted(changes.items(), key=lambda change: change[1] is not None)
    for path, entry in removals_first:  # whatever becomes a folder, or was one, holds what is put in
        here, (*folders, name) = nested, path.split(b"/")
        for folder in folders:
            below = here.setdefault(folder, {})
            if not isinstance(below, dict):  # it was a file, or is one now: what lies below decides
                below = here[folder] = {}
            here = below
        if not isinstance(here.get(name), dict) or entry:
            here[name] = entry
    return nested


def _parsed(content: bytes, digest: int) -> dict[bytes, Entry]:
    """The entries of a tree; UnusualError for one that git would write otherwise."""
    found, at = dict[bytes, Entry](), 0
    while at < len(content):
        space = content.index(b" ", at)
        end = content.index(b"\0", space)
        mode = ENTRY.get(content[at:space])
        if mode is None:
            raise UnusualError("a mode of old")
        found[content[space + 1 : end]] = (mode, content[end + 1 : end + 1 + digest].hex())
        at = end + 1 + digest
    if _serialized(found) != content:
        raise UnusualError("a tree that is not in order")
    return found


def _serialized(entries: Mapping[bytes, Entry]) -> bytes:
    key = sorted((name + b"/" if mode == TREE else name, name) for name, (mode, _) in entries.items())
    return b"".join(
        b"%b %b\0%b" % (WRITTEN[entries[name][0]], name, bytes.fromhex(entries[name][1])) for _, name in key
    )
