"""The machine's faults are told as such, with what to do; everything else stays a bug."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from parallel_impl import storage


@pytest.mark.parametrize(
    ("number", "what", "do"),
    [
        (errno.ENOSPC, "No space left on device", "free some space"),
        (errno.EDQUOT, "Disk quota exceeded", "a larger quota"),
        (errno.EROFS, "Read-only file system", "make it writable"),
        (errno.EACCES, "Permission denied", "for you"),
    ],
)
def test_a_disk_that_refuses_is_told_with_the_file_and_what_to_do(number: int, what: str, do: str) -> None:
    told = storage.problem(OSError(number, what, "/state/journal.jsonl"))
    assert told is not None
    assert str(told).startswith(f"/state/journal.jsonl: error: {what}")
    assert do in told.hint
    assert "nothing is lost" in told.hint


@pytest.mark.parametrize(
    "error", [OSError("no number"), FileNotFoundError(errno.ENOENT, "gone", "x"), PermissionError(errno.EPERM, "kill")]
)
def test_other_failures_of_the_system_stay_bugs(error: OSError) -> None:
    assert storage.problem(error) is None


def test_a_failed_write_says_which_file_it_was(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space") as failure, storage.named(tmp_path / "x"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert failure.value.filename == str(tmp_path / "x")
    with pytest.raises(FileNotFoundError) as other, storage.named(tmp_path / "x"):
        (tmp_path / "y").read_bytes()
    assert other.value.filename == str(tmp_path / "y")
