"""A run as it is watched: what its journal tells of set-ups, steps and gates, and what a pipe or a terminal shows."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import shlex
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pyte
import pytest

from parallel_impl import schema
from parallel_impl.record import events as e
from parallel_impl.record.journal import read
from parallel_impl.views.view import Means
from tests.means import CHOSEN
from tests.repository import FIXTURES, command, commit_all, make_repository, replay, tool

CONFIGURED = 'setup = ["true"]\ngates.openspec = false\ngates.check = "true"\n'
AGENT_SECONDS, BUSY_SECONDS = 0.5, 0.3


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """A repository with a landed run that had a set-up, steps and a gate; and what that run printed."""
    repo = make_repository("no-contracts", tmp_path_factory.mktemp("watched"))
    busy = shlex.join([sys.executable, "-c", f"import time\nwhile time.process_time() < {BUSY_SECONDS}: pass"])
    (repo / "parallel-impl.toml").write_text(
        CONFIGURED.replace('gates.check = "true"', f"gates.check = {json.dumps(busy)}")
    )
    commit_all(repo, "Set-up and a gate")
    recorded = FIXTURES / "no-contracts/replay"
    agent = command(repo.parent / "agent.sh", f'sleep {AGENT_SECONDS}\ncp -Rv {recorded}/"$1/$2"/. .\n')
    done = tool(repo, "implement", "fix-typos", "--agent", agent, "--profile")
    assert done.returncode == 0, done.stderr
    return repo, done.stdout, done.stderr


def test_set_ups_steps_and_gates_are_journalled_from_start_to_end(watched: tuple[Path, str, str]) -> None:
    happened = read(watched[0] / ".git/parallel-impl/fix-typos/journal.jsonl")
    setups = [(one.on, one.package) for one in happened if isinstance(one, e.SetupStarted)]
    packages = [("", "wp-guide"), ("", "wp-guide"), ("", "wp-index")]  # one has a step, so a second checkout
    each = [*packages, ("base", ""), ("base", ""), ("candidate", "")]  # for steps, and for gates
    assert sorted(setups) == (each if CHOSEN is Means.EACH else [("base", "")])
    ended = [(one.on, one.package) for one in happened if isinstance(one, e.SetupEnded) and not one.why]
    assert sorted(ended) == sorted(setups)
    steps = [(one.package, one.step, one.passed) for one in happened if isinstance(one, e.StepEnded) and not one.on]
    assert steps == [("wp-guide", "title", True)]
    gates = [(one.on, one.gate, one.state) for one in happened if isinstance(one, e.GateEnded)]
    assert gates == [("base", "check", "green"), ("candidate", "check", "green")]


def test_the_journal_begins_with_the_run_although_set_up_was_before_it(watched: tuple[Path, str, str]) -> None:
    first, second, *_ = read(watched[0] / ".git/parallel-impl/fix-typos/journal.jsonl")
    assert isinstance(first, e.RunStarted)
    assert isinstance(second, e.SetupStarted)
    assert second.at <= first.at


def test_where_the_time_went_adds_up_and_is_found_where_it_was_spent(watched: tuple[Path, str, str]) -> None:
    found = json.loads((watched[0] / ".git/parallel-impl/fix-typos/summary.json").read_bytes())
    attempts = [attempt for package in found["packages"] for attempt in package["attempts"]]
    for attempt in attempts:
        spent = attempt["times"]
        assert sum(one["seconds"] for one in spent.values()) == pytest.approx(attempt["seconds"], abs=0.01)
        assert AGENT_SECONDS <= spent["agent"]["seconds"] < attempt["seconds"] - spent["checkout"]["seconds"]
        assert spent["agent"]["cpu_seconds"] < AGENT_SECONDS / 2  # it slept
        assert {"set_up", "taking", "verification"} <= spent.keys()
    clock, work = found["times"]["clock"], found["times"]["work"]
    assert clock["packages"]["seconds"] >= AGENT_SECONDS
    assert work["agent"]["seconds"] >= 2 * AGENT_SECONDS  # of two packages
    assert "packages" not in work
    assert clock["proving"]["seconds"] >= BUSY_SECONDS
    assert work["gates"]["cpu_seconds"] >= 2 * BUSY_SECONDS  # on the base, and on the whole
    happened = read(watched[0] / ".git/parallel-impl/fix-typos/journal.jsonl")
    on_whole = [one.times.gates for one in happened if isinstance(one, e.TimesMeasured) and one.on == "candidate"]
    assert sum(one.cpu_seconds for one in on_whole if one) >= BUSY_SECONDS
    assert (found["times"]["unknown_starts"], found["times"]["unknown_attempts"]) == (0, 0)


def test_the_profile_is_printed_last_in_twelve_lines_and_shown_again_of_a_run_that_landed(
    watched: tuple[Path, str, str],
) -> None:
    repo, _, printed = watched
    table = printed[printed.index("time by the run's clock: ") :].splitlines()
    assert len(table) <= 12
    assert table[1].endswith("     seconds   CPU seconds")
    assert table[-1].startswith("  in all ")
    again = tool(repo, "implement", "fix-typos", "--profile")
    assert again.stderr.splitlines()[-len(table) :] == table
    assert "\n".join(table) in tool(repo, "show", "fix-typos").stdout
    refused = tool(repo, "implement", "fix-typos", "--profile", "--dry-run")
    assert (refused.returncode, "--profile" in refused.stderr) == (2, True)


def test_a_pipe_gets_plain_lines_with_set_up_and_gates(watched: tuple[Path, str, str]) -> None:
    printed = watched[1]
    assert "\x1b" not in printed
    lines = [line.split("s  ", 1)[1] for line in printed.splitlines()]
    assert lines[:2] == ["set-up of the base runs", "set-up of the base done"]
    for line in ("gate check runs on the base", "gate check on the base: green", "wp-guide  step title"):
        assert line in lines


def test_what_landed_names_the_command_that_merges_it_and_what_fails_as_before(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    (repo / "parallel-impl.toml").write_text("gates.openspec = false\ngates.old = 'python -m pytest -q'\n")
    (repo / "test_old.py").write_text("def test_old():\n    assert False\n")
    commit_all(repo, "A test that fails")
    done = tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts"))
    assert done.returncode == 0, done.stderr + done.stdout
    assert "  merge:    git merge openspec/fix-typos\n" in done.stderr
    assert "  failing as before, on the base too: old 1\n" in done.stderr


def test_a_cause_is_on_its_live_line_and_once_more_at_the_end_with_the_lines_that_tell(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    plan = repo / "openspec/changes/fix-typos/work-packages.yaml"
    failing = "for n in 1 2 3 4 5 6 7 8; do echo noise $n; done; echo 'FAILED guide::title'; pwd; false"
    written = plan.read_text().replace("command: grep -qx '# Guide' guide.md", f'command: "{failing}"')
    plan.write_text(written.replace('    tasks: ["1.1"]', '    retry_budget: 0\n    tasks: ["1.1"]'))
    (repo / "parallel-impl.toml").write_text("gates.openspec = false\n")
    commit_all(repo, "A step that fails")
    done = tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts"), "--profile")
    assert done.returncode == 1
    live = [line for line in done.stdout.splitlines() if "VERIFICATION_FAILED: step 'title': exit 1" in line]
    assert live
    assert str(tmp_path) not in "".join(live)
    assert done.stderr.count("FAILED guide::title") == 1
    assert "noise" not in done.stderr
    assert "wp-guide failed: VERIFICATION_FAILED: step 'title': exit 1" in done.stderr
    assert "not known" not in done.stderr
    assert done.stderr.index("time by the run's clock: ") > done.stderr.index("  what to do next: ")


def test_a_terminal_gets_the_board_and_then_how_it_ended(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    (repo / "parallel-impl.toml").write_text(CONFIGURED)
    commit_all(repo, "Set-up and a gate")
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    plain = {"CI", "GITHUB_ACTIONS", "NO_COLOR"}
    environment = {name: value for name, value in os.environ.items() if name not in plain} | {"TERM": "xterm-256color"}
    arguments = ("implement", "fix-typos", "--agent", replay("no-contracts"))
    run = subprocess.Popen(
        [sys.executable, "-m", "parallel_impl", *arguments],
        cwd=repo,
        env=environment,
        stdin=side,
        stdout=side,
        stderr=side,
    )
    os.close(side)
    screen = pyte.Screen(80, 24)
    fed = pyte.ByteStream(screen)
    with contextlib.suppress(OSError):  # EIO: nobody has the other side any more
        while read := os.read(main, 65536):
            fed.feed(read)
    os.close(main)
    assert run.wait() == 0
    shown = "\n".join(line.rstrip() for line in screen.display)
    assert "2 of 2 packages accepted" in shown
    assert "✓ accepted   wp-guide" in shown
    assert "base: set-up done" in shown
    assert shown.index("✓ accepted   wp-guide") < shown.index("Landed: openspec/fix-typos")


def test_progress_is_beside_the_journal_and_says_how_the_run_ended(watched: tuple[Path, str, str]) -> None:
    state = watched[0] / ".git/parallel-impl/fix-typos"
    found = json.loads((state / "progress.json").read_bytes())
    assert list(schema.validator("progress").iter_errors(found)) == []
    assert (found["state"], found["counts"]["accepted"], found["counts"]["tasks_done"]) == ("landed", 2, 2)
    for one in found["packages"]:
        assert (state / one["log"]).is_dir()
        assert (state / one["result"]).is_file()


def test_outside_programs_hear_of_the_run_and_never_undo_its_landing(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    (tmp_path / "announce.sh").write_text(f"cat >>{tmp_path}/heard\n")
    configured = f'gates.openspec = false\nannounce = "sh {tmp_path}/announce.sh"\nnotify = "false --now"\n'
    (repo / "parallel-impl.toml").write_text(configured)
    commit_all(repo, "Tell others")
    done = tool(repo, "implement", "fix-typos", "--agent", replay("no-contracts"))
    assert done.returncode == 0, done.stderr
    heard = [json.loads(line)["event"] for line in (tmp_path / "heard").read_text().splitlines()]
    assert (heard[0], heard[1], heard[-1]) == ("plan", "run-started", "landed")
    told = [line for line in done.stderr.splitlines() if "notify" in line]
    assert [line.split("; log:")[0] for line in told] == ["  notify (false --now): exit 1"]


def test_each_reading_command_answers_in_json(watched: tuple[Path, str, str]) -> None:
    repo = watched[0]

    def asked(*arguments: str) -> dict[str, object]:
        done = tool(repo, *arguments, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        told = json.loads(done.stdout)
        assert isinstance(told, dict)
        return told

    one = asked("status", "fix-typos")
    assert list(schema.validator("progress").iter_errors(one)) == []
    assert (one["state"], asked("status")["runs"]) == ("landed", [one])
    assert list(schema.validator("execution-summary").iter_errors(asked("show", "fix-typos"))) == []
    package = asked("show", "fix-typos", "wp-guide")
    assert (package["state"], package["attempts"], len(str(package["results"])) > 100) == ("accepted", 1, True)
    assert asked("runs") == {"runs": [{"change_id": "fix-typos", "state": "landed", "owner": "", "claims": {}}]}
    checked = asked("validate", "fix-typos")
    assert (checked["sound"], checked["waves"]) == (True, [["wp-guide"], ["wp-index"]])


def test_validate_tells_in_json_what_is_wrong(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    plan = repo / "openspec/changes/fix-typos/work-packages.yaml"
    plan.write_text(plan.read_text().replace("depends_on: [wp-guide]", "depends_on: [wp-gide]"))
    done = tool(repo, "validate", "fix-typos", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr, found["sound"]) == (2, "", False)
    assert any("wp-gide" in problem["what"] and problem["where"] for problem in found["problems"])


def test_a_dry_run_tells_its_plan_in_json(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    done = tool(repo, "implement", "fix-typos", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    (plan,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (plan["event"], plan["waves"]) == ("plan", [["wp-guide"], ["wp-index"]])
    assert "fix-typos: no other run is in its way\n" in done.stderr
    assert "FULL" not in done.stderr
    assert not (repo / ".git/parallel-impl/fix-typos").exists()


def test_show_has_the_diff_the_prompt_and_the_log_of_a_package(watched: tuple[Path, str, str]) -> None:
    repo = watched[0]
    assert "\n+# Guide\n" in tool(repo, "show", "fix-typos", "wp-guide", "--diff").stdout
    assert "wp-guide" in tool(repo, "show", "fix-typos", "wp-guide", "--prompt").stdout
    log = tool(repo, "show", "fix-typos", "wp-guide", "--log")
    assert (log.returncode, "guide.md" in log.stdout) == (0, True)
    assert "packages: wp-guide, wp-index" in tool(repo, "show", "fix-typos", "--diff").stderr


def test_status_watches_until_nobody_works_on_the_run(watched: tuple[Path, str, str]) -> None:
    done = tool(watched[0], "status", "fix-typos", "--watch")
    assert (done.returncode, done.stdout) == (0, "landed: 2 of 2\n")
