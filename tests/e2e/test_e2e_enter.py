"""`parallel-impl enter`, and what a killed run leaves: gone into, counted, cleaned up."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from parallel_impl.views.view import Means
from tests.e2e.test_e2e_views import STORE, Scene
from tests.means import ability
from tests.repository import command, start, tool, wait_for

# what it changed is seen, by hand something is added, the code is handed on
LIVE = "pwd; git status --short; cat made/it; echo more >by-hand; exit 7"
LEFT = "pwd; git status --short; cat made/it; ls ../..; echo no >no; exit 3"


@pytest.mark.parametrize("means", Means)
def test_a_package_at_work_is_entered_and_what_a_killed_run_left_is_read(tmp_path: Path, means: Means) -> None:
    if means is not Means.EACH:
        ability(means)
    scene = Scene(tmp_path, means)
    os.mkfifo(tmp_path / "pipe")
    waits = f"echo x >$1.txt; [ $1 != wp-b ] || {{ touch {tmp_path}/up; read -r word <{tmp_path}/pipe; }}"
    agent = command(tmp_path / "agent.sh", waits)
    running = start(scene.repo, "implement", "c", "--agent", agent, env=scene.env)
    wait_for(tmp_path / "up", running)
    home = tmp_path / "repo.worktrees"
    seen = home / "c/wp-b/repo" if means is Means.EACH else home / "_checkout/repo"
    done = tool(scene.repo, "enter", "c", "wp-b", "--", "sh", "-c", LIVE)
    assert done.stdout == f"{seen}\n?? wp-b.txt\none\n"
    assert done.returncode == 7
    assert "what you change here counts as changed by it" in done.stderr
    ended = tool(scene.repo, "enter", "c", "wp-a", "--", "true")
    assert ended.returncode == 2
    assert "there is no checkout of wp-a" in ended.stderr
    unknown = tool(scene.repo, "enter", "c", "wp-c", "--", "true")
    assert unknown.returncode == 2
    assert "packages: wp-a, wp-b" in unknown.stderr
    running.send_signal(signal.SIGKILL)
    running.wait()
    done = tool(scene.repo, "enter", "c", "wp-b", "--", "sh", "-c", LEFT)
    assert done.returncode == 3
    assert done.stdout.startswith(f"{seen}\n?? by-hand\n?? wp-b.txt\none\n")
    assert ("Read-only file system" in done.stderr) == (means is not Means.EACH)
    if means is Means.EACH:
        return
    assert done.stdout.endswith("one\n_checkout\nc\n")  # neither layers nor other packages
    if means is Means.COPY:
        return
    shell = tool(scene.repo, "enter", "c", "wp-b", env={"SHELL": "/bin/pwd"})
    assert shell.stdout == f"{seen}\n"
    assert "as a killed run has left it, to be read; parallel-implement c goes on with it" in shell.stderr
    _leaves_nothing(scene)


def _leaves_nothing(scene: Scene) -> None:
    """What is left is counted and named; one line removes each."""
    written = scene.folder / STORE / "views/c/wp-b"
    assert "1 layer (" in tool(scene.repo, "status").stdout.splitlines()[-1]
    inspected = tool(scene.repo, "cleanup", "--layers", "--dry-run")
    assert inspected.returncode == 1
    assert ": work that was not taken yet was done on it" in inspected.stdout
    kept = tool(scene.repo, "cleanup", "c")
    assert kept.returncode == 1
    assert f"kept {written}: left by a run that was killed" in kept.stdout
    inspected = tool(scene.repo, "cleanup", "c", "--force", "--dry-run")
    assert f"would remove {written}\n" in inspected.stdout
    assert written.is_dir()
    done = tool(scene.repo, "cleanup", "c", "--force")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith(
        "of set-up stay for other runs; to remove them: parallel-cleanup --layers"
    )
    assert not (scene.folder / "repo.worktrees/_checkout").exists()
    emptied = tool(scene.repo, "cleanup", "--layers")
    assert emptied.returncode == 0
    assert emptied.stdout.startswith("removed 1 layer (")
    assert not (scene.folder / "repo.worktrees").exists()
    assert "layer" not in tool(scene.repo, "status").stdout
    assert tool(scene.repo, "cleanup", "--layers").stdout == "there are no layers to remove\n"


def test_what_could_not_be_taken_is_read_until_its_layer_is_gone(tmp_path: Path) -> None:
    ability(Means.OVERLAY)
    scene = Scene(tmp_path, Means.OVERLAY)
    agent = command(tmp_path / "agent.sh", "echo x >$1.txt; [ $1 != wp-b ] || mkfifo pipe")
    assert tool(scene.repo, "implement", "c", "--agent", agent, env=scene.env).returncode == 1
    done = tool(scene.repo, "enter", "c", "wp-b", "--", "sh", "-c", "cat wp-a.txt wp-b.txt made/it; [ -p pipe ]")
    assert (done.returncode, done.stdout, done.stderr) == (0, "x\nx\none\n", "")
    assert tool(scene.repo, "cleanup", "--layers").returncode == 0
    gone = tool(scene.repo, "enter", "c", "wp-b", "--", "true")
    assert gone.returncode == 2
    assert "a layer that it was changed against is gone" in gone.stderr
    assert f"plain files in {tmp_path}/repo.worktrees/c/.kept/wp-b.1/repo" in gone.stderr


def test_a_cleanup_is_of_a_change_or_of_the_layers_of_all(tmp_path: Path) -> None:
    for arguments in ((), ("c", "--layers")):
        done = tool(tmp_path, "cleanup", *arguments)
        assert done.returncode == 2
        assert "parallel-cleanup --layers" in done.stderr
