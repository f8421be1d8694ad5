"""The commands that look at a run: `status`, `show`, `validate`, and how mistakes of usage end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.repository import git, make_repository, replay, tool


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
