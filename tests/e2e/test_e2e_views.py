"""Checkouts as views in whole runs: set-up once, and what halts when somebody changed what it made."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from parallel_impl.views.view import Means
from tests.means import ability
from tests.repository import command, commit_all, git, init, start, tool, wait_for

PACKAGE = """
  - package_id: {name}
    description: Writes a file.
    retry_budget: 0
    scope: {{write_allow: [{name}.txt, inputs/]}}
    depends_on: [{above}]
    verification: {{steps: [{{name: check, kind: command, command: "test ! -e {name}.txt || test -e made/it"}}]}}
"""
# what it reads is an input; it counts how often it runs, in no tracked file: it would name what is the checkout's own
SETUP = "mkdir made; cat inputs/wanted >made/it; sh {0}/count"
COUNT = "echo ${{PARALLEL_IMPL_PACKAGE-base}} >>{0}/set-ups\n"
# beside what set-up read there are new files, which it did not look for
AGENT = 'echo "$1 $2" >>{0}/paid\necho x >$1.txt\necho x >inputs/$1\n[ $1 != wp-b ] || echo more >>inputs/wanted\n'
STORE = "repo.worktrees/_layers"


class Scene:
    """A repository whose set-up is kept, with one package after the other."""

    def __init__(self, folder: Path, means: Means, *lines: str) -> None:
        self.folder, self.repo, self.means = folder, folder / "repo", means
        change = self.repo / "openspec/changes/c"
        change.mkdir(parents=True)
        (change / "proposal.md").write_text("# C\n")
        (change / "tasks.md").write_text("## 1. All\n- [ ] 1.1 Write the files\n")
        plan = PACKAGE.format(name="wp-a", above="") + PACKAGE.format(name="wp-b", above="wp-a")
        (change / "work-packages.yaml").write_text(f"schema_version: 1\nfeature: {{id: c}}\npackages:{plan}")
        (self.repo / "inputs").mkdir()
        (self.repo / "inputs/wanted").write_text("one\n")
        (self.repo / ".gitignore").write_text("made/\n")
        (self.repo / ".gitattributes").write_text("* text=auto\n")  # so all files are read before set-up runs
        (folder / "count").write_text(COUNT.format(folder))
        setup = json.dumps(SETUP.format(folder))
        settings = (f"setup = [{setup}]", "setup_keep = true", "gates.openspec = false", *lines, "")
        (self.repo / "parallel-impl.toml").write_text("\n".join(settings))
        init(self.repo)
        commit_all(self.repo, "base")
        self.agent = command(folder / "agent.sh", AGENT.format(folder))
        self.env = {"PARALLEL_IMPL_CHECKOUTS": str(means)}

    def lines(self, name: str) -> list[str]:
        return (self.folder / name).read_text().splitlines()

    def journal(self, kind: str) -> list[dict[str, Any]]:
        lines = (self.repo / ".git/parallel-impl/c/journal.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]


@pytest.fixture(params=[Means.OVERLAY, Means.COPY])
def means(request: pytest.FixtureRequest) -> Iterator[Means]:
    found: Means = request.param
    ability(found)
    yield found


def test_set_up_runs_once_for_all_checkouts_and_again_where_its_input_changed(tmp_path: Path, means: Means) -> None:
    scene = Scene(tmp_path, means)
    done = tool(scene.repo, "implement", "c", "--agent", scene.agent, env=scene.env)
    assert done.returncode == 0, done.stdout + done.stderr
    # the base and all of wp-a; what wp-b changed is an input, so its verification has a set-up of its own
    assert scene.lines("set-ups") == ["base", "wp-b"]
    assert "set-up once" in done.stdout + done.stderr
    summary = json.loads((scene.repo / ".git/parallel-impl/c/summary.json").read_text())
    assert summary["set_up"].startswith("once, ")
    assert "; again for wp-b (inputs/wanted), " in summary["set_up"]
    assert summary["notes"] == []
    assert not (tmp_path / "repo.worktrees/_checkout").exists()
    assert not (tmp_path / STORE / "views").exists()


def test_a_changed_layer_halts_and_what_was_verified_on_it_is_judged_again_without_an_agent(tmp_path: Path) -> None:
    ability(Means.OVERLAY)
    gate = f"[ -e {tmp_path}/go ] || {{ touch {tmp_path}/up; read -r word <{tmp_path}/pipe; }}"
    scene = Scene(tmp_path, Means.OVERLAY, f"gates.wait = {json.dumps(gate)}")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "go").touch()
    agent = command(tmp_path / "own.sh", AGENT.format(tmp_path) + f"[ $1 != wp-b ] || rm {tmp_path}/go\n")
    with (tmp_path / "said").open("wb") as said:
        running = start(scene.repo, "implement", "c", "--agent", agent, env=scene.env, output=said.fileno())
        wait_for(tmp_path / "up", running)
        (layer,) = [made for made in (tmp_path / STORE).glob("*/*/files/made/it") if made.read_text() == "one\n"]
        layer.write_text("ONE\n")
        (tmp_path / "go").touch()
        (tmp_path / "pipe").write_text("on\n")
        running.wait()
    text = (tmp_path / "said").read_text()
    assert running.returncode == 1, text
    assert "made/it was changed after set-up had made it" in text
    assert "verified on it: wp-a" in text
    (changed,) = scene.journal("layers-changed")
    assert changed["packages"] == ["wp-a"]
    again = tool(scene.repo, "implement", "c", "--agent", agent, env=scene.env)
    assert again.returncode == 0, again.stdout + again.stderr
    assert scene.lines("paid") == ["wp-a 1", "wp-b 1"]
    assert [(one["package"], one["judges"]) for one in scene.journal("attempt-started") if one["judges"]] == [
        ("wp-a", 1),
        ("wp-b", 1),
    ]
    assert git(scene.repo, "show", "openspec/c:inputs/wanted") == "one\nmore"
