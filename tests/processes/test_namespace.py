"""What a PID namespace keeps: signals, exit codes and reasons as without one, and nothing outlives it."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import parallel_impl
from parallel_impl.processes import namespace, orphans, process
from parallel_impl.processes.launch import Launch, Limits, Stop
from parallel_impl.processes.namespace import Namespace
from parallel_impl.processes.process import Ended, Reason
from parallel_impl.views.slot import OpenView, Slot
from tests.repository import appears, living
from tests.views import scene

NO_CAPABILITIES = ("setpriv", "--inh-caps=-all", "--ambient-caps=-all") if shutil.which("setpriv") else ()
QUICK = Limits(seconds=20, grace_seconds=0.5)
NUMBERS = itertools.count(700_000_000 + os.getpid() * 100)  # a `sleep` with such an argument is of this process
CLEARED = "setsid env -i sh -c '(setsid sleep {} &)'; "


IN_VIEW: list[OpenView] = []  # where `run` runs


@cache
def machine() -> namespace.Found:
    return namespace.find()


@pytest.fixture
def plain() -> Namespace:
    """Without a view."""
    result = machine()
    if result.namespace is None:
        pytest.skip(f"no PID namespaces on this machine: {result.why}")
    return result.namespace


@pytest.fixture(params=["plain", "in-a-view"])
def found(plain: Namespace, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The same rules hold in a view, where the first process is a fork of the slot."""
    if request.param == "plain":
        yield plain
        return
    orphans.adopt_orphans()
    with Slot() as slot:
        IN_VIEW.append(slot.open(scene.lay_out(tmp_path_factory.mktemp("view"))))
        try:
            yield plain
        finally:
            IN_VIEW.clear()


def launched(folder: Path, environment: dict[str, str], limits: Limits, found: Namespace, **more: Any) -> Launch:
    return Launch(folder, environment, limits, namespace=found, view=IN_VIEW[0] if IN_VIEW else None, **more)


@pytest.fixture
def word() -> str:
    return str(next(NUMBERS))


def run(tmp_path: Path, script: str, found: Namespace, limits: Limits = QUICK, stop: Stop | None = None) -> Ended:
    environment = {"PATH": os.environ["PATH"], "MARKER": tmp_path.name}
    launch = launched(tmp_path, environment, limits, found, stop=stop)
    return process.run(["bash", "-c", script], launch, tmp_path / "log")


def gone(word: str) -> bool:
    """Whether nothing with this word lives, at the latest after ten seconds."""
    for _ in range(500):
        if not living(word):
            return True
        threading.Event().wait(0.02)
    return False


def test_a_program_has_pids_and_a_proc_of_its_own(tmp_path: Path, found: Namespace) -> None:
    ended = run(tmp_path, "read pid rest </proc/self/stat; echo $$ $pid $PPID /proc/[0-9]*", found)
    assert ended.clean
    own, pid, parent, *processes = (tmp_path / "log").read_text().split()
    assert (pid, parent, sorted(processes)) == (own, "1", sorted(("/proc/1", f"/proc/{own}")))


def test_processes_of_two_namespaces_have_different_numbers(tmp_path: Path, found: Namespace) -> None:
    if machine().equal_numbers:
        pytest.skip(f"not on this machine: {machine().equal_numbers}")
    numbers = set()
    for _ in range(3):
        assert run(tmp_path, "echo $$", found).clean
        numbers.add((tmp_path / "log").read_text())
    assert len(numbers) > 1  # all equal by chance: once in a hundred million


AS_ANOTHER_USER = (
    "setpriv",
    "--reuid=54321",
    "--regid=54321",
    "--clear-groups",
    "--inh-caps=-all",
    "--ambient-caps=-all",
)
PRINT_CAPABILITIES = """\
import subprocess
from parallel_impl.processes.namespace import Channel, find
found = find()
print(found.why or found.equal_numbers, flush=True)
if found.namespace:
    with Channel() as channel:
        argv = ["grep", "-h", "^Cap[IPEA]", "/proc/self/status", "/proc/1/status"]
        words = found.namespace.around(argv, channel, 1.0)
        subprocess.run(words, pass_fds=(channel.theirs.fileno(),))
"""


