"""How much differs between two commits: files, and lines added and removed, as `git diff --stat` counts them."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from parallel_impl.git.repo import Repo

OPTIONS = ("--numstat", "-r", "--no-renames", "--no-ext-diff", "--no-textconv")


class Diffstat(msgspec.Struct, frozen=True):
    """Binary files count as files; they have no lines."""

    files: int = 0
    added: int = 0
    removed: int = 0


def between(repo: Repo, old: str, new: str) -> Diffstat:
    """What differs between two commits or trees."""
    return _count(repo.text("diff-tree", *OPTIONS, "--end-of-options", old, new).split("\n"))


def of_commits(repo: Repo, commits: Iterable[str]) -> dict[str, Diffstat]:
    """What each commit changed against its only parent, asked in one process."""
    wanted = list(dict.fromkeys(commits))
    if not wanted:
        return {}
    asked = "".join(f"{commit}\n" for commit in wanted).encode()
    found: dict[str, list[str]] = {commit: [] for commit in wanted}
    current = ""
    for line in repo.git("diff-tree", "--stdin", "--root", *OPTIONS, input=asked).decode(errors="replace").split("\n"):
        if line in found:
            current = line
        elif current:
            found[current].append(line)
    return {commit: _count(lines) for commit, lines in found.items()}


def _count(lines: Iterable[str]) -> Diffstat:
    rows = [row for line in lines if len(row := line.split("\t")) == 3]
    counted = [(int(row[0]), int(row[1])) for row in rows if row[0].isdigit()]
    return Diffstat(len(rows), sum(added for added, _ in counted), sum(removed for _, removed in counted))
