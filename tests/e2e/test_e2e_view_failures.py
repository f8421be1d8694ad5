"""What a run does when the slot dies, when the kernel mounts nothing more, and when a layer is removed under it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from parallel_impl.views import mount
from parallel_impl.views.view import Means
from tests.e2e.test_e2e_views import AGENT, STORE, Scene
from tests.means import ability
from tests.repository import command, tool, wait_for

# an agent says that it is at work, and waits for what happens meanwhile
WAIT = "touch {0}/up-$1-$2\nwhile [ ! -e {0}/go-$1-$2 ]; do sleep 0.05; done\n"


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    ability(Means.OVERLAY)
    scene = Scene(tmp_path, Means.OVERLAY)
    scene.agent = command(tmp_path / "agent.sh", WAIT.format(tmp_path) + AGENT.format(tmp_path))
    return scene


class Running:
    """A run that goes on until its agents are told to, attempt by attempt."""

    def __init__(self, scene: Scene, process: subprocess.Popen[bytes], said: Path) -> None:
        self.scene, self.process, self.said = scene, process, said

    def meets(self, attempt: str) -> None:
        """Until the agent of this attempt is at work, and the run knows that."""
        wait_for(self.scene.folder / f"up-{attempt}", self.process)
        package, _, number = attempt.rpartition("-")
        records = f".git/parallel-impl/*/attempts/{package}/{number}/attempt.json"
        while not any(json.loads(one.read_bytes()).get("pid") for one in self.scene.repo.glob(records)):
            assert self.process.poll() is None, self.said.read_text()
            time.sleep(0.01)

    def goes_on(self, attempt: str) -> None:
        (self.scene.folder / f"go-{attempt}").touch()

    def ends(self) -> tuple[int, str]:
        return self.process.wait(120), self.said.read_text()

    def kill_slot(self) -> None:
        # one with another session is the first process of an agent
        found = [pid for pid in _children(self.process.pid) if mount.__file__ in _command(pid)]
        (slot,) = [pid for pid in found if os.getsid(pid) == os.getsid(self.process.pid)]
        os.kill(slot, signal.SIGKILL)


@contextmanager
def running(scene: Scene, *before: str, change: str = "c") -> Iterator[Running]:
    arguments = [*before, sys.executable, "-m", "parallel_impl", "implement", change, "--agent", scene.agent]
    with (scene.folder / f"said-{change}").open("wb") as said:
        process = subprocess.Popen(
            arguments, cwd=scene.repo, env=os.environ | scene.env, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
    try:
        yield Running(scene, process, scene.folder / f"said-{change}")
    finally:
        process.kill()
        process.wait()


def _children(parent: int) -> Iterator[int]:
    for task in Path(f"/proc/{parent}/task").iterdir():
        yield from map(int, (task / "children").read_text().split())


def _command(pid: int) -> Sequence[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def failures(scene: Scene) -> Mapping[str, list[str]]:
    """The codes with which attempts of each package ended."""
    found: dict[str, list[str]] = {}
    for ended in scene.journal("attempt-ended"):
        found.setdefault(ended["package"], []).append(ended["code"])
    return found


def test_a_slot_that_dies_while_an_agent_works_is_started_again_and_costs_nothing(scene: Scene) -> None:
    with running(scene) as run:
        run.meets("wp-a-1")
        run.kill_slot()
        run.goes_on("wp-a-1")
        run.meets("wp-b-1")
        run.goes_on("wp-b-1")
        code, said = run.ends()
    assert code == 0, said
    assert scene.lines("paid") == ["wp-a 1", "wp-b 1"]
    assert failures(scene) == {"wp-a": [""], "wp-b": [""]}


def test_a_slot_that_dies_twice_halts_the_run_and_nothing_is_lost(scene: Scene) -> None:
    with running(scene) as run:
        for attempt in ("wp-a-1", "wp-b-1"):
            run.meets(attempt)
            run.kill_slot()
            run.goes_on(attempt)
        code, said = run.ends()
    assert code == 1, said
    assert "checkouts cannot be mounted" in said
    assert "the process that mounts views has ended 2 times; its last lines:" in said
    assert "it printed nothing (exit -9)" in said
    assert 'checkouts = "each"' in said
    again = tool(scene.repo, "implement", "c", "--agent", scene.agent, env=scene.env)
    assert again.returncode == 0, again.stdout + again.stderr
    assert scene.lines("paid") == ["wp-a 1", "wp-b 1"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change the limits of another user namespace")
def test_three_attempts_whose_views_cannot_be_mounted_halt_the_run_and_cost_no_retry(scene: Scene) -> None:
    def allow(number: int) -> None:
        inside = ["nsenter", "--user", f"--target={run.process.pid}", "--preserve-credentials"]
        limit = f"echo {number} >/proc/sys/user/max_mnt_namespaces"
        subprocess.run([*inside, "sh", "-c", limit], check=True)

    with running(scene, "unshare", "--user", "--map-root-user") as run:
        run.meets("wp-a-1")
        allow(0)
        run.goes_on("wp-a-1")
        code, said = run.ends()
    assert code == 1, said
    assert "unshare: No space left on device" in said
    assert 'checkouts = "each"' in said
    assert failures(scene) == {"wp-a": ["INTERRUPTED", "INTERRUPTED", "INTERRUPTED"]}
    assert scene.lines("paid") == ["wp-a 1"]
    for attempt in ("wp-a-4", "wp-b-1"):
        run.goes_on(attempt)
    again = tool(scene.repo, "implement", "c", "--agent", scene.agent, env=scene.env)
    assert again.returncode == 0, again.stdout + again.stderr


@pytest.mark.parametrize(("attempt", "paid"), [("wp-a-1", ["wp-a 2", "wp-b 1"]), ("wp-b-1", ["wp-a 1", "wp-b 1"])])
def test_a_layer_that_is_removed_during_a_run_is_made_again_and_nothing_that_ran_on_it_is_believed(
    scene: Scene, attempt: str, paid: list[str]
) -> None:
    """wp-a fails without it, which is not its fault; wp-b goes on, and wp-a has been verified on it."""
    with running(scene) as run:
        if attempt == "wp-b-1":
            run.goes_on("wp-a-1")
        run.meets(attempt)
        for layer in (scene.folder / STORE).glob("*/*/files"):
            shutil.rmtree(layer.parent)
        run.goes_on(attempt)
        code, said = run.ends()
    assert code == 1, said
    assert "was changed after set-up had made it" in said
    assert "the same command makes it again" in said
    assert set(scene.lines("paid")) <= {"wp-a 1", "wp-b 1"}
    for later in ("wp-a-2", "wp-b-1"):
        run.goes_on(later)
    again = tool(scene.repo, "implement", "c", "--agent", scene.agent, env=scene.env)
    assert again.returncode == 0, again.stdout + again.stderr
    assert [line for line in scene.lines("paid") if line in paid] == paid
    assert failures(scene)["wp-a"][-1] == ""
