"""What is wrong with gates and steps is known before an agent is paid; every test here fails without its wiring."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from parallel_impl.views.view import Means
from tests.means import CHOSEN
from tests.repository import command, commit_all, git, make_repository, refs, tool

CHANGE = "add-note"
RIGHT = "echo right > note.txt\n"
STEP = "command: grep -qx right note.txt"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository("one-note", tmp_path)


def configure(repo: Path, *lines: str) -> None:
    text = "\n".join(("setup = []", "gates.openspec = false", *lines, ""))
    (repo / "parallel-impl.toml").write_text(text)
    commit_all(repo, "Configure the gates")


def plan(repo: Path, *replacements: tuple[str, str]) -> None:
    file = repo / f"openspec/changes/{CHANGE}/work-packages.yaml"
    text = file.read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    commit_all(repo, "Edit the plan")


def implement(repo: Path, agent: str, *options: str) -> subprocess.CompletedProcess[str]:
    """A run whose agent is this script; it leaves the file `paid` beside the repository."""
    script = command(repo.parent / "agent.sh", f"touch {repo.parent}/paid\n{agent}")
    return tool(repo, "implement", CHANGE, "--agent", script, *options)


def journal(repo: Path, kind: str) -> list[dict[str, Any]]:
    lines = (repo / f".git/parallel-impl/{CHANGE}/journal.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == kind]


def summary(repo: Path) -> str:
    return (repo / f".git/parallel-impl/{CHANGE}/summary.json").read_text()


def test_a_gate_that_is_broken_on_the_base_halts_before_an_agent_is_paid(repo: Path, tmp_path: Path) -> None:
    configure(repo, "gates.check = 'exit 127'")
    done = implement(repo, RIGHT)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "gate check is broken on the base" in done.stderr
    assert "gates.check = false" in done.stderr
    assert not (tmp_path / "paid").exists()
    tried = implement(repo, RIGHT, "--dry-run")
    assert (tried.returncode, "gate check is broken on the base" in tried.stderr) == (2, True)


def test_a_file_around_the_checkouts_on_the_base_halts_with_the_line_that_removes_it(repo: Path) -> None:
    in_home = CHOSEN is Means.EACH  # of which a view shows nothing
    configure(repo, f"gates.check = 'touch {'../..' if in_home else '../../..'}/conftest.py; exit 1'")
    done = implement(repo, RIGHT)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Not landed: files around its checkouts are not of this run" in done.stderr
    forged = (repo.parent / f"{repo.name}.worktrees" / CHANGE if in_home else repo.parent) / "conftest.py"
    line = f"rm {forged}"
    assert line in done.stderr
    assert "one command for each gate" not in done.stderr
    assert journal(repo, "attempt-started") == []
    forged.unlink()
    tried = implement(repo, RIGHT, "--dry-run")
    assert (tried.returncode, line in tried.stderr) == (2, True)


def test_agents_start_when_the_gates_on_the_base_have_ended(repo: Path) -> None:
    configure(repo, "gates.check = 'true'")
    assert implement(repo, RIGHT).returncode == 0
    (gate, *_), (attempt,) = journal(repo, "gate-ended"), journal(repo, "attempt-started")
    assert (gate["on"], gate["at"] < attempt["at"]) == ("base", True)


def test_a_late_gate_that_is_broken_starts_nothing_more_and_halts(repo: Path, tmp_path: Path) -> None:
    started, state = tmp_path / "paid", repo / f".git/parallel-impl/{CHANGE}"
    configure(repo, "base_minutes = 0", f"gates.check = 'until [ -e {started} ]; do sleep 0.05; done; exit 127'")
    below = "  - {package_id: wp-b, description: b, depends_on: [wp-note], scope: {write_allow: [b.txt]}}\n"
    file = repo / f"openspec/changes/{CHANGE}/work-packages.yaml"
    file.write_text(file.read_text() + below)
    commit_all(repo, "Add a package")
    done = implement(repo, f"until grep -q gate-ended {state}/journal.jsonl; do sleep 0.05; done\n{RIGHT}")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not landed: a gate can judge nothing" in done.stdout
    assert [one["package"] for one in journal(repo, "attempt-started")] == ["wp-note"]
    assert [one["package"] for one in journal(repo, "package-accepted")] == ["wp-note"]


def test_after_a_restart_the_gates_on_the_base_run_beside_the_agents(repo: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    configure(repo, f"gates.check = '[ ! -e {again} ] || until [ -e {again}.paid ]; do sleep 0.05; done'")
    assert implement(repo, "exit 1\n").returncode == 1
    again.touch()
    done = implement(repo, f"touch {again}.paid\n{RIGHT}", "--retry-failed")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_step_that_can_start_neither_here_nor_on_the_base_halts_and_costs_no_retry(repo: Path) -> None:
    plan(repo, (STEP, "command: python -m checker"), ("[note.txt]", "[note.txt, checker.py]"))
    done = implement(repo, RIGHT)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "step 'note' of wp-note cannot start on the base: python -m checker" in done.stderr
    assert "not landed: a step cannot start" in done.stdout
    assert 'setup = ["python -m pip install checker"] in parallel-impl.toml' in done.stderr
    assert [one["code"] for one in journal(repo, "attempt-ended")] == ["STEP_CANNOT_START"]
    assert journal(repo, "package-failed") == []
    writes = "grep -qx right note.txt\ntouch checker.py\n"  # it goes on from that work
    again = implement(repo, writes)  # the work is judged again, as if the program had been installed; then the agent
    assert again.returncode == 0, again.stdout + again.stderr
    assert [one["judges"] for one in journal(repo, "attempt-started")] == [0, 1, 0]  # what was there is tried first
    assert [one["number"] for one in journal(repo, "package-accepted")] == [3]


def test_a_module_that_can_be_nowhere_is_refused_before_anything_runs(repo: Path, tmp_path: Path) -> None:
    plan(repo, (STEP, "command: python -m pytset"))
    done = implement(repo, RIGHT)
    assert done.returncode == 2
    assert "calls 'python -m pytset', which is not there" in done.stderr
    assert not (tmp_path / "paid").exists()


def test_what_steps_do_on_the_base_is_printed_and_told_to_the_agent(repo: Path) -> None:
    edits = "\n        - {name: edits, command: echo x >>README.md}"
    plan(repo, (f"{{name: note, kind: command, {STEP}}}", f"{{name: note, {STEP}}}{edits}"))
    tried = implement(repo, RIGHT, "--dry-run")
    assert tried.returncode == 0, tried.stderr
    assert "step 'note' of wp-note is red before you: exit 2" in tried.stderr
    assert "step 'edits' of wp-note changes files of its checkout: README.md" in tried.stderr
    done = implement(
        repo, f"{RIGHT}grep -q 'red before you: exit 2' $(ls {repo}/.git/parallel-impl/*/attempts/*/*/prompt.md)\n"
    )
    assert "step 'edits' of wp-note changes files of its checkout: README.md" in done.stderr
    assert {one["code"] for one in journal(repo, "attempt-ended")} == {"VERIFICATION_FAILED"}  # not AGENT_FAILED
    assert refs(repo, "refs/heads/openspec") == []
    assert git(repo, "status", "--porcelain") == ""


def test_a_gate_of_a_stopped_run_is_switched_off_and_what_was_accepted_stays(repo: Path) -> None:
    configure(repo, "gates.old = 'echo $RANDOM; [ ! -e note.txt ]'")
    assert implement(repo, RIGHT).returncode == 1
    configure(repo, "# no other value", "gates.old = 'echo $RANDOM; [ ! -e note.txt ]'")
    assert implement(repo, "exit 1\n").returncode == 1
    assert journal(repo, "configuration-revised") == []  # what it means is compared, not the file
    configure(repo, "gates.old = false")
    done = implement(repo, "exit 1\n")
    assert done.returncode == 0, done.stdout + done.stderr
    (event,) = journal(repo, "configuration-revised")
    assert (event["keys"], event["commit"]) == (["gates.old"], git(repo, "rev-parse", "HEAD"))
    assert len(journal(repo, "attempt-started")) == 1
    assert "gate old" in json.loads(summary(repo))["switched_off"]


def test_a_configured_gate_that_is_red_and_unreadable_on_the_base_halts_before_an_agent_is_paid(
    repo: Path, tmp_path: Path
) -> None:
    configure(repo, "gates.old = 'exit 1'")
    done = implement(repo, RIGHT)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "not landed: a gate can judge nothing" in done.stdout
    assert "gate old is red (exit 1) on the base, and nobody can read which of its failures are old" in done.stderr
    assert "or write gates.old = false; such a line stands in parallel-impl.toml; commit that" in done.stderr
    assert not (tmp_path / "paid").exists()
    tried = implement(repo, RIGHT, "--dry-run")
    assert (tried.returncode, "gate old is red (exit 1) on the base" in tried.stderr) == (2, True)
    configure(repo, "gates.old = false")
    assert implement(repo, RIGHT).returncode == 0


def test_what_a_stopped_run_keeps_of_its_configuration_is_said(repo: Path) -> None:
    assert implement(repo, "exit 1\n").returncode == 1
    configure(repo, "ports = 3", "base_minutes = 1")
    done = implement(repo, RIGHT, "--retry-failed")
    assert "not as in the base, and so not used: ports" in done.stderr
    assert journal(repo, "configuration-revised")[0]["keys"] == ["base_minutes"]


def test_time_limits_of_gates_and_set_up_are_keys(repo: Path) -> None:
    configure(repo, "gates.slow = {command = 'sleep 60', minutes = 0.005}")
    done = implement(repo, RIGHT)
    assert "gate slow is broken on the base: ended by us (timeout)" in done.stderr
    (repo / "parallel-impl.toml").write_text("setup = ['sleep 60']\nsetup_minutes = 0.005\ngates.openspec = false\n")
    commit_all(repo, "Slow set-up")
    aborted = tool(repo, "implement", CHANGE, "--abort")
    assert aborted.returncode == 0, aborted.stderr
    done = implement(repo, RIGHT)
    assert (done.returncode, "set-up: sleep 60: ended by us (timeout)" in done.stderr) == (2, True)


# it lists what fails, but is more than one command
OLD = 'echo "<testsuite><testcase name=\\"old\\"><failure/></testcase></testsuite>" >$PARALLEL_IMPL_REPORT'


def test_what_a_verdict_listed_is_accepted_by_name_and_told_everywhere(repo: Path) -> None:
    configure(repo, f"gates.old = {{command = '{OLD} ; exit 1', parser = 'junit'}}")
    none = implement(repo, RIGHT, "--accept", "old")
    assert (none.returncode, "gate old has no verdict in this run yet" in none.stderr) == (2, True)
    assert "--accept old" in implement(repo, RIGHT).stderr
    done = implement(repo, "exit 1\n", "--accept", "old")
    assert done.returncode == 0, done.stdout + done.stderr
    (event,) = journal(repo, "gate-accepted")
    assert (event["gate"], list(event["kinds"])) == ("old", ["not proven"])
    assert "old: accepted by name: not proven: red on the base too" in done.stderr  # the headline
    (row,) = [one for one in json.loads(summary(repo))["gates"] if one["name"] == "old"]
    assert (row["verdict"], row["accepted"][0].partition(":")[0]) == ("accepted", "not proven")


def test_what_is_new_is_never_accepted(repo: Path) -> None:
    configure(repo, "gates.no-note = '[ ! -e note.txt ]'")
    assert implement(repo, RIGHT).returncode == 1
    done = implement(repo, RIGHT, "--accept", "no-note")
    assert (done.returncode, "what is new in gate no-note is never accepted" in done.stderr) == (2, True)


TESTS = """\
import pathlib
def test_old(): assert False
def test_note(): assert pathlib.Path("note.txt").read_text() == "right\\n"
"""


@pytest.mark.parametrize("allowed", [True, False])
def test_old_failures_of_a_step_are_excused_where_its_plan_says_so(repo: Path, *, allowed: bool) -> None:
    (repo / "test_it.py").write_text(TESTS)
    step = "command: python -m pytest -q test_it.py" + (", old_failures: allowed" if allowed else "")
    plan(repo, (STEP, step), ("retry_budget: 1", "retry_budget: 0"))
    done = implement(repo, RIGHT)
    assert done.returncode == (0 if allowed else 1), done.stdout + done.stderr
    told = "step 'note' of wp-note may fail in what fails on the base, twice: test_it.py::"
    assert (told in done.stderr) is allowed
    assert [one["code"] for one in journal(repo, "attempt-ended")] == ["" if allowed else "VERIFICATION_FAILED"]
    too = "fails on the base too: test_it.py::test_old; `old_failures: allowed` on its step in the plan"
    assert (too in done.stderr) is not allowed


def test_a_new_failure_of_a_step_that_allows_old_ones_fails_it(repo: Path) -> None:
    (repo / "test_it.py").write_text(f"{TESTS}def test_kept(): assert not pathlib.Path('note.txt').exists()\n")
    step = "command: python -m pytest -q test_it.py, old_failures: allowed"
    plan(repo, (STEP, step), ("retry_budget: 1", "retry_budget: 0"))
    assert implement(repo, RIGHT).returncode == 1
    assert [one["code"] for one in journal(repo, "attempt-ended")] == ["VERIFICATION_FAILED"]


def test_a_branch_that_leaves_no_room_for_the_one_that_lands_is_refused_before_anything_runs(repo: Path) -> None:
    git(repo, "branch", "openspec")
    done = implement(repo, RIGHT)
    assert (done.returncode, (repo.parent / "paid").exists()) == (2, False)
    assert f"a branch 'openspec' leaves no room for 'openspec/{CHANGE}'" in done.stderr
