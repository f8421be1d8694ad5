"""The commands that look at a run: `status`, `show`, `runs`, `validate`, and how mistakes and bugs end."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import click
import pytest

from parallel_impl import __version__
from parallel_impl.cli import main
from tests.repository import commit_all, git, make_repository, replay, tool

COUNTING_GIT = """#!/bin/sh
echo "$*" >>{log}
exec {git} "$@"
"""


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repo = make_repository("no-contracts", tmp_path_factory.mktemp("commands"))
    assert tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts")).returncode == 0
    return repo


def test_status_lists_the_runs_and_the_packages_of_one(landed: Path) -> None:
    runs = tool(landed, "status")
    assert (runs.returncode, runs.stdout.split()) == (0, ["fix-typos", "landed", "2", "accepted"])
    packages = [line.split()[:2] for line in tool(landed, "status", "fix-typos").stdout.splitlines()[1:]]
    assert packages == [["wp-guide", "accepted"], ["wp-index", "accepted"]]


def test_show_prints_the_summary_of_the_run(landed: Path) -> None:
    shown = tool(landed, "show", "fix-typos")
    assert shown.returncode == 0
    assert shown.stdout.strip() == (landed / ".git/parallel-impl/fix-typos/summary.md").read_text().strip()


def test_show_names_the_commit_files_and_logs_of_a_package(landed: Path) -> None:
    shown = tool(landed, "show", "fix-typos", "wp-guide")
    assert shown.returncode == 0
    commit = git(landed, "rev-parse", "refs/parallel-impl/fix-typos/packages/wp-guide")
    for text in (commit, "guide.md", "step title: passed", str(landed / ".git/parallel-impl/fix-typos/attempts")):
        assert text in shown.stdout


@pytest.mark.parametrize(
    "command", [("status",), ("show", "fix-typos"), ("runs",), ("cleanup", "fix-typos", "--no-archive", "--dry-run")]
)
def test_commands_work_where_git_names_another_repository(command: tuple[str, ...], landed: Path) -> None:
    done = tool(landed, *command, env={"GIT_DIR": "/nowhere", "GIT_WORK_TREE": "/nowhere"})
    assert (done.returncode, done.stderr) == (0, "")


def test_a_gate_that_is_switched_off_is_so_by_the_same_words_on_base_and_candidate_and_proves_nothing(
    tmp_path: Path,
) -> None:
    repo = make_repository("no-contracts", tmp_path)
    done = tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts"))
    assert done.returncode == 0, done.stderr
    assert "gates on the base: openspec switched off\n" in done.stdout
    assert "gates on the whole: openspec switched off\n" in done.stdout
    assert "no gate ran on the whole" in done.stdout
    assert "proven:" not in done.stdout


@pytest.mark.parametrize("program", ["implement", "cleanup"])
def test_every_program_tells_its_version(program: str, landed: Path) -> None:
    assert tool(landed, program, "--version").stdout == f"parallel-{program}, version {__version__}\n"


def test_a_branch_that_was_deleted_or_moved_back_after_it_landed_is_said(landed: Path) -> None:
    ref = "refs/heads/openspec/fix-typos"
    tip = git(landed, "rev-parse", ref)
    git(landed, "update-ref", "-d", ref)
    gone = tool(landed, "implement", "fix-typos")
    git(landed, "update-ref", ref, "main")
    moved = tool(landed, "implement", "fix-typos")
    git(landed, "update-ref", ref, tip)
    assert f"gone since; to have it again: git branch openspec/fix-typos {tip[:12]}" in gone.stderr
    assert "now, without it; see: git log" in moved.stderr
    assert (gone.returncode, moved.returncode) == (0, 0)


def test_a_change_that_has_landed_is_one_event_on_stdout(landed: Path) -> None:
    again = tool(landed, "implement", "fix-typos", "--json")
    events = [json.loads(line) for line in again.stdout.splitlines()]
    assert [(one["event"], one["branch"]) for one in events] == [("landed", "openspec/fix-typos")]
    assert "landed already" in again.stderr
    assert "without effect" not in again.stderr
    assert "gone since" not in again.stderr
    assert "without effect, as all has landed: --agent" in tool(landed, "implement", "fix-typos", "--agent", "x").stderr
    assert "all has landed: --accept" in tool(landed, "implement", "fix-typos", "--accept", "nosuch").stderr
    for option in ("--base", "--only"):
        refused = tool(landed, "implement", "fix-typos", option, "nosuch")
        assert (refused.returncode, f"{option}: error: " in refused.stderr) == (2, True), refused.stderr


def test_a_change_that_is_only_begun_is_told_as_not_committed(landed: Path) -> None:
    begun = landed / "openspec/changes/add-hex/design.md"
    begun.parent.mkdir()
    begun.write_text("Hex.\n")
    done = tool(landed, "implement", "add-hex", "--retry-failed")
    begun.unlink()
    begun.parent.rmdir()
    assert "openspec/changes/add-hex/design.md: error: the change is not committed in HEAD" in done.stderr
    unknown = tool(landed, "implement", "add-hex")
    assert "openspec/changes in HEAD: error: there is no change 'add-hex'" in unknown.stderr


def test_a_change_where_there_is_none_at_all_is_told_what_to_write(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    git(repo, "rm", "-rq", "openspec")
    commit_all(repo, "No change")
    missed = tool(repo, "implement", "add-a", "--agent", "command: true")
    assert missed.returncode == 2
    assert "    write proposal.md and tasks.md in openspec/changes/add-a and commit them\n" in missed.stderr


def test_validate_warns_of_tasks_that_are_no_box_as_a_run_does(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    plan = repo / "openspec/changes/fix-typos/work-packages.yaml"
    plan.write_text(plan.read_text().replace('tasks: ["1.1"]', 'tasks: ["9.9"]'))
    commit_all(repo, "No such task")
    warned = [
        tool(repo, *arguments).stderr
        for arguments in (("validate", "fix-typos"), ("implement", "fix-typos", "--dry-run"))
    ]
    what = "warning: no box of openspec/changes/fix-typos/tasks.md is called '9.9': wp-guide is not told of it"
    assert [what in text for text in warned] == [True, True]


def test_a_found_set_up_whose_program_is_missing_names_it_and_where_to_write_another(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    (repo / "uv.lock").touch()
    (repo / "parallel-impl.toml").write_text("gates.openspec = false\n")
    commit_all(repo, "A lock file")
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "sh", "bash", "env", "rm"):
        (programs / name).symlink_to(shutil.which(name) or "")
    failed = tool(repo, "implement", "fix-typos", "--dry-run", env={"PATH": str(programs)})
    assert failed.returncode == 2
    assert "    install uv, or write setup = [...] in parallel-impl.toml: " in failed.stderr


def test_commands_work_below_the_root_of_the_repository(landed: Path) -> None:
    assert tool(landed / "openspec/changes", "validate", "fix-typos").returncode == 0
    assert tool(landed / "openspec/changes", "status", "fix-typos").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("status", "unheard-of"), "unheard-of"),
        (("show", "unheard-of"), "unheard-of"),
        (("show", "fix-typos", "wp-gide"), "wp-guide"),
        (("validate", "unheard-of"), "unheard-of"),
        (("implement", "unheard-of", "--agent", "command: true"), "unheard-of"),
        (("implement", "../escape", "--agent", "command: true"), "escape"),
        (("implement", "fix-typos", "--jobs", "none"), "--jobs"),
    ],
)
def test_what_does_not_exist_is_named_and_ends_with_2(landed: Path, arguments: tuple[str, ...], text: str) -> None:
    done = tool(landed, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert text in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("status",), ("implement", "fix-typos"), ("cleanup", "fix-typos")])
def test_a_folder_that_is_no_repository_is_said(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = tool(tmp_path, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "repository" in done.stderr


def test_a_base_that_does_not_exist_is_named(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    done = tool(repo, "implement", "fix-typos", "--base", "no-such-ref", "--agent", "command: true")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "no-such-ref" in done.stderr


@pytest.fixture
def many(landed: Path, tmp_path: Path) -> Path:
    """A copy of the repository with ten runs."""
    repo = tmp_path / "many"
    shutil.copytree(landed, repo, symlinks=True)
    state = repo / ".git/parallel-impl"
    for number in range(9):
        shutil.copytree(state / "fix-typos", state / f"add-{number}")
    return repo


def test_status_opens_the_repository_once_for_any_number_of_runs(many: Path, tmp_path: Path) -> None:
    counting = tmp_path / "bin/git"
    counting.parent.mkdir()
    counting.write_text(COUNTING_GIT.format(log=tmp_path / "calls", git=shutil.which("git")))
    counting.chmod(0o755)
    status = tool(many, "status", env={"PATH": f"{counting.parent}{os.pathsep}{os.environ['PATH']}"})
    assert len(status.stdout.splitlines()) == 10
    calls = (tmp_path / "calls").read_text().splitlines()
    assert [call for call in calls if call != "version"] == calls[-1:]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            '{"event":"package-accepted","package":"wp-guide","number":1,"commit":"0"}',
            "'package-accepted' cannot follow",
        ),
        ('{"event":"attempt-started","package":"wp-unheard-of","number":1}', "'attempt-started' cannot follow"),
        ('{"event":"unheard-of"}', "unheard-of"),
    ],
)
def test_a_journal_that_cannot_be_read_is_listed_with_its_line_beside_the_others(
    many: Path, line: str, why: str
) -> None:
    journal = many / ".git/parallel-impl/add-3/journal.jsonl"
    with journal.open("a") as damaged:
        damaged.write(f"{line}\n")
    where = f"{journal}:{len(journal.read_text().splitlines())}: error: the journal is damaged: "
    status = tool(many, "status")
    assert (status.returncode, status.stderr) == (0, "")
    (told,) = [found for found in status.stdout.splitlines() if found.startswith("add-3 ")]
    assert told.startswith(f"add-3  unreadable: {where}")
    assert why in told
    assert sum("landed" in found for found in status.stdout.splitlines()) == 9
    assert "add-3  unreadable, claims nothing" in tool(many, "runs").stdout.splitlines()
    for arguments in (("status", "add-3"), ("show", "add-3"), ("implement", "add-3"), ("cleanup", "add-3")):
        done = tool(many, *arguments)
        assert (done.returncode, done.stderr.startswith(where)) == (2, True), done.stderr


def test_status_and_runs_call_a_run_by_the_same_word(many: Path) -> None:
    journal = many / ".git/parallel-impl/add-3/journal.jsonl"
    events = journal.read_text().splitlines()
    for kept, word in ((len(events), "landed"), (1, "interrupted"), (4, "interrupted")):
        journal.write_text("".join(f"{event}\n" for event in events[:kept]))
        (status,) = [line for line in tool(many, "status").stdout.splitlines() if line.startswith("add-3 ")]
        (runs,) = [line for line in tool(many, "runs").stdout.splitlines() if line.startswith("add-3 ")]
        assert status.split()[1] == word
        assert runs == f"add-3  {word}, claims nothing"


def test_a_ledger_that_is_damaged_keeps_nobody_from_looking_at_runs(many: Path) -> None:
    ledger = many / ".git/parallel-impl/.locks/_claims.json"
    ledger.parent.mkdir(exist_ok=True)
    ledger.write_text("{")
    assert tool(many, "status").returncode == tool(many, "show", "fix-typos").returncode == 0
    runs = tool(many, "runs")
    assert runs.returncode == 2
    assert "the ledger of claims is damaged" in runs.stderr


@pytest.mark.parametrize("broken", [False, True])
def test_a_change_whose_id_is_not_that_of_its_folder_is_not_feasible(tmp_path: Path, *, broken: bool) -> None:
    repo = make_repository("no-contracts", tmp_path)
    folder = repo / "openspec/changes/fix-typos"
    plan = folder.rename(folder.with_name("fix-typo")) / "work-packages.yaml"
    if broken:
        missing = "contracts: {revision: 1, openapi: {primary: contracts/a.yaml, files: [contracts/a.yaml]}}\n"
        plan.write_text(plan.read_text() + missing)
    done = tool(repo, "runs", "--for", "fix-typo")
    assert (done.returncode, done.stdout) == (2, "")
    assert "feature.id is 'fix-typos', but the change is 'fix-typo'" in done.stderr
    assert tool(repo, "validate", "fix-typo").returncode == 2  # as a run


def test_a_bug_is_logged_in_the_state_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["parallel-impl"])

    @click.command()
    def command() -> None:
        raise ZeroDivisionError("a bug")

    with pytest.raises(SystemExit) as ended:
        main._main(command)
    assert ended.value.code == 3
    (log,) = (tmp_path / "parallel-impl").glob("bug-*.log")
    assert "ZeroDivisionError: a bug" in log.read_text()
