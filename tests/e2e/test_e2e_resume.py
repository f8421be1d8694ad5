"""A run that stopped goes on: nothing accepted runs again, and what failed is tried again when asked for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.repository import command, git, make_repository, refs, tool

WORK = """
echo "$1 $2" >>"$LOG"
if [ $1 = wp-guide ]; then sed -i 's/^# Guid$/# Guide/' guide.md; else echo wp-index >>index.md; fi
"""


def agent(tmp_path: Path, text: str) -> str:
    return command(tmp_path / "agent.sh", f"LOG={tmp_path}/attempts.log\n{text}")


def attempts(tmp_path: Path) -> list[str]:
    return (tmp_path / "attempts.log").read_text().splitlines()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository("no-contracts", tmp_path)


def test_a_failed_package_stays_failed_until_retry_failed_is_given(repo: Path, tmp_path: Path) -> None:
    failing = agent(tmp_path, f"{WORK}\n[ -e {tmp_path}/mended ] || [ $1 = wp-index ] || exit 1\n")
    first = tool(repo, "implement", "fix-typos", "--agent", failing)
    assert first.returncode == 1
    assert "--retry-failed" in first.stderr
    tried = attempts(tmp_path)
    (tmp_path / "mended").touch()
    assert tool(repo, "implement", "fix-typos", "--agent", failing).returncode == 1
    assert attempts(tmp_path) == tried
    again = tool(repo, "implement", "fix-typos", "--agent", failing, "--retry-failed")
    assert again.returncode == 0, again.stderr
    number = len(tried) + 1
    assert attempts(tmp_path) == [*tried, f"wp-guide {number}", "wp-index 1"]
    assert git(repo, "rev-parse", "--verify", "openspec/fix-typos")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_goes_on_and_keeps_what_the_attempt_had_done(
    repo: Path, tmp_path: Path, number: signal.Signals
) -> None:
    waiting = agent(
        tmp_path, f"{WORK}\n[ $1 = wp-guide ] || [ -e {tmp_path}/go ] || {{ touch {tmp_path}/up; sleep 600; }}\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-m", "parallel_impl", "implement", "fix-typos", "--agent", waiting],
        cwd=repo,
        env=os.environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (tmp_path / "up").exists():
        assert running.poll() is None
        threading.Event().wait(0.02)
    running.send_signal(number)
    assert running.wait(timeout=60) == {signal.SIGKILL: -9}.get(number, 130)
    accepted = git(repo, "rev-parse", "refs/parallel-impl/fix-typos/packages/wp-guide")
    (tmp_path / "go").touch()
    done = tool(repo, "implement", "fix-typos", "--agent", waiting)
    assert done.returncode == 0, done.stderr
    assert attempts(tmp_path) == ["wp-guide 1", "wp-index 1", "wp-index 2"]
    assert git(repo, "rev-parse", "refs/parallel-impl/fix-typos/packages/wp-guide") == accepted
    saved = "refs/parallel-impl/fix-typos/attempts/wp-index/1"
    assert saved in refs(repo, "refs/parallel-impl/fix-typos/attempts")
    assert git(repo, "show", f"{saved}:index.md").endswith("wp-index")
    assert not (tmp_path / "no-contracts.worktrees").exists()


def test_the_attempt_after_an_interrupted_retry_still_knows_what_failed_before(repo: Path, tmp_path: Path) -> None:
    wrong = f"[ $1 $2 != wp-guide1 ] || exit 0\n[ -e {tmp_path}/go ] || {{ touch {tmp_path}/up; sleep 600; }}\n{WORK}"
    waiting = agent(tmp_path, wrong.replace("$1 $2 !=", "$1$2 !="))
    argv = [sys.executable, "-m", "parallel_impl", "implement", "fix-typos", "--agent", waiting]
    with subprocess.Popen(argv, cwd=repo, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as running:
        while not (tmp_path / "up").exists():
            assert running.poll() is None
            threading.Event().wait(0.02)
        running.send_signal(signal.SIGINT)
    (tmp_path / "go").touch()
    assert tool(repo, "implement", "fix-typos", "--agent", waiting).returncode == 0
    attempts = repo / ".git/parallel-impl/fix-typos/attempts/wp-guide"
    told = [(attempts / number / "prompt.md").read_text() for number in ("2", "3")]
    assert ["NO_CHANGES" in text for text in told] == [True, True]


def test_the_same_command_goes_on_where_the_ref_that_it_named_has_moved(repo: Path, tmp_path: Path) -> None:
    failing = agent(tmp_path, f"{WORK}\n[ -e {tmp_path}/mended ] || exit 1\n")
    same = ("implement", "fix-typos", "--agent", failing, "--base", "main", "--retry-failed")
    assert tool(repo, *same).returncode == 1
    git(repo, "commit", "--quiet", "--allow-empty", "-m", "Meanwhile")
    (tmp_path / "mended").touch()
    assert tool(repo, *same).returncode == 0
    assert tool(repo, "implement", "fix-typos", "--base", "main").returncode == 0
