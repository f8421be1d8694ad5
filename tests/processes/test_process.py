"""Nothing of a child outlives `processes.process.run`, whatever the child does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.processes import orphans, output, process, procfs
from parallel_impl.processes.launch import Launch, Limits, Stop
from parallel_impl.processes.process import Ended, Reason

QUICK = Limits(seconds=20, grace_seconds=0.3)


@pytest.fixture(autouse=True, scope="module")
def subreaper() -> None:
    if not orphans.adopt_orphans():
        pytest.skip("this system has no subreaper")


def run(
    tmp_path: Path,
    script: str,
    limits: Limits = QUICK,
    stop: Stop | tuple[Stop, ...] | None = None,
    mask: tuple[bytes, ...] = (),
    **more: Any,
) -> Ended:
    environment = {"PATH": os.environ["PATH"], "MARKER": tmp_path.name}
    launch = Launch(tmp_path, environment, limits, stop=stop, mask=mask)
    return process.run(["bash", "-c", script], launch, tmp_path / "log", **more)


def survivors(tmp_path: Path) -> list[str]:
    """Command lines of living processes that write their pid to our folder."""
    found = []
    for file in tmp_path.glob("pid.*"):
        pid = file.read_text().strip()
        if not pid:  # made, and not written yet
            continue
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
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
    ended = process.run(["/nowhere/agent"], Launch(tmp_path, {}, QUICK), tmp_path / "log")
    assert (ended.reason, ended.exit_code) == (Reason.NOT_STARTED, None)
    assert "No such file" in (tmp_path / "log").read_text()


def test_stdin_is_closed_and_the_environment_is_exactly_what_was_given(tmp_path: Path) -> None:
    run(tmp_path, "cat; env | cut -d= -f1 | sort | tr '\\n' ' '")
    assert (tmp_path / "log").read_text().split() == ["MARKER", orphans.MARK, "PATH", "PWD", "SHLVL", "_"]


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
    assert ended.survivors > 0
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


@pytest.mark.parametrize("own", [False, True])
def test_any_of_several_stops_ends_a_process(tmp_path: Path, *, own: bool) -> None:
    stops = (Stop(), Stop())
    ended = run(tmp_path, "echo up; sleep 600", stop=stops, heard=lambda _: stops[own].set())
    assert ended.reason is Reason.STOPPED
    assert [bool(stop) for stop in stops] == [not own, own]


def test_a_stop_that_is_gone_gives_its_descriptors_back() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(100):
        stop = Stop()
        if number % 2:
            stop.set()
    del stop
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# -- stdin


def test_stdin_of_any_size_comes_whole(tmp_path: Path) -> None:
    prompt = b"0123456789abcde\n" * 25_000
    (tmp_path / "prompt").write_bytes(prompt)
    for stdin in (prompt, tmp_path / "prompt"):
        (tmp_path / "log").unlink(missing_ok=True)
        assert run(tmp_path, "cat", stdin=stdin).clean
        assert (tmp_path / "log").read_bytes() == prompt


@pytest.mark.parametrize("script", ["exit 0", "exec <&-; echo on"], ids=["ends", "closes it"])
def test_a_program_that_ignores_its_stdin_keeps_nobody_waiting(tmp_path: Path, script: str) -> None:
    ended = run(tmp_path, script, Limits(seconds=30), stdin=b"x" * 400_000)
    assert (ended.reason, ended.exit_code) == (Reason.EXITED, 0)


def test_a_file_for_stdin_that_is_not_there_is_no_fault_of_the_program(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="gone"):
        run(tmp_path, "true", stdin=tmp_path / "gone")


# -- lines that are heard


def test_whole_lines_are_heard_also_when_they_come_in_pieces(tmp_path: Path) -> None:
    heard: list[bytes] = []
    script = "printf 'one\\n\\ntw'; sleep 0.2; printf 'o\\nthr'; sleep 0.2; printf 'ee'"
    assert run(tmp_path, script, heard=heard.append).clean
    assert heard == [b"one", b"", b"two", b"three"]
    assert (tmp_path / "log").read_bytes() == b""


def test_a_line_is_heard_while_the_program_waits_for_what_it_does(tmp_path: Path) -> None:
    ended = run(
        tmp_path,
        "echo ready; until [ -e answer ]; do sleep 0.02; done",
        mask=(b"a secret that is longer than the line",),
        heard=(tmp_path / "answer").write_bytes,
    )
    assert ended.clean
    assert (tmp_path / "answer").read_bytes() == b"ready"


def test_stderr_is_apart_when_stdout_is_heard(tmp_path: Path) -> None:
    heard, complained = list[bytes](), list[bytes]()
    script = "echo out; echo err >&2; echo more; printf last >&2"
    run(tmp_path, script, heard=heard.append, complained=complained.append)
    assert (heard, complained) == ([b"out", b"more"], [b"err", b"last"])
    assert (tmp_path / "log").read_bytes() == b"err\nlast"


def test_long_lines_are_not_torn_by_what_goes_to_stderr(tmp_path: Path) -> None:
    heard: list[bytes] = []
    (tmp_path / "program.py").write_text(
        "import os, threading\n"
        "threading.Thread(target=lambda: [os.write(2, b'-' * 6000) for _ in range(300)]).start()\n"
        "for _ in range(300): os.write(1, b'x' * 9999 + b'\\n')\n"
    )
    run(tmp_path, f"exec {sys.executable} program.py", heard=heard.append)
    assert set(heard) == {b"x" * 9999}
    assert len(heard) == 300


def test_secrets_are_masked_in_what_is_heard(tmp_path: Path) -> None:
    heard, complained = list[bytes](), list[bytes]()
    script = "printf 'key=hunter'; printf 'no hun' >&2; sleep 0.2; echo 2-secret.; echo ter2-secret >&2"
    run(tmp_path, script, mask=(b"hunter2-secret",), heard=heard.append, complained=complained.append)
    assert (heard, complained) == ([b"key=***."], [b"no ***"])
    assert (tmp_path / "log").read_text() == "no ***\n"


@given(
    secrets=st.lists(st.text("ab\n", min_size=1, max_size=5).map(str.encode), max_size=3),
    pieces=st.lists(st.text("ab\n", max_size=6).map(str.encode), max_size=8),
)
def test_no_secret_passes_however_a_stream_is_cut(secrets: list[bytes], pieces: list[bytes]) -> None:
    whole, cut = list[bytes](), list[bytes]()
    for told, parts in ((whole, [b"".join(pieces)]), (cut, pieces)):
        stream = output.Masked(tuple(secrets), told.append)
        for part in parts:
            stream.write(part)
        stream.close()
    assert not any(secret in b"".join(cut) for secret in secrets)
    if len(secrets) <= 1:
        assert b"".join(cut) == b"".join(whole)


def test_a_line_that_is_too_long_is_dropped_and_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "LONGEST_LINE", 100_000)
    heard: list[bytes] = []
    ended = run(tmp_path, "echo a; head -c 300000 /dev/zero; echo; echo b", heard=heard.append)
    assert (heard, ended.dropped, ended.clean) == ([b"a", b"b"], 1, True)


@pytest.mark.parametrize("callback", ["heard", "complained", "progress", "started"])
def test_a_callback_that_raises_leaves_nothing_running(tmp_path: Path, callback: str) -> None:
    def broken(*_: object) -> float:
        while not list(tmp_path.glob("pid.2")):
            threading.Event().wait(0.01)
        raise ValueError("a bug")

    callbacks: dict[str, Any] = {callback: broken}
    script = "setsid sh -c 'echo $$ >pid.1; exec sleep 600' & until [ -s pid.1 ]; do sleep 0.01; done\n"
    with pytest.raises(ValueError, match="a bug"):
        run(tmp_path, f"{script} echo $$ >pid.2; echo out; echo err >&2; sleep 600", **callbacks)
    assert survivors(tmp_path) == []


def test_a_callback_that_raises_when_the_program_has_ended_leaves_no_daemon(tmp_path: Path) -> None:
    def broken(_: bytes) -> None:
        raise ValueError("a bug")

    script = "setsid sh -c 'echo $$ >pid.1; exec sleep 600' & until [ -s pid.1 ]; do sleep 0.01; done"
    with pytest.raises(ValueError, match="a bug"):
        run(tmp_path, f"{script}; printf unfinished", heard=broken)
    assert survivors(tmp_path) == []


def test_progress_that_the_caller_counts_takes_the_place_of_output(tmp_path: Path) -> None:
    limits = Limits(seconds=20, silence_seconds=0.4, grace_seconds=0.2)
    began = time.monotonic()
    chatty = run(tmp_path, "while :; do echo again; sleep 0.05; done", limits, progress=lambda _: began)
    assert chatty.reason is Reason.SILENT
    assert run(tmp_path, "sleep 1.5", limits, progress=lambda _: time.monotonic()).clean


# -- orphans


def test_an_orphan_that_is_older_than_the_child_is_left_alone(tmp_path: Path) -> None:
    daemon = "setsid sh -c 'echo $$ >pid.1; exec sleep 600' >/dev/null 2>&1 &"
    subprocess.run(["sh", "-c", daemon], cwd=tmp_path, check=True)
    while not survivors(tmp_path):
        threading.Event().wait(0.01)
    pid = int((tmp_path / "pid.1").read_text())
    threading.Event().wait(0.05)  # clock ticks: two processes of one tick are of one age
    ended = run(tmp_path, "true")
    assert (ended.survivors, survivors(tmp_path)) == (0, ["pid.1"])
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_child_that_is_over_and_not_waited_for_does_not_live_and_has_its_start_time() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert procfs.start_time(child.pid) == 0
    assert procfs.start_time(child.pid, ended=True) >= procfs.start_time(os.getpid()) > 0
    child.wait()


def test_a_child_whose_start_is_interrupted_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    children, start = list[subprocess.Popen[bytes]](), orphans.start

    def interrupted(*arguments: Any, **how: Any) -> None:
        child = start(*arguments, **how)
        assert isinstance(child, subprocess.Popen)
        children.append(child)
        while len(survivors(tmp_path)) < 2:
            threading.Event().wait(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(orphans, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, "echo $$ >pid.1; trap '' TERM; setsid sh -c 'echo $$ >pid.2; exec sleep 600' & sleep 600")
    assert survivors(tmp_path) == []
    with children[0]:
        orphans.forget(children[0])


def test_orphans_that_end_are_reaped_while_something_runs_and_were_not_left_behind(tmp_path: Path) -> None:
    ended = list[Ended]()
    script = (
        "i=0; while [ $i -lt 20 ]; do (setsid sh -c 'echo $$ >pid.'$i &); i=$((i+1)); done\n"
        "i=0; while [ $i -lt 20 ]; do until [ -s pid.$i ]; do sleep 0.01; done; i=$((i+1)); done\n"
        "touch up; until [ -e seen ]; do sleep 0.02; done"
    )
    thread = threading.Thread(target=lambda: ended.append(run(tmp_path, script)))
    thread.start()
    while not (tmp_path / "up").exists():
        threading.Event().wait(0.01)
    pids = [file.read_text().strip() for file in tmp_path.glob("pid.*")]
    for _ in range(500):
        if not (zombies := [pid for pid in pids if Path("/proc", pid).exists()]):
            break
        threading.Event().wait(0.02)
    (tmp_path / "seen").touch()
    thread.join()
    assert zombies == []
    assert [(each.reason, each.survivors) for each in ended] == [(Reason.EXITED, 0)]


def test_a_lower_priority_is_that_of_the_first_process_and_of_what_it_starts(tmp_path: Path) -> None:
    environment, own = {"PATH": os.environ["PATH"]}, os.getpriority(os.PRIO_PROCESS, 0)
    launch = Launch(tmp_path, environment, QUICK, nice=5)
    script = "nice; (setsid nice) & wait"
    assert process.run(["bash", "-c", script], launch, tmp_path / "lower").clean
    assert (tmp_path / "lower").read_text().split() == [str(min(own + 5, 19))] * 2
    assert process.run(["bash", "-c", "nice"], Launch(tmp_path, environment, QUICK), tmp_path / "same").clean
    assert (tmp_path / "same").read_text().split() == [str(own)]


def test_a_program_that_is_not_there_is_told_at_a_lower_priority_too(tmp_path: Path) -> None:
    launch = Launch(tmp_path, {"PATH": os.environ["PATH"]}, QUICK, nice=5)
    assert process.run(["no-such-program"], launch, tmp_path / "log").reason is Reason.NOT_STARTED
