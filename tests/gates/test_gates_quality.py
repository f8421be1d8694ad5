"""Gates run with the real tools on small trees, and are compared with the base."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
import pytest

from parallel_impl.config import GateCommand
from parallel_impl.errors import Severity
from parallel_impl.gates import quality
from parallel_impl.gates.gate_report import GateFinding, GateReport, GateState, TestOutcome
from parallel_impl.gates.lost_tests import ChangedPaths
from parallel_impl.gates.quality import Gate
from parallel_impl.gates.verdict import VerdictStatus, compare
from parallel_impl.processes.slots import Share, Slots, unlimited

PYTHON = shlex.quote(sys.executable)
MYPY = f"{PYTHON} -m mypy --cache-dir={os.devnull} --no-site-packages"
PYTEST = Gate("pytest", f"{PYTHON} -m pytest -q", "pytest")
Run = Callable[..., GateReport]


@pytest.fixture
def env() -> dict[str, str]:
    """As the product gives it; plugins that happen to be installed here cost two seconds a start."""
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


@pytest.fixture
def run(tmp_path: Path, env: dict[str, str]) -> Run:
    """Writes files into a checkout of their own and runs one gate there."""
    number = iter(range(100))

    def start(files: Mapping[str, str], gate: Gate = PYTEST, seconds: float = 300) -> GateReport:
        checkout = tmp_path / f"checkout-{next(number)}"
        for name, content in {"pytest.ini": "[pytest]\n", **files}.items():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            (checkout / name).write_text(content)
        reports = quality.run_gates(
            checkout, [gate], env=env, folder=checkout.parent / f"{checkout.name}.gates", seconds=seconds
        )
        return reports[gate.name]

    return start


# -- pytest


def test_old_failures_are_told_from_new_ones_by_node_id(run: Run) -> None:
    old = "def test_old():\n    assert 1 == 2\n"
    base = run({"test_a.py": old + "def test_x(): pass\ndef test_y(): pass\n"})
    worse = run({"test_a.py": "\n\n" + old + "def test_x(): assert 0, 'broke it'\n"})

    assert (base.state, base.exit_code, base.explained) == (GateState.RED, 1, True)
    verdict = compare(base, base, ChangedPaths())
    assert (verdict.status, verdict.old_failures, verdict.why) == (
        VerdictStatus.PASSED,
        1,
        "1 failed on the base already",
    )
    verdict = compare(base, worse, ChangedPaths(frozenset({"test_a.py"})))
    assert verdict.status is VerdictStatus.FAILED
    assert verdict.new_failures == ("test_a.py::test_x: AssertionError: broke it",)
    assert verdict.gone == ("test_a.py::test_y is gone: test_a.py runs 0 of 2 passing tests",)


def test_what_a_test_did_is_read_in_all_its_phases_and_where_it_is_defined(run: Run) -> None:
    report = run({
        "sub/test_a.py": (
            "import pytest, subprocess, sys\n"
            "from shared import Shared\n"
            "class TestChild(Shared): pass\n"
            "@pytest.fixture\ndef bad():\n    yield\n    raise ValueError\n"
            "def test_teardown(bad): pass\n"
            "@pytest.mark.skip\ndef test_skip(): pass\n"
            "@pytest.mark.xfail\ndef test_xfail(): assert 0\n"
            "@pytest.mark.xfail\ndef test_xpass(): pass\n"
            "@pytest.mark.xfail(strict=True)\ndef test_strict(): pass\n"
            "@pytest.mark.parametrize('x', [1, 'a/b'])\ndef test_many(x): pass\n"
            "def test_a_pytest_that_a_test_starts_is_not_in_the_report():\n"
            "    assert subprocess.run([sys.executable, '-m', 'pytest', 'inner.py']).returncode == 1\n"
        ),
        "sub/shared.py": "class Shared:\n    def test_shared(self): pass\n",
        "inner.py": "def test_inner(): assert 0\n",
    })  # fmt: skip

    assert {test.id.partition("::")[2]: test.outcome for test in report.tests} == {
        "TestChild::test_shared": TestOutcome.PASSED,
        "test_teardown": TestOutcome.FAILED,
        "test_skip": TestOutcome.SKIPPED,
        "test_xfail": TestOutcome.XFAILED,
        "test_xpass": TestOutcome.XPASSED,
        "test_strict": TestOutcome.FAILED,
        "test_many[1]": TestOutcome.PASSED,
        "test_many[a/b]": TestOutcome.PASSED,
        "test_a_pytest_that_a_test_starts_is_not_in_the_report": TestOutcome.PASSED,
    }
    assert {test.files for test in report.tests} == {("sub/test_a.py",), ("sub/test_a.py", "sub/shared.py")}
    assert msgspec.convert(json.loads(json.dumps(msgspec.to_builtins(report))), GateReport) == report


def test_a_process_that_ends_itself_is_broken_and_names_the_test(run: Run) -> None:
    dead = run({"test_a.py": "import os\ndef test_x(): pass\ndef test_y(): os._exit(0)\n"})

    assert (dead.state, dead.exit_code) == (GateState.BROKEN, 0)
    assert dead.why.startswith("pytest died without closing its report in test_a.py::test_y")


def test_a_collection_error_is_broken(run: Run) -> None:
    broken = run({"test_a.py": "import no_such_module\n", "test_b.py": "def test_x(): pass\n"})

    assert broken.state is GateState.BROKEN
    assert "tests could not be collected from test_a.py" in broken.why
    assert "No module named 'no_such_module'" in broken.why


def test_pytest_that_never_starts_leaves_no_report_and_is_broken(run: Run) -> None:
    for gate in (Gate("pytest", "true", "pytest"), Gate("pytest", "no-such-pytest", "pytest")):
        assert run({}, gate).state is GateState.BROKEN


def test_no_tests_are_green_with_a_note(run: Run) -> None:
    none = run({})

    assert (none.state, none.exit_code, none.why) == (GateState.GREEN, 5, "there are no tests")


def test_two_sessions_of_one_command_are_told_apart_and_an_exit_code_of_more_is_unexplained(run: Run) -> None:
    each = f"{PYTHON} -m pytest -q"
    gate = Gate("pytest", f"(cd a && {each}); (cd b && {each}); exit 7", "pytest")
    files = {f"{name}/{file}": content for name in "ab" for file, content in
             (("pytest.ini", "[pytest]\n"), ("test_x.py", "def test_x(): pass\n"))}  # fmt: skip
    report = run(files, gate)

    assert [test.id for test in report.tests] == ["a/test_x.py::test_x", "b/test_x.py::test_x"]
    assert (report.state, report.exit_code, report.explained) == (GateState.RED, 7, False)


def test_the_plugin_comes_before_a_pythonpath_of_the_command_and_is_done_without_where_it_cannot_be(run: Run) -> None:
    files = {"src/m.py": "X = 1\n", "test_a.py": "import m\ndef test_x(): assert m.X\ndef test_y(): assert 0\n"}
    before = run(files, Gate("pytest", f"PYTHONPATH=src {PYTHON} -m pytest -q", "pytest"))
    without = run({"test_a.py": "def test_x(): pass\n"}, Gate("pytest", f"{PYTHON} -E -m pytest -q", "pytest"))

    assert [test.outcome for test in before.tests] == [TestOutcome.PASSED, TestOutcome.FAILED]
    assert (before.state, before.explained) == (GateState.RED, True)
    assert (without.state, without.lists_tests) == (GateState.GREEN, False)
    assert "our pytest plugin cannot be imported" in without.why


def test_a_pytest_whose_environment_is_taken_away_counts_by_its_exit_code(run: Run) -> None:
    files = {"test_a.py": "def test_x(): pass\n", "go.sh": f"env -u PYTEST_ADDOPTS {PYTHON} -m pytest -q\n"}
    green = run(files, Gate("pytest", "sh go.sh", "pytest"))
    red = run({**files, "test_a.py": "def test_x(): assert 0\n"}, Gate("pytest", "sh go.sh", "pytest"))
    alone = run({"test_a.py": "def test_x(): assert 0\n"}, Gate("pytest", files["go.sh"].strip(), "pytest"))

    assert [(one.state, one.lists_tests, one.explained) for one in (green, red, alone)] == [
        (GateState.GREEN, False, False),
        (GateState.RED, False, False),
        (GateState.RED, False, False),
    ]
    assert "it counts by its exit code only" in green.why
    assert compare(green, red, ChangedPaths()).status is VerdictStatus.FAILED


def test_a_found_gate_does_without_an_installed_plugin_that_its_pytest_cannot_load(
    tmp_path: Path, env: dict[str, str]
) -> None:
    installed, checkout = tmp_path / "installed", tmp_path / "c"
    (installed / "lint-1.dist-info").mkdir(parents=True)
    (installed / "lint-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: lint\nVersion: 1\n")
    (installed / "lint-1.dist-info/entry_points.txt").write_text("[pytest11]\nlint = lint_plugin\n")
    (installed / "lint_plugin.py").write_text("def pytest_collect_file(of_another_pytest): pass\n")
    checkout.mkdir()
    (checkout / "test_a.py").write_text("def test_x(): pass\n")
    seen = {name: value for name, value in env.items() if name != "PYTEST_DISABLE_PLUGIN_AUTOLOAD"}
    seen["PYTHONPATH"] = str(installed)

    def look(*, asked: bool) -> GateReport:
        gate = msgspec.structs.replace(PYTEST, asked=asked)
        return quality.run_gates(checkout, [gate], env=seen, folder=tmp_path / "g")["pytest"]

    found, configured = look(asked=False), look(asked=True)
    assert (found.state, [test.id for test in found.tests]) == (GateState.GREEN, ["test_a.py::test_x"])
    assert found.why == "with -p no:lint, a plugin that this pytest cannot load"
    assert configured.state is GateState.BROKEN


def test_a_session_says_what_it_was_to_run_and_what_it_did_not(run: Run) -> None:
    files = {"test_a.py": "def test_x(): assert 0\ndef test_y(): pass\ndef test_z(): pass\n"}
    stopped = run(files, Gate("pytest", f"{PYTHON} -m pytest -q -x -k 'not test_y'", "pytest"))
    left = run(
        {"test_a.py": "import pytest\ndef test_x(): pytest.exit('enough', returncode=0)\ndef test_y(): assert 0\n"}
    )

    assert stopped.selected == ("test_a.py::test_x", "test_a.py::test_z")  # what -k leaves out is not selected
    assert stopped.stopped.endswith("; not run: test_a.py::test_z")
    assert (left.exit_code, left.state) == (0, GateState.RED)
    assert left.stopped.startswith("pytest was interrupted: enough; not run: test_a.py::test_x")


SUBTESTS = """\
import unittest

