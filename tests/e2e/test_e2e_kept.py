"""What an agent did is never removed with its worktree, whatever kept it from being taken."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.means import written
from tests.repository import command, git, has_reftable, make_repository, refs, tool

OWN = "refs/parallel-impl/fix-typos"
SLOW = 'echo "$1 $2" >>{0}/log\necho work >>guide.md\n[ -e {0}/go ] || {{ touch {0}/up; sleep 600; }}\n'
WORK = "if [ $1 = wp-guide ]; then sed -i 's/^# Guid$/# Guide/' guide.md; else echo x >>index.md; fi\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository("no-contracts", tmp_path)


def killed(repo: Path, tmp_path: Path) -> str:
    """Kill -9 a run whose agent is at work on wp-guide, and has changed a file; the agent's command."""
    agent = command(tmp_path / "agent.sh", SLOW.format(tmp_path) + WORK)
    argv = [sys.executable, "-m", "parallel_impl", "implement", "fix-typos", "--agent", agent]
    with subprocess.Popen(argv, cwd=repo, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as running:
        while not (tmp_path / "up").exists():
            assert running.poll() is None
            threading.Event().wait(0.02)
        running.send_signal(signal.SIGKILL)
    (tmp_path / "go").touch()
    return agent


def test_work_that_could_not_be_put_on_a_ref_is_taken_by_the_next_start(repo: Path, tmp_path: Path) -> None:
    if has_reftable(repo):
        pytest.skip("its one lock is for all refs: none can be kept from being written alone")
    lock = repo / f".git/{OWN}/attempts/wp-guide/1.lock"
    locks = f"mkdir -p '{lock.parent}'; [ $2 != 1 ] || [ $1 = wp-index ] || touch '{lock}'\n"
    agent = command(tmp_path / "agent.sh", f'echo "$1 $2" >>{tmp_path}/log\n' + WORK + locks)
    first = tool(repo, "implement", "fix-typos", "--agent", agent)
    assert first.returncode == 2, first.stderr
    assert str(lock) in first.stderr
    second = tool(repo, "implement", "fix-typos", "--agent", agent)
    assert second.returncode == 0, second.stderr
    assert git(repo, "show", f"{OWN}/attempts/wp-guide/1:guide.md").splitlines()[0] == "# Guide"


def test_a_torn_note_keeps_the_worktree_whole(repo: Path, tmp_path: Path) -> None:
    killed(repo, tmp_path)
    note = repo / ".git/parallel-impl/fix-typos/attempts/wp-guide/1/attempt.json"
    os.truncate(note, 20)
    assert tool(repo, "implement", "fix-typos", "--abort").returncode == 0
    kept = tmp_path / "no-contracts.worktrees/fix-typos/.kept/wp-guide.1/no-contracts/guide.md"
    assert kept.read_text().endswith("work\n")


def test_a_run_whose_state_was_removed_is_not_started_again_over_its_worktrees(repo: Path, tmp_path: Path) -> None:
    agent = killed(repo, tmp_path)
    shutil.rmtree(repo / ".git/parallel-impl")
    again = tool(repo, "implement", "fix-typos", "--agent", agent)
    assert again.returncode == 2, again.stderr
    assert "whose journal is gone: wp-guide" in again.stderr
    home = tmp_path / "no-contracts.worktrees/fix-typos"
    assert (written(home, "wp-guide", "no-contracts") / "guide.md").read_text().endswith("work\n")
    aside = again.stderr.rpartition("then: ")[2].splitlines()[0]
    subprocess.run(["sh", "-ec", aside], check=True)
    done = tool(repo, "implement", "fix-typos", "--agent", command(tmp_path / "other.sh", WORK))
    assert done.returncode == 0, done.stderr
    kept = home.with_name("fix-typos.old").rglob("guide.md")
    assert any(path.read_text().endswith("work\n") for path in kept)


def test_a_repository_leaves_the_worktrees_of_another_one_alone(repo: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "no-contracts.worktrees/fix-typos/wp-guide"
    theirs.mkdir(parents=True)
    (theirs / "work").touch()
    done = tool(repo, "implement", "fix-typos", "--agent", command(tmp_path / "agent.sh", WORK))
    assert done.returncode == 0, done.stderr
    assert "lie those of another repository" in done.stderr
    assert (theirs / "work").exists()


def test_in_a_copy_of_the_repository_the_processes_of_the_original_are_left_alone(repo: Path, tmp_path: Path) -> None:
    (repo / "parallel-impl.toml").write_text("setup = []\ngates.openspec = false\ncontain = false\n")
    git(repo, "commit", "--quiet", "-am", "Without namespaces")
    killed(repo, tmp_path)
    copy, up = tmp_path / "copy" / "no-contracts", tmp_path / "again"
    copy.parent.mkdir()
    subprocess.run(["cp", "-a", repo, copy], check=True)
    waits = f"touch {up}; while [ ! -e {tmp_path}/end ]; do sleep 0.1; done\n{WORK}"
    argv = [
        sys.executable,
        "-m",
        "parallel_impl",
        "implement",
        "fix-typos",
        "--agent",
        command(tmp_path / "w.sh", waits),
    ]
    with subprocess.Popen(argv, cwd=repo, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as running:
        while not up.exists() and running.poll() is None:
            threading.Event().wait(0.02)
        aborted = tool(copy, "implement", "fix-typos", "--abort")
        (tmp_path / "end").touch()
        out, _ = running.communicate(timeout=60)
    assert aborted.returncode == 0, aborted.stderr
    assert running.returncode == 0, out
    assert "attempt 2 failed" not in out


def test_cleanup_keeps_commits_below_an_edited_plan_that_no_branch_has(repo: Path, tmp_path: Path) -> None:
    failing = command(tmp_path / "agent.sh", f"[ -e {tmp_path}/go ] || exit 1\n{WORK}")
    assert tool(repo, "implement", "fix-typos", "--agent", failing).returncode == 1
    git(repo, "switch", "--quiet", "-c", "work")
    (repo / "mine.md").write_text("mine\n")
    git(repo, "add", "mine.md")
    git(repo, "commit", "--quiet", "-m", "Work of the user")
    plan = repo / "openspec/changes/fix-typos/work-packages.yaml"
    plan.write_text(plan.read_text().replace("Correct the index.", "Correct all of the index."))
    git(repo, "commit", "--quiet", "-am", "Edit the plan")
    (tmp_path / "go").touch()
    assert tool(repo, "implement", "fix-typos", "--agent", failing, "--retry-failed").returncode == 0
    git(repo, "switch", "--quiet", "main")
    git(repo, "branch", "--quiet", "-D", "work")
    done = tool(repo, "cleanup", "fix-typos")
    assert f"kept {OWN}/plans/2" in done.stdout
    assert git(repo, "show", f"{OWN}/plans/2:mine.md") == "mine"
    assert refs(repo, f"{OWN}/plans") == [f"{OWN}/plans/2"]
