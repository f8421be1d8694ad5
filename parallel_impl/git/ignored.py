"""What git ignores in the user's worktree, and why."""

from __future__ import annotations

from pathlib import Path

from parallel_impl.git.repo import Repo, decode, encode


def rule(repo: Repo, top: Path, path: str) -> str:
    """The rule that ignores an untracked path of the worktree `top`, as `file:line: rule`; empty where none does."""
    arguments = ("-C", str(top), "check-ignore", "-z", "-v", "--stdin")
    literal = {"GIT_LITERAL_PATHSPECS": "0"}  # check-ignore refuses literal pathspecs
    out = repo.git(*arguments, input=encode(path), ok=(0, 1, 128), discover=True, env=literal)  # 128: behind a symlink
    source, line, text, *_ = (*decode(out).split("\0"), "", "", "")
    return f"{source}:{line}: {text}" if source and not text.startswith("!") else ""
