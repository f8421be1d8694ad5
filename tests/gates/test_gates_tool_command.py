"""Which commands are one simple command that is the tool itself."""

from __future__ import annotations

import pytest

from parallel_impl.gates import script
from parallel_impl.gates.tool_command import is_tool, npm_script, parser_of, stops


@pytest.mark.parametrize(
    "command",
    [
        "pytest -q",
        "python -m pytest -q -x tests",
        "'/p y/python3.12' -W error -m pytest",
        "cd services/api && pytest",
        ". .venv/bin/activate && PYTHONPATH=src python -m pytest tests",
        "uv run --frozen --extra test pytest -q",
        "uv run -m pytest",
        "poetry run pytest",
        "pdm run pytest",
        "hatch run test:pytest",
        "coverage run --branch --source src -m pytest",
        "python -m coverage run -m pytest",
        "env -u C A=b pytest",
        "timeout -k 5 600 pytest 2>&1",
        "export A=b && pytest",
    ],
)
def test_the_tool_itself_behind_what_only_prepares_it(command: str) -> None:
    assert is_tool(command, "pytest")
    assert not is_tool(command, "ruff")


@pytest.mark.parametrize(
    "command",
    [
        "make test",
        "tox",
        "./run-tests",
        "bash -c pytest",
        "pytest a && pytest b",
        "pytest a; pytest b",
        "cd a; pytest",
        "pytest || true",
        "! pytest",
        "(pytest)",
        "pytest | tee log",
        "pytest &",
        "$PYTEST -q",
        "uv run ./check",
        "if true; then pytest; fi",
        "pytest 'unclosed",
        "",
    ],
)
def test_anything_else_is_more_than_the_tool(command: str) -> None:
    assert not is_tool(command, "pytest")


def test_a_report_that_somebody_configured_is_of_any_program_but_a_script() -> None:
    assert all(is_tool(one, "junit") for one in ("npx jest", "node --test --test-reporter=junit", "mvn -q test"))
    assert not any(is_tool(one, "junit") for one in ("python gate.py", "node run.js", "sh gate", "npm test", "make"))


@pytest.mark.parametrize(
    ("command", "with_folder"),
    [
        ("PYTHONPATH=src pytest", "PYTHONPATH='/p l':src pytest"),
        ("env PYTHONPATH=src pytest", "env PYTHONPATH='/p l':src pytest"),
        ('export PYTHONPATH="é:$PYTHONPATH"; pytest', "export PYTHONPATH='/p l':\"é:$PYTHONPATH\"; pytest"),
        ("PYTHONPATH= pytest", "PYTHONPATH='/p l' pytest"),
        ("echo MY_PYTHONPATH=1", "echo MY_PYTHONPATH=1"),
        ("pytest", "pytest"),
    ],
)
def test_a_folder_comes_before_what_a_command_puts_on_a_path(command: str, with_folder: str) -> None:
    assert script.put_first(command, "PYTHONPATH", "/p l") == with_folder


@pytest.mark.parametrize(
    ("command", "parser"),
    [
        ("pytest -q", "pytest"),
        ("cd api && uv run python -m pytest", "pytest"),
        ("mypy src", "mypy"),
        ("ruff check .", "ruff"),
        ("make test", "exit-code"),
        ("pytest -q; mypy", "exit-code"),
        ("true", "exit-code"),
    ],
)
def test_a_command_that_is_the_tool_itself_is_read_as_that_tool_is(command: str, parser: str) -> None:
    assert parser_of(command) == parser


@pytest.mark.parametrize(
    ("command", "parser", "option"),
    [
        ("go test -json -failfast ./...", "go", "-failfast"),
        ("GOFLAGS=-failfast go test -json ./...", "go", "-failfast"),
        ("go test -json -failfast=false ./...", "go", ""),
        ("cargo test --workspace", "cargo", "without --no-fail-fast"),
        ("cargo test --no-fail-fast", "cargo", ""),
        ("npx jest --bail=1", "jest", "--bail"),
        ("npx jest --bail=0", "jest", ""),
        ("mocha -b --reporter mocha-junit-reporter", "junit", "-b"),
        ("phpunit --stop-on-failure", "junit", "--stop-on-failure"),
        ("pytest -x --junit-xml=r.xml", "junit", "-x"),
        ("rspec --bail-out-of-nothing", "junit", ""),
    ],
)
def test_the_option_by_which_a_tool_leaves_out_what_comes_after_a_failure(
    command: str, parser: str, option: str
) -> None:
    assert stops(command, parser) == option


def test_the_script_that_a_package_manager_runs() -> None:
    assert npm_script("cd web && npm run test -- --reporter=json") == ("web", "test")
    assert npm_script("CI=1 yarn test") == (".", "test")
    assert npm_script("npx jest") is None
