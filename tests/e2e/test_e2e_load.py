"""Verification shares the machine: slots, shares of the cores, priorities, and what is red only beside others."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

from parallel_impl.processes.slot_files import SlotFiles
from parallel_impl.processes.slots import Slots
from parallel_impl.record import events as e
from parallel_impl.record.journal import read
from tests.repository import command, commit_all, init, start, tool, wait_for

# on the base, where its file is not there yet, a step does nothing
PACKAGE = """
  - package_id: {name}
    description: Writes a file.
    retry_budget: 0
    scope: {{write_allow: [{name}.txt]}}
    verification: {{steps: [{{name: check, kind: command, command: "test -e {name}.txt && sh check.sh {name}"}}]}}
"""
AGENT = 'nice >"$1.txt"\n'


def repository(folder: Path, check: str, settings: str, packages: tuple[str, ...] = ("wp-a", "wp-b")) -> Path:
    """A repository with parallel packages that are all checked by the same script."""
    change = folder / "repo/openspec/changes/load"
    change.mkdir(parents=True)
    (change / "proposal.md").write_text("# Load\n")
    (change / "tasks.md").write_text("## 1. All\n- [ ] 1.1 Write the files\n")
    plan = "".join(PACKAGE.format(name=name) for name in packages)
    (change / "work-packages.yaml").write_text(f"schema_version: 1\nfeature: {{id: load}}\npackages:{plan}")
    (folder / "repo/check.sh").write_text(check)
    (folder / "repo/parallel-impl.toml").write_text(f"setup = []\ngates.openspec = false\n{settings}")
    init(folder / "repo")
    commit_all(folder / "repo", "base")
    return folder / "repo"


# the first run of wp-a fails while wp-b is known to run; the second passes if wp-b is over, and it may not take what
# the first one left for its own work
RED_BESIDE = """
if [ $1 = wp-b ]; then
    echo on >{d}/first
    read -r word <{d}/second
    touch {d}/b-is-over
elif [ -e {d}/was-red ]; then
    test -e {d}/b-is-over
    test ! -e left
else
    read -r word <{d}/first
    touch {d}/was-red left
    echo on >{d}/second
    echo starved
    exit 1
