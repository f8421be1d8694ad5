"""One process works on a change at a time, whatever happens to its lock file, and its hold ends with it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from parallel_impl.errors import UserError
from parallel_impl.record.journal import Journal
from parallel_impl.run.claims import change_lock
from parallel_impl.run.places import Places
from tests.peer import peer

HOLD = """
import sys
from pathlib import Path
from parallel_impl.run.claims import change_lock
from parallel_impl.run.places import Places
with change_lock.hold(Places(Path(sys.argv[1]), "add-a")):
    print("held", flush=True)
    sys.stdin.readline()
"""
HOLD_WITH_CHILD = """
import subprocess, sys
from pathlib import Path
from parallel_impl.run.claims import change_lock
from parallel_impl.run.places import Places
with change_lock.hold(Places(Path(sys.argv[1]), "add-a")):
    child = subprocess.Popen(["cat", sys.argv[2]], close_fds=False, stdin=subprocess.DEVNULL)
    print(child.pid, flush=True)
    sys.stdin.readline()
"""
WRITE_JOURNAL = """
import sys
from pathlib import Path
from parallel_impl.record.journal import Journal
journal = Journal(Path(sys.argv[1]))
print("open", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "common", "add-a")


def refused(places: Places) -> str:
    with pytest.raises(UserError) as error, change_lock.hold(places):
        pass
    return str(error.value)


def test_who_holds_a_change_is_named_to_the_next_one(places: Places) -> None:
    with peer(HOLD, places.common) as first:
        assert first.hears() == "held"
        assert f"add-a is being worked on by process {first.pid} on {os.uname().nodename} since" in refused(places)
        assert change_lock.find_owner(places).startswith(f"process {first.pid} on ")
        first.go_on()
        assert first.hears() == ""
    assert change_lock.find_owner(places) == ""


def test_a_child_that_inherits_all_descriptors_keeps_no_lock_of_a_killed_holder(places: Places, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with peer(HOLD_WITH_CHILD, places.common, pipe) as first:
        child = int(first.hears())
        first.kill()
        os.kill(child, 0)  # it lives on
        assert change_lock.find_owner(places) == ""
        with change_lock.hold(places) as hold:
            assert hold.owner.pid == os.getpid()
        os.kill(child, signal.SIGKILL)


def test_a_stopped_holder_still_holds(places: Places) -> None:
    with peer(HOLD, places.common) as first:
        assert first.hears() == "held"
        os.kill(first.pid, signal.SIGSTOP)
        assert f"process {first.pid}" in refused(places)


@pytest.mark.parametrize("made_anew", [False, True])
def test_an_unlinked_lock_file_lets_nobody_in_beside_its_living_holder(places: Places, *, made_anew: bool) -> None:
    lock = places.locks / "add-a.lock"
    with peer(HOLD, places.common) as first:
        assert first.hears() == "held"
        lock.unlink()
        if made_anew:
            lock.touch()
        for _ in range(2):  # the one that was refused has not made room for the next
            assert f"process {first.pid}" in refused(places)
        assert change_lock.find_owner(places).startswith(f"process {first.pid} ")
        first.kill()
        with change_lock.hold(places):
            pass


def test_a_recycled_pid_is_not_mistaken_for_the_holder(places: Places) -> None:
    with peer(HOLD, places.common) as first:
        assert first.hears() == "held"
        first.kill()
    about = places.locks / "add-a.json"
    about.write_text(about.read_text().replace(f'"pid": {first.pid}', f'"pid": {os.getpid()}'))
    (places.locks / "add-a.lock").unlink()
    with change_lock.hold(places):
        pass


def test_who_writes_the_journal_is_not_disturbed_when_all_lock_files_are_gone(places: Places) -> None:
    with peer(WRITE_JOURNAL, places.journal) as first:
        assert first.hears() == "open"
        assert "add-a is being worked on by another process, which writes its journal" in refused(places)
        with pytest.raises(UserError, match="another process writes this journal"):
            Journal(places.journal)
        first.kill()
        Journal(places.journal).close()


def test_a_note_that_cannot_be_read_is_an_error_and_not_nobody(places: Places) -> None:
    places.locks.mkdir(parents=True)
    (places.locks / "add-a.json").write_text("{")
    assert "remove this file" in refused(places)


def test_what_is_forgotten_leaves_no_file_and_takes_none_of_others(places: Places) -> None:
    with change_lock.hold(places):
        (places.locks / "add-b.lock").touch()
        change_lock.forget(places)
        assert [path.name for path in places.locks.iterdir()] == ["add-b.lock"]
        (places.locks / "add-b.lock").unlink()
        change_lock.forget(places)
        assert not places.locks.parent.exists()


def test_secrets_of_the_environment_are_masked_in_the_command(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "s3cr3t-value")
    monkeypatch.setattr("sys.argv", ["parallel-implement", "--agent", "command: agent --key s3cr3t-value"])
    with change_lock.hold(places) as hold:
        assert hold.owner.command == "parallel-implement --agent command: agent --key ***"
        assert "s3cr3t" not in (places.locks / "add-a.json").read_text()
