"""Reading a commit for planning: its files with their sizes, the paths of the last commits, blobs when asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from parallel_impl.git.repo import Repo, decode
from parallel_impl.planning.reading.code import Code
from parallel_impl.planning.reading.documents import ChangeDocument, document

LAST = 2000


def take(repo: Repo, commit: str) -> Code:
    """Read a commit; two git processes, and one more for each `read`."""
    entries = {entry.path: entry for entry in repo.entries(commit, recurse=True, sizes=True) if entry.kind == "blob"}

    def read(paths: Collection[str]) -> dict[str, bytes]:
        oids = {path: entries[path].oid for path in paths if path in entries}
        blobs = repo.blobs(oids.values())
        return {path: blobs[oid] for path, oid in oids.items()}

    return Code({path: entry.size for path, entry in entries.items()}, _commits(repo, commit), read)


def _commits(repo: Repo, commit: str) -> tuple[frozenset[str], ...]:
    """The paths that each of the last commits changed, merges left out."""
    options = ("--no-merges", f"--max-count={LAST}", "--name-only", "--no-renames", "--format=%x01", "-z")
    out = decode(repo.git("log", *options, "--no-ext-diff", "--no-textconv", "--end-of-options", commit))
    return tuple(frozenset(filter(None, block.lstrip("\0\n").split("\0"))) for block in out.split("\x01")[1:])


def uncommitted(repo: Repo, commit: str, change_path: str, documents: Iterable[ChangeDocument]) -> tuple[str, ...]:
    """The documents (paths inside the change folder) that differ from the commit, or are only in one of both."""
    head = f"{change_path.rstrip('/')}/"
    entries = [entry for entry in repo.entries(commit, head, recurse=True) if entry.kind == "blob"]
    blobs = repo.blobs([entry.oid for entry in entries])
    there = {one.path: one.text for entry in entries if (one := document(entry.path[len(head) :], blobs[entry.oid]))}
    here = {one.path: one.text for one in documents}
    return tuple(path for path in sorted({*here, *there}) if _unix(here.get(path)) != _unix(there.get(path)))


def _unix(text: str | None) -> str | None:
    """The text with line ends as git stores them where `core.autocrlf` is set."""
    return text if text is None else text.replace("\r\n", "\n")
