"""Reading a commit for planning: its files with their sizes, the paths of the last commits, blobs when asked."""

from __future__ import annotations

from collections.abc import Collection

from parallel_impl.git.repo import Repo, decode
from parallel_impl.planning.code import Code

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
