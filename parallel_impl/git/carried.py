"""Refs that people name in steps (`git diff main...HEAD`) and that are no ancestors of the base.

Packages' repositories have them where they stood at the first start. A commit that only the user's branch holds may
vanish, so each is on a ref of ours first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from parallel_impl.git.checkout import ORIGIN_HEAD
from parallel_impl.git.repo import Repo

USUAL = ("main", "master")


def find(repo: Repo) -> dict[str, str]:
    """The default branch and what remotes have of it: full names and commits.

    It is the one that `origin/HEAD` names, else that of `init.defaultBranch`, `main` or `master` which is there.
    """
    refs = repo.refs("refs/heads", "refs/remotes")
    head = repo.text("symbolic-ref", "--quiet", ORIGIN_HEAD, ok=(0, 1, 128))
    found = {head: refs[head]} if head in refs else {}
    names = [head.removeprefix("refs/remotes/origin/"), dict(repo.config()).get("init.defaultbranch", ""), *USUAL]
    for name in filter(None, names):
        if local := {ref: oid for ref, oid in refs.items() if ref in _places(name, refs)}:
            return found | local
    return found


def anchor(repo: Repo, carried: Mapping[str, str], prefix: str) -> None:
    """Put each commit on `<prefix>/<n>`, in the order of the names; what earlier starts left there is removed."""
    wanted = {f"{prefix}/{number}": carried[name] for number, name in enumerate(sorted(carried), 1)}
    for ref, oid in repo.refs(prefix).items():
        if ref not in wanted:
            repo.delete_ref(ref, oid)
    for ref, oid in wanted.items():
        repo.set_ref(ref, oid)


def _places(branch: str, refs: Mapping[str, str]) -> Iterator[str]:
    """The branch here and on the remotes; nothing where it is not here."""
    if (local := f"refs/heads/{branch}") in refs:
        yield local
        yield from (ref for ref in refs if ref.startswith("refs/remotes/") and ref.split("/", 3)[3:] == [branch])
