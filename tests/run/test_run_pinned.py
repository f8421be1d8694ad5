"""What the journal pins for a run that goes on."""

from __future__ import annotations

from pathlib import Path

import msgspec

from parallel_impl.git.identity import OURS, Identity, Person
from parallel_impl.run.resume import pinned
from tests.run.scene import first_event, package


def test_commits_made_again_are_by_whom_the_first_start_found(tmp_path: Path) -> None:
    started = first_event("0" * 40, [package("a")], tmp_path)
    assert pinned.identity(started) == OURS  # a run of a version that committed as itself
    now = msgspec.structs.replace(started, author="A B <a@example.org>", committer="C <c@example.org>")
    assert pinned.identity(now) == Identity(Person("A B", "a@example.org"), Person("C", "c@example.org"))
