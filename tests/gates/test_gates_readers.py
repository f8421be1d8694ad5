"""What node, jest, vitest, go and cargo report: recorded output, and the real tools where the machine has them."""

from __future__ import annotations

import json
import os
import pwd
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from parallel_impl.gates import quality, reports
from parallel_impl.gates.gate_report import GateReport, GateState, TestOutcome
from parallel_impl.gates.readers.output import GateOutput

EMPTY = GateReport("gate", GateState.BROKEN)


def read(parser: str, checkout: Path, *, log: str = "", report: str | None = None, code: int = 1) -> GateReport:
    file = checkout / "report"
    if report is not None:
        file.write_text(report)
    return reports.read(parser, GateOutput(log.encode(), code, checkout, checkout / "none", file), EMPTY)


def outcomes(report: GateReport) -> dict[str, str]:
    return {test.id: str(test.outcome) for test in report.tests}


# -- go (go 1.19 and 1.24, shortened)

GO = "example.org/x/sum"


def events(*several: tuple[str, str] | tuple[str, str, str]) -> str:
    lines = []
    for action, test, *output in several:
        event = {"Action": action, "Package": GO, **({"Test": test} if test else {})}
        lines.append(json.dumps({**event, **({"Output": output[0]} if output else {})}))
    return "\n".join(lines) + "\n"


FAILED = (
    ("run", "TestBad"),
    ("output", "TestBad", "=== RUN   TestBad\n"),
    ("output", "TestBad/sub_x", "    sum_test.go:3: bad\n"),
    ("fail", "TestBad/sub_x"),
    ("fail", "TestBad"),
    ("skip", "TestSkipped"),
    ("pass", "TestGood"),
)
CLOSED = (("output", "", "FAIL\n"), ("output", "", f"FAIL\t{GO}\t0.005s\n"), ("fail", ""))