class Case(unittest.TestCase):
    def test_sub(self):
        for n in range(3):
            with self.subTest(n=n):
                self.assertNotEqual(n, 1)
    def test_fine(self):
        with self.subTest("fine"):
            pass
    @unittest.expectedFailure
    def test_expected(self):
        self.fail("known")

class Down(unittest.TestCase):
    def test_both(self):
        self.fail("call")
    def tearDown(self):
        raise OSError("teardown")

class Up(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise OSError("class")
    def test_never(self):
        pass
"""
OF_PYTEST = """
def test_of_pytest(subtests):
    for n in range(3):
        with subtests.test(n=n):
            assert n != 2
"""


def test_failures_of_subtests_of_unittest_and_of_teardowns_explain_an_exit_code(run: Run) -> None:
    has_fixture = hasattr(pytest, "Subtests")  # since pytest 9
    report = run({"test_a.py": SUBTESTS + OF_PYTEST * has_fixture})

    assert (report.state, report.explained, report.stopped) == (GateState.RED, True, "")
    outcomes = {test.id.removeprefix("test_a.py::"): test.outcome for test in report.tests}
    assert outcomes == {
        "Case::test_sub": TestOutcome.FAILED,
        "Case::test_fine": TestOutcome.PASSED,
        "Case::test_expected": TestOutcome.XFAILED,
        "Down::test_both": TestOutcome.FAILED,
        "Up::test_never": TestOutcome.FAILED,
        **({"test_of_pytest": TestOutcome.FAILED} if has_fixture else {}),
    }
    assert set(report.selected) == {test.id for test in report.tests}


def test_a_floor_that_is_missed_is_not_explained_by_an_old_failure(run: Run) -> None:
    floor = (
        "import pytest\n@pytest.hookimpl(trylast=True)\ndef pytest_sessionfinish(session):\n"
        "    session.testsfailed += 1\n    session.exitstatus = 1\n"
    )
    silent = "def pytest_sessionfinish(session):\n    session.exitstatus = 1\n"
    tests = "def test_x(): assert 0\n"

    assert run({"test_a.py": tests}).explained
    assert not run({"test_a.py": tests, "conftest.py": floor}).explained
    asked = run({"test_a.py": tests, "conftest.py": silent})
    assert asked.unexplained == "a plugin or a conftest asks for exit code 1 at the end of the session"


def test_a_session_that_fails_to_end_is_broken_although_its_exit_code_is_that_of_an_old_failure(run: Run) -> None:
    ending = "def pytest_unconfigure(config):\n    raise SystemExit(1)\n"
    report = run({"test_a.py": "def test_x(): assert 0\n", "conftest.py": ending})

    assert (report.state, report.exit_code) == (GateState.BROKEN, 1)
    assert "pytest failed: SystemExit(1)" in report.why


def test_a_second_session_runs_only_what_failed(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "c/sub").mkdir(parents=True)
    (tmp_path / "c/sub/pytest.ini").write_text("[pytest]\n")
    (tmp_path / "c/sub/test_a.py").write_text("def test_x(): assert 0\ndef test_y(): pass\n")
    gate = Gate("unit tests", f"cd sub && {PYTHON} -m pytest -q", "pytest")
    first = quality.run_gates(tmp_path / "c", [gate], env=env, folder=tmp_path / "gates")[gate.name]

    again = quality.run_again(tmp_path / "c", [gate], {gate.name: first.failed}, env=env, folder=tmp_path / "gates")

    assert [test.id for test in first.tests] == ["sub/test_a.py::test_x", "sub/test_a.py::test_y"]
    assert [(test.id, test.outcome) for test in again[gate.name].tests] == [
        ("sub/test_a.py::test_x", TestOutcome.FAILED)
    ]


def test_two_gates_never_share_a_file(tmp_path: Path, env: dict[str, str]) -> None:
    gates = [
        Gate(name, "true")
        for name in ("unit tests", "unit-tests", "unit_tests", "setup", "Unit-tests", "npm-test:a/b", "npm-test-a-b")
    ]

    found = quality.run_gates(tmp_path, gates, env=env, folder=tmp_path / "gates")

    logs = {report.log.casefold() for report in found.values()}
    assert len(logs) == len(gates)
    assert str(tmp_path / "gates/setup.log") not in logs


@pytest.mark.slow
def test_workers_of_xdist_report_once(run: Run) -> None:
    pytest.importorskip("xdist")
    gate = Gate("pytest", f"{PYTHON} -m pytest -q -p xdist -n 2", "pytest")
    report = run({"test_a.py": "def test_x(): pass\ndef test_y(): assert 0\n"}, gate)

    assert sorted(report.selected) == ["test_a.py::test_x", "test_a.py::test_y"]
    assert report.explained

    assert sorted((test.id, test.outcome) for test in report.tests) == [
        ("test_a.py::test_x", TestOutcome.PASSED),
        ("test_a.py::test_y", TestOutcome.FAILED),
    ]


def test_junit_serves_where_the_plugin_cannot_be_loaded(run: Run) -> None:
    command = f"env -u PYTEST_ADDOPTS {PYTHON} -m pytest -q --junitxml=out.xml"
    report = run({"test_a.py": "def test_x(): pass\ndef test_y(): assert 0\n"}, Gate("pytest", command, "pytest"))

    assert [(test.id, test.outcome) for test in report.tests] == [
        ("test_a::test_x", TestOutcome.PASSED),
        ("test_a::test_y", TestOutcome.FAILED),
    ]


def test_a_committed_junit_file_does_not_pass_for_a_report(run: Run) -> None:
    gate = Gate("pytest", "true --junitxml=out.xml", "pytest")
    report = run({"out.xml": '<testsuites><testcase classname="a" name="b"/></testsuites>'}, gate)

    assert report.state is GateState.BROKEN


# -- ruff, mypy, any command


def test_ruff_findings_are_multisets_without_lines(run: Run) -> None:
    gate = Gate("ruff", f"{PYTHON} -m ruff check --isolated --select F,E9", "ruff")
    base = run({"a.py": "import os\n"}, gate)
    moved = run({"a.py": "x = 1\n\n\nimport os\nprint(y)\n"}, gate)
    twice = run({"a.py": "import os\nimport os\n"}, gate)

    assert [(f.path, f.code) for f in base.findings] == [("a.py", "F401")]
    assert (base.state, base.explained) == (GateState.RED, True)
    assert compare(base, moved, ChangedPaths(frozenset({"a.py"}))).new_failures == ("a.py:5: F821 Undefined name `y`",)
    assert compare(base, base, ChangedPaths()).status is VerdictStatus.PASSED
    assert compare(base, twice, ChangedPaths(frozenset({"a.py"}))).status is VerdictStatus.FAILED


def test_mypy_findings_are_read_from_json_and_from_text(run: Run) -> None:
    files = {"a.py": "x: int = 'a'\ndef f(n: int) -> str:\n    return n\n", "mypy.ini": "[mypy]\npretty = True\n"}
    json = run(files, Gate("mypy", f"{MYPY} --output=json a.py", "mypy"))
    text = run(files, Gate("mypy", f"{MYPY} a.py", "mypy"))

    assert [(f.path, f.code, f.line) for f in json.findings] == [("a.py", "assignment", 1), ("a.py", "return-value", 3)]
    assert [f.key for f in text.findings] == [f.key for f in json.findings]
    assert compare(json, text, ChangedPaths()).status is VerdictStatus.PASSED


@pytest.mark.parametrize("line", ["m.py:1: error: Nothing [misc]", "::error::m.py:1: no"])
def test_reports_are_read_before_they_are_masked_and_nothing_unmasked_is_left(
    tmp_path: Path, env: dict[str, str], line: str
) -> None:
    (tmp_path / "m.py").write_text("x: int = 'a'\n")
    mypy = Gate("mypy", f"{MYPY} m.py; echo '{line}'; exit 1", "mypy")
    tests = Gate("pytest", f"{PYTHON} -c 'import os; open(os.environ[\"PARALLEL_IMPL_PYTEST_REPORT\"], \"w\")"
                 ".write(\"error\"); os.kill(os.getpid(), 9)'", "pytest")  # fmt: skip
    folder = tmp_path / "gates"

    found = quality.run_gates(tmp_path, [mypy, tests], env=env, folder=folder, mask=(b"error",))

    assert ("m.py", "assignment") in [(one.path, one.code) for one in found["mypy"].findings]
    left = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert [name for name, content in left.items() if b"error" in content] == []
    assert left["pytest.tests.jsonl"] == b"***"


def test_mypy_that_could_not_check_everything_is_broken(run: Run) -> None:
    syntax = run({"a.py": "def f(:\n"}, Gate("mypy", f"{MYPY} a.py", "mypy"))

    assert syntax.state is GateState.BROKEN
    assert syntax.why.startswith("mypy could not check everything (exit 2): a.py:1: syntax")


def test_a_command_that_nobody_reads_is_judged_by_its_exit_code(run: Run) -> None:
    green, red = run({}, Gate("check", "true")), run({}, Gate("check", "echo why; exit 3"))
    killed = run({}, Gate("check", "kill -9 $$"))
    slow = run({}, Gate("check", "sleep 60"), seconds=0.2)

    assert [
        compare(base, candidate, ChangedPaths()).status
        for base, candidate in ((green, green), (green, red), (red, red), (red, green), (None, red))
    ] == [
        VerdictStatus.PASSED,
        VerdictStatus.FAILED,
        VerdictStatus.NOT_PROVEN,
        VerdictStatus.PASSED,
        VerdictStatus.FAILED,
    ]
    assert killed.why.startswith("killed by SIGKILL")
    assert [compare(one, one, ChangedPaths()).status for one in (killed, slow)] == [
        VerdictStatus.FAILED,
        VerdictStatus.FAILED,
    ]


def test_gates_run_side_by_side_and_what_is_off_or_absent_is_not_run(tmp_path: Path, env: dict[str, str]) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for fifo in (one, two):
        os.mkfifo(fifo)  # each waits for the other: in turns they would never end
    gates = [
        Gate("left", f"echo > {one}; read -r _ < {two}"),
        Gate("right", f"read -r _ < {one}; echo > {two}"),
        Gate("off", off=True, found="switched off by the configuration"),
        Gate("openspec", "openspec", absent=True),
    ]

    reports = quality.run_gates(tmp_path, gates, env=env, folder=tmp_path / "gates", seconds=60)

    assert {name: report.state for name, report in reports.items()} == {
        "left": GateState.GREEN,
        "right": GateState.GREEN,
        "off": GateState.OFF,
        "openspec": GateState.NOT_RUN,
    }
    assert [compare(None, reports[name], ChangedPaths()).status for name in ("off", "openspec")] == [
        VerdictStatus.SWITCHED_OFF,
        VerdictStatus.NOT_RUN,
    ]


@pytest.mark.parametrize(("again", "state"), [("true", GateState.GREEN), ("kill -9 $$", GateState.BROKEN)])
def test_a_gate_that_broke_beside_others_runs_once_more_alone(
    tmp_path: Path, env: dict[str, str], again: str, state: GateState
) -> None:
    other, once = tmp_path / "other", tmp_path / "once"
    os.mkfifo(other)
    gates = [
        Gate("breaks", f"[ ! -e {once} ] || {{ {again}; exit; }}; touch {once}; read -r _ < {other}; kill -9 $$"),
        Gate("other", f"echo > {other}"),
    ]
    slots, alone = Slots(2, 2), list[tuple[str, bool]]()

    def slot(gate: Gate, by_itself: bool) -> AbstractContextManager[Share]:
        alone.append((gate.name, by_itself))
        return slots.take(alone=by_itself)

    reports = quality.run_gates(tmp_path, gates, env=env, folder=tmp_path / "gates", seconds=60, slot=slot)

    assert sorted(alone) == [("breaks", False), ("breaks", True), ("other", False)]
    assert (reports["breaks"].state, reports["other"].state) == (state, GateState.GREEN)
    assert ("red under load, green alone: killed by SIGKILL" in reports["breaks"].why) == (state is GateState.GREEN)
    assert (bool(reports["breaks"].beside), bool(reports["other"].beside)) == (False, True)


def test_a_second_session_runs_while_nothing_else_of_ours_does(tmp_path: Path, env: dict[str, str]) -> None:
    gate, alone = Gate("check", "false"), list[tuple[str, bool]]()

    def slot(gate: Gate, by_itself: bool) -> AbstractContextManager[Share]:
        alone.append((gate.name, by_itself))
        return unlimited()

    found = quality.run_again(tmp_path, [gate], {"check": []}, env=env, folder=tmp_path, slot=slot)

    assert (found["check"].state, alone) == (GateState.RED, [("check", True)])


# -- which gates there are


def found(files: Mapping[str, str], **configured: GateCommand | bool) -> dict[str, Gate]:
    gates, _ = quality.find(lambda name: files[name].encode() if name in files else None, configured, change_id="add-x")
    return {gate.name: gate for gate in gates}


def test_gates_are_found_from_the_repositorys_own_configuration() -> None:
    everything = found({"pyproject.toml": "[tool.pytest.ini_options]\n[tool.mypy]\nfiles = ['src']\n[tool.ruff]\n"})

    assert {name: gate.command for name, gate in everything.items()} == {
        "pytest": "pytest -q",
        "mypy": "mypy --output=json",
        "ruff": "ruff check --output-format=json",
        "openspec": "openspec validate add-x --strict --json",
    }
    assert [name for name, gate in everything.items() if not gate.required] == ["openspec"]
    assert sorted(found({})) == ["openspec"]
    assert sorted(found({"setup.cfg": "[tool:pytest]\n[mypy]\npackages = x\n", "ruff.toml": ""})) == [
        "mypy", "openspec", "pytest", "ruff",
    ]  # fmt: skip
    assert not found({"tests/conftest.py": ""})["pytest"].required
    assert sorted(found({"pyproject.toml": "no toml", "setup.cfg": "no ini"})) == ["openspec"]


def test_openspec_validates_where_the_changes_openspec_lies() -> None:
    gates, _ = quality.find(lambda _: None, {}, change_id="add-x", part="services/my api")
    assert [gate.command for gate in gates] == ["cd 'services/my api' && openspec validate add-x --strict --json"]
    assert gates[0].texts == "services/my api/openspec/changes/add-x"


def test_mypy_that_does_not_say_what_to_check_is_said_and_not_run() -> None:
    gates, said = quality.find(lambda name: b"[mypy]\nstrict = 1\n" if name == "mypy.ini" else None, {}, change_id="x")

    assert [gate.name for gate in gates] == ["openspec"]
    assert [problem.severity for problem in said] == [Severity.WARNING] * 2


def test_the_configuration_replaces_adds_and_switches_off() -> None:
    files = {"pytest.ini": "", "ruff.toml": ""}
    configured: dict[str, GateCommand | bool] = {
        "pytest": GateCommand("make test", "pytest"),
        "ruff": False,
        "smoke": GateCommand("make smoke"),
    }
    gates, said = quality.find(lambda name: b"" if name in files else None, configured, change_id="x")

    assert {gate.name: (gate.command, gate.parser, gate.off) for gate in gates} == {
        "pytest": ("make test", "pytest", False),
        "ruff": ("", "exit-code", True),
        "openspec": ("openspec validate x --strict --json", "openspec", False),
        "smoke": ("make smoke", "exit-code", False),
    }
    assert [problem.what for problem in said] == ["gate ruff is switched off by the configuration"]


def test_gates_that_are_switched_off_are_one_line() -> None:
    configured: dict[str, GateCommand | bool] = {"ruff": False, "mypy": False, "openspec": False}
    _, said = quality.find(lambda _: None, {**configured, "all": GateCommand("make all")}, change_id="x")
    assert [problem.what for problem in said] == ["gates mypy, ruff, openspec are switched off by the configuration"]


def test_an_absent_program_is_an_error_where_it_was_asked_for_and_else_said(tmp_path: Path) -> None:
    gates = [
        Gate("mypy", "no-such-mypy --strict", "mypy", "configured"),
        Gate("openspec", "no-such-openspec validate x", required=False),
        Gate("check", "true"),
    ]

    checked, problems = quality.check_programs(gates, checkout=tmp_path, env={"PATH": os.environ["PATH"]})

    assert [(problem.severity, problem.what) for problem in problems] == [
        (Severity.ERROR, "gate mypy (configured) needs no-such-mypy, which is not there"),
        (Severity.WARNING, "gate openspec is not run: no-such-openspec is not there"),
    ]
    assert problems[0].hint.endswith("or switch the gate off: gates.mypy = false")
    assert [gate.absent for gate in checked] == [True, True, False]


def test_our_own_check_of_the_texts_takes_the_place_of_an_absent_openspec(tmp_path: Path, env: dict[str, str]) -> None:
    gate = Gate("openspec", "no-such-openspec validate x", required=False, texts="openspec/changes/x")
    checked, problems = quality.check_programs([gate], checkout=tmp_path, env=env)
    assert "no-such-openspec is not installed: this tool's own rules check the texts" in problems[0].what
    finding = GateFinding("openspec/changes/x/specs/a/spec.md", "structure", "no scenario", 3)

    def own(checkout: Path, folder: str) -> list[GateFinding]:
        return [finding] if (checkout, folder) == (tmp_path.resolve(), "openspec/changes/x") else []

    report = quality.run_gates(tmp_path, checked, env=env, folder=tmp_path / "gates", own=own)["openspec"]

    assert (report.state, report.findings, report.explained) == (GateState.RED, (finding,), True)
    assert "no scenario" in Path(report.log).read_text()
    assert checked[0].shown == "own check of openspec/changes/x"
    assert compare(report, report, ChangedPaths()).status is VerdictStatus.PASSED  # an old finding holds nothing back


def test_a_second_session_finds_a_test_whose_id_is_another_each_time(tmp_path: Path, env: dict[str, str]) -> None:
    test = "@pytest.mark.parametrize('n', [str(uuid.uuid4())])\ndef test_n(n): assert 0\ndef test_y(): assert 0\n"
    (tmp_path / "c").mkdir()
    (tmp_path / "c/test_a.py").write_text(f"import pytest, uuid\n{test}")
    first = quality.run_gates(tmp_path / "c", [PYTEST], env=env, folder=tmp_path / "gates")["pytest"]
    failed = {"pytest": [test for test in first.failed if "test_n" in test.id]}

    again = quality.run_again(tmp_path / "c", [PYTEST], failed, env=env, folder=tmp_path / "gates")["pytest"]

    assert [(test.id[:16], test.outcome) for test in again.tests] == [("test_a.py::test_", TestOutcome.FAILED)]
    assert again.tests[0].id != failed["pytest"][0].id
