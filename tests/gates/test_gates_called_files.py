"""Which programs and files of a repository a command runs, read from its words."""

from __future__ import annotations

import pytest

from parallel_impl.gates.called_files import called_files, programs


@pytest.mark.parametrize(
    ("command", "called"),
    [
        ("pytest -q", ["pytest"]),
        ("python3 -m pytest -q tests", ["pytest"]),
        ("cd src && PYTHONPATH=. uv run --frozen pytest -x", ["pytest"]),
        ("uv run -m pytest", ["pytest"]),
        ("timeout -k 5 60 poetry run mypy src", ["mypy"]),
        (". .venv/bin/activate; ruff check .", [".", "ruff"]),
        ("coverage run -m pytest", ["pytest"]),
        ("bash check.sh && mypy src", ["bash", "mypy"]),
        ("python tools/check.py", ["python"]),
        ("! grep bad src/a.txt", ["grep"]),
        ("make test", ["make"]),
    ],
)
def test_the_program_is_what_really_runs(command: str, called: list[str]) -> None:
    assert programs(command) == called


FILES = {
    "check.sh": b'set -e\ncd tools\npython lint.py ../src\n./all.sh "$@"\n',
    "tools/all.sh": b"#!/bin/sh\nexec mypy --config-file strict.ini src\n",
    "loop.sh": b"bash loop.sh\n",
}


@pytest.mark.parametrize(
    ("command", "files"),
    [
        ("pytest -q tests/test_x.py", set()),
        ("ruff check src/m.py", set()),
        ("python -m pytest", {"pytest.py", "pytest/__main__.py"}),
        ("cd web && node scripts/check.js --all", {"web/scripts/check.js"}),
        ("./scripts/lint", {"scripts/lint"}),
        ("pytest -c ci/pytest.ini", {"ci/pytest.ini"}),
        ("ruff check --config=strict.toml .", {"strict.toml"}),
        ("/usr/bin/env true", set()),
        ("bash ../outside.sh", set()),
        ("bash check.sh", {"check.sh", "tools/lint.py", "tools/all.sh", "tools/strict.ini"}),
        ("bash loop.sh", {"loop.sh"}),
        ("bash -c 'unclosed", {"'unclosed"}),
    ],
)
def test_files_are_those_that_it_runs_or_is_configured_by(command: str, files: set[str]) -> None:
    assert called_files(command, FILES.get) == files