def test_capabilities_for_the_numbers_are_given_up_before_the_program_of_an_ordinary_user_starts() -> None:
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("another user is tried from root, with setpriv")
    with tempfile.TemporaryDirectory() as folder:  # which another user can read, unlike pytest's
        Path(folder).chmod(0o755)
        package = Path(parallel_impl.__file__).parent
        shutil.copytree(package / "processes", Path(folder, "parallel_impl/processes"))
        shutil.copy(package / "__init__.py", Path(folder, "parallel_impl"))
        python = shutil.which("python3", path="/usr/bin") or os.path.realpath(sys.executable)  # ours may lie in /root
        argv = (*AS_ANOTHER_USER, python, "-c", PRINT_CAPABILITIES)
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    why, *lines = done.stdout.splitlines() or ["another user cannot run Python here"]
    if not lines:
        pytest.skip(why)
    assert why == ""
    assert [line.split()[1] for line in lines] == ["0000000000000000"] * 8


def test_a_first_process_that_may_not_set_the_numbers_says_so_and_goes_on() -> None:
    options = ("--user", "--map-user=54321", *namespace.PID_NAMESPACE)  # no root in there, so no capability survives
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("no unshare on PATH")
    with namespace.Channel() as channel:
        words = Namespace((*NO_CAPABILITIES, unshare, *options)).around(["true"], channel, 1.0)
        subprocess.run(words, pass_fds=(channel.theirs.fileno(),), check=False, stderr=subprocess.DEVNULL)
        told = channel.told()
    if not told.started:
        pytest.skip("no user namespaces on this machine")
    assert told.exit_code == 0
    assert told.equal_numbers in (errno.EACCES, errno.EPERM)


def test_exit_codes_and_signals_are_told_as_without_a_namespace(tmp_path: Path, found: Namespace) -> None:
    assert str(run(tmp_path, "exit 143", found)) == "exit 143"
    assert str(run(tmp_path, "kill -TERM $$", found)) == "killed by SIGTERM"
    assert str(run(tmp_path, "kill -KILL $$", found)) == "killed by SIGKILL"


def test_a_program_that_cannot_be_started_is_told_as_such(tmp_path: Path, found: Namespace) -> None:
    nothing = process.run(["/nowhere/agent"], launched(tmp_path, {}, QUICK, found), tmp_path / "log")
    assert (nothing.reason, nothing.exit_code) == (Reason.NOT_STARTED, None)
    assert str(nothing) == "could not be started: /nowhere/agent: No such file or directory"
    assert "No such file" in (tmp_path / "log").read_text()


def test_a_namespace_that_cannot_be_made_is_no_failure_of_the_program(tmp_path: Path) -> None:
    ended = run(tmp_path, "exit 0", Namespace(("sh", "-c", "echo unshare: no space left; exit 1")))
    assert (ended.reason, ended.exit_code) == (Reason.NOT_STARTED, None)
    assert "no PID namespace" in ended.why
    assert "no space left" in (tmp_path / "log").read_text()


def test_stdin_is_closed_and_the_environment_is_exactly_what_was_given(tmp_path: Path, found: Namespace) -> None:
    run(tmp_path, "cat; env | cut -d= -f1 | sort | tr '\\n' ' '; ls -l /proc/self/fd | grep -c socket", found)
    words = (tmp_path / "log").read_text().split()
    assert words == ["MARKER", orphans.MARK, "PATH", "PWD", "SHLVL", "_", "0"]


def test_the_program_inherits_no_signal_that_is_ignored_or_blocked(tmp_path: Path, found: Namespace) -> None:
    status = "grep -E 'Sig(Ign|Blk)' /proc/self/status | cut -f2"
    run(tmp_path, status, found)
    blocked, ignored = ((int(line, 16) & 0x7FFFFFFF) for line in (tmp_path / "log").read_text().split())
    # Of 1 to 31; glibc's posix_spawn ignores 32 and 33, its own. What started us may ignore some: nohup does, SIGHUP,
    # a script with us in its background, SIGINT and SIGQUIT. The first process makes SIGINT the default again.
    outside = subprocess.run(["bash", "-c", status], capture_output=True, check=True).stdout.split()
    kept = 0x7FFFFFFF & ~(1 << signal.SIGINT - 1)
    assert (blocked, ignored) == (0, int(outside[1], 16) & kept)


