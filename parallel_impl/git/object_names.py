"""Whether objects are what their names say: git compares only what it receives, never what it reads of its own.

So an object that was written by hand under the name of one to come is believed: the one to come is not written then,
and every checkout and every clone gets the other content, or fails.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence

from parallel_impl.git.repo import GitError, Repo

AT_ONCE = 64 * 1024 * 1024  # bytes that are read in one go


def misnamed(repo: Repo, commit: str, *, known: Collection[str]) -> list[str]:
    """The objects that `commit` reaches and `known` do not, whose content has another name, or cannot be read.

    GitError where one is so wrong that the others cannot be listed.
    """
    without = [f"^{one}" for one in known]
    listed = repo.text("rev-list", "--objects", "--end-of-options", commit, *without)
    names = [line[: len(repo.null)] for line in listed.split("\n") if line]
    return [name for some in _parts(repo, names) for name in _check(repo, some)]


def _parts(repo: Repo, names: Sequence[str]) -> Iterator[list[str]]:
    """The names in parts whose objects fit into memory."""
    if not names:
        return
    lines = repo.git("cat-file", "--batch-check", input=_asked(names)).decode("ascii", "replace").splitlines()
    part, size = [], 0
    for name, line in zip(names, lines, strict=True):
        last = line.rpartition(" ")[2]
        size += int(last) if last.isdecimal() else 0
        part.append(name)
        if size >= AT_ONCE:
            yield part
            part, size = [], 0
    yield part


def _check(repo: Repo, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    try:
        out = repo.git("cat-file", "--batch", input=_asked(names))
    except GitError:  # it ends at the first that is torn
        if len(names) == 1:
            return [*names]
        half = len(names) // 2
        return [*_check(repo, names[:half]), *_check(repo, names[half:])]
    return list(_compare(out, names, repo.object_format))


def _compare(out: bytes, names: Sequence[str], algorithm: str) -> Iterator[str]:
    at = 0
    for name in names:
        end = out.index(b"\n", at)
        _, kind, *size = out[at:end].split(b" ")
        if not size:  # missing
            yield name
            at = end + 1
            continue
        start, at = end + 1, end + 1 + int(size[0]) + 1
        digest = hashlib.new(algorithm, b"%b %b\0" % (kind, size[0]))
        digest.update(memoryview(out)[start : at - 1])
        if digest.hexdigest() != name:
            yield name


def _asked(names: Sequence[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()
