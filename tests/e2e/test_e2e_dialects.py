"""Plans, task lists and change folders as people have them: what is refused or rewritten before an agent is paid."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.repository import command, commit_all, git, make_repository, replay, tool

PLAN = "openspec/changes/fix-typos/work-packages.yaml"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository("no-contracts", tmp_path)


def test_an_older_plan_is_refused_by_a_run_and_runs_after_fix(repo: Path) -> None:
    plan = repo / PLAN
    text = plan.read_text().replace("package_id", "id").replace("depends_on", "dependencies")
    plan.write_text(f"# a word of the author\n{text}")
    plan.chmod(0o600)
    commit_all(repo, "An older plan")
    for arguments in (("implement", "fix-typos", "--dry-run"), ("validate", "fix-typos")):
        refused = tool(repo, *arguments)
        assert refused.returncode == 2
        assert "    parallel-impl validate fix-typos --fix\n" in refused.stderr
    assert plan.read_text() == f"# a word of the author\n{text}"
    fixed = tool(repo, "validate", "fix-typos", "--fix")
    assert fixed.returncode == 0
    assert f"{PLAN}: rewritten: id for package_id, dependencies for depends_on" in fixed.stdout
    assert plan.read_text().startswith("# a word of the author\n")
    assert plan.stat().st_mode & 0o777 == 0o600
    lines = [f"git add {PLAN}", "git commit -m 'Plan of fix-typos'"]
    assert fixed.stdout.splitlines()[1:4] == ["a run reads what is committed:", *(f"    {line}" for line in lines)]
    too_early = tool(repo, "implement", "fix-typos", "--dry-run")
    assert too_early.returncode == 2
    assert "the file here is repaired already, but not committed in HEAD:\n    git add openspec/" in too_early.stderr
    assert "--fix" not in too_early.stderr
    for line in lines:
        subprocess.run(["sh", "-c", line], cwd=repo, check=True)
    assert tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts")).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write for others")
def test_fix_leaves_the_plan_to_its_owner(repo: Path) -> None:
    plan = repo / PLAN
    plan.write_text(plan.read_text().replace("package_id:", "id:"))
    os.chown(plan, 4321, 4322)
    assert tool(repo, "validate", "fix-typos", "--fix").returncode == 0
    assert "package_id:" in plan.read_text()
    assert (plan.stat().st_uid, plan.stat().st_gid) == (4321, 4322)


def test_fix_changes_no_plan_that_is_sound_and_says_what_it_cannot_rewrite(repo: Path) -> None:
    plan = repo / PLAN
    before = plan.read_bytes()
    assert tool(repo, "validate", "fix-typos", "--fix").returncode == 0
    assert plan.read_bytes() == before
    plan.write_text(plan.read_text().replace("package_id", "id").replace("feature:", "dag: x\nfeature:"))
    left = tool(repo, "validate", "fix-typos", "--fix")
    assert left.returncode == 2
    assert "rewritten: id for package_id" in left.stdout
    assert "unknown key dag" in left.stderr


def test_each_agent_is_given_its_own_tasks_and_what_cannot_be_read_is_reported(repo: Path) -> None:
    tasks = (
        "## 1. Guide\n1. [ ] 1.1 Correct the TITLE\n- [] 1.2 Print the LIST\n## 2. Index\n+ [~] 2.1 Correct the INDEX\n"
    )
    (repo / "openspec/changes/fix-typos/tasks.md").write_text(tasks)
    commit_all(repo, "Tasks in other forms")
    done = tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts"))
    assert done.returncode == 0
    assert "openspec/changes/fix-typos/tasks.md:3: warning: a box that cannot be read" in done.stderr + done.stdout
    given = {}
    for package in ("wp-guide", "wp-index"):
        prompt = (repo / f".git/parallel-impl/fix-typos/attempts/{package}/1/prompt.md").read_text()
        given[package] = [word for word in ("TITLE", "LIST", "INDEX") if word in prompt]
    assert given == {"wp-guide": ["TITLE"], "wp-index": ["INDEX"]}


def test_a_name_of_no_task_is_a_warning(repo: Path) -> None:
    plan = repo / PLAN
    plan.write_text(plan.read_text().replace('["1.1"]', '["1.1", "1.9"]'))
    commit_all(repo, "A task that is not there")
    done = tool(repo, "implement", "fix-typos", "--dry-run")
    assert done.returncode == 0
    assert "is called '1.9': wp-guide is not told of it" in done.stderr + done.stdout


@pytest.mark.parametrize("linked", ["symlink", "submodule"])
def test_a_scope_behind_a_link_is_refused_by_run_and_validate_alike(linked: str, repo: Path, tmp_path: Path) -> None:
    if linked == "symlink":
        (repo / "docs").mkdir()
        (repo / "docs/a.md").write_text("a\n")
        (repo / "lib").symlink_to("docs")
        expected = '"lib/**" lies behind the symlink lib, which leads to docs'
    else:
        library = tmp_path / "library"
        library.mkdir()
        git(library, "init", "--quiet")
        (library / "a.c").write_text("a\n")
        commit_all(library, "A library")
        git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "lib")
        expected = '"lib/**" lies in the submodule lib'
    plan = repo / PLAN
    plan.write_text(plan.read_text().replace("[guide.md]", "[guide.md, lib/**]"))
    commit_all(repo, "A scope behind a link")
    ran = tmp_path / "ran"
    agent = command(tmp_path / "agent.sh", f"touch {ran}")
    for arguments in (("implement", "fix-typos", "--agent", agent), ("validate", "fix-typos")):
        refused = tool(repo, *arguments)
        assert refused.returncode == 2
        assert expected in refused.stderr
    assert not ran.exists()


@pytest.mark.parametrize("rules", [".gitignore", ".git/info/exclude"])
def test_the_lines_for_an_ignored_change_work_as_they_are_printed(rules: str, repo: Path) -> None:
    git(repo, "rm", "-r", "--quiet", "--cached", "openspec")
    git(repo, "commit", "--quiet", "-m", "openspec is not ours to keep")
    (repo / rules).write_text("openspec/\n")
    refused = tool(repo, "implement", "fix-typos", "--dry-run")
    assert refused.returncode == 2
    assert f"{rules}:1: openspec/" in refused.stderr
    lines = [line.split(" ", 2) for line in map(str.strip, refused.stderr.splitlines()) if line.startswith("git ")]
    assert lines == [["git", "add", "-f openspec/changes/fix-typos"], ["git", "commit", "-m 'Plan of fix-typos'"]]
    git(repo, "add", "-f", "openspec/changes/fix-typos")
    git(repo, "commit", "--quiet", "-m", "Plan of fix-typos")
    assert tool(repo, "implement", "fix-typos", "--dry-run").returncode == 0


def test_a_change_in_a_namespace_is_named_as_what_it_is(repo: Path) -> None:
    (repo / "openspec/changes/platform").mkdir()
    git(repo, "mv", "openspec/changes/fix-typos", "openspec/changes/platform/fix-typos")
    commit_all(repo, "In a namespace")
    move = "git mv openspec/changes/platform/fix-typos openspec/changes/"
    for name in ("platform/fix-typos", "platform", "fix-typos"):
        for door in (("implement", name, "--dry-run"), ("validate", name)):
            refused = tool(repo, *door)
            assert refused.returncode == 2
            assert "namespace" in refused.stderr
            assert move in refused.stderr
    refused = tool(repo, "validate", "openspec/changes/platform/fix-typos")
    assert refused.returncode == 2
    assert move in refused.stderr


def test_a_change_may_have_128_characters(repo: Path) -> None:
    name = "fix-" + "typos-" * 20 + "here"
    assert len(name) == 128
    git(repo, "mv", "openspec/changes/fix-typos", f"openspec/changes/{name}")
    plan = repo / f"openspec/changes/{name}/work-packages.yaml"
    plan.write_text(plan.read_text().replace("fix-typos", name))
    commit_all(repo, "A long name")
    done = tool(repo, "implement", name, "--agent", replay("no-contracts"))
    assert done.returncode == 0, done.stderr
    assert git(repo, "rev-parse", f"openspec/{name}")
