"""Which steps could not start: their own program or module is not there, which is no failure of what they test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from parallel_impl.gates import script, start_failure
from parallel_impl.gates.steps import try_step
from parallel_impl.plan.model import Step


def found(tmp_path: Path, command: str | tuple[str, ...], **step: object) -> str:
    result = try_step(
        Step("check", command=command, **step),  # type: ignore[arg-type]
        1,
        checkout=tmp_path,
        folder=tmp_path.parent / "logs",
        env={"PATH": os.environ["PATH"]},
        changed=dict,
    )
    return result.cannot_start


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        ("no-such-tool --all", "no-such-tool"),
        (("no-such-tool", "--all"), "no-such-tool"),
        ("true; ./tools/none.sh", "./tools/none.sh"),
        ("python3 -m no_such_module -q", "python3 -m no_such_module"),
        ("python3 -m no_such_package.main", "python3 -m no_such_package.main"),
        (("python3", "-B", "-m", "no_such_module"), "python3 -m no_such_module"),
        ("exit 127", ""),
        ("sh -c no-such-tool", ""),  # what it starts is its own affair
        ("python3 -c 'import no_such_module'", ""),
        ("python3 -m compileall -q nothing", ""),
        ("false", ""),
    ],
)
def test_what_of_its_own_command_could_not_be_started(
    tmp_path: Path, command: str | tuple[str, ...], wanted: str
) -> None:
    assert found(tmp_path, command) == wanted


def test_a_step_that_is_to_end_so_has_started(tmp_path: Path) -> None:
    assert found(tmp_path, "no-such-tool", expect_exit_code=127) == ""


def test_the_line_to_write_keeps_the_set_up_that_there_is() -> None:
    line = start_failure.correction("python -m pytest", ("npm ci",), "parallel-impl.toml")
    assert 'setup = ["npm ci", "python -m pip install pytest"] in parallel-impl.toml' in line


@pytest.mark.parametrize(
    ("words", "module"),
    [
        (["python", "-m", "pytest", "-q"], "pytest"),
        ([".venv/bin/python3.12", "-W", "error", "-mpytest"], "pytest"),
        (["python", "-Im", "a.b"], "a.b"),
        (["python", "tool.py", "-m", "x"], ""),
        (["python", "-c", "pass", "-m"], ""),
        (["python", None, "-m", "x"], ""),
        (["grep", "-m", "1"], ""),
    ],
)
def test_the_module_that_python_runs(words: list[str | None], module: str) -> None:
    assert script.module_of(words) == module
