"""Cleanup names what it keeps once, each thing as what it is."""

from __future__ import annotations

from pathlib import Path

from tests.repository import command, make_repository, tool

PIPE = "mkfifo pipe; exit 0"


def test_the_repository_beside_a_kept_worktree_is_not_listed_as_a_worktree(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    agent = command(tmp_path / "agent.sh", PIPE)
    assert tool(repo, "implement", "fix-typos", "--agent", agent).returncode == 1
    kept = tmp_path / "no-contracts.worktrees/fix-typos/.kept"
    worktrees = sorted(path for path in kept.iterdir() if path.suffix != ".git")
    assert worktrees
    assert len(list(kept.iterdir())) == 2 * len(worktrees)
    done = tool(repo, "cleanup", "fix-typos", "--dry-run")
    listed = [line for line in done.stdout.splitlines() if line.endswith("a worktree that could not be staged")]
    assert listed == [f"kept {path}: a worktree that could not be staged" for path in worktrees]
