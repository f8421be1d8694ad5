"""The packages of a change whose work a history has already, by the trailers of its commits, however they were merged.

A merge and a rebase keep commits with their trailers. A squash makes one message of all: GitHub writes the messages one
below the other, `git merge --squash` indents them. What was reverted since is not there any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from parallel_impl.git.repo import Repo

PACKAGE, CHANGE = "Work-Package", "Change-Id"
_OF_AN_ATTEMPT = {PACKAGE, CHANGE, "Run", "Attempt"}  # without these a paragraph in a message is about trailers
_TRAILER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*): *(.*)")
_PICKED = "(cherry picked from commit "
_REVERTS = re.compile(
    r"^This reverts commit ([0-9a-f]{40,64})(?:, reversing\s+changes made to ([0-9a-f]{40,64}))?", re.M
)


@dataclass(frozen=True, slots=True)
class _Revert:
    """That a commit takes back `commit`; of a merge all that it brought to `parent`."""

    commit: str
    parent: str


def find(repo: Repo, commit: str, change_id: str) -> dict[str, str]:
    """Each package of the change whose work is in the history of `commit`, and the newest commit with it."""
    made, reverts = dict[str, set[str]](), dict[str, list[_Revert]]()
    for oid, message in _commits(repo, commit, change_id):
        if found := packages(message, change_id):
            made[oid] = found
        if taken_back := [_Revert(one, parent) for one, parent in _REVERTS.findall(message)]:
            reverts[oid] = taken_back
    there: dict[str, str] = {}
    for oid, found in made.items():
        if not _is_reverted(repo, oid, reverts):
            there |= {package: oid for package in found if package not in there}
    return there


def packages(message: str, change_id: str) -> set[str]:
    """The packages of the change that a commit with this message has the work of."""
    paragraphs = [block.split("\n") for block in re.split(r"\n\s*\n", message.strip())]
    found = set[str]()
    for number, lines in enumerate(paragraphs):
        trailers = _trailers(lines)
        whole = number == len(paragraphs) - 1 > 0 or {key for key, _ in trailers} >= _OF_AN_ATTEMPT
        if whole and (CHANGE, change_id) in trailers:
            found |= {value for key, value in trailers if key == PACKAGE}
    return found


def _trailers(lines: list[str]) -> set[tuple[str, str]]:
    """The trailers of a paragraph; none where a line is something else."""
    parsed = [_TRAILER.fullmatch(line.strip()) for line in lines if not line.strip().startswith(_PICKED)]
    return {(one[1], one[2].rstrip()) for one in parsed if one} if all(parsed) else set()


def _commits(repo: Repo, commit: str, change_id: str) -> Iterator[tuple[str, str]]:
    """Commits whose messages name the change, or revert others, the newest first."""
    named = change_id.replace(".", "[.]")
    out = repo.git(
        "log",
        "-z",
        "--extended-regexp",
        f"--grep=^[[:space:]]*{CHANGE}: *{named}[[:space:]]*$",
        "--grep=^This reverts commit [0-9a-f]+",
        "--encoding=UTF-8",
        "--format=%H%n%B",
        "--end-of-options",
        commit,
    )
    for record in out.decode("utf-8", "replace").split("\0"):
        oid, _, message = record.partition("\n")
        if oid:
            yield oid, message


def _is_reverted(repo: Repo, commit: str, reverts: Mapping[str, list[_Revert]]) -> bool:
    """Whether a commit of the history takes this one back, and none takes that one back."""
    return any(
        _takes_back(repo, revert, commit) and not _is_reverted(repo, by, reverts)
        for by, found in reverts.items()
        if by != commit
        for revert in found
    )


def _takes_back(repo: Repo, revert: _Revert, commit: str) -> bool:
    if revert.commit == commit or not revert.parent:
        return revert.commit == commit
    if repo.resolve(revert.commit) is None or repo.resolve(revert.parent) is None:
        return False
    return repo.is_ancestor(commit, revert.commit) and not repo.is_ancestor(commit, revert.parent)
