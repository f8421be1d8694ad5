"""What runs in a view sees its checkout at the one path, writes only to its upper, and is our child all the same."""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from parallel_impl.processes import namespace, orphans, process, procfs
from parallel_impl.processes.launch import Launch, Limits, Stop
from parallel_impl.processes.process import Ended, Reason
from parallel_impl.views.slot import Slot, SlotDiedError, ViewError
from parallel_impl.views.view import View
from tests.views import scene
from tests.views.scene import ENVIRONMENT

LIMITS = Limits(seconds=60, grace_seconds=0.5)


@pytest.fixture
def slot() -> Iterator[Slot]:
    orphans.adopt_orphans()
    with Slot() as one:
        yield one


def launch(slot: Slot, view: View, **more: object) -> Launch:
    opened = slot.open(view)
    return Launch(opened.at, ENVIRONMENT, LIMITS, view=opened, **more)  # type: ignore[arg-type]


def shell(launched: Launch, script: str, log: Path) -> Ended:
    return process.run(["bash", "-ec", script], launched, log)


@pytest.mark.parametrize("copy", [False, True])
def test_a_view_is_at_the_one_path_and_the_layers_are_covered(tmp_path: Path, slot: Slot, *, copy: bool) -> None:
    view = scene.lay_out(tmp_path, copy=copy)
    opened = slot.open(view)
    said = scene.run(opened, f"pwd -P; cat kept/file; ls -A {tmp_path}; echo new > new")
    assert said.split() == [str(view.at.resolve()), "old", view.at.parent.name]
    assert (opened.files / "new").read_text() == "new\n"
    assert not list(view.at.parent.iterdir())  # outside there is an empty folder
    opened.close()
    written = view.store / (view.copy or view.upper) / "new"
    assert written.read_text() == "new\n"


def test_two_views_of_one_layer_do_not_see_each_other(tmp_path: Path, slot: Slot) -> None:
    one = scene.lay_out(tmp_path)
    other = View(
        one.at, one.level, one.store, one.layers, "other/upper", "other/work", covers=one.covers, user=one.user
    )
    for name in (other.upper, other.work):
        (one.store / name).mkdir(parents=True)
    first, second = slot.open(one), slot.open(other)
    scene.run(first, "echo changed > kept/file; rm other")
    assert scene.run(second, "cat kept/file other") == "old\nold\n"
    assert (one.store / "layer/kept/file").read_text() == "old\n"


def test_programs_of_one_view_share_it(tmp_path: Path, slot: Slot) -> None:
    opened = slot.open(scene.lay_out(tmp_path))
    scene.run(opened, "echo more >> kept/file")
    assert scene.run(opened, "cat file", cwd=opened.at / "kept") == "old\nmore\n"


def test_how_a_program_in_a_view_ended_is_told_as_ever(tmp_path: Path, slot: Slot) -> None:
    launched = launch(slot, scene.lay_out(tmp_path))
    assert shell(launched, "exit 3", tmp_path / "log").exit_code == 3
    assert shell(launched, "kill -KILL $$", tmp_path / "log").exit_code == -signal.SIGKILL
    assert process.run(["no-such-program"], launched, tmp_path / "log").reason is Reason.NOT_STARTED
    elsewhere = Launch(tmp_path / "nowhere", ENVIRONMENT, LIMITS, view=launched.view)
    assert process.run(["true"], elsewhere, tmp_path / "log").reason is Reason.NOT_STARTED


def test_output_errors_and_input_go_where_they_go_without_a_view(tmp_path: Path, slot: Slot) -> None:
    launched, heard, complained = launch(slot, scene.lay_out(tmp_path)), list[bytes](), list[bytes]()
    script = "import sys; print(sys.stdin.read()); print('wrong', file=sys.stderr)"
    process.run(
        [sys.executable, "-c", script],
        launched,
        tmp_path / "log",
        stdin=b"given",
        heard=heard.append,
        complained=complained.append,
    )
    assert (heard, complained) == ([b"given"], [b"wrong"])


