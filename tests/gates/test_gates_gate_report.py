"""Gate reports as they lie on disk."""

from __future__ import annotations

import json

import msgspec
import pytest

from parallel_impl.gates.gate_report import GateFinding, GateReport, GateState, Test, TestOutcome

KEPT = {
    "gate": "pytest",
    "exit_code": 1,
    "seconds": 3,
    "log": "/logs/pytest.log",
    "why": "",
    "explained": True,
    "state": "red",
    "tests": [["a.py::x", "failed", ["a.py"], "boom"], ["a.py::y", "xpassed", [], ""]],
    "findings": [["a.py", "E501", "Line too long (# > #)", 3]],
}
REPORT = GateReport(
    "pytest",
    GateState.RED,
    1,
    3.0,
    "/logs/pytest.log",
    tests=(Test("a.py::x", TestOutcome.FAILED, ("a.py",), "boom"), Test("a.py::y", TestOutcome.XPASSED)),
    findings=(GateFinding("a.py", "E501", "Line too long (# > #)", 3),),
)


def test_a_report_that_an_earlier_version_kept_is_read_and_written_alike() -> None:
    assert msgspec.convert(KEPT, GateReport) == REPORT
    assert json.loads(json.dumps(msgspec.to_builtins(REPORT))) == KEPT


@pytest.mark.parametrize(
    ("key", "value"),
    [("state", "purple"), ("tests", [["a", "failed", "a.py", ""]]), ("findings", [["a"]]), ("gate", 1)],
)
def test_a_report_that_is_none_is_refused(key: str, value: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**KEPT, key: value}, GateReport)
