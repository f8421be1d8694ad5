"""What counts for the limits of sizes, and who is told when one is exceeded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import pytest

from parallel_impl.config import Config, UsageLimits
from parallel_impl.run import size_watch
from parallel_impl.run.run import Run
from parallel_impl.run.size_watch import Grown
from tests.run.scene import make_repository, open_run, package


@pytest.mark.parametrize(
    "folder",
    [lambda run: run.workspace.home / "wp-a", lambda run: run.workspace.places.client_home("wp-a")],
    ids=["worktrees", "private homes"],
)
def test_the_disk_of_a_run_is_all_that_its_packages_have(folder: Callable[[Run], Path], tmp_path: Path) -> None:
    run = open_run(*make_repository(tmp_path / "user.git"), tmp_path / "home", package("wp-a"))
    run.spec = replace(run.spec, config=Config(limits=UsageLimits(run={"disk_mb": 1.0})))
    folder(run).mkdir(parents=True)
    (folder(run) / "large").write_bytes(b"x" * 2_000_000)
    told: SimpleQueue[Grown] = SimpleQueue()
    with size_watch.watching(run, list, told.put):
        found = told.get(timeout=60)
    assert found.package == ""
    assert found.why.startswith("disk_mb: 2.")
    run.journal.close()
