"""A change without a plan: what is said about it, and `--single`, which does it as one package.

The gate of the repository is a program of the machine that runs each `checks/*.sh` as a test and writes JUnit XML, so
old failures are told from new ones. `checks/old.sh` fails on the base already.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository import command, commit_all, git, init, refs, tool, wait_for

CHANGE = "add-note"
FOLDER = f"openspec/changes/{CHANGE}"
OWN = f"refs/parallel-impl/{CHANGE}"
PLAN = """\
schema_version: 1
feature: {id: add-note}
packages: [{package_id: wp-note, description: Write it, scope: {write_allow: [note.txt]}}]
"""
GATE = """\
#!/bin/sh
code=0
{
  echo '<testsuite>'
  for file in checks/*.sh; do
    echo "<testcase classname=\\"checks\\" name=\\"${file##*/}\\">"
    sh "$file" || { echo '<failure message="it fails"/>'; code=1; }
    echo '</testcase>'
  done
  echo '</testsuite>'
} >"$PARALLEL_IMPL_REPORT"
exit $code
"""
CONFIGURATION = """\
setup = []
gates.openspec = false
gates.checks = {command = "run-checks", parser = "junit"}
"""
FILES = {
    "parallel-impl.toml": CONFIGURATION,
    "pyproject.toml": '[project]\nname = "notes"\nversion = "1"\n',
    "checks/old.sh": "exit 1\n",
    "checks/kept.sh": "test -f kept.txt\n",
    "kept.txt": "kept\n",
    "openspec/specs/notes/spec.md": "# notes\n",
    f"{FOLDER}/proposal.md": "# Change: Add a note\n\n## Why\n\nNobody wrote one.\n",
    f"{FOLDER}/tasks.md": "## 1. Note\n\n- [ ] 1.1 Write `note.txt`\n",
}


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder, program = tmp_path / "repo", tmp_path / "bin/run-checks"
    write(tmp_path, **{"bin/run-checks": GATE})
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    write(folder, **FILES)
    init(folder)
    commit_all(folder, "The state before the change")
    return folder


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def single(repo: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    """The change as one package, by an agent with this script: `$2` is the number of its attempt."""
    agent = command(repo.parent / "agent.sh", text)
    return tool(repo, "implement", CHANGE, "--agent", agent, "--single", *options)


def attempt(repo: Path, number: int) -> Path:
    return repo / f".git/parallel-impl/{CHANGE}/attempts/wp-single/{number}"


@pytest.mark.parametrize("command_line", [("implement", CHANGE), ("validate", CHANGE)])
def test_a_change_without_a_plan_names_the_two_ways_on(repo: Path, command_line: tuple[str, ...]) -> None:
    done = tool(repo, *command_line)
    assert done.returncode == 2
    assert "the change has no work-packages.yaml" in done.stderr
    assert f"parallel-plan {CHANGE} --write" in done.stderr
    assert f"parallel-implement {CHANGE} --single" in done.stderr
    assert refs(repo, "refs/parallel-impl") == []


def test_a_change_that_is_not_committed_gets_the_lines_that_commit_it(repo: Path) -> None:
    git(repo, "rm", "-rq", "--cached", FOLDER)
    git(repo, "commit", "-qm", "without")
    for option in ((), ("--single",)):
        done = tool(repo, "implement", CHANGE, *option)
        assert done.returncode == 2
        assert "the change is not committed in HEAD" in done.stderr
        assert f"git add {FOLDER}" in done.stderr
        assert refs(repo, "refs/parallel-impl") == []


def test_single_lands_the_change_without_a_plan_and_leaves_nothing(repo: Path) -> None:
    tried = single(repo, "", "--dry-run")
    assert tried.returncode == 0, tried.stderr
    assert refs(repo, "refs/parallel-impl") == []  # a dry run keeps no plan

    done = single(repo, "echo right >note.txt\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "one package claims the whole repository, so no other run works beside it" in done.stderr
    changed = git(repo, "diff", "--name-only", f"main...openspec/{CHANGE}").splitlines()
    assert changed == ["note.txt", f"{FOLDER}/tasks.md"]  # and no plan
    assert "- [x] 1.1 Write `note.txt`" in git(repo, "show", f"openspec/{CHANGE}:{FOLDER}/tasks.md")
    assert git(repo, "cat-file", "-t", f"{OWN}/plans/1") == "blob"
    prompt = (attempt(repo, 1) / "prompt.md").read_text()
    assert "- `openspec/specs`\n" in prompt
    assert "- checks:\n\n      run-checks\n" in prompt
    assert "checks" in tool(repo, "show", CHANGE, "wp-single").stdout
    assert "landed already" in tool(repo, "implement", CHANGE).stderr

    git(repo, "merge", "-q", f"openspec/{CHANGE}")
    cleaned = tool(repo, "cleanup", CHANGE)
    assert cleaned.returncode == 0, cleaned.stdout + cleaned.stderr
    assert refs(repo, "refs/parallel-impl") == []


def test_the_gates_verify_it_old_failures_stay_old_and_a_retry_gets_the_evidence(repo: Path) -> None:
    done = single(repo, "echo right >note.txt\n[ $2 != 1 ] || rm kept.txt\n[ $2 = 1 ] || echo kept >kept.txt\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "attempt 1 failed: VERIFICATION_FAILED" in done.stdout
    told = (attempt(repo, 2) / "prompt.md").read_text()
    assert "gate checks: failed: 1 new" in told
    assert "kept.sh: it fails" in told
    assert "old.sh" not in told
    assert (attempt(repo, 1) / "gates/checks.log").exists()


def test_a_gate_that_cannot_tell_old_from_new_costs_no_try_and_stops_the_landing(repo: Path) -> None:
    (repo / "parallel-impl.toml").write_text(CONFIGURATION.replace("run-checks", "run-checks; exit $?"))
    commit_all(repo, "The gate is more than one command")
    done = single(repo, "echo right >note.txt\n")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "gate checks on its work: not proven" in done.stdout
    assert "Not landed: the gates do not pass on the whole" in done.stderr
    assert refs(repo, f"{OWN}/attempts") == [f"{OWN}/attempts/wp-single/1"]


def test_specs_archive_and_configuration_are_denied_whatever_file_holds_it(repo: Path) -> None:
    writes = (
        "echo x >>openspec/specs/notes/spec.md\n",
        "mkdir -p openspec/changes/archive/old\necho x >openspec/changes/archive/old/a.md\n",
        "echo 'jobs = 1' >>parallel-impl.toml\n",
        "printf '[tool.parallel-impl]\\njobs = 1\\n' >>pyproject.toml\n",
        f"echo x >{FOLDER}/work-packages.yaml\n",
        "echo right >note.txt\n",
    )
    done = single(repo, f"[ $2 = 1 ] || exit 1\n{''.join(writes)}")
    assert done.returncode == 1, done.stdout + done.stderr
    for line in (
        "openspec/specs/notes/spec.md: denied by openspec/specs",
        "openspec/changes/archive/old/a.md: denied by openspec/changes/archive",
        "parallel-impl.toml: denied by parallel-impl.toml",
        "pyproject.toml: [tool.parallel-impl] of pyproject.toml is changed",
        f"{FOLDER}/work-packages.yaml: ",
    ):
        assert line in (attempt(repo, 1) / "result.json").read_text(), line


def test_what_else_a_pyproject_says_is_not_denied(repo: Path) -> None:
    done = single(repo, 'sed -i \'s/version = "1"/version = "2"/\' pyproject.toml\n')
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_killed_run_goes_on_without_the_flag_and_a_plan_committed_meanwhile_is_refused(repo: Path) -> None:
    up, go = repo.parent / "up", repo.parent / "go"
    text = f"echo right >note.txt\n[ -e {go} ] || {{ touch {up}; sleep 600; }}\n"
    agent = command(repo.parent / "agent.sh", text)
    argv = [sys.executable, "-m", "parallel_impl", "implement", CHANGE, "--agent", agent, "--single"]
    with subprocess.Popen(argv, cwd=repo, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as running:
        wait_for(up, running)
        running.kill()
    go.touch()
    assert "wp-single" in tool(repo, "status", CHANGE).stdout

    write(repo, **{f"{FOLDER}/work-packages.yaml": PLAN})
    commit_all(repo, "A plan")
    refused = tool(repo, "implement", CHANGE)
    assert refused.returncode == 2
    assert "a plan was committed, but this run of add-note was started with --single" in refused.stderr
    assert f"parallel-implement {CHANGE} --abort" in refused.stderr

    git(repo, "reset", "-q", "--hard", "HEAD^")
    done = tool(repo, "implement", CHANGE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert git(repo, "show", f"openspec/{CHANGE}:note.txt") == "right"


def test_a_plan_that_is_there_is_ignored_aloud_and_a_run_that_was_given_up_leaves_the_change_to_it(repo: Path) -> None:
    write(repo, **{f"{FOLDER}/work-packages.yaml": PLAN})
    commit_all(repo, "A plan")
    halted = single(repo, "echo right >note.txt\n", "--only", "wp-single", "--base", "main")
    assert halted.returncode == 1, halted.stdout + halted.stderr
    assert f"--single: {FOLDER}/work-packages.yaml is ignored" in halted.stderr
    assert "Not landed: --only asked for a part" in halted.stderr
    assert "no package 'wp-note'" in tool(repo, "implement", CHANGE, "--only", "wp-note").stderr
    assert f"wp-single  writes **; not {FOLDER}/work-packages.yaml, " in tool(repo, "runs").stdout

    aborted = tool(repo, "implement", CHANGE, "--abort")
    assert aborted.returncode == 0, aborted.stderr
    agent = command(repo.parent / "agent.sh", "exit 1\n")
    assert tool(repo, "implement", CHANGE, "--agent", agent).returncode == 1
    refused = tool(repo, "implement", CHANGE, "--single")
    assert refused.returncode == 2
    assert "goes on with its plan" in refused.stderr
    assert f"parallel-implement {CHANGE} --abort" in refused.stderr


def test_it_works_in_a_part_of_the_repository_and_is_done_again_when_asked(repo: Path) -> None:
    (repo / "web").mkdir()
    git(repo, "mv", "openspec", "web/openspec")
    commit_all(repo, "In a part")
    done = single(repo / "web", "echo $2 >note.txt\nexit 1\n")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "it may not write web/openspec/changes/add-note/work-packages.yaml, web/openspec/specs, " in done.stderr
    again = tool(
        repo, "implement", CHANGE, "--agent", command(repo.parent / "b.sh", "echo x >n\n"), "--restart", "wp-single"
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert git(repo, "show", f"openspec/{CHANGE}:n") == "x"


def test_a_prompt_that_fits_into_no_argument_is_refused_before_an_agent_is_paid(repo: Path) -> None:
    for name in "abc":
        write(repo, **{f"{FOLDER}/specs/{name}/spec.md": f"{name} word\n" * 9_000})
    commit_all(repo, "Long texts")
    marker = repo.parent / "paid"
    agent = ("--agent", f"command: sh -c 'touch {marker}' {{prompt}}")
    done = tool(repo, "implement", CHANGE, "--single", *agent)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "the prompt of wp-single has " in done.stderr
    assert "write {prompt_file} in the place of {prompt}" in done.stderr
    assert not marker.exists()
    assert refs(repo, "refs/parallel-impl") == []