def test_go_tests_are_read_with_their_files(tmp_path: Path) -> None:
    for folder in ("sum", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a_test.go").write_text("package x\nfunc TestBad(t *testing.T) {}\n")

    report = read("go", tmp_path, log="go: downloading y\n" + events(*FAILED, *CLOSED))

    assert (report.state, report.explained) == (GateState.RED, True)
    assert outcomes(report) == {
        f"{GO}::TestBad/sub_x": "failed",
        f"{GO}::TestBad": "failed",
        f"{GO}::TestSkipped": "skipped",
        f"{GO}::TestGood": "passed",
    }
    assert (report.tests[0].files, report.tests[0].why) == (("sum/a_test.go",), "sum_test.go:3: bad")


def test_a_go_package_that_died_or_was_not_built_is_broken(tmp_path: Path) -> None:
    died = events(*FAILED, ("output", "TestDies", "panic: x\n"), ("fail", "TestDies"), ("fail", ""))
    assert read("go", tmp_path, log=died).why == f"{GO} was not built, or died before all its tests ran"
    assert read("go", tmp_path, log=died).state is GateState.BROKEN
    old = f"# {GO}\nsum.go:6:9: expected ')'\nFAIL\t{GO} [setup failed]\n"
    assert read("go", tmp_path, log=old).state is GateState.BROKEN
    new = events(("output", "", f"FAIL\t{GO} [build failed]\n"), ("fail", ""))
    assert read("go", tmp_path, log=new).state is GateState.BROKEN


def test_a_go_package_that_fails_without_a_failing_test_is_not_explained(tmp_path: Path) -> None:
    quiet = events(("pass", "TestGood"), ("output", "", "PASS\n"), ("output", "", "exit status 1\n"), ("fail", ""))

    report = read("go", tmp_path, log=quiet)

    assert (report.state, report.explained) == (GateState.RED, False)
    assert read("go", tmp_path, log="go: no such tool\n").explained is False


# -- cargo (1.95, shortened)

CARGO = """   Compiling small v0.1.0 (/w/crate)
     Running unittests src/lib.rs (target/debug/deps/small-d0cd676913dc3413)

running 4 tests
test tests::adds ... ok
test tests::panics - should panic ... ok
test tests::fails ... FAILED
test tests::slow ... ignored

failures:

---- tests::fails stdout ----

thread 'tests::fails' (15849) panicked at src/lib.rs:12:18:
assertion `left == right` failed

test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.11s

error: test failed, to rerun pass `--lib`
     Running tests/whole.rs (target/debug/deps/whole-ac58769706d9d94e)

running 1 test
test whole ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s

   Doc-tests small

running 1 test
test src/lib.rs - add (line 3) ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.20s

error: 1 target failed:
    `--lib`
"""


def test_cargo_tests_are_read_by_their_binary(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "lib.rs").write_text("mod tests { fn fails() {} }")

    report = read("cargo", tmp_path, log=CARGO, code=101)

    assert (report.state, report.explained) == (GateState.RED, True)
    assert outcomes(report) == {
        "small (src/lib.rs)::tests::adds": "passed",
        "small (src/lib.rs)::tests::panics": "passed",
        "small (src/lib.rs)::tests::fails": "failed",
        "small (src/lib.rs)::tests::slow": "skipped",
        "whole (tests/whole.rs)::whole": "passed",
        "small (doc-tests)::src/lib.rs - add (line 3)": "passed",
    }
    assert (report.tests[2].why, report.tests[2].files) == ("assertion `left == right` failed", ("src/lib.rs",))
    assert report.tests[5].files == ("src/lib.rs",)


def test_a_cargo_binary_that_died_or_printed_between_its_tests_is_broken(tmp_path: Path) -> None:
    died = (
        "     Running tests/dies.rs (target/debug/deps/dies-c7da825dfb13649f)\n\nrunning 2 tests\nerror: test failed\n"
    )
    assert read("cargo", tmp_path, log=CARGO + died, code=101).state is GateState.BROKEN
    between = CARGO.replace("test tests::adds ... ok", "test tests::adds ... printed\nok")
    assert read("cargo", tmp_path, log=between, code=101).state is GateState.BROKEN
    assert read("cargo", tmp_path, log="error: could not compile `x`\n", code=101).state is GateState.BROKEN


def test_a_cargo_binary_with_a_harness_of_its_own_is_not_explained(tmp_path: Path) -> None:
    own = "     Running benches/own.rs (target/debug/deps/own-c7da825dfb13649f)\nbad\nerror: test failed\n"

    assert read("cargo", tmp_path, log=CARGO + own, code=101).explained is False


# -- jest and vitest


def jest(*files: Mapping[str, object], **more: object) -> str:
    return json.dumps({"testResults": files, "success": False, **more})


def test_jest_and_vitest_are_read_by_file_and_groups(tmp_path: Path) -> None:
    several = [
        {"ancestorTitles": ["sum"], "title": "adds", "status": "passed", "failureMessages": []},
        {"ancestorTitles": ["sum"], "title": "adds", "status": "failed", "failureMessages": ["Error: 1 != 2\n  at x"]},
        {"ancestorTitles": [], "title": "later", "status": "todo"},
    ]
    report = jest({"name": f"{tmp_path}/src/a.test.ts", "status": "failed", "assertionResults": several})

    found = read("vitest", tmp_path, report=report)

    assert (found.state, found.explained) == (GateState.RED, True)
    assert outcomes(found) == {
        "src/a.test.ts > sum > adds": "passed",
        "src/a.test.ts > sum > adds #2": "failed",
        "src/a.test.ts > later": "skipped",
    }
    assert (found.tests[1].files, found.tests[1].why) == (("src/a.test.ts",), "Error: 1 != 2")
    floor = 'Jest: "global" coverage threshold for lines (90%) not met: 12%'
    assert read("jest", tmp_path, report=report, log=floor).explained is False


def test_a_javascript_file_that_cannot_be_loaded_is_broken(tmp_path: Path) -> None:
    file = {"name": f"{tmp_path}/a.test.js", "status": "failed", "message": "SyntaxError: x", "assertionResults": []}

    report = read("jest", tmp_path, report=jest(file))

    assert (report.state, report.why) == (
        GateState.BROKEN,
        "tests could not be collected from a.test.js: SyntaxError: x",
    )
    assert read("jest", tmp_path, report=jest(wasInterrupted=True)).state is GateState.BROKEN
    assert read("jest", tmp_path, report="{").state is GateState.BROKEN


@pytest.mark.parametrize("parser", ["jest", "vitest", "node"])
def test_without_a_report_the_exit_code_counts(tmp_path: Path, parser: str) -> None:
    assert read(parser, tmp_path, code=0).state is GateState.GREEN
    red = read(parser, tmp_path, code=1)
    assert (red.state, red.explained) == (GateState.RED, False)


# -- node

NODE = """<?xml version="1.0" encoding="utf-8"?>
<testsuites>
	<testcase name="same" time="0.001" classname="test"/>
	<testsuite name="d" tests="3">
		<testcase name="same" time="0.001" classname="test"/>
		<testcase name="bad" classname="test" failure="1 == 2">
			<failure type="testCodeFailure" message="1 == 2">x</failure>
		</testcase>
		<testcase name="td" classname="test"><skipped type="todo" message="true"/></testcase>
	</testsuite>{more}
</testsuites>
"""


def test_node_tests_are_read_by_their_groups(tmp_path: Path) -> None:
    report = read("node", tmp_path, report=NODE.format(more=""))

    assert outcomes(report) == {"same": "passed", "d > same": "passed", "d > bad": "failed", "d > td": "skipped"}
    assert (report.explained, report.tests[2].why) == (True, "1 == 2")


def test_a_node_file_that_died_is_broken(tmp_path: Path) -> None:
    (tmp_path / "c.test.js").write_text("process.exit(3)")
    more = f'<testcase name="{tmp_path}/c.test.js"><failure message="test failed"/></testcase>'

    report = read("node", tmp_path, report=NODE.format(more=more))

    assert (report.state, report.why) == (GateState.BROKEN, "c.test.js ended before all its tests were reported")
    assert read("node", tmp_path, report="<!DOCTYPE x><testsuites/>").state is GateState.BROKEN


def test_a_floor_of_coverage_that_node_misses_is_not_explained_by_a_failing_test(tmp_path: Path) -> None:
    log = "Error: 50.00% line coverage does not meet threshold of 90%.\n"

    assert not read("node", tmp_path, log=log, report=NODE.format(more="")).explained


def test_a_node_test_belongs_to_the_files_that_have_its_title(tmp_path: Path) -> None:
    for name, title in (("a", "same"), ("b", "bad")):
        (tmp_path / f"{name}.test.js").write_text(f"require('node:test').test('{title}', () => {{}});\n")
    (tmp_path / "lib.js").write_text("x = 'bad'\n")

    report = read("node", tmp_path, report=NODE.format(more=""))

    a, b = "a.test.js", "b.test.js"
    assert [test.files for test in report.tests] == [(a,), (a,), (b,), (a, b)]


def test_what_a_bail_of_vitest_left_out_is_pending_or_a_file_without_tests(tmp_path: Path) -> None:
    assertions = [{"title": "old", "status": "failed"}, {"title": "next", "status": "passed"}]
    whole = {"name": f"{tmp_path}/a.test.js", "status": "failed", "assertionResults": assertions}
    pending = {**whole, "assertionResults": [assertions[0], {"title": "next", "status": "pending"}]}
    left = {"name": f"{tmp_path}/b.test.js", "status": "passed", "assertionResults": []}

    def stopped(*files: Mapping[str, object], parser: str = "vitest", code: int = 1) -> str:
        return read(parser, tmp_path, report=json.dumps({"testResults": files}), code=code).stopped

    assert stopped(whole, left) == "vitest did not run all its tests: not in b.test.js"
    assert stopped(pending, left) == "vitest did not run all its tests: not in a.test.js and in 1 more"
    assert stopped(whole) == stopped(pending, parser="jest") == stopped(left, code=0) == ""


# -- the real tools


# caches and tool chains of the user, whose HOME tests do not have. No cgo: as root, Go's probes of the C compiler left
# a plain file in the place of /dev/null
USER = Path(pwd.getpwuid(os.getuid()).pw_dir)
TOOLS = {"CGO_ENABLED": "0", "GOCACHE": str(USER / ".cache/go-build"), "RUSTUP_HOME": str(USER / ".rustup")}


def run(checkout: Path, files: Mapping[str, str]) -> dict[str, GateReport]:
    """Every gate that is found in these files, run on them."""
    for name, content in files.items():
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text(content)
    written = {name: text.encode() for name, text in files.items()}
    gates, _ = quality.find(written.get, {"openspec": False}, change_id="x", paths=written.keys())
    env = {name: os.environ[name] for name in ("PATH", "HOME")} | TOOLS
    return quality.run_gates(checkout, [one for one in gates if one.tests], env=env, folder=checkout.parent / "logs")


@pytest.mark.skipif(not shutil.which("npm"), reason="there is no npm")
def test_npm_runs_nodes_own_runner_and_its_report_is_read(tmp_path: Path) -> None:
    test = (
        "const {test} = require('node:test');\ntest('good', () => {});\ntest('bad', () => { throw new Error('no') });\n"
    )
    files = {"package.json": json.dumps({"scripts": {"test": "node --test"}}), "a.test.js": test}

    report = run(tmp_path / "checkout", files)["npm-test"]

    assert outcomes(report) == {"good": "passed", "bad": "failed"}
    assert report.explained


@pytest.mark.skipif(not shutil.which("go"), reason="there is no go")
def test_go_is_run_and_read(tmp_path: Path) -> None:
    test = 'package x\nimport "testing"\nfunc TestGood(t *testing.T) {}\nfunc TestBad(t *testing.T) { t.Fatal("no") }\n'

    report = run(tmp_path / "checkout", {"go.mod": "module x\n", "x_test.go": test})["go-test"]

    assert outcomes(report) == {"x::TestGood": "passed", "x::TestBad": "failed"}
    assert [one.files for one in report.tests if one.outcome is TestOutcome.FAILED] == [("x_test.go",)]


@pytest.mark.skipif(not shutil.which("cargo"), reason="there is no cargo")
def test_cargo_is_run_and_read(tmp_path: Path) -> None:
    files = {
        "Cargo.toml": '[package]\nname = "small"\nversion = "0.1.0"\nedition = "2021"\n',
        "src/lib.rs": "#[test]\nfn good() {}\n#[test]\nfn bad() { panic!() }\n",
    }

    report = run(tmp_path / "checkout", files)["cargo-test"]

    assert outcomes(report) == {"small (src/lib.rs)::good": "passed", "small (src/lib.rs)::bad": "failed"}
    assert report.explained


@pytest.mark.skipif(not shutil.which("make"), reason="there is no make")
def test_make_is_judged_by_its_exit_code_and_gates_know_that_nobody_looks(tmp_path: Path) -> None:
    makefile = {"Makefile": 'test:\n\t@test "$$CI" = true && echo looked\n'}

    report = run(tmp_path / "checkout", makefile)["make-test"]

    assert (report.state, Path(report.log).read_text()) == (GateState.GREEN, "looked\n")


def test_lint_is_no_test_and_nobody_asked_for_what_was_found() -> None:
    gates, _ = quality.find({"package.json": b'{"scripts": {"test": "x", "lint": "y"}}'}.get, {}, change_id="x")

    assert [(one.name, one.tests, one.asked) for one in gates] == [
        ("openspec", False, True),
        ("npm-test", True, False),
        ("npm-lint", False, False),
    ]
