"""Whole runs that a provider or a limit stops, and that the same command goes on with; ports; the logs of agents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_e2e_agents import CHANGE, KEY, diamond, events, result, state, table, with_plan
from tests.models.scenario import WORK, Fault, Scenario
from tests.models.stub import Stub
from tests.repository import commit_all, git, tool

MINE = {"MY_KEY": KEY}
QUOTA = Scenario(fault=Fault(status=402, message="no credit is left"))


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub({"paid": QUOTA}).running() as running:
        yield running


def test_a_quota_pauses_the_run_and_the_same_command_goes_on(stub: Stub, tmp_path: Path) -> None:
    repo = diamond(tmp_path, 'agent = "mine"', table(stub, "paid@wp-formal"))
    first = tool(repo, "implement", CHANGE, env=MINE)
    assert first.returncode == 1, first.stdout + first.stderr
    assert "Paused by anthropic; all work is kept." in first.stderr
    assert f"go on with: parallel-implement {CHANGE}" in first.stderr
    status = tool(repo, "status", CHANGE).stdout
    assert f"{CHANGE}  paused" in status.splitlines()[0]
    assert status.splitlines()[1].startswith("  paused by anthropic: PROVIDER_QUOTA: ")
    assert status.splitlines()[2] == f"  go on with: parallel-implement {CHANGE}"
    assert json.loads((state(repo) / "summary.json").read_text())["status"] == "paused"
    assert next(one["package"] for one in events(repo, "package-accepted")) == "wp-words"
    stub.scenarios = {"paid": WORK}
    again = tool(repo, "implement", CHANGE, env=MINE)
    assert again.returncode == 0, again.stdout + again.stderr
    assert [one["by"] for one in events(repo, "run-resumed")] == ["anthropic"]
    assert [one["package"] for one in events(repo, "attempt-started")].count("wp-formal") == 2
    logs = tool(repo, "logs", CHANGE, "wp-formal").stdout
    assert "== wp-formal, attempt 1\n" in logs
    assert "PROVIDER_QUOTA: " in logs
    later = logs.partition("== wp-formal, attempt 2\n")[2]
    assert "  > " in later
    assert "  done" in later
    assert KEY not in logs


def test_a_run_that_used_up_its_limit_halts_and_goes_on_when_it_is_raised(stub: Stub, tmp_path: Path) -> None:
    repo = diamond(tmp_path, 'agent = "mine"', table(stub), "limits.run.turns = 4")
    first = tool(repo, "implement", CHANGE, env=MINE)
    assert first.returncode == 1, first.stdout + first.stderr
    assert "Not landed: a limit of the run is used up" in first.stderr
    assert "limits.run: " in first.stderr
    assert [one["package"] for one in events(repo, "package-accepted")][:1] == ["wp-words"]
    assert "wp-integration" not in [one["package"] for one in events(repo, "attempt-started")]
    same = tool(repo, "implement", CHANGE, env=MINE)
    assert same.returncode == 1
    config = repo / "pyproject.toml"
    config.write_text(config.read_text().replace("limits.run.turns = 4", "limits.run.turns = 400"))
    commit_all(repo, "More turns")
    again = tool(repo, "implement", CHANGE, env=MINE)
    assert again.returncode == 0, again.stdout + again.stderr


def test_a_package_that_used_up_its_limit_fails_after_one_attempt(stub: Stub, tmp_path: Path) -> None:
    repo = diamond(tmp_path, 'agent = "mine"', table(stub, "loop"), "limits.package.turns = 3")
    done = tool(repo, "implement", CHANGE, "--only", "wp-words", env=MINE)
    assert done.returncode == 1
    assert [one["code"] for one in events(repo, "attempt-ended")] == ["BUDGET_EXCEEDED"]
    assert result(repo)["error_code"] == "BUDGET_EXCEEDED"
    assert "wp-words  FAILED: BUDGET_EXCEEDED" in done.stdout


@pytest.mark.parametrize(("name", "unit"), [("output_mb", "output_mb"), ("disk_mb", "disk_mb")])
def test_an_agent_whose_files_grow_over_their_limit_is_ended(name: str, unit: str, tmp_path: Path) -> None:
    repo = with_plan(tmp_path, PLAN, **{"parallel-impl.toml": f"setup = []\nlimits.package.{name} = 3\n"})
    script = tmp_path / "grow.sh"
    where = "src/big" if name == "disk_mb" else "/dev/stdout"
    script.write_text(f"head -c 9000000 /dev/zero | tr '\\0' x >> {where}\nsleep 1000\n")
    done = tool(repo, "implement", "add-words", "--agent", f"command: sh {script}")
    assert done.returncode == 1
    told = json.loads((repo / ".git/parallel-impl/add-words/attempts/wp-words/1/result.json").read_text())
    assert told["error_code"] == "BUDGET_EXCEEDED"
    assert f"limits.package: {unit}: 9." in told["error"]
    assert not (repo / ".git/parallel-impl/add-words/attempts/wp-words/2").exists()


def test_a_limit_that_the_agent_never_reports_is_an_error_before_the_start(stub: Stub, tmp_path: Path) -> None:
    repo = diamond(tmp_path, 'agent = "mine"', table(stub), "limits = {package = {dollars = 1}, run = {turns = 9}}")
    done = tool(repo, "implement", CHANGE, env=MINE)
    assert done.returncode == 2
    assert "limits.package.dollars: error: mine never reports its dollars" in done.stderr
    assert "limits that hold for it: minutes, output_mb, disk_mb, turns, tokens" in done.stderr
    assert "limits.run" not in done.stderr


PLAN = """\
schema_version: 1
feature: {id: add-words, title: Words}
packages:
  - package_id: wp-words
    description: Write the words.
    retry_budget: 0
    scope: {write_allow: [src/**]}
    verification:
      steps:
        - {name: same, command: 'test "$(cat .own)" = "$PARALLEL_IMPL_NAME $PARALLEL_IMPL_PORTS"'}
        - {name: other, command: 'test "$(cat src/own)" != "$(cat .own)"'}
"""


def test_each_checkout_has_ports_and_a_name_of_its_own_and_gives_them_back(tmp_path: Path) -> None:
    own = "$PARALLEL_IMPL_NAME $PARALLEL_IMPL_PORTS"
    setup = f"setup = ['echo \"{own}\" > .own']\nports = 2\ngates.smoke = 'test -n \"$PARALLEL_IMPL_PORT\"'\n"
    repo = with_plan(tmp_path, PLAN, **{"parallel-impl.toml": setup, ".gitignore": ".own\n"})
    script = tmp_path / "agent.sh"
    script.write_text(
        f"""test "$(cat .own)" = "{own}" || exit 7
test "$COMPOSE_PROJECT_NAME" = "$PARALLEL_IMPL_NAME" || exit 8
grep -q PARALLEL_IMPL_PORTS "$1" || exit 9
cp .own src/own
"""
    )
    home = tmp_path / "state"
    env = {"XDG_STATE_HOME": str(home)}
    done = tool(repo, "implement", "add-words", "--agent", f"command: sh {script} {{prompt_file}}", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    name, first, second = git(repo, "show", "openspec/add-words:src/own").split()
    assert name.startswith("add_words_wp_words_")
    assert int(second) == int(first) + 1
    assert json.loads((home / "parallel-impl/ports.json").read_text()) == {}
