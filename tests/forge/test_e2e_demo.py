"""`make demo-pr`: every command from nothing to a merged pull request, as a user types them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository import FIXTURES, git

ROOT = FIXTURES.parent.parent


@pytest.mark.slow
def test_the_demonstration_goes_from_nothing_to_a_merged_pull_request(tmp_path: Path) -> None:
    folder = tmp_path / "demo-pr"
    done = subprocess.run(
        [str(ROOT / "scripts/demo_pr.sh"), str(folder)],
        check=False,
        env=os.environ | {"BIN": str(Path(sys.executable).parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("$ parallel")] == [
        "$ parallel-impl init",
        "$ parallel-plan add-measures --write --yes",
        f"$ parallel-implement add-measures --agent command: {ROOT}/fixtures/units/agent.sh {{prompt_file}} --pr",
        "$ parallel-impl show add-measures",
        "$ parallel-cleanup add-measures --pr",
    ]
    assert "pull/1 is merged" in done.stdout
    archived = "archived add-measures as " if shutil.which("openspec") else "not archived: openspec is not installed"
    assert archived in done.stdout
    bare = folder / "forge/acme/units.git"
    assert git(bare, "for-each-ref", "--format=%(refname)", "refs/heads/openspec") == ""
    assert git(bare, "log", "-1", "--format=%s", "main").endswith("(#1)")
    assert git(bare, "show", "main:openspec/changes/add-measures/tasks.md").count("- [x]") == 3
