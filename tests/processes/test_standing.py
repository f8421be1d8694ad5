"""A program that stays answers each thread, and neither outlives us nor keeps what it was not asked to."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parallel_impl.processes.standing import EndedError, StandingProgram

# echoes its pid with each line; `die` ends it, `hang` leaves it without an answer
ENDS = "die) echo so >&2; exit 3;; hang) exec sleep 60;;"
ECHO = f'while read -r line; do case $line in {ENDS} esac; echo "$$ $line"; done'


def ask(
    standing: StandingProgram, line: str, *, made_of: object = "", env: dict[str, str] | None = None
) -> tuple[int, str]:
    """Who answered, and what."""
    asked = ["sh", "-c", ECHO]
    answer = standing.ask(
        asked, env or {}, f"{line}\n".encode(), answered=lambda said: said.endswith(b"\n"), made_of=made_of
    )
    pid, text = answer.decode().split()
    return int(pid), text


def is_over(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()


def test_one_program_answers_and_threads_take_turns() -> None:
    standing = StandingProgram()
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: ask(standing, str(number)), range(200)))
    assert [text for _, text in answers] == [str(number) for number in range(200)]
    assert len({pid for pid, _ in answers}) == 1
    standing.close()
    assert is_over(answers[0][0])


def test_one_that_ends_instead_tells_how_and_the_next_is_another() -> None:
    standing = StandingProgram()
    first, _ = ask(standing, "a")
    with pytest.raises(EndedError) as ended:
        ask(standing, "die")
    assert (ended.value.code, ended.value.err) == (3, b"so\n")
    second, _ = ask(standing, "b")
    assert second != first
    os.kill(second, signal.SIGKILL)
    with pytest.raises(EndedError) as ended:
        ask(standing, "c")
    assert ended.value.code == -signal.SIGKILL
    assert ask(standing, "d")[0] not in (first, second)


def test_what_it_is_made_of_may_change_and_no_descriptor_is_left() -> None:
    standing, before = StandingProgram(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    found = [ask(standing, "a", made_of=number // 2)[0] for number in range(6)]
    assert [first == second for first, second in zip(found[::2], found[1::2], strict=True)] == [True] * 3
    assert len(set(found)) == 3
    standing.close()
    assert all(map(is_over, found))
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_an_interruption_ends_what_it_was_asked() -> None:
    standing = StandingProgram()
    pid, _ = ask(standing, "a")
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        ask(standing, "hang")
    assert is_over(pid)
    assert ask(standing, "b")[1] == "b"


def test_it_ends_with_us_however_we_end() -> None:
    script = "import os, signal, time; from tests.processes.test_standing import *; standing = StandingProgram()\n"
    script += "print(ask(standing, 'a')[0], flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    try:
        ended = os.pidfd_open(int(done.stdout))
    except ProcessLookupError:
        return
    assert select.select([ended], [], [], 10)[0]
    os.close(ended)
