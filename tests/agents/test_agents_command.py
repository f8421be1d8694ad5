"""Agents are named by one line, checked before any work, and get exactly what their template asks for."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from parallel_impl.agents import kinds
from parallel_impl.agents.agent import AgentJob, Worked
from parallel_impl.agents.command import Command
from parallel_impl.agents.replay import Replay
from parallel_impl.errors import UserError
from parallel_impl.processes.launch import Launch, Limits
from parallel_impl.processes.process import Reason
from parallel_impl.record.codes import Failure


def job(folder: Path, *, started: list[int] | None = None, env: dict[str, str] | None = None) -> AgentJob:
    worktree = folder / "work tree"
    worktree.mkdir(exist_ok=True)
    (folder / "attempt").mkdir(exist_ok=True)
    (folder / "attempt/prompt.md").write_text("Do it.\n")
    return AgentJob(
        package_id="wp-a",
        change_id="add-x",
        attempt=2,
        prompt_file=folder / "attempt/prompt.md",
        result_file=folder / "attempt/keys.json",
        log=folder / "attempt/agent.log",
        launch=Launch(worktree, env or {}, Limits(30)),
        started=(started if started is not None else []).append,
        home=folder / "home",
        activity=folder / "attempt/activity.jsonl",
        raw=folder / "attempt/agent.raw.jsonl",
    )


def problems(spec: str, folder: Path) -> str:
    with pytest.raises(UserError) as refused:
        kinds.parse(spec, folder)
    return str(refused.value)


def test_each_kind_is_named_before_the_colon(tmp_path: Path) -> None:
    assert kinds.parse("command: sh -c 'exit {attempt}'", tmp_path) == Command(("sh", "-c", "exit {attempt}"))
    assert kinds.parse(" replay : . ", tmp_path) == Replay(tmp_path)


def test_an_unknown_kind_is_refused_with_the_nearest(tmp_path: Path) -> None:
    assert "write 'replay: edits'" in problems("reply: edits", tmp_path)
    assert "any program: 'command: my-agent'" in problems("my-agent", tmp_path)


def test_an_unknown_placeholder_is_refused_with_the_nearest(tmp_path: Path) -> None:
    said = problems("command: sh {promptfile}", tmp_path)
    assert "unknown placeholder {promptfile}" in said
    assert "did you mean {prompt_file}?" in said


@pytest.mark.parametrize("spec", ["command:", "command: ''", "command: sh 'open"])
def test_a_template_that_is_no_command_is_refused(spec: str, tmp_path: Path) -> None:
    assert problems(spec, tmp_path)


def test_a_program_that_is_not_on_path_is_found_before_any_work(tmp_path: Path) -> None:
    assert "'no-such-agent-here' is not on PATH" in problems("command: no-such-agent-here {prompt_file}", tmp_path)
    assert "no such folder" in problems("replay: nowhere", tmp_path)


def test_a_relative_program_is_found_from_where_it_was_named(tmp_path: Path) -> None:
    script = tmp_path / "tools/agent.sh"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\npwd\n")
    assert f"'{script}': it is not executable\n    chmod +x {script}" in problems("command: ./tools/agent.sh", tmp_path)
    assert f"'{script}x': there is no such file" in problems("command: ./tools/agent.shx", tmp_path)
    assert f"'{script.parent}': it is a folder" in problems("command: ./tools", tmp_path)
    script.chmod(0o755)
    given = job(tmp_path)
    assert kinds.parse("command: ./tools/agent.sh", tmp_path).work(given).ended.clean
    assert given.log.read_text() == f"{given.worktree}\n"


def test_placeholders_are_filled_in_as_single_arguments(tmp_path: Path) -> None:
    script = "import json, os, sys; print(json.dumps([os.getcwd(), sorted(os.environ), sys.argv[1:]]))"
    words = "{prompt_file} x{worktree}x {package_id}-{change_id} {attempt} {result_file} {} {Other}"
    agent = Command((sys.executable, "-I", "-c", script, *words.split(" ")))
    started: list[int] = []
    given = job(tmp_path, started=started, env={"ONLY": "this"})
    ended = agent.work(given).ended
    folder, environment, arguments = json.loads(given.log.read_text())
    assert ended.clean
    assert len(started) == 1
    assert folder == str(given.worktree)
    assert set(environment) - {"LC_CTYPE", "PARALLEL_IMPL_JOB"} == {"ONLY"}
    assert arguments == [
        f"{tmp_path}/attempt/prompt.md",
        f"x{tmp_path}/work treex",
        "wp-a-add-x",
        "2",
        f"{tmp_path}/attempt/keys.json",
        "{}",
        "{Other}",
    ]


def test_no_shell_reads_the_template(tmp_path: Path) -> None:
    given = job(tmp_path)
    agent = kinds.parse("command: printf '%s|' ; $HOME `id` > file", tmp_path)
    assert agent.work(given).ended.clean
    assert given.log.read_text() == ";|$HOME|`id`|>|file|"


def test_an_agents_exit_code_is_what_it_said(tmp_path: Path) -> None:
    ended = Command(("sh", "-c", "exit 7")).work(job(tmp_path)).ended
    assert (ended.reason, ended.exit_code) == (Reason.EXITED, 7)


def test_the_prompt_comes_on_standard_input_and_in_a_word(tmp_path: Path) -> None:
    given = job(tmp_path, env={"PATH": os.environ["PATH"]})
    assert kinds.parse("command: cat", tmp_path).work(given).code is None
    assert kinds.parse("command: printf '<%s>' {prompt}", tmp_path).work(given).code is None
    assert given.log.read_text() == "Do it.\n<Do it.\n>"


def test_a_prompt_that_is_too_long_for_a_word_is_an_error_before_the_start(tmp_path: Path) -> None:
    started: list[int] = []
    given = job(tmp_path, started=started, env={"PATH": os.environ["PATH"]})
    given.prompt_file.write_text("x" * (128 * 1024))
    worked = kinds.parse("command: printf %s {prompt}", tmp_path).work(given)
    assert worked.code is Failure.AGENT_FAILED
    assert "too long for one argument (128 KiB)" in worked.why
    assert started == []
    assert kinds.parse("command: cat", tmp_path).work(given).code is None


def test_a_failure_shows_its_last_lines_without_raw_json(tmp_path: Path) -> None:
    script = """for i in 1 2 3 4 5 6 7; do echo "line $i"; done; echo '{"type": "result", "is_error": true}'; exit 3"""
    worked = Command(("sh", "-c", script)).work(job(tmp_path))
    assert (worked.code, worked.why) == (
        Failure.AGENT_FAILED,
        "the agent: exit 3\nline 3\nline 4\nline 5\nline 6\nline 7",
    )


def silent(folder: Path, script: str) -> Worked:
    given = job(folder, env={"PATH": os.environ["PATH"]})
    launch = replace(given.launch, limits=Limits(60, silence_seconds=1.5, grace_seconds=0.2))
    return Command(("sh", "-c", script)).work(replace(given, launch=launch))


def test_a_program_that_does_nothing_is_silent(tmp_path: Path) -> None:
    assert silent(tmp_path, "sleep 600").code is Failure.SILENT


def test_output_cpu_and_files_are_progress(tmp_path: Path) -> None:
    assert silent(tmp_path, "for i in 1 2 3 4 5 6; do echo $i; sleep 0.5; done").code is None
    assert silent(tmp_path, f"timeout 4 {sys.executable} -c 'while True: pass' || true").code is None
    assert silent(tmp_path, "for i in 1 2 3 4 5 6; do : > file; sleep 0.5; done").code is None
