"""What is typed: ids and paths, `--version` and `--help` of every command, and what a shell completes."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from parallel_impl import __version__
from parallel_impl.cli import main
from tests.repository import make_repository, tool

COMMANDS = main.group.commands
PROGRAMS = {"parallel-impl": main.group, "parallel-implement": COMMANDS["implement"]}
PROGRAMS |= {"parallel-cleanup": COMMANDS["cleanup"], "parallel-plan": COMMANDS["plan"]}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_tells_the_version_and_an_example_that_can_be_typed(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = COMMANDS[name]
    assert command.main(["--version"], standalone_mode=False) == 0
    assert capsys.readouterr().out.endswith(f", version {__version__}\n")
    assert command.epilog is not None
    program, *words = shlex.split(command.epilog.removeprefix("Example: "))
    called = PROGRAMS[program]
    if isinstance(called, click.Group):
        called = called.commands[words.pop(0)]
    assert called is command
    command.make_context(program, words)  # raises for an option or argument that is not there


def completed(program: str, words: list[str], typed: str) -> list[str]:
    found = BashComplete(PROGRAMS[program], {}, program, "_X").get_completions(words, typed)
    return [item.value for item in found]


def test_commands_options_and_changes_are_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("add-login", "add-logout", "fix-typos", "archive/2026-01-01-add-x", "No-Id"):
        (tmp_path / "openspec/changes" / folder).mkdir(parents=True)
    (tmp_path / "src/deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "src/deep")
    assert completed("parallel-impl", [], "val") == ["validate"]
    assert completed("parallel-implement", [], "--fail") == ["--fail-fast"]
    for program, words in (("parallel-implement", []), ("parallel-cleanup", []), ("parallel-impl", ["validate"])):
        assert completed(program, words, "add-") == ["add-login", "add-logout"]
    assert completed("parallel-impl", ["runs", "--for"], "fix") == ["fix-typos"]
    assert completed("parallel-impl", ["show"], "") == ["add-login", "add-logout", "fix-typos"]
    monkeypatch.chdir("/")
    assert completed("parallel-implement", [], "add-") == []


def test_a_path_to_the_folder_of_a_change_is_its_id_in_every_command(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    folder = repo / "openspec/changes/fix-typos"
    for typed, where in (
        ("openspec/changes/fix-typos", repo),
        (f"{folder}/", repo),
        ("fix-typos/", folder.parent),
        (".", folder),
        ("../fix-typos/work-packages.yaml", folder),
    ):
        done = tool(where, "show", typed)
        assert (done.returncode, "there is no run of 'fix-typos'" in done.stderr) == (2, True), done.stderr
        assert tool(where, "validate", typed).returncode == 0
    for command in (("implement",), ("cleanup", "--dry-run"), ("status",), ("logs",)):
        done = tool(repo, *command, "openspec/changes/fix-typos/")
        assert "not a change-id" not in done.stderr, done.stderr
    assert "is not a change-id" in tool(repo, "implement", "src/fix-typos/").stderr


def test_a_command_that_is_refused_leaves_nothing(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    for arguments, why in ((["--abort"], "no run of fix-typos to abort"), (["--base", "zzz"], "'zzz' names no commit")):
        done = tool(repo, "implement", "fix-typos", *arguments)
        assert (done.returncode, why in done.stderr) == (2, True), done.stderr
        assert not (repo / ".git/parallel-impl").exists()


def test_the_list_of_commands_has_whole_sentences() -> None:
    shown = CliRunner().invoke(main.group, ["--help"], terminal_width=80).output
    assert "..." not in shown.partition("Commands:")[2]
