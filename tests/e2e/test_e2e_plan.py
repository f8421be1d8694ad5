"""`parallel-plan` as it is typed: a plan written, committed, run, and signed off at a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository import commit_all, git, make_repository, tool

PLAN = Path("openspec/changes/fix-typos/work-packages.yaml")


@pytest.fixture
def unplanned(tmp_path: Path) -> Path:
    """A change without a plan."""
    repo = make_repository("no-contracts", tmp_path)
    git(repo, "rm", "-q", str(PLAN))
    (repo / PLAN.parent / "tasks.md").write_text(
        "- [ ] 1.1 Correct the title of `guide.md`\n- [ ] 1.2 And `index.md`\n"
    )
    commit_all(repo, "no plan")
    return repo


def test_a_plan_is_printed_or_written_and_a_run_knows_when_it_is_stale(unplanned: Path) -> None:
    printed = tool(unplanned, "plan", "fix-typos")
    assert printed.returncode == 1  # two small files: not worth two agents
    assert "recommended: one package: " in printed.stderr
    assert printed.stdout.startswith("# Drafted by parallel-plan")
    assert git(unplanned, "status", "--porcelain") == ""
    written = tool(unplanned, "plan", "fix-typos", "--write", "--json")
    assert written.returncode == 1
    assert "it can be run as it is; exit code 1 says that it is not worth running in parallel" in written.stderr
    told = json.loads(written.stdout)
    assert (told["written"], told["parallel"], told["plan"]) == ([str(PLAN)], False, printed.stdout)
    assert (unplanned / PLAN).read_text() == printed.stdout
    for line in told["to_commit"]:
        subprocess.run(["sh", "-c", line], cwd=unplanned, check=True, capture_output=True)
    assert tool(unplanned, "plan", "fix-typos", "--check").returncode == 0
    sound = tool(unplanned, "implement", "fix-typos", "--agent", "command: true", "--dry-run")
    assert sound.returncode == 0
    assert "since the plan was made" not in sound.stderr
    assert "on the longest path, 1.00 times as fast as one agent" in sound.stdout
    (unplanned / "guide.md").write_text("# Other\n")
    (unplanned / PLAN.parent / "tasks.md").write_text("- [x] 1.1 Correct `guide.md`\n- [ ] 1.2 And `index.md`\n")
    commit_all(unplanned, "meanwhile")
    stale = tool(unplanned, "implement", "fix-typos", "--agent", "command: true", "--dry-run")
    checked = tool(unplanned, "plan", "fix-typos", "--check").stderr
    warnings = checked.count(": warning: ")
    assert warnings > 1
    assert f"{PLAN}: {warnings} findings" in checked
    assert stale.returncode == 0
    assert "changed since the plan was made on" in stale.stderr
    assert ": guide.md" in stale.stderr
    assert "tasks.md has changed since the plan was made" in stale.stderr


def test_a_plan_that_cannot_be_used_is_exit_2(unplanned: Path) -> None:
    (unplanned / PLAN).write_text("packages: 1\n")
    for options in (("--check",), ("--write",), ()):
        done = tool(unplanned, "plan", "fix-typos", *options)
        assert (done.returncode, done.stdout) == (2, "")
    assert tool(unplanned, "plan", "fix-typos", "--check", "--write").returncode == 2
    assert (unplanned / PLAN).read_text() == "packages: 1\n"


def at_terminal(folder: Path, *args: str, typed: str, editor: str) -> tuple[int, str]:
    """The command with a terminal, at which `typed` is typed; the exit code and what was shown there."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "parallel_impl", *args]
    env = {**os.environ, "EDITOR": editor, "VISUAL": editor}
    running = subprocess.Popen(command, cwd=folder, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, typed.encode())
    shown = b""
    while True:
        try:
            shown += (more := os.read(ours, 4096))
        except OSError:  # Linux's end of a terminal that nobody has open
            break
        if not more:
            break
    os.close(ours)
    return running.wait(timeout=60), shown.decode()


def test_at_a_terminal_a_plan_is_edited_checked_again_and_accepted_or_not_written(
    unplanned: Path, tmp_path: Path
) -> None:
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i -e 's/^feature:/# edited\\nfeature:/' \"$1\"\n")
    editor.chmod(0o755)
    code, shown = at_terminal(unplanned, "plan", "fix-typos", "--write", typed="q\n", editor=str(editor))
    assert (code, (unplanned / PLAN).exists()) == (1, False)
    assert "recommended: one package" in shown
    code, shown = at_terminal(unplanned, "plan", "fix-typos", "--write", typed="e\na\n", editor=str(editor))
    assert code == 1
    assert shown.count("recommended: one package") == 2
    assert "# edited\nfeature:" in (unplanned / PLAN).read_text()
