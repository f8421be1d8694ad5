"""What an agent did is paid for once; every test here fails without its wiring."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.repository import command, commit_all, git, init, start, tool, wait_for

CHANGE = "add-words"
OWN = f"refs/parallel-impl/{CHANGE}"
STATE = f".git/parallel-impl/{CHANGE}"
PLAN = f"openspec/changes/{CHANGE}/work-packages.yaml"
CONFIGURED = ("setup = []", "gates.openspec = false")
HEAD = "schema_version: 1\nfeature: {id: add-words}\npackages:\n"


def package(name: str, *, scope: str = "", step: str = "true", above: str = "") -> str:
    return (
        f"  - {{package_id: {name}, description: words, depends_on: [{above}], retry_budget: 0,\n"
        f"     scope: {{write_allow: [{scope or f'{name}.txt'}]}},\n"
        f"     verification: {{steps: [{{name: s, kind: command, command: {json.dumps(step)}}}]}}}}\n"
    )


class Scene:
    """A repository with a plan, and an agent that notes what it is started for."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.repo = folder, folder / "repo"
        self.repo.mkdir()
        init(self.repo)
        self.agent = command(
            folder / "agent.sh",
            f'echo "$1 $2" >>{folder}/paid\necho "$1" >$1.txt\n[ $1 != a ] || echo more >a2.txt\n'
            'echo "{\\"notes\\": [\\"did $1\\"]}" >"$PARALLEL_IMPL_REPORT_FILE"\n',
        )

    def plan(self, *packages: str) -> None:
        (self.repo / PLAN).parent.mkdir(parents=True, exist_ok=True)
        (self.repo / PLAN).write_text(HEAD + "".join(packages))
        commit_all(self.repo, "The plan")

    def configure(self, *lines: str) -> None:
        (self.repo / "parallel-impl.toml").write_text("\n".join((*CONFIGURED, *lines, "")))
        commit_all(self.repo, "Configure")

    def run(self, *options: str, **env: str) -> subprocess.CompletedProcess[str]:
        return tool(self.repo, "implement", CHANGE, *options, env=env)

    def paid(self) -> list[str]:
        return (self.folder / "paid").read_text().splitlines()

    def journal(self, kind: str) -> list[dict[str, Any]]:
        lines = (self.repo / STATE / "journal.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]

    def judged(self) -> list[tuple[str, int]]:
        return [(one["package"], one["judges"]) for one in self.journal("attempt-started") if one["judges"]]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    made = Scene(tmp_path)
    made.configure()
    return made


def test_work_is_judged_again_by_an_edited_plan_before_an_agent_is_paid(scene: Scene) -> None:
    b, c = package("b", above="a", step="test -e b2.txt"), package("c", above="b")
    scene.plan(package("a"), b, c)
    assert scene.run("--agent", scene.agent).returncode == 1
    assert [one["code"] for one in scene.journal("attempt-ended")] == ["SCOPE_VIOLATION"]

    scene.plan(package("a", scope="a.txt, a2.txt"), b, c)
    wider = scene.run()
    assert wider.returncode == 1
    assert "judged otherwise, so what was done is judged again first: a" in wider.stderr
    assert "a  what attempt 1 did is judged again, without an agent" in wider.stdout
    assert scene.paid() == ["a 1", "b 1"]

    git(scene.repo, "checkout", "--quiet", "HEAD~1")
    older = scene.run("--dry-run")
    assert "is an earlier one" in older.stderr and "the plan was edited" not in older.stderr
    git(scene.repo, "checkout", "--quiet", "main")

    # accepted work too: `a` is judged by another step, and `b`, which stands on its tree, by a repaired one
    scene.plan(package("a", scope="a.txt, a2.txt", step="test -e a2.txt"), package("b", above="a"), c)
    done = scene.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert scene.paid() == ["a 1", "b 1", "c 1"]
    assert scene.judged() == [("a", 1), ("a", 1), ("b", 1)]
    assert git(scene.repo, "show", f"openspec/{CHANGE}:a2.txt") == "more"
    assert git(scene.repo, "rev-parse", f"{OWN}/attempts/a/3^{{tree}}") == git(
        scene.repo, "rev-parse", f"{OWN}/attempts/a/1^{{tree}}"
    )
    trailers = git(
        scene.repo, "show", "-s", "--format=%(trailers:key=Agent)%(trailers:key=Attempt)", f"{OWN}/packages/b"
    )
    assert trailers.split("\n")[:2] == [f"Agent: {scene.agent}", "Attempt: 2"]
    result = json.loads((scene.repo / STATE / "attempts/b/2/result.json").read_text())
    assert (result["agent"]["name"], result["report"]["notes"]) == (scene.agent, ["did b"])


def test_what_work_was_made_with_is_revised_and_what_has_landed_is_known(scene: Scene) -> None:
    scene.plan(package("b", step='test "$WORD_X" = yes'))
    assert scene.run("--agent", scene.agent, WORD_X="yes").returncode == 1
    scene.configure("pass_env = ['WORD_X']", "jobs = 2")
    done = scene.run(WORD_X="yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"agent: {scene.agent}, as this run had it; to take another, give --agent" in done.stderr
    assert "judged again, as their work may be right with that: b" in done.stderr
    (event,) = scene.journal("configuration-revised")
    assert (event["keys"], event["judged"], event["again"]) == (["pass_env", "jobs"], ["b"], [])
    assert scene.journal("run-continued")[0]["jobs"] == 2
    assert scene.paid() == ["b 1"]

    assert "start again after: parallel-cleanup" in scene.run("--again").stderr
    git(scene.repo, "merge", "--quiet", "--squash", f"openspec/{CHANGE}")
    git(scene.repo, "commit", "--quiet", "--no-edit")
    assert tool(scene.repo, "cleanup", CHANGE, "--force", "--no-archive").returncode == 0
    git(scene.repo, "branch", "-D", f"openspec/{CHANGE}")
    known = scene.run("--agent", scene.agent)
    assert (known.returncode, scene.paid()) == (0, ["b 1"])
    assert f"{CHANGE} is already in HEAD: 1 package: b {git(scene.repo, 'rev-parse', 'HEAD')[:12]}" in known.stderr
    assert f"to redo it: parallel-implement {CHANGE} --again" in known.stderr
    assert not (scene.repo / STATE).exists()
    scene.run("--agent", scene.agent, "--again", WORD_X="yes")
    assert scene.paid() == ["b 1", "b 1"]


def test_work_whose_steps_were_killed_is_not_done_again(scene: Scene) -> None:
    up, go = scene.folder / "up", scene.folder / "go"
    scene.plan(package("b", step=f"grep -q b b.txt; test -e {go} || {{ touch {up}; sleep 600; }}"))
    scene.configure("base_minutes = 0")
    running = start(scene.repo, "implement", CHANGE, "--agent", scene.agent)
    wait_for(up, running)
    running.kill()
    running.wait(timeout=60)
    go.touch()
    done = scene.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert (scene.paid(), scene.judged()) == (["b 1"], [("b", 1)])