def test_a_program_in_a_view_inherits_nothing_and_ignores_no_signal(tmp_path: Path, slot: Slot) -> None:
    opened = slot.open(scene.lay_out(tmp_path))
    said = scene.run(opened, "env -u PWD -u SHLVL -u _ env | sort; ls /proc/self/fd; grep SigIgn /proc/self/status")
    given = [f"{name}={value}" for name, value in sorted(ENVIRONMENT.items())]
    assert said.split()[:-1] == [*given, "0", "1", "2", "3", "SigIgn:"]
    ours = int(re.findall(r"SigIgn:\s*(\w+)", Path("/proc/self/status").read_text())[0], 16)  # of whoever started us
    of_python = sum(1 << (number - 1) for number in (signal.SIGPIPE, signal.SIGXFSZ))
    assert int(said.split()[-1], 16) == ours & ~of_python


def test_nothing_of_a_program_outlives_it_in_a_view_either(tmp_path: Path, slot: Slot) -> None:
    launched = launch(slot, scene.lay_out(tmp_path))
    leave = "setsid env -i sleep 600 & echo $! > pid; "
    ended = shell(launched, leave + "sleep 0.2", tmp_path / "log")
    assert ended.survivors == 1
    assert launched.view is not None
    pid = int((launched.view.files / "pid").read_text())
    assert procfs.start_time(pid) == 0


def test_a_stop_ends_the_whole_group_in_a_view(tmp_path: Path, slot: Slot) -> None:
    stop = Stop()
    launched = launch(slot, scene.lay_out(tmp_path), stop=stop)
    ended = process.run(["sleep", "600"], launched, tmp_path / "log", started=lambda _pid: stop.set())
    assert ended.reason is Reason.STOPPED


def test_a_program_in_a_view_can_have_a_lower_priority(tmp_path: Path, slot: Slot) -> None:
    launched = launch(slot, scene.lay_out(tmp_path), nice=5)
    shell(launched, "nice", tmp_path / "log")
    assert (tmp_path / "log").read_text().strip() == str(os.nice(0) + 5)


def test_a_pid_namespace_holds_in_a_view_as_it_does_without(tmp_path: Path, slot: Slot) -> None:
    if not (found := namespace.find().namespace):
        pytest.skip("there are no PID namespaces here")
    launched = launch(slot, scene.lay_out(tmp_path), namespace=found)
    ended = shell(launched, "setsid env -i sleep 600 & echo more >> kept/file; exit 4", tmp_path / "log")
    assert (ended.exit_code, ended.survivors) == (4, 1)
    assert launched.view is not None
    assert (launched.view.files / "kept/file").read_text() == "old\nmore\n"


def test_what_is_contained_in_a_view_ends_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    if not namespace.find().namespace:
        pytest.skip("there are no PID namespaces here")
    scene.lay_out(tmp_path)  # skips where there is no overlay
    script = Path(__file__).with_name("contained.py")
    for command, folder in scene.users(script, tmp_path, str(namespace.NAMESPACE_INIT)):
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as starter:
            assert starter.stdout
            capabilities, traced, pid = starter.stdout.readline().split()
            ended = os.pidfd_open(int(pid))
            starter.kill()
        assert select.select([ended], [], [], 20)[0]
        os.close(ended)
        as_root = folder.name == "own" and os.geteuid() == 0
        assert (capabilities != "0" * 16, traced) == (as_root, "-1")


def test_what_replaces_renames_or_removes_a_folder_of_the_layer_is_in_the_upper(tmp_path: Path) -> None:
    script = Path(__file__).with_name("random_work.py")
    scene.lay_out(tmp_path)  # skips where there is no overlay
    for command, folder in scene.users(script, tmp_path, "50"):
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)
        assert (done.returncode, done.stdout) == (0, "50 sequences\n"), done.stderr


@pytest.mark.skipif(not shutil.which("bwrap"), reason="there is no bubblewrap here")
def test_a_sandbox_in_a_view_writes_to_its_upper(tmp_path: Path) -> None:
    script = Path(__file__).with_name("nested.py")
    scene.lay_out(tmp_path)  # skips where there is no overlay
    for command, folder in scene.users(script, tmp_path):
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
        said = done.stdout.splitlines()
        assert [line for line in said if not line.endswith(": is in the upper")] == []
        assert {line.partition(":")[0] for line in said} >= {"bubblewrap", "fence"}


