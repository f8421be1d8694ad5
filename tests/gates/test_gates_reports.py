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
        "sub/a.py::x[<f at 0x7f00aa>]",
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
        ("a.py", "name-defined", 'Name "x1" is not defined', 3),
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


def test_what_was_selected_and_not_executed_stops_a_red_session_and_an_interrupted_one(tmp_path: Path) -> None:
    start = event("start", root=str(tmp_path)) + event("selected", ids=["a.py::x", "a.py::y"])
    failed = event("report", id="a.py::x", file="a.py", outcome="failed")
    passed = event("report", id="a.py::x", file="a.py", outcome="passed")
    early = said(
        "pytest", root=tmp_path, lines=start + failed + event("finish", status=1, testsfailed=1, shouldfail="-x")
    )
    left = said(
        "pytest", root=tmp_path, code=0, lines=start + passed + event("interrupted") + event("finish", status=0)
    )
    quiet = said("pytest", root=tmp_path, code=0, lines=start + passed + event("finish", status=0))

    assert (early.state, early.explained) == (GateState.RED, False)
    assert early.stopped == "pytest did not run all its tests: -x; not run: a.py::y"
    assert (left.state, bool(left.stopped)) == (GateState.RED, True)
    assert quiet.state is GateState.GREEN  # a plugin may leave out what it likes: the session finished
    assert quiet.selected == ("a.py::x", "a.py::y")


@pytest.mark.parametrize(
    ("finish", "code", "why"),
    [
        ({"status": 1, "testsfailed": 1}, 1, ""),
        (
            {"status": 1, "testsfailed": 2},
            1,
            "pytest counts 1 more that failed than it lists: a floor of coverage, say",
        ),
        ({"status": 1, "testsfailed": 1}, 3, "pytest ended with status 1, and the command with 3"),
    ],
)
def test_an_exit_code_is_explained_by_the_failures_that_are_listed(
    tmp_path: Path, finish: dict[str, object], code: int, why: str
) -> None:
    lines = event("start", root=str(tmp_path)) + event("report", id="a.py::x", file="a.py", outcome="failed")
    report = said("pytest", root=tmp_path, code=code, lines=lines + event("finish", session="1", **finish))

    assert (report.unexplained, report.explained) == (why, not why)


def test_a_junit_suite_that_counts_more_than_it_lists_is_not_explained(tmp_path: Path) -> None:
    old = '<testsuite errors="0" failures="1"><testcase classname="a" name="b"><failure/></testcase></testsuite>'
    whole = said("junit", root=tmp_path, junit=f"<testsuites>{old}</testsuites>")
    hidden = said("junit", root=tmp_path, junit=f'<testsuites>{old}<testsuite errors="1" tests="0"/></testsuites>')

    assert (whole.explained, hidden.explained) == (True, False)
    assert hidden.unexplained == "the JUnit report counts 1 more that failed than it lists"


def test_a_red_tool_that_stops_at_a_failure_is_not_explained_by_what_it_lists(tmp_path: Path) -> None:
    (tmp_path / "r.xml").write_text('<testsuite><testcase classname="c" name="t"><failure/></testcase></testsuite>')
    output = GateOutput(b"", 1, tmp_path, tmp_path / "r.xml", stops="--bail")

    report = read("junit", output, GateReport("g", GateState.BROKEN))

    assert (report.explained, report.unexplained) == (
        False,
        "it stops at a failure (--bail), so the rest did not run",
    )


def test_a_mypy_that_left_out_errors_has_not_run_to_its_end(tmp_path: Path) -> None:
    log = "a.py:1: error: no\na.py: note: (Skipping most remaining errors due to unresolved imports)\n"

    assert said("mypy", log, root=tmp_path).stopped.startswith("mypy did not print all its errors")


@pytest.mark.parametrize(
    "root",
    [
        '<testsuites errors="1"><testsuite>{}</testsuite></testsuites>',
        '<testsuites><testsuite>{}</testsuite><testsuite name="n"><error message="no"/></testsuite></testsuites>',
    ],
)
def test_an_error_outside_of_the_suites_cases_is_not_explained(tmp_path: Path, root: str) -> None:
    case = '<testcase classname="c" name="t"><failure/></testcase>'
    report = said("junit", root=tmp_path, junit=root.format(case))

    assert report.unexplained == "the JUnit report counts 1 more that failed than it lists"


@pytest.mark.parametrize(
    ("log", "passed"),
    [
        ("===== 3 failed, 2 passed, 1 skipped in 1.20s =====", 2),
        ("81 passed in 0.90s", 81),
        ("Tests:       1 failed, 1 passed, 2 total", 1),
        ("\x1b[2m      Tests \x1b[22m \x1b[31m1 failed\x1b[39m | 4 passed (5)", 4),
        ("  12 passing (3s)", 12),
        ("# tests 4\n# pass 3\n# fail 1", 3),
        ("test result: ok. 3 passed; 0 failed", 3),
        ("Ran 4 tests in 0.1s\n\nFAILED (failures=1, skipped=1)", 2),
        ("Ran 2 tests in 0.1s\n\nOK\n2 passed in 0.1s", 4),
        ("Ran 0 tests in 0.000s\n\nOK", 0),
        ("no tests ran in 0.01s", 0),
        ("all is well", None),
    ],
)
def test_how_many_tests_passed_is_known_where_their_runner_says_it(
    tmp_path: Path, log: str, passed: int | None
) -> None:
    assert said("exit-code", log, root=tmp_path, code=0).passed == passed


def test_a_ruff_that_found_no_file_proves_nothing(tmp_path: Path) -> None:
    log = "warning: No Python files found under the given path(s)\n[]"

    report = said("ruff", log, code=0, root=tmp_path)

    assert (report.state, report.passed, report.why) == (GateState.GREEN, 0, "it found no files to check")
