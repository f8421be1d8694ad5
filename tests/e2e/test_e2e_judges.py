"""Who judges: gates that packages steer, gates and set-up that edit, and files around the checkouts."""

from __future__ import annotations

import json
from pathlib import Path

from parallel_impl.views.view import Means
from tests.means import CHOSEN
from tests.repository import command, commit_all, git, init, refs, tool

PLAN = """\
schema_version: 1
feature: {{id: c1}}
packages:
  - package_id: wp-a
    description: Does it.
    retry_budget: 1
    scope: {{write_allow: ["**"]}}
    verification: {{steps: [{{name: there, kind: command, command: "{step}"}}]}}
"""
CHECK = "! grep -q bad src/a.txt\n"


def make(folder: Path, configuration: str, *, step: str = "true", **files: str) -> Path:
    """A repository with the change c1 of one package that may write everywhere; `check_sh` is the file `check.sh`."""
    repo = folder / "repo"
    change = repo / "openspec/changes/c1"
    change.mkdir(parents=True)
    init(repo)
    (change / "proposal.md").write_text("# x\n")
    (change / "work-packages.yaml").write_text(PLAN.format(step=step))
    (repo / "parallel-impl.toml").write_text(f"gates.openspec = false\n{configuration}")
    (repo / "src").mkdir()
    (repo / "src/a.txt").write_text("good\n")
    for name, text in files.items():
        (repo / name.replace("_", ".")).write_text(text)
    commit_all(repo, "base")
    return repo


def summary(repo: Path) -> str:
    return (repo / ".git/parallel-impl/c1/summary.md").read_text()


def test_a_package_that_changed_its_own_judge_is_judged_by_the_bases_too(tmp_path: Path) -> None:
    repo = make(tmp_path, 'setup = []\ngates.check = "sh check.sh"\n', check_sh=CHECK)
    agent = command(tmp_path / "agent.sh", "echo bad > src/a.txt; echo true > check.sh\n")
    done = tool(repo, "implement", "c1", "--agent", agent)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "gate check runs check.sh, which wp-a may change" in done.stdout + done.stderr
    assert "gate check: not proven: wp-a changed check.sh; with the base's version:" in done.stdout + done.stderr
    assert refs(repo, "refs/heads") == ["refs/heads/main"]


def test_a_changed_judge_that_agrees_with_the_bases_lands_and_is_named(tmp_path: Path) -> None:
    repo = make(tmp_path, 'setup = []\ngates.check = "sh check.sh"\n', check_sh=CHECK)
    agent = command(tmp_path / "agent.sh", "echo fine > src/a.txt; echo '! grep -q worse src/a.txt' >> check.sh\n")
    done = tool(repo, "implement", "c1", "--agent", agent)
    assert done.returncode == 0, done.stdout + done.stderr
    named = "wp-a changed check.sh, which steers check"
    assert named in done.stdout + done.stderr
    assert named in summary(repo)
    (gate,) = (
        one
        for one in json.loads((repo / ".git/parallel-impl/c1/summary.json").read_text())["gates"]
        if one["name"] == "check"
    )
    assert gate["judges"] == ["wp-a changed check.sh"]


def test_a_new_test_that_needs_a_new_marker_lands(tmp_path: Path) -> None:
    strict = "[pytest]\npython_files = t*.py\naddopts = --strict-markers\nmarkers =\n    old\n"
    old = "import pytest\n@pytest.mark.old\ndef test_old(): pass\n"
    repo = make(tmp_path, "setup = []\ngates.pytest = 'pytest -q'\n", pytest_ini=strict, told_py=old)
    script = "echo '    new' >> pytest.ini; sed s/old/new/ told.py > tnew.py\n"
    done = tool(repo, "implement", "c1", "--agent", command(tmp_path / "agent.sh", script))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wp-a changed pytest.ini, which steers pytest" in done.stdout + done.stderr


def test_a_gate_that_edits_proves_nothing_for_itself_or_for_the_one_beside_it(tmp_path: Path) -> None:
    mend = "[ ! -e bad.txt ] || sed -i s/bad/good/ src/a.txt"
    look = "! grep -q bad src/a.txt"
    configuration = f"setup = []\ngates.mend = '{mend}'\ngates.look = '{look}'\n"
    repo = make(tmp_path, configuration)
    agent = command(tmp_path / "agent.sh", "echo bad > src/a.txt; touch bad.txt\n")
    done = tool(repo, "implement", "c1", "--agent", agent)
    assert done.returncode == 1, done.stdout + done.stderr
    said = done.stdout + done.stderr
    assert "it changes files that it judges: src/a.txt\n" in said
    assert 'let it only check, or permit that: gates.mend.writes = ["src/a.txt"]' in said
    assert "gate look: failed: exit 1" in done.stdout + done.stderr


