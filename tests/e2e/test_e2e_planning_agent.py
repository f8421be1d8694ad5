"""`parallel-plan --agent` and `--prepare` as they are typed: an agent plays all roles, and some fail."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.planning import played_roles
from tests.repository import commit_all, living, make_repository, start, tool, wait_for

CHANGE = Path("openspec/changes/fix-typos")


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """The fixture without its plan."""
    folder = make_repository("no-contracts", tmp_path)
    (folder / CHANGE / "work-packages.yaml").unlink()
    commit_all(folder, "No plan yet")
    return folder


def agent(*modes: str) -> str:
    return f"command: {sys.executable} {played_roles.__file__} {{package_id}} {{attempt}} {' '.join(modes)}"


def plan(repo: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return tool(repo, "plan", "fix-typos", *options)


def test_prepared_by_four_planners_of_which_one_fails_then_grouped_and_run(repo: Path) -> None:
    done = plan(repo, "--prepare", "--agent", agent("docs-fail", "tests-late"), "--write", "--yes")
    assert done.returncode == 1, done.stderr  # two files: one agent is as fast
    said = done.stderr.splitlines()
    for line in (
        "complexity 6: 40 x min(1, 2 tasks / 40) + 30 x min(1, 2 files / 40) + 20 x min(1, 1 components / 8)"
        " + 10 x min(1, 0 hot files / 5)",
        "low complexity: 4 planners at once; core standard, integrations basic, tests essential, docs minimal",
        "core: planned",
        "tests: planned, asked again 1 times",
        "note: gap in tests: no test of 2.1",
        "plan_completeness: 100%, 2 of 2 (tasks that the task breakdown names)",
        "cross_track_consistency: 100%, 1 of 1 (interfaces of several tracks that have one form)",
        "testability_score: 50%, 1 of 2 (tasks with a planned test)",
        "retry_attempts: 3 (planners that were asked again)",
        "implementation_readiness: 100%, 10 of 10 (sections that are filled, 0 without a sign-off)",
        "api_coherence_score: 0%, 0 of 1 (interfaces without a conflict)",
        "documentation_coverage: 0%, 0 of 2 (tasks that a planned document names)",
        "documentation_adequacy: nothing to count (planned documents with an example)",
        f"{CHANGE}/implementation_plan.md: written; a run reads what is committed:",
    ):
        assert line in said, f"{line}\n{done.stderr}"
    assert any(line.startswith("docs: AGENT_FAILED") and line.endswith("asked again 2 times") for line in said)
    text = (repo / CHANGE / "implementation_plan.md").read_text()
    assert ", signed by the lead (command: " in text
    assert "## 9. Risk mitigation\n\nA reader looks at both." in text
    assert "- docs was not planned: AGENT_FAILED" in text
    packages = (repo / CHANGE / "work-packages.yaml").read_text()
    assert "package_id: wp-guide" in packages
    assert "Correct the guide." in packages
    kept = repo / ".git/parallel-impl/fix-typos/planning"
    assert (kept / "1/plan-docs-3/1/prompt.md").is_file()
    assert "Two pages are corrected." in (kept / "2/packages/1/prompt.md").read_text()
    commit_all(repo, "Plan of fix-typos")
    assert plan(repo, "--check").returncode == 0
    run = tool(
        repo, "implement", "fix-typos", "--agent", "command: sh -c 'echo x >> \"${PARALLEL_IMPL_PACKAGE#wp-}.md\"'"
    )
    assert run.returncode == 0, run.stderr
    prompt = (repo / ".git/parallel-impl/fix-typos/attempts/wp-guide/1/prompt.md").read_text()
    assert "## Implementation plan of the whole change\n\n# Implementation plan of fix-typos" in prompt


def test_a_critical_conflict_is_a_question_to_a_person_and_nothing_is_written(repo: Path) -> None:
    asked = plan(repo, "--prepare", "--agent", agent("critical"), "--write", "--yes")
    assert asked.returncode == 1
    assert "  core and docs: the title is in two languages\n    English or German?\\x1b[2J\n" in asked.stderr
    assert "write the decision into design.md, then give the same command again" in asked.stderr
    assert not (repo / CHANGE / "implementation_plan.md").exists()
    assert not (repo / CHANGE / "work-packages.yaml").exists()


def test_two_planners_are_not_enough(repo: Path) -> None:
    few = plan(repo, "--prepare", "--agent", agent("docs-fail", "tests-fail"), "--yes")
    assert few.returncode == 1
    assert "2 of 4 planners planned; three are enough, core among them" in few.stderr
    assert not (repo / CHANGE / "implementation_plan.md").exists()


def test_a_lead_that_refuses_and_a_person_who_has_not_signed_end_before_the_packages(repo: Path) -> None:
    refused = plan(repo, "--prepare", "--agent", agent("refuse"), "--write", "--yes", "--debt", "80")
    assert refused.returncode == 1
    assert "the lead: 2.1 is not tested" in refused.stderr
    assert "technical debt 80: as given" in refused.stderr
    assert "implementation_readiness: 0%, 0 of 10" in refused.stderr
    assert ", not signed." in (repo / CHANGE / "implementation_plan.md").read_text()
    again = plan(repo, "--prepare", "--agent", agent())
    assert again.returncode == 2
    assert "there is an implementation plan already" in again.stderr
    mine = plan(repo, "--prepare", "--fresh", "--sign-off", "me", "--agent", agent(), "--write")
    assert mine.returncode == 1
    assert "whoever commits it signs it" in mine.stderr
    assert not (repo / CHANGE / "work-packages.yaml").exists()


def test_options_that_say_nothing_without_others_and_agents_that_are_not_there_are_refused(repo: Path) -> None:
    for options in (("--sign-off", "me"), ("--check", "--agent", "claude"), ("--complexity", "5"), ("--agent", "clod")):
        assert plan(repo, *options).returncode == 2
    assert "write agent" in plan(repo, "--prepare").stderr
    assert not (repo / ".git/parallel-impl").exists()


def test_a_signal_ends_the_agent_and_the_command(repo: Path, tmp_path: Path) -> None:
    running = start(repo, "plan", "fix-typos", "--agent", f"command: sh -c 'touch {tmp_path}/begun; exec sleep 4871'")
    wait_for(tmp_path / "begun", running)
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=60) == 130
    assert living("4871") == []
