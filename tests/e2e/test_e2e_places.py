"""Where a run keeps its worktrees, and from where it is started, as the command line has it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.repository import command, commit_all, git, make_repository, tool

LINK = """ln -sfn "$PARALLEL_IMPL_REPOSITORY/../common" ../common"""
CONFIG = f"""\
setup = ['{LINK}']
caches = ["../common"]
gates.openspec = false
"""
WORK = "if [ $1 = wp-guide ]; then sed -i 's/^# Guid$/# Guide/' guide.md; else echo x >>index.md; fi\n"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository("no-contracts", tmp_path)


def test_a_sibling_of_the_repository_is_linked_by_set_up_and_named_as_not_proven(repo: Path, tmp_path: Path) -> None:
    (tmp_path / "common").mkdir()
    (tmp_path / "common/value").write_text("42\n")
    (repo / "parallel-impl.toml").write_text(CONFIG)
    plan = repo / "openspec/changes/fix-typos/work-packages.yaml"
    commit_all(repo, "A sibling")
    agent = command(tmp_path / "agent.sh", f"cat ../common/value; ls ..; pwd\n{WORK}")
    done = tool(repo, "implement", "fix-typos", "--agent", agent)
    assert done.returncode == 0, done.stdout + done.stderr
    note = f"../common ({tmp_path}/common) is read from outside the repository, as it is now, and not proven"
    assert note in done.stderr
    assert json.loads((repo / ".git/parallel-impl/fix-typos/summary.json").read_text())["notes"] == [note]
    log = (repo / ".git/parallel-impl/fix-typos/attempts/wp-guide/1/agent.log").read_text().split()
    assert log == ["42", "common", "no-contracts", f"{tmp_path}/no-contracts.worktrees/fix-typos/wp-guide/no-contracts"]
    assert git(repo, "show", f"main:{plan.relative_to(repo)}")
    assert (tmp_path / "common/value").read_text() == "42\n"
