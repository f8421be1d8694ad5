"""The machine's faults are told as such, with what to do; everything else stays a bug."""

from __future__ import annotations

import errno

import pytest

from parallel_impl.errors import disk_problem


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
    problem = disk_problem(OSError(number, what, "/state/journal.jsonl"))
    assert problem is not None
    assert str(problem).startswith(f"/state/journal.jsonl: error: {what}")
    assert do in problem.hint
    assert "nothing is lost" in problem.hint


@pytest.mark.parametrize(
    "error", [OSError("no number"), FileNotFoundError(errno.ENOENT, "gone", "x"), PermissionError(errno.EPERM, "kill")]
)
def test_other_failures_of_the_system_stay_bugs(error: OSError) -> None:
    assert disk_problem(error) is None
