"""Signals, closed terminals and closed pipes: a run stops in order or goes on, and the same command lands."""

from __future__ import annotations

import os
import pty
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from parallel_impl.processes import namespace
from tests.repository import (
    FIXTURES,
    appears,
    command,
    commit_all,
    git,
    living,
    make_repository,
    path_folders,
    refs,
    start,
    tool,
    users_side,
    wait_for,
)

WORK = f"cp -R '{FIXTURES}/no-contracts/replay/'\"$1\"/1/. .\n"
NUMBER = 820_000_000 + os.getpid() * 10
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository("no-contracts", tmp_path)


def waiting_agent(tmp_path: Path, doing: str = "sleep 600") -> str:
    """An agent that does its work, and before `go` is there waits with the second package."""
    wait = f'[ "$1" = wp-guide ] || [ -e {tmp_path}/go ] || {{ touch {tmp_path}/up; {doing}; }}\n'
    return command(tmp_path / "agent.sh", WORK + wait)


def lands(repo: Path, tmp_path: Path, agent: str) -> None:
    (tmp_path / "go").touch()
    done = tool(repo, "implement", "fix-typos", "--agent", agent)
    assert done.returncode == 0, done.stdout + done.stderr
    assert git(repo, "show", "openspec/fix-typos:index.md") == "# Index\n\n- Guide"
    assert not (tmp_path / "no-contracts.worktrees").exists()


def slow_setup(repo: Path, tmp_path: Path, word: int) -> None:
    """A set-up that leaves a daemon and waits, as long as `go` is not there."""
    script = tmp_path / "setup.sh"
    script.write_text(
        f"[ ! -e {tmp_path}/go ] || exit 0\n"
        f"setsid sleep {word} </dev/null >/dev/null 2>&1 &\ntouch {tmp_path}/up\nsleep {word + 1}\n"
    )
    settings = repo / "parallel-impl.toml"
    settings.write_text(settings.read_text().replace("setup = []", f'setup = ["sh {script}"]'))
    commit_all(repo, "A slow set-up")


def test_a_terminal_that_closes_stops_the_run_in_order(repo: Path, tmp_path: Path) -> None:
    agent = waiting_agent(tmp_path)
    ours, theirs = pty.openpty()
    program = (
        "import fcntl, os, sys, termios\n"
        "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
        "os.execv(sys.executable, [sys.executable, '-m', 'parallel_impl', *sys.argv[1:]])\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", program, "implement", "fix-typos", "--agent", agent],
        cwd=repo,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    wait_for(tmp_path / "up", running)
    os.close(ours)
    assert running.wait(timeout=60) == 130
    assert '"event":"interrupted"' in (repo / ".git/parallel-impl/fix-typos/journal.jsonl").read_text().replace(" ", "")
    lands(repo, tmp_path, agent)


def test_with_nohup_a_terminal_may_close(repo: Path, tmp_path: Path) -> None:
    agent = waiting_agent(tmp_path, f"until [ -e {tmp_path}/go ]; do sleep 0.02; done")
    words = [sys.executable, "-m", "parallel_impl", "implement", "fix-typos", "--agent", agent]
    running = subprocess.Popen(["nohup", *words], cwd=repo, stdin=subprocess.DEVNULL, stdout=-3, stderr=-3)
    wait_for(tmp_path / "up", running)
    running.send_signal(signal.SIGHUP)
    (tmp_path / "go").touch()
    assert running.wait(timeout=60) == 0


def test_a_run_that_nobody_reads_any_more_goes_on_and_lands(repo: Path, tmp_path: Path) -> None:
    agent = waiting_agent(tmp_path, f"until [ -e {tmp_path}/go ]; do sleep 0.02; done")
    running = start(repo, "implement", "fix-typos", "--json", "--agent", agent, output=subprocess.PIPE)
    wait_for(tmp_path / "up", running)
    assert running.stdout
    assert running.stderr
    running.stdout.close()
    running.stderr.close()
    (tmp_path / "go").touch()
    assert running.wait(timeout=60) == 0
    assert "refs/heads/openspec/fix-typos" in refs(repo)


def test_what_printing_failed_with_is_said_where_it_can_be(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "parallel_impl", "implement", "fix-typos", "--agent", waiting_agent(tmp_path)],
            cwd=repo,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "nothing more is printed on stdout: No space left on device" in done.stderr
    assert f"Landed: openspec/fix-typos is {git(repo, 'rev-parse', 'openspec/fix-typos')[:12]}" in done.stderr


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_during_set_up_leaves_nothing(repo: Path, tmp_path: Path, number: signal.Signals) -> None:
    word = NUMBER + number * 100
    slow_setup(repo, tmp_path, word)
    before = users_side(repo)
    running = start(repo, "implement", "fix-typos", "--agent", waiting_agent(tmp_path))
    wait_for(tmp_path / "up", running)
    running.send_signal(number)
    assert running.wait(timeout=60) == 130
    assert living(str(word)) + living(str(word + 1)) == []
    assert not (tmp_path / "no-contracts.worktrees").exists()
    assert not (repo / ".git/parallel-impl").exists()
    assert refs(repo) == ["refs/heads/main"]
    assert users_side(repo) == before
    lands(repo, tmp_path, waiting_agent(tmp_path))


