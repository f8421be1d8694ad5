"""Cleanup names what it keeps once, each thing as what it is."""

from __future__ import annotations

from pathlib import Path

from tests.repository import command, commit_all, git, make_repository, tool

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


def test_claims_of_a_run_whose_journal_is_damaged_are_given_up_although_its_work_is_kept(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    assert tool(repo, "implement", "fix-typos", "--agent", command(tmp_path / "agent.sh", "exit 1")).returncode == 1
    with (repo / ".git/parallel-impl/fix-typos/journal.jsonl").open("a") as journal:
        journal.write("{}\n")
    kept = "its journal cannot be read, so its claims are kept: `parallel-cleanup fix-typos` gives them up"
    assert tool(repo, "runs").stdout.splitlines()[0] == f"fix-typos  unreadable, {kept}"
    done = tool(repo, "cleanup", "fix-typos", "--force")
    assert done.returncode == 2
    assert "the journal is damaged" in done.stderr
    assert tool(repo, "runs").stdout == "fix-typos  unreadable, claims nothing\n"
    assert git(repo, "for-each-ref", "refs/parallel-impl")


def test_an_id_that_is_no_change_and_has_no_run_is_an_error_with_the_nearest_one(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    done = tool(repo, "cleanup", "fix-typo")
    assert done.returncode == 2
    assert "there is no change 'fix-typo' and no run of it" in done.stderr
    assert "fix-typos" in done.stderr
    assert tool(repo, "cleanup", "fix-typos").returncode == 0


def test_work_elsewhere_is_kept_unless_all_of_it_is_contained(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    assert tool(repo, "implement", "fix-typos", "--agent", command(tmp_path / "agent.sh", "exit 1")).returncode == 1
    side = "refs/parallel-impl/fix-typos/attempts/wp-guide/1.aside"
    git(repo, "checkout", "-q", "-b", "aside")
    for name in ("first", "last"):
        (repo / name).write_text(f"{name}\n")
        commit_all(repo, name)
    git(repo, "update-ref", side, "aside")
    git(repo, "checkout", "-q", "main")
    git(repo, "branch", "-q", "-D", "aside")
    (repo / "last").write_text("last\n")
    commit_all(repo, "What the last of them did")
    assert f"kept {side}" in tool(repo, "cleanup", "fix-typos", "--no-archive").stdout
    (repo / "first").write_text("first\n")
    commit_all(repo, "And the first")
    assert f"removed {side}" in tool(repo, "cleanup", "fix-typos", "--no-archive").stdout
