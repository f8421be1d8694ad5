"""What tools write, with literal outputs: what is whole, what is damaged, what is masked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_impl.gates.gate_report import GateReport, GateState, TestOutcome
from parallel_impl.gates.readers.output import GateOutput
from parallel_impl.gates.reports import read


def said(
    parser: str, log: str = "", code: int = 1, *, root: Path, lines: str | None = None, junit: str | None = None
) -> GateReport:
    output = GateOutput(log.encode(), code, root, root / "lines", root / "junit")
    for file, content in (("lines", lines), ("junit", junit)):
        if content is not None:
            (root / file).write_text(content)
    return read(parser, output, GateReport("gate", GateState.BROKEN, code))


def event(kind: str, session: str = "1", **line: object) -> str:
    return json.dumps({"event": kind, "session": session, **line}) + "\n"


def whole(root: Path, *ids: str, outcome: str = "passed", status: int = 0) -> str:
    body = "".join(event("report", id=one, file=one.split("::")[0], outcome=outcome) for one in ids)
    return event("start", root=str(root)) + body + event("finish", status=status)


def test_a_report_without_its_last_line_is_broken(tmp_path: Path) -> None:
    cut = whole(tmp_path, "a.py::x").rpartition('{"event": "finish"')[0]

    for lines in ("", cut, cut + "{", whole(tmp_path, "a.py::x") + cut, whole(tmp_path, status=3)):
        assert said("pytest", code=0, root=tmp_path, lines=lines).state is GateState.BROKEN
    assert said("pytest", code=0, root=tmp_path, lines=whole(tmp_path, "a.py::x")).state is GateState.GREEN


def test_a_failing_test_is_red_even_where_the_command_hides_it(tmp_path: Path) -> None:
    report = said("pytest", code=0, root=tmp_path, lines=whole(tmp_path, "a.py::x", outcome="failed"))

    assert (report.state, report.explained) == (GateState.RED, True)


def test_ids_do_not_depend_on_the_checkout_or_on_addresses(tmp_path: Path) -> None:
    lines = whole(tmp_path / "sub", f"a.py::x[{tmp_path}/y]", "a.py::x[<f at 0x7f00aa>]")

    assert [test.id for test in said("pytest", root=tmp_path, lines=lines).tests] == [
        "sub/a.py::x[<checkout>/y]",
        "sub/a.py::x[<f at #>]",
    ]


def test_a_rerun_counts_by_its_last_outcome_and_a_second_session_may_skip(tmp_path: Path) -> None:
    lines = event("start", root=str(tmp_path))
    for one, gate_report in {
        "a::x": ("rerun", "passed"),
        "a::y": ("passed", "failed"),
        "a::z": ("passed", "skipped"),
    }.items():
        lines += "".join(event("report", id=one, file="a", outcome=outcome) for outcome in gate_report)

    report = said("pytest", root=tmp_path, lines=lines + event("finish", status=1))

    assert [test.outcome for test in report.tests] == [TestOutcome.PASSED, TestOutcome.FAILED, TestOutcome.PASSED]


def test_junit_names_that_collide_are_counted(tmp_path: Path) -> None:
    case = '<testcase classname="a.b.test_x" name="test_y" file="a/b/test_x.py"/>'
    bad = '<testcase classname="a.b.test_x" name="test_y"><error message="boom"/></testcase>'
    xml = f"<testsuites><testsuite>{case}{bad}<testcase name='z'><skipped/></testcase></testsuite></testsuites>"

    assert [(t.id, t.outcome, t.files, t.why) for t in said("junit", root=tmp_path, junit=xml).tests] == [
        ("a.b.test_x::test_y", TestOutcome.PASSED, ("a/b/test_x.py",), ""),
        ("a.b.test_x::test_y #2", TestOutcome.FAILED, (), "boom"),
        ("z", TestOutcome.SKIPPED, (), ""),
    ]


@pytest.mark.parametrize(
    "xml",
    [
        None,
        "",
        "<testsuites>",
        "not xml",
        '<!DOCTYPE x [<!ENTITY a "b">]><testsuites/>',
        '<testsuites><testsuite errors="1"/></testsuites>',
    ],
)
def test_a_junit_report_that_is_missing_or_cannot_be_trusted_is_broken(tmp_path: Path, xml: str | None) -> None:
    assert said("junit", code=0, root=tmp_path, junit=xml).state is GateState.BROKEN


def test_ruff_output_is_found_among_warnings_and_after_another(tmp_path: Path) -> None:
    item = {
        "code": "E501",
        "filename": f"{tmp_path}/a.py",
        "location": {"row": 3},
        "message": "Line too long (121 > 120)",
    }
    both = json.dumps([item], indent=1) + json.dumps([{**item, "code": None}])
    log = f"warning: [x] is deprecated\n{both}\nWould reformat: b.py\n"

    assert [(f.path, f.code, f.message, f.line) for f in said("ruff", log, root=tmp_path).findings] == [
        ("a.py", "E501", "Line too long (# > #)", 3),
        ("a.py", "", "Line too long (# > #)", 3),
        ("b.py", "format", "would be reformatted", 0),
    ]


def test_mypy_text_of_old_versions_is_read_without_its_notes(tmp_path: Path) -> None:
    log = 'a.py:3:5: error: Name "x1" is not defined  [name-defined]\na.py:3: note: see\n'
    log += "b.py:9: error: old style\nFound 2 errors"

    assert [(f.path, f.code, f.message, f.line) for f in said("mypy", log, root=tmp_path).findings] == [
        ("a.py", "name-defined", 'Name "x#" is not defined', 3),
        ("b.py", "", "old style", 9),
    ]


@pytest.mark.parametrize("parser", ["ruff", "mypy"])
def test_exit_2_of_a_checker_is_broken_and_a_silent_1_is_unexplained(tmp_path: Path, parser: str) -> None:
    assert said(parser, "crash", 2, root=tmp_path).state is GateState.BROKEN
    assert (said(parser, "odd", 1, root=tmp_path).state, said(parser, "odd", 1, root=tmp_path).explained) == (
        GateState.RED,
        False,
    )
    assert said(parser, "All checks passed!", 0, root=tmp_path).state is GateState.GREEN


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["pytest", "mypy", "ruff", "exit-code"]), st.binary(max_size=80), st.sampled_from([0, 1]))
def test_any_output_is_answered_without_an_exception(parser: str, log: bytes, code: int) -> None:
    output = GateOutput(
        log + b'\n[1, {"filename": 3}]\n{"severity": "error", "file": 1}', code, Path("/x"), Path("/nowhere")
    )

    assert read(parser, output, GateReport("g", GateState.BROKEN, code)).gate == "g"


def test_openspec_findings_are_its_issues_and_what_it_could_not_do_but_no_information(tmp_path: Path) -> None:
    issues = [
        {"level": "INFO", "path": "a/spec.md", "line": 22, "message": "ignored"},
        {"level": "WARNING", "path": "a/spec.md", "message": "should contain SHALL or MUST"},
    ]
    printed = json.dumps({"items": [{"id": "c", "type": "change", "valid": False, "issues": issues}]}, indent=1)
    report = said("openspec", printed, root=tmp_path)
    assert (report.state, report.explained) == (GateState.RED, True)
    assert [str(one) for one in report.findings] == ["a/spec.md: warning should contain SHALL or MUST"]

    refused = '{"status": [{"severity": "error", "code": "unknown_item", "message": "no c"}]}'
    unknown = said("openspec", refused, root=tmp_path)
    assert [str(one) for one in unknown.findings] == ["openspec: unknown_item no c"]
    assert said("openspec", '{"items": [{"id": "c", "issues": []}]}', 0, root=tmp_path).state is GateState.GREEN
    plain = said("openspec", "Change 'c' has issues", root=tmp_path)
    assert (plain.state, plain.explained) == (GateState.RED, False)
