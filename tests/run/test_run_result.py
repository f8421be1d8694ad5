"""What an agent reports never keeps an attempt from having a result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.repository import FIXTURES, command, make_repository, tool

ATTEMPT = ".git/parallel-impl/fix-typos/attempts/wp-guide/1"


@pytest.mark.parametrize("made", ["mkfifo", "ln -s /dev/zero", "ln -s /proc/self/environ", "mkdir"])
def test_a_report_that_is_no_regular_file_is_not_waited_for(tmp_path: Path, made: str) -> None:
    repo = make_repository("no-contracts", tmp_path)
    agent = f'cp -R {FIXTURES}/no-contracts/replay/$1/1/. .\n{made} "$PARALLEL_IMPL_RESULT_FILE"'
    done = tool(repo, "implement", "fix-typos", "--only", "wp-guide", "--agent", command(tmp_path / "agent.sh", agent))
    assert done.returncode == 1, done.stderr
    assert json.loads((repo / ATTEMPT / "result.json").read_text())["status"] == "completed"


@pytest.mark.parametrize(
    ("written", "reported"),
    [('{"words": 3}', 3), ("[" * 200_000, None), ('{"words": ' + "[" * 900 + "]" * 900 + "}", None)],
)
def test_a_report_that_is_nested_without_end_counts_as_none(tmp_path: Path, written: str, reported: int | None) -> None:
    repo = make_repository("no-contracts", tmp_path)
    (tmp_path / "report").write_text(written)
    agent = f'cp -R {FIXTURES}/no-contracts/replay/$1/1/. .\ncp {tmp_path}/report "$PARALLEL_IMPL_RESULT_FILE"'
    done = tool(repo, "implement", "fix-typos", "--only", "wp-guide", "--agent", command(tmp_path / "agent.sh", agent))
    assert done.returncode == 1, done.stderr
    result = json.loads((repo / ATTEMPT / "result.json").read_text())
    assert result["status"] == "completed"
    assert result["result_keys"].get("words") == reported