def test_a_mount_that_the_kernel_refuses_says_so_and_the_slot_goes_on(tmp_path: Path, slot: Slot) -> None:
    view = scene.lay_out(tmp_path)
    with pytest.raises(ViewError, match="No such file or directory"):
        slot.open(replace(view, upper="absent"))
    assert scene.run(slot.open(view), "echo $HOME; pwd").strip() == str(view.at)


def test_a_slot_that_was_killed_is_started_again_and_the_work_in_its_views_is_there(tmp_path: Path, slot: Slot) -> None:
    view = scene.lay_out(tmp_path)
    opened = slot.open(view)
    scene.run(opened, "echo more >> kept/file")
    assert slot.pid
    os.kill(slot.pid, signal.SIGKILL)
    with pytest.raises(SlotDiedError):
        scene.run(opened, "true")
    assert slot.deaths == 1
    again = slot.open(view)
    assert scene.run(again, "cat kept/file") == "old\nmore\n"


def test_a_number_that_another_process_has_by_now_is_neither_ended_nor_joined(tmp_path: Path, slot: Slot) -> None:
    opened = slot.open(scene.lay_out(tmp_path))
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        of_an_earlier_slot = replace(opened, holder=stranger.pid)
        with pytest.raises(ViewError, match="it is gone"):
            scene.run(of_an_earlier_slot, "true")
        of_an_earlier_slot.close()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_what_was_asked_when_it_was_interrupted_answers_no_later_request(tmp_path: Path, slot: Slot) -> None:
    view = scene.lay_out(tmp_path)
    slot.open(view).close()
    pid, before = slot.pid, signal.signal(signal.SIGALRM, signal.default_int_handler)
    os.kill(pid, signal.SIGSTOP)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(KeyboardInterrupt):
            slot.open(view)
    finally:
        signal.signal(signal.SIGALRM, before)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    with pytest.raises(ViewError, match="No such file or directory"):
        slot.open(replace(view, upper="absent"))


def test_nothing_is_mounted_when_a_slot_has_ended(tmp_path: Path) -> None:
    view = scene.lay_out(tmp_path)
    with Slot() as slot:
        opened = slot.open(view)
    assert not opened.files.exists()
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()
    with Slot() as slot:  # so it can be mounted again
        assert scene.run(slot.open(view), "cat other") == "old\n"


def test_a_program_with_a_null_byte_is_refused_before_it_is_started(tmp_path: Path, slot: Slot) -> None:
    launched = launch(slot, scene.lay_out(tmp_path))
    assert process.run(["echo", "a\0b"], launched, tmp_path / "log").reason is Reason.NOT_STARTED


def test_a_short_program_in_a_view_is_not_taken_for_one_that_left_a_child_which_ends_meanwhile(
    tmp_path: Path, slot: Slot
) -> None:
    opened = slot.open(scene.lay_out(tmp_path / "view"))
    up, first, second = (tmp_path / name for name in ("up", "first", "second"))
    for pipe in (first, second):
        os.mkfifo(pipe)
    kept = os.open(second, os.O_RDWR)  # so writing waits for nobody
    with ThreadPoolExecutor() as pool:
        begun = threading.Event()
        launched, log = Launch(tmp_path, ENVIRONMENT, LIMITS), tmp_path / "log"
        command = ["sh", "-c", f"read x <{first}"]
        child = pool.submit(process.run, command, launched, log, started=lambda _: begun.set())
        begun.wait()
        script = f"echo up >{up}; read x <{second}; exit 3"
        program = pool.submit(opened.call, ["sh", "-c", script], env=ENVIRONMENT, cwd=opened.at)
        while not up.exists() and not program.done():
            threading.Event().wait(0.02)
        first.write_text("on\n")
        assert child.result().survivors == 0
        os.write(kept, b"on\n")
        assert program.result()[0] == 3
    os.close(kept)
