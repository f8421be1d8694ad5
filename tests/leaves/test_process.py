"""Nothing of a child outlives `processes.process.run`, whatever the child does."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from parallel_impl.processes import process
from parallel_impl.processes.process import Ended, Limits, Reason, Stop

QUICK = Limits(seconds=20, grace_seconds=0.3)


@pytest.fixture(autouse=True, scope="module")
def subreaper() -> None:
    if not process.adopt_orphans():
        pytest.skip("this system has no subreaper")


def run(
    tmp_path: Path, script: str, limits: Limits = QUICK, stop: Stop | None = None, mask: tuple[bytes, ...] = ()
) -> Ended:
    environment = {"PATH": os.environ["PATH"], "MARKER": tmp_path.name}
    return process.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, log=tmp_path / "log", limits=limits, stop=stop, mask=mask
    )


def survivors(tmp_path: Path) -> list[str]:
    """Command lines of living processes that write their pid to our folder."""
    found = []
    for file in tmp_path.glob("pid.*"):
        try:
            state = Path(f"/proc/{file.read_text().strip()}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            found.append(file.name)
    return found


def test_exit_code_and_output_are_reported(tmp_path: Path) -> None:
    ended = run(tmp_path, "echo out; echo err >&2; exit 3")
    assert (ended.reason, ended.exit_code, ended.clean) == (Reason.EXITED, 3, False)
    assert (tmp_path / "log").read_text() == "out\nerr\n"


def test_death_by_signal_is_told_by_name(tmp_path: Path) -> None:
    assert str(run(tmp_path, "kill -SEGV $$")) == "killed by SIGSEGV"
    assert str(run(tmp_path, "kill -35 $$")) == "killed by signal 35"


def test_a_program_that_is_not_there_is_not_an_exception(tmp_path: Path) -> None:
    ended = process.run(["/nowhere/agent"], cwd=tmp_path, env={}, log=tmp_path / "log", limits=QUICK)
    assert (ended.reason, ended.exit_code) == (Reason.NOT_STARTED, None)
    assert "No such file" in (tmp_path / "log").read_text()


def test_stdin_is_closed_and_the_environment_is_exactly_what_was_given(tmp_path: Path) -> None:
    run(tmp_path, "cat; env | cut -d= -f1 | sort | tr '\\n' ' '")
    assert (tmp_path / "log").read_text().split() == ["MARKER", process.MARK, "PATH", "PWD", "SHLVL", "_"]


@pytest.mark.parametrize(
    "script",
    [
        "(setsid sh -c 'echo $$ >pid.1; exec sleep 600' &)",
        "(setsid sh -c '(setsid sh -c \"echo \\$\\$ >pid.1; exec sleep 600\" &)' &)",
        "setsid env -i sh -c 'echo $$ >pid.1; exec sleep 600' &",
        "sh -c 'trap \"\" TERM; echo $$ >pid.1; while :; do sleep 600; done' &",
    ],
    ids=["daemon", "double fork", "cleared environment", "ignores TERM"],
)
def test_daemons_are_ended_with_the_process_that_started_them(tmp_path: Path, script: str) -> None:
    ended = run(tmp_path, f"{script}\nuntil [ -s pid.1 ]; do sleep 0.01; done; exit 0")
    assert (ended.reason, ended.exit_code) == (Reason.EXITED, 0)
    assert survivors(tmp_path) == []


def test_a_daemon_of_another_child_is_left_alone(tmp_path: Path) -> None:
    stop = Stop()
    daemon = "(setsid sh -c 'echo $$ >pid.1; exec sleep 600' &)"
    script = f"{daemon}; until [ -s pid.1 ]; do sleep 0.01; done; touch up; sleep 600"
    thread = threading.Thread(target=run, args=(tmp_path, script), kwargs={"stop": stop})
    thread.start()
    while not (tmp_path / "up").exists():
        threading.Event().wait(0.01)
    (tmp_path / "other").mkdir()
    run(tmp_path / "other", "true")
    alive = survivors(tmp_path)
    stop.set()
    thread.join()
    assert alive == ["pid.1"]
    assert survivors(tmp_path) == []


def test_a_time_limit_ends_a_process_that_ignores_term(tmp_path: Path) -> None:
    ended = run(tmp_path, "trap '' TERM; while :; do sleep 600; done", Limits(seconds=0.3, grace_seconds=0.2))
    assert (ended.reason, ended.exit_code) == (Reason.TIMEOUT, -9)


def test_silence_ends_a_process_and_output_keeps_it_alive(tmp_path: Path) -> None:
    silent = run(tmp_path, "sleep 600", Limits(seconds=60, silence_seconds=0.3, grace_seconds=0.2))
    talking = run(
        tmp_path, "for i in 1 2 3 4 5 6; do echo $i; sleep 0.1; done", Limits(seconds=60, silence_seconds=0.4)
    )
    assert (silent.reason, talking.reason) == (Reason.SILENT, Reason.EXITED)


def test_endless_output_is_cut_and_said(tmp_path: Path) -> None:
    ended = run(tmp_path, "yes", Limits(seconds=0.5, log_bytes=1000, grace_seconds=0.3))
    assert (ended.reason, ended.log_bytes, ended.truncated) == (Reason.TIMEOUT, 1000, True)
    assert (tmp_path / "log").read_text().endswith("[log cut at 1000 bytes]\n")
    assert (tmp_path / "log").stat().st_size < 1100


def test_an_orphan_that_floods_the_pipe_does_not_keep_us_waiting(tmp_path: Path) -> None:
    began = time.monotonic()
    ended = run(tmp_path, "setsid yes & sleep 0.1; exit 0", Limits(seconds=60, log_bytes=1000, grace_seconds=0.3))
    assert ended.reason is Reason.EXITED
    assert time.monotonic() - began < 30


def test_secrets_are_masked_even_across_two_writes(tmp_path: Path) -> None:
    run(tmp_path, "printf 'key=hunter'; sleep 0.1; echo 2-secret.", mask=(b"hunter2-secret",))
    assert (tmp_path / "log").read_text() == "key=***.\n"


def test_a_stop_ends_every_process_that_was_started_with_it(tmp_path: Path) -> None:
    stop, endings = Stop(), list[Ended]()
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    threads = [
        threading.Thread(target=lambda name=name: endings.append(run(tmp_path / name, "sleep 600", stop=stop)))
        for name in ("a", "b")
    ]
    for thread in threads:
        thread.start()
    stop.set()
    stop.set()
    for thread in threads:
        thread.join()
    assert [ended.reason for ended in endings] == [Reason.STOPPED, Reason.STOPPED]