fi
"""


def test_a_step_that_is_red_beside_others_runs_once_more_alone_and_that_counts(tmp_path: Path) -> None:
    repo = repository(tmp_path, "set -e\n" + RED_BESIDE.format(d=tmp_path), "heavy_jobs = 2\n")
    for name in ("first", "second"):
        os.mkfifo(tmp_path / name)
    done = tool(repo, "implement", "load", "--agent", command(tmp_path / "agent.sh", AGENT))
    assert done.returncode == 0, done.stdout + done.stderr
    state = repo / ".git/parallel-impl/load"
    (step,) = json.loads((state / "attempts/wp-a/1/result.json").read_bytes())["verification"]["steps"]
    assert step["passed"]
    assert step["red_under_load"]
    assert (state / "attempts/wp-a/1/steps-beside-others/1-check.log").read_text() == "starved\n"
    rows = {row["id"]: row["steps"] for row in json.loads((state / "summary.json").read_bytes())["packages"]}
    assert [rows[name][0]["red_under_load"] for name in ("wp-a", "wp-b")] == [True, False]
    assert "passed, red under load" in (state / "summary.md").read_text()


def test_a_step_that_is_red_alone_too_is_refused_after_its_second_run(tmp_path: Path) -> None:
    check = """
    if [ $1 = wp-b ]; then echo on >{d}/first; read -r word <{d}/second
    elif [ -e {d}/was-red ]; then echo again >>{d}/was-red; exit 1
    else read -r word <{d}/first; touch {d}/was-red; echo on >{d}/second; exit 1; fi
    """
    repo = repository(tmp_path, check.format(d=tmp_path), "heavy_jobs = 2\n")
    for name in ("first", "second"):
        os.mkfifo(tmp_path / name)
    done = tool(repo, "implement", "load", "--agent", command(tmp_path / "agent.sh", AGENT))
    assert done.returncode == 1, done.stdout + done.stderr
    assert (tmp_path / "was-red").read_text() == "again\n"


# fails where another one runs; an agent's file holds its priority
ONE_AT_A_TIME = """
set -e
mkdir {d}/running
echo "$(nice) $(cat $1.txt) $PARALLEL_IMPL_CORES $CARGO_BUILD_JOBS" >>{d}/seen
rmdir {d}/running
"""


def test_one_heavy_job_at_once_with_its_share_and_agents_of_lower_priority(tmp_path: Path) -> None:
    settings = 'heavy_jobs = 1\npass_env = ["CARGO_BUILD_JOBS"]\ngates.check = "sh check.sh wp-a"\n'
    settings += 'gates.again = "sh check.sh wp-a"\n'
    check = ONE_AT_A_TIME.format(d=tmp_path).replace("$(cat $1.txt)", "$(cat $1.txt || true)")
    repo = repository(tmp_path, check, settings, ("wp-a", "wp-b", "wp-c"))
    done = tool(
        repo,
        "implement",
        "load",
        "--agent",
        command(tmp_path / "agent.sh", AGENT),
        env={"CARGO_BUILD_JOBS": "77"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    seen = [line.split() for line in (tmp_path / "seen").read_text().splitlines()]
    assert len(seen) == 3 + 2 * 2
    priorities = {(int(step), int(agent)) for step, agent, *_ in (line for line in seen if len(line) == 4)}
    ((step, agent),) = priorities
    assert agent == min(step + 5, 19)
    assert {line[-1] for line in seen} == {"77"}
    assert all(int(line[-2]) >= 1 for line in seen)
    waits = [one for one in read(repo / ".git/parallel-impl/load/journal.jsonl") if isinstance(one, e.SlotAwaited)]
    assert {one.what for one in waits} <= {"check", "again"}


def test_what_a_step_waited_for_its_slot_is_journalled_apart(tmp_path: Path) -> None:
    repo = repository(tmp_path, "true\n", "heavy_jobs = 1\nbase_minutes = 0\n", ("wp-a",))
    journal = repo / ".git/parallel-impl/load/journal.jsonl"
    others = Slots(1, 1, SlotFiles(Path(os.environ["HOME"], ".local/state/parallel-impl/slots")))
    with others.take():
        running = start(repo, "implement", "load", "--agent", command(tmp_path / "agent.sh", AGENT))
        wait_for(journal, running)
        while b"slot-awaited" not in journal.read_bytes():
            assert running.poll() is None
            threading.Event().wait(0.02)
    assert running.wait(120) == 0
    (ended,) = [one for one in read(journal) if isinstance(one, e.AttemptEnded)]
    assert 0 < ended.waited_seconds < ended.seconds


def test_a_run_inside_a_step_waits_for_no_slot_that_the_step_has(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    inner = repository(tmp_path / "inner", "true\n", "heavy_jobs = 1\n", ("wp-a",))
    (tmp_path / "outer").mkdir()
    agent = command(tmp_path / "agent.sh", AGENT)
    check = f"cd {inner} && python -m parallel_impl implement load --agent '{agent}'\n"
    outer = repository(tmp_path / "outer", check, "heavy_jobs = 1\n", ("wp-a",))
    done = tool(outer, "implement", "load", "--agent", agent)
    assert done.returncode == 0, done.stdout + done.stderr


def test_where_slots_cannot_be_shared_the_run_says_so_and_uses_its_own(tmp_path: Path) -> None:
    repo = repository(tmp_path, "true\n", "", ("wp-a",))
    (tmp_path / "no-folder").write_text("")
    done = tool(
        repo,
        "implement",
        "load",
        "--agent",
        command(tmp_path / "agent.sh", AGENT),
        env={"XDG_STATE_HOME": str(tmp_path / "no-folder")},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "steps, gates and set-ups of other runs are not waited for" in done.stderr
