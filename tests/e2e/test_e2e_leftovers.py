"""What a killed run left behind is ended and cleared before anything else is made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from tests.repository import git, make_repository, replay, tool

SLOW_GIT = """#!/bin/sh
for argument; do
    if [ "$argument" = read-tree ]; then echo $$ >{folder}/new && mv {folder}/new {folder}/pid && exec sleep 600; fi
done
exec {git} "$@"
"""


def test_git_commands_that_outlive_a_killed_run_are_ended_before_it_goes_on(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    slow = tmp_path / "bin/git"
    slow.parent.mkdir()
    slow.write_text(SLOW_GIT.format(folder=tmp_path, git=shutil.which("git")))
    slow.chmod(0o755)
    running = subprocess.Popen(
        [sys.executable, "-m", "parallel_impl", "implement", "fix-typos", "--agent", replay("no-contracts")],
        cwd=repo,
        env=os.environ | {"PATH": f"{slow.parent}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not (tmp_path / "pid").exists():
        assert running.poll() is None
        threading.Event().wait(0.02)
    running.kill()
    running.wait()
    pid = int((tmp_path / "pid").read_text())
    assert _lives(pid)
    done = tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts"))
    assert done.returncode == 0, done.stderr
    assert not _lives(pid)
    assert git(repo, "rev-parse", "--verify", "openspec/fix-typos")


def _lives(pid: int) -> bool:
    """Whether a process runs; one that nobody reaped yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
