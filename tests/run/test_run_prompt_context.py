"""What a prompt is told about the machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from parallel_impl.config import Config
from parallel_impl.git.mounts import Mounts
from parallel_impl.run.attempt import prompt_context
from parallel_impl.run.attempt.job import Job
from parallel_impl.run.spec import RunSpec
from parallel_impl.views.slot import Slot
from parallel_impl.views.trial import Ability
from parallel_impl.views.view import Means
from tests.run import scene


@pytest.mark.parametrize("renames", [True, False])
def test_a_prompt_knows_whether_a_folder_of_the_base_can_be_renamed(tmp_path: Path, renames: bool) -> None:
    repo, base = scene.make_repository(tmp_path / "repo.git")
    workspace, home = scene.workspace(repo, tmp_path / "homes/c"), tmp_path / "homes/c"
    ability = Ability(Means.OVERLAY, user=True, renames=renames)
    mounts = Mounts(repo, workspace.trees, Slot(), ability, home, home / "at")
    workspace = replace(workspace, source=replace(workspace.source, mounts=mounts))
    package = scene.package("wp-a")
    job, spec = Job(package, 1, scene.in_force([package])), RunSpec(base, "HEAD", scene.DATE, scene.RUN_ID, Config())
    assert prompt_context.collect(workspace, spec, job, base).renames is renames
