"""Lines for people where there is no terminal: a heartbeat, and no word that a CI runner would take for a command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from parallel_impl.cli import ci
from parallel_impl.cli.output import echo, put, put_json
from parallel_impl.cli.terminal import JsonLines, Terminal, is_plain
from parallel_impl.record import events as e
from tests.report.scene import THREE, begin, outlined, started

GITHUB = {"CI": "true", "GITHUB_ACTIONS": "true"}


def obeyed(printed: str) -> list[str]:
    """What GitHub's runner takes for a command, as its `ActionCommandManager` reads lines."""
    found, stopped = list[str](), ""
    for line in printed.splitlines():
        text = line.lstrip()
        if stopped:
            stopped = "" if text == f"::{stopped}::" else stopped
        elif text.startswith("::stop-commands::"):
            stopped = text.removeprefix("::stop-commands::")
        elif text.startswith("::") or "##[" in line:
            found.append(line)
    return found


@pytest.mark.parametrize("hostile", ["x\n  ::error::no", "::set-env name=A::b", "said ##[error]no", "::x::\n##[group]"])
def test_a_runner_takes_no_command_from_what_an_agent_wrote(hostile: str) -> None:
    assert obeyed(hostile)
    assert obeyed(ci.guarded(hostile, GITHUB)) == []
    assert hostile in ci.guarded(hostile, GITHUB)
    assert ci.guarded(hostile, {}) == hostile
    assert "##" not in ci.guarded(hostile, {"TF_BUILD": "True"})


def test_the_word_that_ends_it_cannot_be_guessed_and_harmless_lines_stay_as_they_are() -> None:
    assert ci.guarded("::x::", GITHUB) != ci.guarded("::x::", GITHUB)
    assert ci.guarded("12 of 20: all is well", GITHUB) == "12 of 20: all is well"


def test_what_reading_commands_print_is_no_command_either(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for text, nl in (("::error::no", True), ("+ ##[error]no\n", False), ("harmless\n", False), ("end", True)):
        echo(text, nl=nl)
    printed = capsys.readouterr().out
    assert obeyed(printed) == []
    assert [line for line in printed.splitlines() if "::" not in line] == ["+ ##[error]no", "harmless", "end"]


def test_whatever_a_command_prints_goes_through_one_door_that_a_runner_takes_no_command_from(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    put("  - 1.1 ##[group]no")
    put("::error::no", err=True)
    put_json({"text": "##[error]no"}, indent=1)
    printed = capsys.readouterr()
    assert obeyed(printed.out) == obeyed(printed.err) == []
    for module in Path(put.__code__.co_filename).parent.glob("*.py"):
        found = re.findall(r"click\.echo\(|\bprint\(", module.read_text("utf-8"))
        assert not found or module.name == "output.py", module


def test_json_lines_hold_no_command_and_the_same_data(capsys: pytest.CaptureFixture[str]) -> None:
    JsonLines().event(e.Noted(text="##[error]##vso[x]"))
    printed = capsys.readouterr().out
    assert obeyed(printed) == []
    assert json.loads(printed)["text"] == "##[error]##vso[x]"


def test_a_line_each_minute_says_that_the_run_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    lines = Terminal(lambda: now)
    lines.begin(outlined(THREE, str(tmp_path)), ())
    for event in (started(THREE, at=100.0), begin(101.0, "wp-contracts")):
        lines.event(event)
    capsys.readouterr()
    assert lines.tick(130.0) == 30.0
    assert capsys.readouterr().out == ""
    now = 160.0
    assert lines.tick(160.0) == 60.0
    assert lines.tick(161.0) == 59.0
    assert capsys.readouterr().out == "   60.0s  0 of 3, 1 running, 2 wait for wp-contracts\n"


def test_paths_of_worktrees_are_shown_from_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Terminal(lambda: 0.0)
    lines.begin(outlined(THREE, "/state"), ())
    why = "see /home/worktrees/add-a/wp-api/repo/src/a.py:3; log: /state/attempts/wp-api/1/x.log"
    for event in (started(THREE), e.AttemptEnded(package="wp-api", number=1, code="TIMEOUT", why=why)):
        lines.event(event)
    assert capsys.readouterr().out.splitlines()[-1].endswith("see src/a.py:3; log: attempts/wp-api/1/x.log")


@pytest.mark.parametrize("asked", [{"NO_COLOR": "1"}, {"CI": "true"}, GITHUB, {"TERM": "dumb"}])
def test_no_board_is_drawn_where_it_is_not_wanted(asked: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert not is_plain({"TERM": "xterm"})
    assert is_plain({"TERM": "xterm", **asked})


@pytest.mark.parametrize("end", ["\n", "\r", "\v", "\f", "\x85", "\u2028"])
def test_a_runner_takes_no_command_behind_another_end_of_a_line(end: str) -> None:
    told = f"an agent's word{end} ::set-output name=x::y"
    assert obeyed(told)
    assert not obeyed(ci.guarded(told, GITHUB))
