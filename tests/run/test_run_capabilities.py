"""What is required for several jobs at once: without it a run goes on with one, and names what is lacking."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from parallel_impl import storage
from parallel_impl.errors import UserError
from parallel_impl.processes.slot_files import FOLDER, SlotFiles
from parallel_impl.processes.slots import Slots
from parallel_impl.run.claims import lock_trial
from parallel_impl.run.start import capabilities
from tests.repository import FIXTURES, commit_all, make_repository, tool


def test_locks_hold_where_a_second_holder_is_refused(tmp_path: Path) -> None:
    def unsupported(descriptor: int, operation: int) -> None:
        raise OSError(95, "Operation not supported")

    assert lock_trial.problem(tmp_path) == ""
    assert lock_trial.problem(tmp_path, lambda *_: None) == f"file locks do not hold in {tmp_path}"
    assert "do not work in" in lock_trial.problem(tmp_path, unsupported)
    assert list(tmp_path.iterdir()) == []


def test_without_room_for_all_jobs_one_is_left_and_without_room_for_one_nothing_starts(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    enough = capabilities.check(tmp_path, tmp_path, free // 100, jobs=4)
    assert (enough.jobs, enough.lacking) == (4, ())
    scarce = capabilities.check(tmp_path, tmp_path, free // 6, jobs=4)
    assert scarce.jobs == 1
    (why,) = scarce.lacking
    assert "are needed for 10 checkouts" in why
    assert why.endswith("are free: packages are done one at a time")
    with pytest.raises(UserError, match="needed for 4 checkouts"):
        capabilities.check(tmp_path, tmp_path, free // 2, jobs=4)


def test_checkouts_that_share_a_layer_need_no_room_of_their_own(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    assert capabilities.check(tmp_path, tmp_path, free, jobs=4, shared=True).jobs == 4


def test_the_doctor_names_what_a_run_would_use_and_the_line_that_installs_it(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    agent = f'agent = "replay: {FIXTURES}/no-contracts/replay"\n'
    (repo / "parallel-impl.toml").write_text((repo / "parallel-impl.toml").read_text() + agent)
    commit_all(repo, "agent")
    with Slots(2, 2, SlotFiles(storage.state_directory() / FOLDER)).take():
        done = tool(repo, "doctor", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["name"]: row for row in json.loads(done.stdout)["capabilities"]}
    assert {"git", "locks", "disk", "namespaces", "openspec", "forge", "identity"} <= rows.keys()
    assert rows["git"]["health"] == "ok"
    assert rows["locks"]["required"]
    assert rows["slots"]["found"].startswith("1 of ")
    shown = tool(repo, "doctor").stdout
    assert "npm install -g @fission-ai/openspec" in shown or rows["openspec"]["health"] == "ok"
    assert "npm install -g @openai/codex" in shown or rows["agent codex"]["health"] != "missing"


def test_agents_that_are_not_there_are_one_line_and_keep_no_run_from_starting(tmp_path: Path) -> None:
    repo, programs = make_repository("no-contracts", tmp_path), tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "bash", "sh"):
        (programs / name).symlink_to(shutil.which(name) or name)
    done = tool(repo, "doctor", env={"PATH": str(programs), "ANTHROPIC_API_KEY": ""})
    (told,) = [line for line in done.stdout.splitlines() if "aider-chat" in line]
    assert "not installed: claude (npm install -g @anthropic-ai/claude-code), codex" in told
    assert "--agent 'command: …' (any program), or for --agent anthropic (with a key)" in done.stdout
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_doctor_fails_without_an_agent_that_can_work(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    (repo / "parallel-impl.toml").write_text('agent = "command: no-such-agent"\n')
    commit_all(repo, "agent")
    done = tool(repo, "doctor")
    assert done.returncode == 1
    assert "no-such-agent" in done.stdout
