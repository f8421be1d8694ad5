"""The real OpenSpec CLI: init, status, validate as a gate, tasks ticked, archive; and that it asks no network of us."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.clients.scene import INSTALLED
from tests.repository import commit_all, git, init, make_repository, replay, tool

pytestmark = pytest.mark.clients
Run = tuple[Path, Mapping[str, str]]


@pytest.fixture
def env() -> Mapping[str, str]:
    """The environment in which `openspec` is the installed one."""
    if not (INSTALLED / "bin/openspec").exists():
        pytest.skip("openspec is not installed: make clients")
    path = f"{INSTALLED / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "OPENSPEC_TELEMETRY": "0", "OPENSPEC_NO_UPDATE_CHECK": "1"}


@pytest.fixture
def landed(tmp_path: Path, env: Mapping[str, str]) -> Run:
    """`fix-typos` in a repository of its own, run to its landing with the gate on."""
    repo = make_repository("no-contracts", tmp_path)
    (repo / "parallel-impl.toml").write_text("setup = []\n")
    commit_all(repo, "the gate is on")
    done = tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts"), env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "texts checked by openspec" in done.stdout + done.stderr
    return repo, env


def openspec(folder: Path, env: Mapping[str, str], *args: str) -> str:
    """What the CLI prints."""
    done = subprocess.run(
        ["openspec", *args],
        cwd=folder,
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout


def gates(repo: Path) -> dict[str, dict[str, str]]:
    summary = json.loads((repo / ".git/parallel-impl/fix-typos/summary.json").read_text())
    return {gate["name"]: gate for gate in summary["gates"]}


def test_the_gate_reads_what_openspec_prints_and_all_tasks_are_done_for_it(landed: Run) -> None:
    repo, env = landed
    gate = gates(repo)["openspec"]
    assert (gate["verdict"], gate["command"]) == ("passed", "openspec validate fix-typos --strict --json")
    git(repo, "switch", "--quiet", "openspec/fix-typos")
    (change,) = json.loads(openspec(repo, env, "list", "--json"))["changes"]
    assert (change["completedTasks"], change["totalTasks"]) == (2, 2)


def test_a_merged_change_is_archived_as_openspec_does_it(landed: Run) -> None:
    repo, env = landed
    git(repo, "merge", "--quiet", "--squash", "openspec/fix-typos")
    commit_all(repo, "squashed")
    done = tool(repo, "cleanup", "fix-typos", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "archived fix-typos as " in done.stdout
    git(repo, "merge", "--quiet", "--ff-only", "archive/fix-typos")
    assert (
        json.loads(openspec(repo, env, "validate", "--all", "--strict", "--json"))["summary"]["totals"]["failed"] == 0
    )
    assert [one["id"] for one in json.loads(openspec(repo, env, "list", "--specs", "--json"))["specs"]] == ["guide"]
    again = tool(repo, "implement", "fix-typos", env=env)
    assert (again.returncode, "is archived as openspec/changes/archive/" in again.stderr) == (0, True)


def test_a_text_that_becomes_invalid_is_a_new_finding(tmp_path: Path, env: Mapping[str, str]) -> None:
    repo = make_repository("no-contracts", tmp_path)
    (repo / "parallel-impl.toml").write_text("setup = []\n")
    plan = repo / "openspec/changes/fix-typos/work-packages.yaml"
    scope = "write_allow: [index.md, openspec/changes/fix-typos/specs/**]"
    plan.write_text(plan.read_text().replace("write_allow: [index.md]", scope))
    (repo / "openspec/changes/fix-typos/design.md").unlink()
    commit_all(repo, "the gate is on")
    script = tmp_path / "agent.sh"
    script.write_text(
        "case $1 in\n"
        "wp-guide) echo '# Guide' > guide.md ;;\n"
        "wp-index) echo x >> index.md; echo > openspec/changes/fix-typos/specs/guide/spec.md ;;\n"
        "esac\n"
    )
    done = tool(repo, "implement", "fix-typos", "--agent", f"command: sh {script} {{package_id}}", env=env)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "openspec takes the change for incomplete: design.md not written" in done.stderr
    assert gates(repo)["openspec"]["verdict"] == "failed"


def test_openspec_knows_the_artifacts_that_init_adds(tmp_path: Path, env: Mapping[str, str]) -> None:
    init(tmp_path)
    openspec(tmp_path, env, "init", "--tools", "claude,opencode,codex", "--no-animation", ".")
    commit_all(tmp_path, "openspec")
    done = tool(tmp_path, "init", "--skills", "--yes", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is valid" in openspec(tmp_path, env, "schema", "validate", "parallel-packages")
    openspec(tmp_path, env, "new", "change", "add-x", "--json")
    status = json.loads(openspec(tmp_path, env, "status", "--change", "add-x", "--json"))
    assert [one["id"] for one in status["artifacts"]][-2:] == ["contracts", "work-packages"]
    assert status["applyRequires"] == ["tasks", "work-packages"]
    told = openspec(tmp_path, env, "instructions", "work-packages", "--change", "add-x")
    assert "parallel-impl validate <change-id>" in told
    for path in (".claude/commands", ".opencode/commands"):
        assert (tmp_path / path / "parallel-implement.md").is_file()
    assert (tmp_path / ".agents/skills/parallel-cleanup/SKILL.md").is_file()
