"""Where a run keeps its worktrees, and from where it is started, as the command line has it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from parallel_impl.views.view import Means
from tests.means import CHOSEN
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
    level = "fix-typos/wp-guide" if CHOSEN is Means.EACH else "_checkout"
    assert log == ["42", "common", "no-contracts", f"{tmp_path}/no-contracts.worktrees/{level}/no-contracts"]
    assert git(repo, "show", f"main:{plan.relative_to(repo)}")
    assert (tmp_path / "common/value").read_text() == "42\n"


@pytest.fixture
def monorepo(repo: Path) -> Path:
    """The fixture with its `openspec/` in the part `services/api`; a second part without the change."""
    (repo / "services/api/src").mkdir(parents=True)
    (repo / "openspec").rename(repo / "services/api/openspec")
    (repo / "services/api/src/x").touch()
    (repo / "web/openspec/changes/add-web").mkdir(parents=True)
    (repo / "web/openspec/changes/add-web/proposal.md").touch()
    (repo / "parallel-impl.toml").write_text("setup = []\ngates.openspec = false\n")
    commit_all(repo, "Parts")
    return repo


def test_a_change_of_a_part_is_found_upwards_and_its_run_goes_on_from_anywhere(monorepo: Path, tmp_path: Path) -> None:
    part = monorepo / "services/api"
    sound = tool(part / "src", "validate", "fix-typos")
    assert sound.returncode == 0, sound.stderr
    missed = tool(monorepo, "implement", "fix-typos", "--agent", "replay: /nothing")
    assert missed.returncode == 2
    assert "cd services/api" in missed.stderr
    agent = command(tmp_path / "agent.sh", f"[ -e {tmp_path}/go ] || exit 1\nls services/api\n{WORK}")
    first = tool(part / "src", "implement", "fix-typos", "--agent", agent)
    assert first.returncode == 1, first.stderr
    (tmp_path / "go").touch()
    again = tool(monorepo / "web", "implement", "fix-typos", "--agent", agent, "--retry-failed")
    assert again.returncode == 0, again.stderr
    changed = git(monorepo, "diff", "--name-only", "main", "openspec/fix-typos").split()
    tasks = "services/api/openspec/changes/fix-typos/tasks.md"
    assert changed == [
        "guide.md",
        "index.md",
        tasks,
    ]  # scopes are relative to the root; the tasks are ticked in the part
    assert tool(monorepo, "cleanup", "fix-typos").returncode == 1  # not merged


def test_what_a_part_says_as_if_it_were_the_root_is_a_warning(monorepo: Path) -> None:
    part = monorepo / "services/api"
    plan = part / "openspec/changes/fix-typos/work-packages.yaml"
    plan.write_text(plan.read_text().replace("write_allow: [guide.md]", "write_allow: [guide.md, 'src/**']"))
    (part / "parallel-impl.toml").write_text("jobs = 2\n")
    commit_all(monorepo, "As if it were the root")
    for arguments in (("validate", "fix-typos"), ("implement", "fix-typos", "--dry-run")):
        done = tool(part, *arguments)
        assert done.returncode == 0, done.stderr
        assert "services/api/parallel-impl.toml: warning: the configuration of a part is not read\n" in done.stderr
        assert "    move it to the root of the repository: parallel-impl.toml\n" in done.stderr
        assert "    did you mean services/api/src/**?\n" in done.stderr
    for options in ((), ("--fix",)):
        missed = tool(monorepo, "validate", "fix-typos", *options)
        assert missed.returncode == 2
        assert "    go there: cd services/api\n" in missed.stderr


def test_an_id_that_two_parts_have_is_refused_with_both_folders(monorepo: Path, tmp_path: Path) -> None:
    part = monorepo / "services/api"
    agent = command(tmp_path / "agent.sh", "exit 1\n")
    assert tool(part, "implement", "fix-typos", "--agent", agent).returncode == 1
    other = monorepo / "web/openspec/changes/fix-typos"
    shutil.copytree(part / "openspec/changes/fix-typos", other)
    commit_all(monorepo, "The id again")
    folders = ("services/api/openspec/changes/fix-typos", "web/openspec/changes/fix-typos")
    for folder, arguments in (
        (monorepo / "web", ("implement", "fix-typos", "--agent", agent)),  # which has a run
        (monorepo / "web", ("validate", "fix-typos")),
        (part, ("validate", "fix-typos")),
    ):
        done = tool(folder, *arguments)
        assert done.returncode == 2, done.stdout
        assert all(one in done.stderr for one in folders)
    assert tool(monorepo / "web", "implement", "fix-typos", "--abort").returncode == 0
    done = tool(part, "implement", "fix-typos", "--agent", agent)
    assert done.returncode == 2
    assert all(one in done.stderr for one in folders)
