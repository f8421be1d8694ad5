"""A lock counts for the file that lies at its path now, and only asking for it leaves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.run.claims import lock_file
from parallel_impl.run.claims.lock_file import FileIdentity, HeldError
from tests.peer import peer

HOLD = """
import sys
from pathlib import Path
from parallel_impl.run.claims import lock_file
lock = lock_file.acquire(Path(sys.argv[1]), seconds=5)
print("held", flush=True)
sys.stdin.readline()
lock.release()
"""


def test_a_held_lock_is_seen_and_not_given_out(tmp_path: Path) -> None:
    path = tmp_path / "deep/x.lock"
    assert not lock_file.is_held(path)
    assert not path.parent.exists()
    with peer(HOLD, path) as first:
        assert first.hears() == "held"
        assert lock_file.is_held(path)
        assert lock_file.is_held(path, FileIdentity.at(path))
        assert not lock_file.is_held(path, FileIdentity(0, 0))
        with pytest.raises(HeldError):
            lock_file.acquire(path, seconds=0.1)
        first.kill()
        assert not lock_file.is_held(path)
        lock_file.acquire(path, seconds=0).release()


def test_a_file_that_replaced_the_held_one_is_another_lock_and_the_holder_can_tell(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    lock = lock_file.acquire(path, seconds=0)
    assert lock.is_in_place()
    path.unlink()
    assert not lock.is_in_place()
    path.touch()
    assert not lock.is_in_place()
    assert not lock_file.is_held(path)
    lock.release()


def test_who_waits_gets_the_file_that_is_there_in_the_end(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    first = lock_file.acquire(path, seconds=0)
    with peer(HOLD, path) as second:
        path.rename(tmp_path / "moved away")
        path.touch()
        first.release()
        assert second.hears() == "held"
        assert lock_file.is_held(path)


def test_a_lock_file_that_is_a_symlink_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").touch()
    (tmp_path / "x.lock").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic links"):
        lock_file.acquire(tmp_path / "x.lock", seconds=0)
