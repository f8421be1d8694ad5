"""What the gates said of a tree, kept for the next start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parallel_impl.gates.gate_report import GateState
from parallel_impl.gates.quality import Gate
from parallel_impl.report.summary import GateRow
from parallel_impl.run.gate_runs import read_kept
from parallel_impl.run.land.proof import Proof

GATE = {
    "name": "check",
    "command": "make check",
    "parser": "exit-code",
    "found": "configured",
    "required": True,
    "off": False,
    "absent": False,
}
REPORT = {
    "gate": "check",
    "exit_code": 0,
    "seconds": 0.5,
    "log": "/x/check.log",
    "why": "",
    "explained": False,
    "state": "green",
    "tests": [],
    "findings": [],
}


def test_reports_that_an_earlier_version_kept_are_read(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text(json.dumps({"gates": [GATE], "reports": [REPORT]}))

    kept = read_kept(tmp_path / "kept")

    assert kept is not None
    assert kept.gates == (Gate("check", "make check", found="configured"),)
    assert [(report.gate, report.state) for report in kept.reports] == [("check", GateState.GREEN)]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"gates": []}', b"\xff", b'{"gates": [], "reports": [1]}'])
def test_what_cannot_be_read_is_not_believed(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "kept").write_bytes(content)

    assert read_kept(tmp_path / "kept") is None
    assert read_kept(tmp_path / "none") is None


def test_a_check_of_texts_proves_nothing_and_says_who_made_it() -> None:
    code, texts = GateRow("pytest", "passed"), GateRow("openspec", "passed", texts="openspec")
    assert Proof((code, texts), passed=True).headline == "proven by pytest; texts checked by openspec"
    own = GateRow("openspec", "passed", texts="this tool's own rules")
    assert (
        Proof((own,), passed=True).headline
        == "no gate ran on the whole tree; no test gate on the whole; texts checked by this tool's own rules"
    )
    assert Proof((code, texts), passed=True).by == ("pytest",)
