"""What a person asks of a run that exists: packages done anew, the run given up, the plan edited in between."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.repository import command, commit_all, git, init, refs, tool

CHANGE = "add-words"
OWN = f"refs/parallel-impl/{CHANGE}"
PLAN = f"openspec/changes/{CHANGE}/work-packages.yaml"
PACKAGES = """\
schema_version: 1
feature: {{id: add-words}}
packages:
  - {{package_id: a, description: {a}, scope: {{write_allow: [a.txt]}}}}
  - {{package_id: b, description: {b}, depends_on: [a], scope: {{write_allow: [b.txt]}}}}
  - {{package_id: c, description: {c}, depends_on: [b], scope: {{write_allow: [c.txt]}}}}
  - {{package_id: d, description: {d}, scope: {{write_allow: [d.txt]}}}}
"""


class Scene:
    """A repository with the plan a <- b <- c, d, and an agent that notes what it is started for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.repo = folder, folder / "repo"
        self.repo.mkdir()
        init(self.repo)
        (self.repo / "parallel-impl.toml").write_text("setup = []\ngates.openspec = false\n")
        self.edit("The plan")
        text = f'echo "$1 $2" >>{folder}/log\n[ ! -e {folder}/fail-$1 ] || exit 1\necho "$1 $2" >$1.txt\n'
        self.agent = command(folder / "agent.sh", text)

    def edit(self, message: str, *more: str, **descriptions: str) -> str:
        """Commit the plan with these descriptions and more lines."""
        (self.repo / PLAN).parent.mkdir(parents=True, exist_ok=True)
        words = dict.fromkeys("abcd", "words") | descriptions
        (self.repo / PLAN).write_text("".join([PACKAGES.format(**words), *more]))
        return commit_all(self.repo, message)

    def fails(self, package: str, *, does: bool = True) -> None:
        file = self.folder / f"fail-{package}"
        file.touch() if does else file.unlink()

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        return tool(self.repo, "implement", CHANGE, "--agent", self.agent, *options)

    def kill_in(self, package: str) -> None:
        """Kill -9 a run whose agent is at work on `package`, and has written its file."""
        up, go = self.folder / "up", self.folder / "go"
        does = f'echo "$1 $2" >>{self.folder}/log\necho "$1 $2" >$1.txt\n'
        waiting = f"{does}[ $1 != {package} ] || [ -e {go} ] || {{ touch {up}; sleep 600; }}\n"
        agent = command(self.folder / "agent.sh", waiting)
        argv = [sys.executable, "-m", "parallel_impl", "implement", CHANGE, "--agent", agent]
        with subprocess.Popen(argv, cwd=self.repo, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as running:
            while not up.exists():
                assert running.poll() is None
                threading.Event().wait(0.02)
            running.kill()
        go.touch()

    def attempts(self) -> set[str]:
        """The attempts since the last time."""
        log = self.folder / "log"
        found = set(log.read_text().splitlines()) if log.exists() else set()
        log.unlink(missing_ok=True)
        return found

    def landed(self, name: str) -> str:
        return git(self.repo, "show", f"openspec/{CHANGE}:{name}")

    def summary(self) -> dict[str, object]:
        found: dict[str, object] = json.loads((self.repo / f".git/parallel-impl/{CHANGE}/summary.json").read_bytes())
        return found


@pytest.fixture
def fresh(tmp_path: Path) -> Scene:
    """No run yet."""
    return Scene(tmp_path)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A run that halted: c failed, the others are accepted."""
    scene = Scene(tmp_path)
    scene.fails("c")
    assert scene.run().returncode == 1
    assert scene.attempts() == {"a 1", "b 1", "c 1", "c 2", "d 1"}
    scene.fails("c", does=False)
    return scene


def test_a_restarted_package_is_done_anew_with_what_builds_on_it_and_its_work_is_kept(scene: Scene) -> None:
    before = git(scene.repo, "rev-parse", f"{OWN}/packages/b")
    done = scene.run("--restart", "b")
    assert done.returncode == 0, done.stderr
    assert "done again: b; and what builds on it: c" in done.stderr
    assert scene.attempts() == {"b 2", "c 3"}
    assert [scene.landed(f"{name}.txt") for name in "abcd"] == ["a 1", "b 2", "c 3", "d 1"]
    assert git(scene.repo, "rev-parse", f"{OWN}/attempts/b/1") == before


def test_an_unknown_package_cannot_be_restarted_nor_one_of_a_run_that_is_not_there(
    scene: Scene, tmp_path: Path
) -> None:
    done = scene.run("--restart", "bb")
    assert (done.returncode, "there is no package 'bb'" in done.stderr) == (2, True)
    assert scene.run("--abort").returncode == 0
    done = scene.run("--restart", "b")
    assert (done.returncode, "there is no run yet" in done.stderr) == (2, True)
    assert scene.attempts() == set()


def test_after_an_edit_unchanged_packages_keep_their_results_and_changed_ones_start_anew(scene: Scene) -> None:
    edited = scene.edit("Other words", b="'other words'")
    kept = git(scene.repo, "rev-parse", f"{OWN}/packages/a")
    done = scene.run()
    assert done.returncode == 0, done.stderr
    said = done.stderr.splitlines()
    assert "the plan was edited since this run started; this is revision 2:" in said
    assert said[said.index("  kept: a, d") : said.index("  kept: a, d") + 3] == [
        "  kept: a, d",
        "  changed, done again: b",
        "  done again, as they build on those: c",
    ]
    assert scene.attempts() == {"b 2", "c 3"}
    assert [scene.landed(f"{name}.txt") for name in "abcd"] == ["a 1", "b 2", "c 3", "d 1"]
    assert git(scene.repo, "rev-parse", f"{OWN}/packages/a") == kept
    assert git(scene.repo, "rev-parse", f"{OWN}/plans/2") == edited
    assert scene.landed(PLAN) == git(scene.repo, "show", f"main:{PLAN}")
    trailers = git(scene.repo, "show", "--no-patch", "--format=%(trailers:key=Plan-Revision)", f"{OWN}/packages/b")
    assert trailers.strip() == "Plan-Revision: 2"
    assert scene.summary()["plan_revision"] == 2


def test_an_edit_is_told_before_anything_runs_and_a_wrong_one_changes_nothing(scene: Scene) -> None:
    scene.edit("Another description", d="'yet other words'")
    dry = scene.run("--dry-run")
    assert (dry.returncode, "  changed, done again: d" in dry.stderr) == (0, True)
    scene.edit("Overlap", "  - {package_id: e, description: words, scope: {write_allow: [d.txt]}}\n")
    wrong = scene.run()
    assert wrong.returncode == 2
    assert "e and d may run at the same time and may both write" in wrong.stderr
    assert scene.attempts() == set()
    scene.edit("As it was")
    assert scene.run("--retry-failed").returncode == 0
    assert scene.attempts() == {"c 3"}


def test_a_package_can_be_added_and_one_taken_out(scene: Scene) -> None:
    plan = PACKAGES.format(**dict.fromkeys("abcd", "words")).replace("package_id: d", "package_id: e")
    (scene.repo / PLAN).write_text(plan.replace("d.txt", "e.txt"))
    commit_all(scene.repo, "e instead of d")
    work = git(scene.repo, "rev-parse", f"{OWN}/packages/d")
    done = scene.run("--retry-failed")
    assert done.returncode == 0, done.stderr
    assert "  new: e" in done.stderr.splitlines()
    assert "  gone, their work stays on refs of attempts: d" in done.stderr.splitlines()
    assert scene.attempts() == {"c 3", "e 1"}
    assert "d.txt" not in git(scene.repo, "ls-tree", "--name-only", f"openspec/{CHANGE}").splitlines()
    assert git(scene.repo, "rev-parse", f"{OWN}/attempts/d/1") == work
    assert f"{OWN}/packages/d" not in refs(scene.repo, f"{OWN}/packages")


def test_an_edit_survives_a_second_halt_and_a_second_edit(scene: Scene) -> None:
    scene.fails("b")
    scene.edit("Second", b="words of the next revision")
    assert scene.run().returncode == 1
    assert scene.attempts() == {"b 2", "b 3"}
    scene.fails("b", does=False)
    assert scene.run("--retry-failed").returncode == 0
    assert scene.attempts() == {"b 4", "c 3"}
    prompt = scene.repo / f".git/parallel-impl/{CHANGE}/attempts/b/4/prompt.md"
    # the first start after the edit is over, and the plan is still that one
    assert "words of the next revision" in prompt.read_text()


def test_an_aborted_run_keeps_its_work_and_the_next_one_goes_on_counting(scene: Scene) -> None:
    work = {name: git(scene.repo, "rev-parse", f"{OWN}/packages/{name}") for name in "abd"}
    done = scene.run("--abort")
    assert done.returncode == 0, done.stderr
    assert "aborted; the accepted work of 3 packages is kept" in done.stderr
    state = scene.repo / f".git/parallel-impl/{CHANGE}"
    assert (state / "journal.1.jsonl").is_file()
    assert not (state / "journal.jsonl").exists()
    assert refs(scene.repo, f"{OWN}/packages") == []
    assert {name: git(scene.repo, "rev-parse", f"{OWN}/attempts/{name}/1") for name in "abd"} == work
    assert "aborted" in tool(scene.repo, "status").stdout
    assert scene.run("--abort").returncode == 2
    assert scene.run().returncode == 0
    assert scene.attempts() == {"a 2", "b 2", "c 3", "d 2"}
    assert {name: git(scene.repo, "rev-parse", f"{OWN}/attempts/{name}/1") for name in "abd"} == work
    landed = scene.run("--abort")
    assert (landed.returncode, "landed already" in landed.stderr) == (2, True)


def test_what_was_aborted_is_cleaned_up_by_force_only(scene: Scene) -> None:
    scene.run("--abort")
    kept = tool(scene.repo, "cleanup", CHANGE)
    assert kept.returncode == 1
    assert f"{OWN}/attempts/a/1" in kept.stdout
    assert tool(scene.repo, "cleanup", CHANGE, "--force").returncode == 0
    assert refs(scene.repo, OWN) == []
    assert not (scene.repo / ".git/parallel-impl").exists()


def test_what_an_edit_takes_over_from_a_killed_attempt_is_saved_before_the_package_starts_anew(fresh: Scene) -> None:
    fresh.kill_in("b")
    fresh.edit("Other words", b="'other words'")
    done = fresh.run()
    assert done.returncode == 0, done.stderr
    assert fresh.attempts() == {"a 1", "b 1", "d 1", "b 2", "c 1"}
    assert git(fresh.repo, "show", f"{OWN}/attempts/b/1:b.txt") == "b 1"
    assert fresh.landed("b.txt") == "b 2"
    assert not (fresh.folder / "repo.worktrees").exists()


def test_a_package_that_an_edit_takes_out_while_its_attempt_was_killed_leaves_nothing_but_its_work(
    fresh: Scene,
) -> None:
    fresh.kill_in("d")
    plan = (fresh.repo / PLAN).read_text().splitlines(keepends=True)
    (fresh.repo / PLAN).write_text("".join(line for line in plan if "package_id: d" not in line))
    commit_all(fresh.repo, "Without d")
    done = fresh.run()
    assert done.returncode == 0, done.stderr
    assert git(fresh.repo, "show", f"{OWN}/attempts/d/1:d.txt") == "d 1"
    assert not (fresh.folder / "repo.worktrees").exists()


def test_aborting_a_killed_run_saves_what_was_in_flight(fresh: Scene) -> None:
    fresh.kill_in("b")
    assert fresh.run("--abort").returncode == 0
    assert git(fresh.repo, "show", f"{OWN}/attempts/b/1:b.txt") == "b 1"
    assert not (fresh.folder / "repo.worktrees").exists()
    assert fresh.run().returncode == 0
    assert fresh.landed("b.txt") == "b 2"


def test_an_edit_that_is_not_committed_is_told_with_the_commit_that_makes_it_the_next_revision(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    scene.fails("d")
    first = scene.run("--fail-fast", "--retry-failed")
    assert (first.returncode, "there is no run yet, so nothing to try again" in first.stderr) == (1, True)
    plan = scene.repo / PLAN
    plan.write_text(plan.read_text().replace("description: words", "description: other words"))
    told = scene.run("--dry-run").stderr
    assert "the plan is edited here, but not committed, and so not used" in told
    assert "the same command takes it as the next revision:\n    git add" in told
    assert "--abort" not in told