@pytest.mark.parametrize("ended", [Reason.EXITED, Reason.STOPPED, Reason.TIMEOUT])
def test_what_left_the_program_and_cleared_its_environment_ends_with_it(
    tmp_path: Path, found: Namespace, word: str, ended: Reason
) -> None:
    stop, limits = Stop(), Limits(seconds=1.0 if ended is Reason.TIMEOUT else 20, grace_seconds=0.5)
    if ended is Reason.STOPPED:
        stop.set()
    script = CLEARED.format(word) + ("exit 0" if ended is Reason.EXITED else "trap '' TERM; while :; do sleep 1; done")
    done = run(tmp_path, script, found, limits, stop)
    assert done.reason is ended
    assert living(word) == []


def test_a_stop_gives_time_to_end_to_what_left_the_program_too(tmp_path: Path, found: Namespace) -> None:
    stop = Stop()
    daemon = "setsid sh -c 'trap \"touch daemon; exit\" TERM; touch up; while :; do sleep 0.1; done' & "
    script = daemon + "trap 'touch program; exit 0' TERM; while :; do sleep 0.1; done"
    limits = Limits(seconds=60, grace_seconds=20)
    threads = [threading.Thread(target=run, args=(tmp_path, script, found, limits, stop))]
    threads[0].start()
    while not (tmp_path / "up").exists():
        threading.Event().wait(0.02)
    stop.set()
    threads[0].join()
    assert (tmp_path / "program").exists()
    assert (tmp_path / "daemon").exists()


def test_a_program_cannot_signal_what_is_outside(tmp_path: Path, found: Namespace) -> None:
    outside = Path("/proc/self/ns/pid").readlink()
    inside = f"[ \"$(readlink /proc/self/ns/pid)\" != '{outside}' ] || exit 9"  # there it would end everything of yours
    script = f"{inside}; trap '' TERM; kill -TERM -1; kill -INT 1; kill -TERM 1; exit 5"
    assert run(tmp_path, script, found).exit_code == 5


@pytest.mark.parametrize("how", [16, 0x4206], ids=["PTRACE_ATTACH", "PTRACE_SEIZE"])
def test_a_program_cannot_stop_the_first_process_by_tracing_it(tmp_path: Path, found: Namespace, how: int) -> None:
    (tmp_path / "trace.py").write_text(
        "import ctypes, os\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        f"print(libc.ptrace({how}, 1, 0, 0), os.strerror(ctypes.get_errno()), flush=True)\n"
        "libc.ptrace(0x4207, 1, 0, 0)  # PTRACE_INTERRUPT: stops what was seized\n"
    )
    ended = run(tmp_path, f"exec {sys.executable} trace.py", found)
    assert (ended.reason, ended.exit_code) == (Reason.EXITED, 0)
    assert (tmp_path / "log").read_text() == "-1 Operation not permitted\n"


def test_a_program_may_still_trace_what_it_starts(tmp_path: Path, found: Namespace) -> None:
    (tmp_path / "trace.py").write_text(
        "import ctypes, os, signal\n"
        "if not (child := os.fork()):\n"
        "    signal.pause()\n"
        "print(ctypes.CDLL(None).ptrace(16, child, 0, 0), flush=True)\n"
        "os.kill(child, signal.SIGKILL)\n"
    )
    run(tmp_path, f"exec {sys.executable} trace.py", found)
    assert (tmp_path / "log").read_text() == "0\n"


def test_killing_the_process_that_is_told_to_started_ends_everything(
    tmp_path: Path, found: Namespace, word: str
) -> None:
    script = CLEARED.format(word) + "touch up; sleep 600"
    launch = launched(tmp_path, {"PATH": os.environ["PATH"]}, QUICK, found)
    pids: list[int] = []
    given = (["bash", "-c", script], launch, tmp_path / "log")
    thread = threading.Thread(target=process.run, args=given, kwargs={"started": pids.append})
    thread.start()
    while not (tmp_path / "up").exists():
        threading.Event().wait(0.02)
    assert appears(word)
    os.kill(pids[0], signal.SIGKILL)
    thread.join()
    assert living(word) == []


