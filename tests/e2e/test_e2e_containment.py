"""Nothing of an agent outlives it, or the run: in a PID namespace, and where a machine has none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from parallel_impl.processes import namespace
from tests.repository import FIXTURES, appears, command, commit_all, living, make_repository, start, tool, wait_for

WORK = f"cp -R '{FIXTURES}/no-contracts/replay/'\"$1\"/1/. .\n"
NUMBER = 810_000_000 + os.getpid()  # a `sleep` of so many seconds is of this process


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository("no-contracts", tmp_path)


@pytest.fixture
def contained() -> None:
    if why := namespace.find().why:
        pytest.skip(f"no PID namespaces on this machine: {why}")


def without_unshare(tmp_path: Path) -> dict[str, str]:
    """A PATH with every program but `unshare`."""
    programs = tmp_path / "programs"
    programs.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        for file in Path(folder).iterdir() if Path(folder).is_dir() else ():
            if file.name != "unshare" and not (programs / file.name).is_symlink():
                (programs / file.name).symlink_to(file)
    return {"PATH": str(programs)}


def test_what_a_run_starts_cannot_read_its_environment(repo: Path, tmp_path: Path) -> None:
    words = [] if os.geteuid() else ["setpriv", "--bounding-set=-all"]  # root reads everything, by its capabilities
    if words and not shutil.which(words[0]):
        pytest.skip("no setpriv on PATH")
    look = f"cat /proc/$$/environ >{tmp_path}/own; cat /proc/$PPID/environ >{tmp_path}/run || true"
    (repo / "parallel-impl.toml").write_text(f"setup = [{json.dumps(look)}]\ngates.openspec = false\n")
    commit_all(repo, "Look around")
    argv = [*words, sys.executable, "-m", "parallel_impl", "implement", "fix-typos", "--dry-run", "--agent=replay: ."]
    subprocess.run(argv, cwd=repo, env=os.environ | {"A_TOKEN": "hunter2-hunter2"}, check=True, capture_output=True)
    assert "PARALLEL_IMPL_CHANGE=fix-typos" in (tmp_path / "own").read_text()
    assert (tmp_path / "run").read_text() == ""


def summary(repo: Path) -> dict[str, list[str]]:
    loaded: dict[str, list[str]] = json.loads((repo / ".git/parallel-impl/fix-typos/summary.json").read_text())
    return loaded


@pytest.mark.usefixtures("contained")
def test_after_kill_9_nothing_of_an_agent_lives_on_whatever_it_did_to_hide(repo: Path, tmp_path: Path) -> None:
    word = str(NUMBER)
    hidden = f"setsid env -i sh -c '(setsid sleep {word} </dev/null >/dev/null 2>&1 &)'"
    waiting = f'[ "$1" = wp-guide ] || [ -e {tmp_path}/go ] || {{ {hidden}; touch {tmp_path}/up; sleep 600; }}\n'
    agent = command(tmp_path / "agent.sh", WORK + waiting)
    running = start(repo, "implement", "fix-typos", "--agent", agent)
    wait_for(tmp_path / "up", running)
    assert appears(word)
    running.kill()
    running.wait()
    (tmp_path / "go").touch()
    done = tool(repo, "implement", "fix-typos", "--agent", agent)
    assert done.returncode == 0, done.stderr
    assert living(word) == []
    assert summary(repo)["notes"] == []


def test_without_namespaces_the_run_says_so_and_ends_what_carries_its_mark(repo: Path, tmp_path: Path) -> None:
    word = str(NUMBER + 1)
    left = f"setsid sh -c '(setsid sleep {word} </dev/null >/dev/null 2>&1 &)'"
    waiting = f'[ "$1" = wp-guide ] || [ -e {tmp_path}/go ] || {{ {left}; touch {tmp_path}/up; sleep 600; }}\n'
    agent = command(tmp_path / "agent.sh", WORK + waiting)
    env = without_unshare(tmp_path)
    running = start(repo, "implement", "fix-typos", "--agent", agent, env=env)
    wait_for(tmp_path / "up", running)
    running.kill()
    running.wait()
    assert appears(word)
    (tmp_path / "go").touch()
    done = tool(repo, "implement", "fix-typos", "--agent", agent, env=env)
    assert done.returncode == 0, done.stderr
    assert living(word) == []
    line = "no PID namespaces for agents here (there is no unshare on PATH (util-linux))"
    assert line in done.stderr
    assert [note for note in summary(repo)["notes"] if note.startswith(line)]


def test_without_namespaces_what_an_agent_leaves_behind_ends_with_it(repo: Path, tmp_path: Path) -> None:
    word = str(NUMBER + 2)
    hidden = f"setsid env -i sh -c '(setsid sleep {word} &)'\n"
    agent = command(tmp_path / "agent.sh", WORK + hidden)
    done = tool(repo, "implement", "fix-typos", "--agent", agent, env=without_unshare(tmp_path))
    assert done.returncode == 0, done.stderr
    assert living(word) == []
    assert "wp-guide: its agent left 1 process running: ended" in summary(repo)["notes"]


@pytest.mark.usefixtures("contained")
def test_what_an_agent_left_running_in_its_namespace_is_named(repo: Path, tmp_path: Path) -> None:
    daemons = '[ "$1" = wp-guide ] || { sleep 600 & setsid sleep 600 & }\n'
    done = tool(repo, "implement", "fix-typos", "--agent", command(tmp_path / "agent.sh", WORK + daemons))
    assert done.returncode == 0, done.stderr
    assert summary(repo)["notes"] == ["wp-index: its agent left 2 processes running: ended"]


@pytest.mark.usefixtures("contained")
def test_an_agent_that_traces_the_first_process_of_its_namespace_and_ends_has_ended(repo: Path, tmp_path: Path) -> None:
    tracer = tmp_path / "trace.py"
    tracer.write_text("import ctypes; ctypes.CDLL(None).ptrace(16, 1, 0, 0)  # PTRACE_ATTACH\n")
    agent = command(tmp_path / "agent.sh", WORK + f"{sys.executable} {tracer}\n")
    running = start(repo, "implement", "fix-typos", "--agent", agent)
    assert running.wait(timeout=60) == 0


@pytest.mark.usefixtures("contained")
def test_namespaces_are_used_and_switched_off_by_name_only(repo: Path, tmp_path: Path) -> None:
    agent = command(tmp_path / "agent.sh", WORK + f"readlink /proc/self/ns/pid >>{tmp_path}/$1\n")
    settings = repo / "parallel-impl.toml"
    settings.write_text(settings.read_text() + "contain = false\n")
    commit_all(repo, "No containment")
    outside = str(Path("/proc/self/ns/pid").readlink())
    assert tool(repo, "implement", "fix-typos", "--agent", agent).returncode == 0
    assert (tmp_path / "wp-guide").read_text().splitlines() == [outside]
    assert "PID namespaces of agents (contain = false)" in summary(repo)["switched_off"]

    (tmp_path / "again").mkdir()
    again = make_repository("no-contracts", tmp_path / "again")
    assert tool(again, "implement", "fix-typos", "--agent", agent).returncode == 0
    assert (tmp_path / "wp-guide").read_text().splitlines()[1] != outside
    assert summary(again)["switched_off"] == ["gate openspec"]


@pytest.mark.usefixtures("contained")
def test_an_agent_that_cannot_be_started_is_told_as_such_in_a_namespace(repo: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/nowhere/interpreter\n")
    broken.chmod(0o755)
    done = tool(repo, "implement", "fix-typos", "--agent", f"command: {broken}")
    assert done.returncode == 1
    assert f"the agent: could not be started: {broken}: No such file or directory" in done.stderr
