"""Short programs: what goes in and comes out, and what is left after an interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parallel_impl.processes import program

LARGE = os.urandom(3_000_000)


def test_what_is_given_and_what_is_printed_may_be_larger_than_any_pipe() -> None:
    done = program.run(["sh", "-c", "tee /dev/stderr"], {}, input=LARGE)
    assert (done.code, done.out, done.err) == (0, LARGE, LARGE)


def test_a_file_may_be_given_and_nothing_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert program.run(["cat"], {}, stdin=tmp_path / "file").out == b"content"
    assert program.run(["cat"], {}).out == b""


def test_the_environment_is_ours_with_what_is_given_on_top(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "ours \udcff")
    monkeypatch.setenv("BOTH", "ours")
    done = program.run(["sh", "-c", 'printf %s "$OURS/$BOTH/$GIVEN"'], {"BOTH": "given", "GIVEN": "g \udcfe"})
    assert done.out == b"ours \xff/given/g \xfe"


def test_the_program_is_looked_for_where_its_own_path_says(tmp_path: Path) -> None:
    (tmp_path / "sh").write_text("#!/bin/sh\nprintf found")
    (tmp_path / "sh").chmod(0o755)
    assert program.run(["sh"], {"PATH": str(tmp_path)}).out == b"found"
    with pytest.raises(FileNotFoundError):
        program.run(["none"], {"PATH": str(tmp_path)})


def test_an_exit_code_and_a_signal_are_told_apart() -> None:
    assert program.run(["sh", "-c", "exit 3"], {}).code == 3
    assert program.run(["sh", "-c", "kill -TERM $$"], {}).code == -signal.SIGTERM


def test_it_has_a_group_of_its_own_in_our_session_and_dies_of_a_closed_pipe() -> None:
    shown = program.run(
        ["sh", "-c", "ps -o pid=,pgid=,sess= -p $$; yes | head -1 >/dev/null; exit ${PIPESTATUS:-0}"], {}
    )
    pid, group, session = map(int, shown.out.split())
    assert (group, session) == (pid, os.getsid(0))
    assert program.run(["bash", "-c", "yes | head -1; exit ${PIPESTATUS[0]}"], {}).code == 128 + signal.SIGPIPE


def test_no_file_of_ours_is_open_in_it(tmp_path: Path) -> None:
    before = set(Path("/proc/self/fd").iterdir())
    with (tmp_path / "open").open("w"):
        listed = program.run(["ls", "-l", "/proc/self/fd"], {}, input=b"x").out
    assert os.fsencode(tmp_path) not in listed
    assert listed.count(b"/memfd:") == 2
    assert set(Path("/proc/self/fd").iterdir()) == before


def test_standard_streams_that_are_closed_here_take_nothing_from_it(tmp_path: Path) -> None:
    script = (
        "import os, sys; os.close(0); os.close(2)\n"
        "from parallel_impl.processes import program\n"
        "done = program.run(['sh', '-c', 'cat; echo e >&2'], {}, input=b'given')\n"
        "open(sys.argv[1], 'w').write(f'{done.code} {done.out} {done.err}')\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "told")], check=True)
    assert (tmp_path / "told").read_text() == "0 b'given' b'e\\n'"


def test_an_interruption_ends_it(tmp_path: Path) -> None:
    """By an alarm, as Ctrl-C would: it comes while the program is waited for."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        began = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            program.run(["sh", "-c", f"trap 'echo asked >{tmp_path}/asked; exit' TERM; sleep 60 & wait"], {})
        assert time.monotonic() - began < 30
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert (tmp_path / "asked").read_text() == "asked\n"