def test_a_gate_may_write_what_the_configuration_permits(tmp_path: Path) -> None:
    gate = '{command = "echo made > src/a.txt", writes = ["src/*"]}'
    repo = make(tmp_path, f"setup = []\ngates.make = {gate}\ngates.check = 'grep -q good src/a.txt'\n")
    done = tool(repo, "implement", "c1", "--agent", command(tmp_path / "agent.sh", "echo good > new.txt\n"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert git(repo, "show", "openspec/c1:src/a.txt") == "good"


def test_set_up_that_changes_more_than_on_the_base_proves_nothing(tmp_path: Path) -> None:
    repo = make(tmp_path, 'setup = ["sh setup.sh"]\n', step=CHECK.strip(), setup_sh="echo 1 > made.txt\n")
    agent = command(tmp_path / "agent.sh", "echo bad > src/a.txt; echo 'echo good > src/a.txt' >> setup.sh\n")
    done = tool(repo, "implement", "c1", "--agent", agent)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "set-up changes files that it does not change on the base: src/a.txt" in done.stdout + done.stderr


def test_a_file_around_the_checkouts_stops_the_run_and_costs_no_retry(tmp_path: Path) -> None:
    repo = make(tmp_path, "setup = []\ngates.check = 'grep -q good src/a.txt'\n")
    in_home = CHOSEN is Means.EACH  # of which a view shows nothing
    above = tmp_path / "repo.worktrees" if in_home else tmp_path
    forging = command(tmp_path / "agent.sh", "echo more > b.txt; touch ../../conftest.py ../../../pytest.ini || true\n")
    done = tool(repo, "implement", "c1", "--agent", forging)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Not landed: files around its checkouts are not of this run" in done.stdout + done.stderr
    assert (f"rm {above}/c1/conftest.py" in done.stdout + done.stderr) is in_home
    assert f"rm {above}/pytest.ini" in done.stdout + done.stderr
    journal = (repo / ".git/parallel-impl/c1/journal.jsonl").read_text()
    assert "package-failed" not in journal
    (above / "pytest.ini").unlink()
    agent = command(tmp_path / "other.sh", "echo more > b.txt\n")
    if in_home:
        again = tool(repo, "implement", "c1", "--agent", agent)
        assert again.returncode == 2, again.stdout + again.stderr
        assert f"rm {above}/c1/conftest.py" in again.stdout + again.stderr
        (above / "c1/conftest.py").unlink()
    landed = tool(repo, "implement", "c1", "--agent", agent)
    assert landed.returncode == 0, landed.stdout + landed.stderr


def test_a_new_fixture_a_new_dependency_and_a_new_rule_are_no_reason_to_refuse(tmp_path: Path) -> None:
    project = (
        "[project]\nname = 'm'\nversion = '1'\ndependencies = []\n"
        "[tool.pytest.ini_options]\naddopts = '-p no:cacheprovider'\n[tool.ruff.lint]\nselect = ['F']\n"
    )
    old = "def test_old():\n    assert True\n"
    repo = make(tmp_path, "setup = []\ngates.mypy = false\n", pyproject_toml=project)
    (repo / "test_old.py").write_text(old)
    (repo / "conftest.py").write_text("import pytest\n\npytest.fixture\n")
    commit_all(repo, "tests")
    agent = (
        "sed -i \"s/dependencies = ../dependencies = ['pytest-mock']/; s/'F'/'F', 'E9'/\" pyproject.toml\n"
        "printf 'import pytest\\n\\nONE = 1\\n\\n\\n@pytest.fixture\\ndef one():\\n    return 1\\n' > conftest.py\n"
        "printf 'from conftest import ONE\\n\\n\\ndef test_also():\\n    assert ONE == 1\\n' > test_also.py\n"
        "printf 'def test_new(one):\\n    assert one == 1\\n' > test_new.py\n"
    )
    done = tool(repo, "implement", "c1", "--agent", command(tmp_path / "agent.sh", agent))
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "wp-a changed conftest.py, which steers pytest" in said
    assert "wp-a changed tool.ruff of pyproject.toml, which steers ruff" in said
    assert "tool.pytest" not in said
    assert "2 tests pass only as the candidate judges" in summary(repo)