def test_a_namespace_ends_when_whoever_started_it_is_killed(tmp_path: Path, plain: Namespace, word: str) -> None:
    script = CLEARED.format(word) + "touch up; sleep 600"
    program = (
        "import os, sys; from pathlib import Path; from parallel_impl.processes import process; "
        "from parallel_impl.processes.launch import Launch, Limits; "
        "from parallel_impl.processes.namespace import Namespace; "
        f"namespace, limits = Namespace({plain.words!r}), Limits(60, grace_seconds=0.2); "
        "launch = Launch(Path.cwd(), dict(os.environ), limits, namespace=namespace); "
        "process.run(['bash', '-c', sys.argv[1]], launch, Path('log'))"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, script],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(parallel_impl.__file__).parent.parent)},
    ) as starter:
        while not (tmp_path / "up").exists():
            assert starter.poll() is None
            threading.Event().wait(0.02)
        assert appears(word)
        starter.kill()
    assert gone(word)


def test_a_machine_without_unshare_is_told_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert namespace.find() == namespace.Found(None, "there is no unshare on PATH (util-linux)")


def test_an_unshare_that_fails_is_told_by_what_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "unshare"
    fake.write_text("#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert namespace.find().why == "unshare: unshare failed: Operation not permitted"


def test_an_unshare_that_holds_nothing_is_not_believed(
    tmp_path: Path, plain: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = tmp_path / "unshare"
    words = " ".join(word for word in plain.words if not word.startswith("--kill-child"))
    fake.write_text(f'#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nexec {words} "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(namespace, "PATIENCE", 1.0)
    assert namespace.find() == namespace.Found(None, "a process outlived its namespace")


def test_the_first_process_does_nothing_where_it_is_not_the_first(tmp_path: Path, plain: Namespace) -> None:
    # in a namespace all the same: without the guard it would end every process that it can see
    script = f"{sys.executable} -I -S {namespace.NAMESPACE_INIT} 0 0.1 touch {tmp_path}/ran; echo ended $?"
    done = subprocess.run(
        [*plain.words, "--", "sh", "-c", f"true; {script}"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "ended 1\n"
    assert not (tmp_path / "ran").exists()


def test_another_user_than_root_has_namespaces_too() -> None:
    said = as_nobody("print(namespace.find())")
    assert "'--user', '--map-current-user', '--pid'" in said


def test_another_user_than_root_cannot_stop_the_first_process_either() -> None:
    said = as_nobody(
        "import os, sys, tempfile; from pathlib import Path; from parallel_impl.processes import process; "
        "from parallel_impl.processes.launch import Launch, Limits; "
        "launch = Launch(Path('/'), dict(os.environ), Limits(20), namespace=namespace.find().namespace); "
        "trace = 'import ctypes; print(ctypes.CDLL(None).ptrace(16, 1, 0, 0))'; "
        "folder = tempfile.TemporaryDirectory(); log = Path(folder.name, 'log'); "
        "print(process.run([sys.executable, '-c', trace], launch, log), log.read_text()); folder.cleanup()"
    )
    assert said == "exit 0 -1\n\n"


def as_nobody(program: str) -> str:
    """What a program that knows `namespace` prints as another user than root; skips where there is none."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv")
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    tries = ("/usr/bin/python3", sys.executable)
    usable = [python for python in tries if not subprocess.run([*words, python, "-c", ""], check=False).returncode]
    if not usable:
        pytest.skip("another user cannot run this Python")
    done = subprocess.run(
        [*words, usable[0], "-c", f"from parallel_impl.processes import namespace; {program}"],
        cwd="/",
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(parallel_impl.__file__).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "Operation not permitted" in done.stdout:
        pytest.skip("this machine gives user namespaces to root only")
    assert done.returncode == 0, done.stderr
    return done.stdout
