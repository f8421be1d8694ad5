"""Everything is killed while an agent works; two runs make the same layer at once: nothing is lost or done twice."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from parallel_impl.processes import procfs
from parallel_impl.views.view import Means
from tests.e2e.test_e2e_view_failures import WAIT, Running, running
from tests.e2e.test_e2e_views import AGENT, STORE, Scene
from tests.faults.scene import mounted
from tests.means import ability
from tests.repository import command, commit_all, git, tool

CHANGES = "printf 'by %s\\n' $2 >$1.txt; rm inputs/old; mv inputs/folder inputs/moved; ln -s wanted inputs/link\n"


def kill_all(run: Running) -> None:
    """The run and everything that came from it, at once."""
    below = procfs.descendants(run.process.pid)
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in (run.process.pid, *below):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
    run.process.wait()


def lay_out(folder: Path, means: Means) -> Scene:
    """Agents change, remove, rename and link before they wait."""
    folder.mkdir()
    scene = Scene(folder, means)
    (scene.repo / "inputs/folder").mkdir()
    for name in ("old", "folder/one", "folder/two"):
        (scene.repo / "inputs" / name).write_text(f"{name}\n")
    commit_all(scene.repo, "more")
    scene.agent = command(folder / "agent.sh", CHANGES + WAIT.format(folder) + AGENT.format(folder))
    return scene


def recovered(scene: Scene) -> list[str]:
    """What the killed attempt had done, as it was taken; the run has landed then."""
    for attempt in ("wp-a-2", "wp-b-1"):
        (scene.folder / f"go-{attempt}").touch()
    scene.agent = command(scene.folder / "agent.sh", AGENT.format(scene.folder))
    again = tool(scene.repo, "implement", "c", "--agent", scene.agent, env=scene.env)
    assert again.returncode == 0, again.stdout + again.stderr
    return git(scene.repo, "diff-tree", "-r", "HEAD", "refs/parallel-impl/c/attempts/wp-a/1").splitlines()


def test_what_an_agent_had_done_when_all_was_killed_is_taken_from_plain_files_and_the_same_by_all_means(
    tmp_path: Path,
) -> None:
    ability(Means.OVERLAY)
    taken = list[list[str]]()
    for means in Means:
        scene = lay_out(tmp_path / means, means)
        with running(scene) as run:
            run.meets("wp-a-1")
            kill_all(run)
        assert list(mounted(scene.folder)) == []
        set_ups = scene.lines("set-ups")
        taken.append(recovered(scene))
        if means is not Means.EACH:  # the second start found the layer of the first one
            assert set_ups == ["base"]
            assert scene.lines("set-ups").count("base") == 1
    assert [" ".join(line.split()[-2:]) for line in taken[0]] == [
        "D inputs/folder/one",
        "D inputs/folder/two",
        "A inputs/link",
        "A inputs/moved/one",
        "A inputs/moved/two",
        "D inputs/old",
        "A wp-a.txt",
    ]
    assert taken[0] == taken[1] == taken[2]


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Scene]:
    """Two changes of one repository, whose set-ups end when both have begun."""
    ability(Means.OVERLAY)
    scene = Scene(tmp_path, Means.OVERLAY, "heavy_jobs = 8")
    other = scene.repo / "openspec/changes/d"
    shutil.copytree(scene.repo / "openspec/changes/c", other)
    plan = (other / "work-packages.yaml").read_text()
    for old, new in (("{id: c}", "{id: d}"), ("wp-a", "wp-c"), ("wp-b", "wp-d"), (", inputs/", "")):
        plan = plan.replace(old, new)
    (other / "work-packages.yaml").write_text(plan)
    first = scene.repo / "openspec/changes/c/work-packages.yaml"
    first.write_text(first.read_text().replace(", inputs/", ""))
    commit_all(scene.repo, "two changes")
    both = f"while [ $(wc -l <{tmp_path}/set-ups) -lt 2 ]; do sleep 0.05; done\n"
    with (tmp_path / "count").open("a") as count:
        count.write(both)
    scene.agent = command(tmp_path / "agent.sh", f'echo "$1 $2" >>{tmp_path}/paid\necho x >$1.txt\n')
    yield scene


def test_two_runs_that_make_one_layer_at_once_both_use_the_first_that_is_there(two: Scene) -> None:
    with ExitStack() as stack:
        runs = [stack.enter_context(running(two, change=change)) for change in ("c", "d")]
        ended = [run.ends() for run in runs]
    assert [code for code, _ in ended] == [0, 0], ended
    assert two.lines("set-ups") == ["base", "base"]  # and no other: each waited for both
    assert len(list((two.folder / STORE).glob("*/*/layer.json"))) == 1
    assert [path.name for path in (two.folder / STORE).rglob(".making-*")] == []
    assert list(mounted(two.folder)) == []
