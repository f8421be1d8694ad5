"""The pages that a run leaves: of accepted packages, and of a run that stopped; and users who lack something."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.repository import command, commit_all, git, init, make_repository, path_folders, refs, replay, tool
from tests.several import write_change

CHANGE = "c"
STATE = f".git/parallel-impl/{CHANGE}"
AGENT = """\
printf '{"schema_version": 1, "notes": ["%s is small: ghp_0123456789012345678901"]}' "$1" > "$PARALLEL_IMPL_REPORT_FILE"
echo "$1" > "$1.txt"
echo mine > openspec/changes/c/completed/b.md 2>/dev/null || true
"""


def make(folder: Path) -> Path:
    folder.mkdir()
    init(folder)
    (folder / "parallel-impl.toml").write_text("setup = []\ngates.openspec = false\nkeep_completed = true\n")
    write_change(folder, CHANGE, {"a": "a.txt", "b": "b.txt"})
    place = folder / f"openspec/changes/{CHANGE}/completed"
    place.mkdir()
    (place / "b.md").write_text("of an earlier run\n")
    commit_all(folder, "The change")
    return folder


def run(repo: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    agent = command(repo.parent / "agent.sh", AGENT)
    return tool(repo, "implement", CHANGE, "--agent", agent, *arguments)


def test_kept_pages_are_the_same_in_every_order_and_after_a_stop_that_says_how_to_go_on(tmp_path: Path) -> None:
    straight, stopped = make(tmp_path / "straight"), make(tmp_path / "stopped")
    assert run(straight, "--jobs", "1").returncode == 0

    halted = run(stopped, "--only", "b")
    assert halted.returncode == 1
    page = stopped / STATE / "handoff.md"
    assert halted.stderr.rstrip().endswith(f"what to do next: {page}")
    assert "1 of 2 packages accepted" in page.read_text()
    assert "\n    parallel-implement c    # without --only: all packages" in page.read_text()
    assert run(stopped, "--jobs", "2").returncode == 0
    assert not page.exists()

    trees = {git(repo, "rev-parse", f"openspec/{CHANGE}^{{tree}}") for repo in (straight, stopped)}
    assert len(trees) == 1
    kept = f"openspec/changes/{CHANGE}/completed"
    assert git(straight, "ls-tree", "--name-only", f"openspec/{CHANGE}", f"{kept}/").split() == [
        f"{kept}/a.md",
        f"{kept}/b.md",
    ]
    shown = git(straight, "show", f"openspec/{CHANGE}:{kept}/b.md")
    assert "## Changed\n\n- added `b.txt`\n\n## Why\n\n- b is small: ***\n" in shown
    beside = (straight / STATE / "completed/b.md").read_text()
    assert beside.startswith(shown)
    assert "| Attempts | 1 |" in beside
    summary = json.loads((straight / STATE / "summary.json").read_bytes())
    assert summary["packages"][0]["changed"] == {"files": 1, "added": 1, "removed": 0}
    message = git(
        straight, "log", "-1", "--format=%(trailers:key=Run,valueonly)", f"refs/parallel-impl/{CHANGE}/packages/a"
    )
    assert message.strip() == summary["run_id"]


def test_without_the_openspec_program_a_change_lands_and_is_cleaned_up_and_both_say_so(tmp_path: Path) -> None:
    repo = make_repository("one-note", tmp_path)
    (repo / "parallel-impl.toml").write_text("setup = []\n")
    commit_all(repo, "No settings for openspec")
    without = {"PATH": os.pathsep.join(str(one) for one in path_folders() if not (one / "openspec").exists())}
    done = tool(repo, "implement", "add-note", "--agent", replay("one-note"), env=without)
    assert done.returncode == 0, done.stderr
    assert "texts checked by this tool's own rules" in done.stderr
    assert "openspec is not installed" in (repo / ".git/parallel-impl/add-note/summary.md").read_text()
    git(repo, "merge", "--quiet", "openspec/add-note")
    cleaned = tool(repo, "cleanup", "add-note", env=without)
    assert cleaned.returncode == 0, cleaned.stdout
    assert "not archived: openspec is not installed" in cleaned.stdout
    assert refs(repo, "refs/parallel-impl") == []


def test_without_a_forge_and_without_a_remote_a_run_that_wants_a_pull_request_lands_and_says_what_is_not_done(
    tmp_path: Path,
) -> None:
    repo = make_repository("one-note", tmp_path)
    done = tool(repo, "implement", "add-note", "--agent", replay("one-note"), "--pr")
    assert done.returncode == 0, done.stderr
    assert "no pull request: " in done.stderr
    assert "the landing stays; try again: parallel-impl pr add-note" in done.stderr
    assert refs(repo, "refs/heads") == ["refs/heads/main", "refs/heads/openspec/add-note"]


@pytest.mark.parametrize("terminal", ["", "dumb"])
def test_without_a_terminal_a_run_is_lines_without_a_control_character(terminal: str, tmp_path: Path) -> None:
    repo = make_repository("one-note", tmp_path)
    done = tool(repo, "implement", "add-note", "--agent", replay("one-note"), env={"TERM": terminal})
    assert done.returncode == 0, done.stderr
    text = done.stdout + done.stderr
    assert [character for character in text if character != "\n" and not character.isprintable()] == []
    assert "wp-note  accepted, " in done.stdout
