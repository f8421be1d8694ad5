"""Folders that cannot be written: one clear message before anything is paid, exit 2, and nothing half-made."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository import FIXTURES, command, contents, make_repository, start, tool, wait_for

WORK = f"cp -R '{FIXTURES}/no-contracts/replay/'\"$1\"/1/. .\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository("no-contracts", tmp_path)


def agent(tmp_path: Path) -> str:
    wait = f'[ "$1" = wp-guide ] || [ -e {tmp_path}/go ] || {{ touch {tmp_path}/up; sleep 600; }}\n'
    return command(tmp_path / "agent.sh", f"touch {tmp_path}/ran\n{WORK}{wait}")


def implement_read_only(repo: Path, tmp_path: Path, *folders: Path) -> subprocess.CompletedProcess[str]:
    """The command where these folders are mounted read-only, for it alone."""
    options = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    probe = [["unshare", *options, "mount", "--bind", "-o", "ro", str(folder), str(folder)] for folder in folders]
    if not shutil.which("unshare") or any(subprocess.run(each, check=False, stderr=-3).returncode for each in probe):
        pytest.skip("this machine lets nobody mount a folder read-only")
    mounts = " && ".join(f"mount --bind -o ro '{folder}' '{folder}'" for folder in folders)
    tool = [sys.executable, "-m", "parallel_impl", "implement", "fix-typos", "--agent", agent(tmp_path)]
    return subprocess.run(
        ["unshare", *options, "sh", "-c", f'{mounts} && cd "$PWD" && exec "$@"', "sh", *tool],
        cwd=repo,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("folder", [".git", ".git/objects", ".git/refs", ".git/parallel-impl"])
def test_a_repository_that_cannot_be_written_is_refused(repo: Path, tmp_path: Path, folder: str) -> None:
    (repo / folder).mkdir(exist_ok=True)
    before = contents(tmp_path)
    done = implement_read_only(repo, tmp_path, repo / folder)
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"{repo / folder}: error: cannot be written: Read-only file system" in done.stderr
    assert f"make {repo / folder} writable" in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(tmp_path) == {**before, "agent.sh": contents(tmp_path)["agent.sh"]}
    assert list((repo / ".git").glob("**/tmp*")) == []
    assert not (tmp_path / "no-contracts.worktrees").exists()


def test_all_folders_that_cannot_be_written_are_named_at_once(repo: Path, tmp_path: Path) -> None:
    done = implement_read_only(repo, tmp_path, repo / ".git/objects", repo / ".git/refs")
    assert done.returncode == 2
    assert done.stderr.count("cannot be written") == 2


def test_a_home_that_became_read_only_stops_the_next_start_and_loses_nothing(repo: Path, tmp_path: Path) -> None:
    running = start(repo, "implement", "fix-typos", "--agent", agent(tmp_path))
    wait_for(tmp_path / "up", running)
    running.send_signal(signal.SIGKILL)
    running.wait()
    (tmp_path / "ran").unlink()
    home = tmp_path / "no-contracts.worktrees/fix-typos"
    left = contents(home)
    done = implement_read_only(repo, tmp_path, home)
    assert done.returncode == 2, done.stdout + done.stderr
    assert f"{home}: error: cannot be written: Read-only file system" in done.stderr
    assert contents(home) == left
    assert not (tmp_path / "ran").exists()
    (tmp_path / "go").touch()
    again = tool(repo, "implement", "fix-typos", "--agent", agent(tmp_path))
    assert again.returncode == 0, again.stdout + again.stderr


def test_a_repository_of_another_user_is_refused_by_its_permissions(repo: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (repo / ".git/objects").chmod(0o555)
    done = tool(repo, "implement", "fix-typos", "--agent", agent(tmp_path))
    (repo / ".git/objects").chmod(0o755)
    assert done.returncode == 2
    assert f"{repo}/.git/objects: error: cannot be written: Permission denied" in done.stderr
