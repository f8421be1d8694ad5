"""Verification steps, as real processes in a checkout."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from parallel_impl.gates.steps import StepStatus, Verification, not_run, run_steps
from parallel_impl.plan.model import Package, Scope, Step, StepKind
from parallel_impl.processes.launch import Stop
from parallel_impl.processes.slots import Share
from tests.privileges import closed_is_closed

Run = Callable[..., Verification]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "checkout" / "sub").mkdir(parents=True)
    (tmp_path / "checkout" / "tracked").write_text("1\n")
    return tmp_path / "checkout"


@pytest.fixture
def run(checkout: Path, tmp_path: Path) -> Run:
    """Runs steps in the checkout; a file that is not `tracked` with its content counts as changed."""

    def changed() -> dict[str, str]:
        files = {path: path.read_bytes().decode("latin-1") for path in sorted(checkout.rglob("*")) if path.is_file()}
        return {
            path.relative_to(checkout).as_posix(): text
            for path, text in files.items()
            if path.name != "tracked" or text != "1\n"
        }

    def start(*steps: Step, keys: tuple[str, ...] = (), tier: str = "", stop: Stop | None = None) -> Verification:
        package = Package("wp-a", "d", Scope(("**",)), steps=steps, output_keys=keys, tier_required=tier)
        env = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]}
        folder = tmp_path / "out"
        return run_steps(
            package, checkout=checkout, folder=folder, env=env, changed=changed, files_modified=2, stop=stop
        )

    return start


def test_steps_run_in_order_and_stop_at_the_first_that_fails(run: Run, checkout: Path) -> None:
    done = run(
        Step("one", command="true"),
        Step("two", command="echo the reason; exit 3"),
        Step("three", command="touch never"),
    )

    assert [(step.name, step.status, step.exit_code) for step in done.steps] == [
        ("one", StepStatus.PASSED, 0),
        ("two", StepStatus.FAILED, 3),
        ("three", StepStatus.NOT_RUN, None),
    ]
    assert not done.passed
    assert done.why.startswith("step 'two': exit 3; log: ")
    assert done.why.endswith("the reason")
    assert not (checkout / "never").exists()


def test_a_string_is_bash_with_pipefail_and_a_list_is_argv(run: Run) -> None:
    assert run(Step("x", command="[[ a == a* ]] && cat tracked | grep -q 1")).passed
    assert run(Step("x", command=("test", "a b", "=", "a b"))).passed
    assert not run(Step("x", command="false | cat")).passed
    assert not run(Step("x", command='echo "$UNSET_VARIABLE"')).passed
    assert "could not be started" in run(Step("x", command=("no-such-program",))).why


def test_cwd_env_and_the_expected_exit_code_are_honoured(run: Run, tmp_path: Path) -> None:
    done = run(
        Step(
            "x",
            command='pwd; echo "$A $PYTHONDONTWRITEBYTECODE"; exit 4',
            cwd="sub",
            env=(("A", "b"),),
            expect_exit_code=4,
        )
    )

    assert done.passed
    assert (tmp_path / "out" / "steps" / "1-x.log").read_text() == f"{tmp_path}/checkout/sub\nb 1\n"


@pytest.mark.parametrize("cwd", ["gone", "tracked", "..", "leads-out"])
def test_a_cwd_that_is_no_folder_of_the_checkout_fails_and_says_so(run: Run, checkout: Path, cwd: str) -> None:
    (checkout / "leads-out").symlink_to("/tmp")

    assert run(Step("x", command="true", cwd=cwd)).why == f"step 'x': its cwd {cwd!r} is not a folder of the checkout"


def test_exit_141_is_explained(run: Run) -> None:
    done = run(Step("x", command="yes | head -3"))

    assert done.steps[0].exit_code == 141
    assert "SIGPIPE" in done.why
    assert "head -3" in done.why


def test_a_signal_has_the_exit_code_of_a_shell(run: Run) -> None:
    assert run(Step("x", command="kill -9 $$")).why.startswith("step 'x': killed by SIGKILL (exit 137)")
    assert run(Step("x", command="kill -9 $$", expect_exit_code=137)).passed


@pytest.mark.parametrize("number", [35, 50])
def test_a_signal_without_a_name_is_told_by_its_number(run: Run, number: int) -> None:
    done = run(Step("x", command=f"kill -{number} $$"))

    assert done.steps[0].exit_code == 128 + number
    assert done.why.startswith(f"step 'x': killed by signal {number} (exit {128 + number})")


def test_a_declared_artifact_must_be_there_afterwards_and_is_kept(run: Run, tmp_path: Path) -> None:
    make = "mkdir -p out && echo 1 > out/a.xml && echo 2 > out/b.xml && echo 3 > own.txt"
    done = run(Step("Make it", command=make, cwd="sub", artifacts=("sub/out/*.xml", "own.txt", "tracked", "sub/out")))

    assert done.passed
    assert done.steps[0].artifacts == ("sub/out/a.xml", "sub/out/b.xml", "sub/own.txt")  # `tracked` was there before
    assert (tmp_path / "out" / "artifacts" / "1-make-it" / "sub" / "out" / "b.xml").read_text() == "2\n"

    gone = run(Step("x", command="true", artifacts=("report.xml", "sub/*.html", "../../etc/passwd", "/etc/passwd")))
    assert gone.why == (
        "step 'x': declared artifacts are not there afterwards: report.xml, sub/*.html, ../../etc/passwd, /etc/passwd"
    )


def test_an_artifact_that_was_there_before_the_steps_is_no_evidence_until_a_step_writes_it(run: Run) -> None:
    stale = run(Step("x", command="true", artifacts=("tracked",)))
    assert (stale.passed, stale.steps[0].artifacts) == (False, ())
    assert stale.why.endswith("its declared artifacts were there before it, and it did not write them: tracked")

    same = run(Step("x", command="cat tracked > again; cat again > tracked", artifacts=("tracked", "again")))
    assert (same.passed, same.steps[0].artifacts) == (True, ("tracked", "again"))
    later = run(Step("x", command="touch made", artifacts=("made",)), Step("y", command="true", artifacts=("made",)))
    assert later.passed


def test_an_artifact_behind_a_link_out_of_the_checkout_is_not_taken(run: Run, checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (checkout / "leak").symlink_to(tmp_path / "secret")

    assert not run(Step("x", command="true", artifacts=("leak",), writes=True)).passed


def test_a_step_that_changes_files_of_its_checkout_fails_unless_it_says_so(run: Run, checkout: Path) -> None:
    done = run(Step("x", command="echo 2 > tracked; touch new"))
    assert done.why == (
        "step 'x': it changed files of its checkout: new, tracked; "
        "declare them as artifacts, ignore them, or write `writes: true`"
    )

    (checkout / "tracked").write_text("1\n")
    (checkout / "new").unlink()
    assert run(Step("x", command="touch new", writes=True), Step("y", command="cat new; touch new")).passed
    again = run(Step("x", command="echo 1 > new", writes=True), Step("y", command="echo more > new"))
    assert "it changed files of its checkout: new" in again.why


def test_caches_of_tools_and_declared_artifacts_may_appear(run: Run) -> None:
    make = "mkdir -p sub/__pycache__ .pytest_cache && touch sub/__pycache__/a.pyc .pytest_cache/x .coverage report.txt"

    assert run(Step("x", command=make, artifacts=("report.txt",))).passed


def test_computed_keys_are_known_by_their_name_and_by_the_tools(run: Run) -> None:
    wanted = ("exit_code", "pytest.exit_code", "pytest_test_count", "tests_passed", "tests_failed", "files_modified")
    done = run(Step("x", command="pytest() { echo '== 3 passed, 2 skipped in 0.12s =='; }; pytest", result_keys=wanted))

    assert done.passed
    assert {key: done.steps[0].keys[key] for key in wanted} == {
        "exit_code": 0,
        "pytest.exit_code": 0,
        "pytest_test_count": 5,
        "tests_passed": 3,
        "tests_failed": 0,
        "files_modified": 2,
    }


@pytest.mark.parametrize(
    ("line", "passed", "failed", "count"),
    [
        ("1 failed, 2 passed, 1 error in 3.20s", 2, 2, 4),
        ("=== no tests ran in 0.01s ===", 0, 0, 0),
        ("12 tests collected in 0.10s", 0, 0, 12),
        ("1 passed in 61.00s (0:01:01)", 1, 0, 1),
        ("Ran 5 tests in 0.001s\n\nFAILED (failures=1, errors=1, skipped=1)", 2, 2, 5),
        ("Ran 5 tests in 0.001s\n\nOK (skipped=2)", 3, 0, 5),
    ],
)
def test_numbers_of_tests_are_read_from_what_runners_print(
    run: Run, line: str, passed: int, failed: int, count: int
) -> None:
    keys = run(Step("x", command=("printf", "%s\n", line))).steps[0].keys

    assert (keys["tests_passed"], keys["tests_failed"], keys["test_count"]) == (passed, failed, count)


def test_a_declared_key_is_not_reported_where_nobody_wrote_a_result_file(run: Run) -> None:
    done = run(Step("x", command="true", result_keys=("lint_ok", "tests_passed", "mypy.exit_code")), keys=("all_ok",))

    assert done.passed
    assert done.not_reported == ("lint_ok", "tests_passed", "mypy.exit_code", "all_ok")


def test_a_declared_key_that_a_written_result_file_lacks_fails(run: Run) -> None:
    write = 'echo \'{"lint_ok": null, "n": 1}\' > "$PARALLEL_IMPL_RESULT_FILE"'

    done = run(Step("x", command=write, result_keys=("lint_ok",)), keys=("n",))
    assert done.passed
    assert done.not_reported == ()
    assert done.steps[0].keys["lint_ok"] is None
    step = run(Step("x", command=write, result_keys=("lint_ok", "other")))
    assert step.why == "step 'x': it wrote a result file without the declared keys other"
    package = run(Step("x", command=write), keys=("other",))
    assert package.why == "the package declares result keys that its steps did not write: other"


def test_what_was_measured_wins_over_what_a_step_reports_under_any_name_of_it(run: Run) -> None:
    line = "== 1 failed, 3 passed in 0.12s =="
    reported = '{"tests_passed": 999, "exit_code": 7, "files_modified": 9, "pytest_tests_passed": 999, "words": 5}'
    command = f"pytest() {{ echo '{line}'; echo '{reported}' > $PARALLEL_IMPL_RESULT_FILE; }}; pytest"
    again = 'echo \'{"tests_passed": 999, "two.exit_code": 4}\' > $PARALLEL_IMPL_RESULT_FILE'
    wanted = ("tests_passed", "pytest_tests_passed", "words")

    done = run(Step("one", command=command, result_keys=wanted), Step("two", command=again))

    measured = {"tests_passed": 3, "exit_code": 0, "files_modified": 2, "pytest_tests_passed": 3, "words": 5}
    assert {key: done.steps[0].keys[key] for key in measured} == measured
    assert {key: done.keys[key] for key in (*measured, "one.exit_code", "two.exit_code")} == {
        **measured,
        "one.exit_code": 0,
        "two.exit_code": 0,
    }


@pytest.mark.parametrize(
    ("command", "artifact", "why"),
    [
        ("ln -s x x", "x", "declared artifacts are not there afterwards: x"),
        ("ln -s y x; ln -s x y", "x/z", "declared artifacts are not there afterwards: x/z"),
        ("echo 1 > x; chmod 000 x", "x", "its declared artifact x cannot be read: Permission denied"),
        ("mkdir x; echo 1 > x/y; chmod 000 x", "x/y", "declared artifacts are not there afterwards: x/y"),
        ("mkdir x; echo 1 > x/y; chmod 600 x", "x", "declared artifacts are not there afterwards: x"),
    ],
)
def test_an_artifact_that_leads_nowhere_or_cannot_be_read_is_its_steps_failure(
    run: Run, checkout: Path, command: str, artifact: str, why: str
) -> None:
    with closed_is_closed():
        done = run(Step("s", command=command, artifacts=(artifact,)))
    if (checkout / "x").is_dir():
        (checkout / "x").chmod(0o700)

    assert (done.passed, done.steps[0].why) == (False, why)


@pytest.mark.parametrize("made", ["web -> web", "web -> gone", "closed/web"])
def test_a_cwd_that_leads_nowhere_or_is_closed_is_its_steps_failure(run: Run, checkout: Path, made: str) -> None:
    name, _, target = made.partition(" -> ")
    if target:
        (checkout / name).symlink_to(target)
    else:
        (checkout / name).mkdir(parents=True)
        (checkout / name).parent.chmod(0)
    with closed_is_closed():
        done = run(Step("s", command="true", cwd=name))
    if not target:
        (checkout / name).parent.chmod(0o700)

    assert done.steps[0].why == f"its cwd {name!r} is not a folder of the checkout"


def test_a_result_file_that_cannot_be_read_is_its_steps_failure(run: Run) -> None:
    with closed_is_closed():
        done = run(Step("s", command="echo {} > $PARALLEL_IMPL_RESULT_FILE; chmod 000 $PARALLEL_IMPL_RESULT_FILE"))

    assert done.steps[0].why == "its result file cannot be read: Permission denied"


@pytest.mark.parametrize(
    "content",
    ["{", "[1]", '{"a": NaN}', '{"a": 1e999}', '{"a": -1e999}', "[" * 100_000, '{"a": ' + "[" * 900 + "]" * 900 + "}"],
)
def test_a_result_file_that_is_no_json_object_fails(run: Run, checkout: Path, content: str) -> None:
    (checkout / "content").write_text(content)

    done = run(Step("x", command='cp content "$PARALLEL_IMPL_RESULT_FILE"'))

    assert done.steps[0].status is StepStatus.FAILED
    assert "its result file is not" in done.why


def test_a_result_file_that_is_a_link_is_not_read(run: Run) -> None:
    assert "regular file" in run(Step("x", command='ln -s /etc/passwd "$PARALLEL_IMPL_RESULT_FILE"')).why


def test_steps_for_a_person_are_listed_and_never_passed(run: Run) -> None:
    manual = Step("look", StepKind.MANUAL, instructions="open the page")
    done = run(manual, Step("x", command="true"), Step("ci", StepKind.CI), tier="A")

    assert done.passed
    assert done.for_a_person == ("look", "ci")
    assert [step.status for step in done.steps] == [StepStatus.FOR_A_PERSON, StepStatus.PASSED, StepStatus.FOR_A_PERSON]
    assert done.tier == "A"


def test_no_tier_is_claimed_without_command_steps_or_after_a_failure(run: Run) -> None:
    assert run(Step("look", StepKind.MANUAL), tier="A").tier == ""
    assert run(Step("x", command="false"), tier="A").tier == ""


def test_a_package_without_command_steps_passes_with_what_is_for_a_person() -> None:
    package = Package("wp-a", "d", Scope(("**",)), steps=(Step("look", StepKind.MANUAL),), output_keys=("k",))

    done = not_run(package)

    assert done.passed
    assert (done.for_a_person, done.not_reported, done.tier) == (("look",), ("k",), "")


def test_a_stopped_run_leaves_its_step_not_run(run: Run, tmp_path: Path) -> None:
    stop = Stop()
    fifo = tmp_path / "started"
    os.mkfifo(fifo)

    def wait() -> None:
        fifo.read_text()
        stop.set()

    waiter = threading.Thread(target=wait)
    waiter.start()

    done = run(Step("x", command=f"echo > {fifo}; exec sleep 60"), Step("y", command="true"), stop=stop)

    waiter.join()
    assert done.stopped
    assert not done.passed
    assert [step.status for step in done.steps] == [StepStatus.NOT_RUN, StepStatus.NOT_RUN]


def test_the_environment_of_the_checkout_comes_first_on_path(run: Run, checkout: Path) -> None:
    (checkout / ".venv" / "bin").mkdir(parents=True)
    (checkout / ".venv" / "bin" / "python").symlink_to(sys.executable)

    assert run(Step("x", command='test "$(command -v python)" = "$VIRTUAL_ENV/bin/python"')).passed


def test_what_fails_on_the_base_is_asked_before_a_step_has_its_slot(tmp_path: Path) -> None:
    (tmp_path / "checkout").mkdir()
    order = list[str]()

    def old(step: Step) -> tuple[str, ...]:
        order.append(f"{step.name} on the base")
        return ()

    @contextmanager
    def slot(step: Step) -> Iterator[Share]:
        order.append(f"{step.name} has a slot")
        yield Share()

    steps = (Step("new", command="true"), Step("old", command="true", old_failures=True))
    run_steps(
        Package("wp-a", "d", Scope(("**",)), steps=steps),
        checkout=tmp_path / "checkout",
        folder=tmp_path / "out",
        env={"PATH": os.environ["PATH"]},
        changed=dict,
        old=old,
        slot=slot,
    )

    assert order == ["new has a slot", "old on the base", "old has a slot"]