def test_a_set_up_that_outlived_its_run_is_ended_before_the_next_one(repo: Path, tmp_path: Path) -> None:
    word = NUMBER + 5000
    slow_setup(repo, tmp_path, word)
    running = start(repo, "implement", "fix-typos", "--agent", waiting_agent(tmp_path))
    wait_for(tmp_path / "up", running)
    running.kill()
    running.wait()
    assert appears(str(word + 1))
    settings = repo / "parallel-impl.toml"
    (tmp_path / "words").write_text(f"{word}\n{word + 1}\n")
    looking = f"for process in /proc/[0-9]*; do ! grep -qsxzFf {tmp_path}/words $process/cmdline || exit 9; done\n"
    (tmp_path / "look.sh").write_text(looking)
    settings.write_text(settings.read_text().replace('setup = ["', f'setup = ["sh {tmp_path}/look.sh", "'))
    commit_all(repo, "A set-up that looks around")
    lands(repo, tmp_path, waiting_agent(tmp_path))
    assert living(str(word)) + living(str(word + 1)) == []


def test_a_second_signal_ends_at_once_and_in_namespaces_the_agents_too(repo: Path, tmp_path: Path) -> None:
    word = str(NUMBER + 6000)
    stubborn = f"trap '' TERM; touch {tmp_path}/deaf; while :; do sleep {word}; done"
    agent = waiting_agent(tmp_path, stubborn)
    running = start(repo, "implement", "fix-typos", "--agent", agent)
    wait_for(tmp_path / "deaf", running)
    journal = repo / ".git/parallel-impl/fix-typos/journal.jsonl"
    until = time.monotonic() + 4  # the agent has five seconds of grace
    while running.poll() is None and time.monotonic() < until:
        running.send_signal(signal.SIGINT)  # those of the first second are one
        threading.Event().wait(0.1)
    assert running.poll() == -signal.SIGINT
    assert journal.exists()
    if namespace.find().namespace:
        while living(word):  # the line to its first process hung up
            threading.Event().wait(0.05)
    lands(repo, tmp_path, agent)
    assert living(word) == []


def wrapped_git(tmp_path: Path, text: str) -> dict[str, str]:
    """A PATH whose `git` runs `text` first; `$calls` counts."""
    real = next(folder / "git" for folder in path_folders() if (folder / "git").exists())
    wrapper = tmp_path / "wrapped/git"
    wrapper.parent.mkdir()
    wrapper.write_text(
        f'#!/bin/sh\necho >>{tmp_path}/calls\ncalls=$(wc -l <{tmp_path}/calls)\n{text}\nexec {real} "$@"\n'
    )
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    return {"PATH": f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.mark.slow
@pytest.mark.parametrize("call", [1, 4, 8, 12, 16, 20, 24])
def test_a_signal_anywhere_in_preflight_ends_it_and_the_same_command_lands(
    repo: Path, tmp_path: Path, call: int
) -> None:
    agent = waiting_agent(tmp_path)
    env = wrapped_git(tmp_path, f"[ $calls != {call} ] || kill -TERM $PPID")
    running = start(repo, "implement", "fix-typos", "--agent", agent, env=env)
    if running.wait(timeout=60) == 130:
        assert refs(repo, "refs/heads") == ["refs/heads/main"]
    lands(repo, tmp_path, agent)


def test_ctrl_c_at_a_terminal_does_not_fail_what_git_is_doing(repo: Path, tmp_path: Path) -> None:
    agent = command(tmp_path / "agent.sh", f"{WORK}touch {tmp_path}/up\n")
    # as a terminal does it: to every process of the group, while the first attempt is being committed
    interrupt = 'kill -INT -$(ps -o pgid= $PPID | tr -d " ")'
    env = wrapped_git(tmp_path, f'[ ! -e {tmp_path}/up ] || case "$*" in *cat-file*) {interrupt};; esac')
    running = subprocess.Popen(
        [sys.executable, "-m", "parallel_impl", "implement", "fix-typos", "--agent", agent],
        cwd=repo,
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    assert running.wait(timeout=60) == 130
    kept = git(repo, "show", "refs/parallel-impl/fix-typos/attempts/wp-guide/1:guide.md")
    assert kept.startswith("# Guide")
    lands(repo, tmp_path, agent)
    assert "GIT_FAILED" not in (repo / ".git/parallel-impl/fix-typos/journal.jsonl").read_text()
