"""A change archived by the OpenSpec CLI, as one commit on a tip: no worktree of the user's is touched.

`openspec archive` reads and writes `openspec/` alone, so a temporary folder gets the regular files below it, byte for
byte. A link is carried by its tree entry and never written to disk: the CLI would write through it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from parallel_impl import storage
from parallel_impl.git import union
from parallel_impl.git.identity import Identity
from parallel_impl.git.repo import Change, Entry, Repo
from parallel_impl.openspec import program
from parallel_impl.openspec.program import OpenSpecError
from parallel_impl.plan import ids

FOLLOW_UP = "follow-up.md"
FILES = ("100644", "100755")
ABSENT = "000000"


@dataclass(frozen=True, slots=True)
class ArchivedChange:
    """What an archived change became: the commit with it, and its name below `changes/archive/`."""

    commit: str
    name: str


def archive(
    repo: Repo,
    tip: str,
    change_id: str,
    *,
    part: str,
    open_tasks: Sequence[str],
    env: Mapping[str, str],
    ref: str,
    identity: Identity,
    date: int,
) -> ArchivedChange:
    """Archive the change of `tip` in a commit on it, put on `ref`. OpenSpecError when the CLI cannot.

    `open_tasks` are written down as a follow-up list in the archived folder.
    """
    root = f"{part}/openspec/" if part else "openspec/"
    entries = {one.path: one for one in repo.entries(tip, recurse=True) if one.path.startswith(root)}
    with tempfile.TemporaryDirectory(prefix="pi-archive-") as scratch:
        top = storage.real(Path(scratch))
        _write(repo, entries, top)
        name = program.archive(change_id, top / part, env)
        archived = f"{ids.changes(part)}/archive/{name}"
        if not (top / archived).is_dir():
            raise OpenSpecError(f"openspec archive left nothing at {archived}")
        if open_tasks:
            storage.write(top / archived / FOLLOW_UP, _follow_up(name, open_tasks).encode())
        changes = _changes(repo, entries, top, root, {f"{ids.folder(change_id, part)}/": f"{archived}/"})
    message = f"Archive {change_id} as {name}\n\nChange-Id: {change_id}\n"
    commit = union.put(repo, tip, changes, message, ref=ref, date=date, identity=identity)
    return ArchivedChange(commit, name)


def _write(repo: Repo, entries: Mapping[str, Entry], top: Path) -> None:
    contents = repo.blobs([one.oid for one in entries.values() if one.mode in FILES])
    for path, entry in entries.items():
        if entry.mode in FILES:
            file = top / path
            file.parent.mkdir(parents=True, exist_ok=True)
            storage.write(file, contents[entry.oid])


def _changes(repo: Repo, entries: Mapping[str, Entry], top: Path, root: str, moved: Mapping[str, str]) -> list[Change]:
    """What the CLI changed below `root`; an entry that was not written to disk moves with its folder."""
    wanted: dict[str, tuple[str, str]] = {}
    for file in sorted((top / root).rglob("*")):
        path = file.relative_to(top).as_posix()
        if file.is_symlink() or not file.is_file():
            continue
        known = entries.get(path) or entries.get(_source(path, moved))
        mode = known.mode if known and known.mode in FILES else FILES[0]
        wanted[path] = (mode, repo.write_blob(file.read_bytes()))
    for path, entry in entries.items():
        if entry.mode not in FILES:
            place = next((new + path.removeprefix(old) for old, new in moved.items() if path.startswith(old)), path)
            wanted[place] = (entry.mode, entry.oid)
    found = []
    for path in sorted(wanted.keys() | entries.keys()):
        old = entries.get(path)
        before, after = ((old.mode, old.oid) if old else (ABSENT, repo.null)), wanted.get(path, (ABSENT, repo.null))
        if before != after:
            found.append(Change(before[0], after[0], before[1], after[1], "M", path))
    return found


def _source(path: str, moved: Mapping[str, str]) -> str:
    """Where a file that was moved came from."""
    return next((old + path.removeprefix(new) for old, new in moved.items() if path.startswith(new)), path)


def _follow_up(name: str, open_tasks: Sequence[str]) -> str:
    lines = "".join(f"- [ ] {task}\n" for task in open_tasks)
    return f"# Follow-up\n\n{name} was archived while these tasks were open:\n\n{lines}"
