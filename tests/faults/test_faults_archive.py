"""A cleanup that archives, killed at an effect: given again the change is archived once, and nothing is left."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.faults.scene import CHANGE, Fault, Scene
from tests.faults.stage import SEED
from tests.faults.test_faults_pull_request import BRANCH, NAME, Trials, trials
from tests.repository import git

__all__ = ["trials"]  # the fixture
ARCHIVED, ARCHIVE = f"2026-01-02-{CHANGE}", f"archive/{CHANGE}"
OPENSPEC = f"""#!/bin/sh
set -eu
mkdir -p openspec/changes/archive
mv openspec/changes/{CHANGE} openspec/changes/archive/{ARCHIVED}
echo '{{"archive": {{"change": "{CHANGE}", "archivedAs": "{ARCHIVED}"}}}}'
"""
COMMAND = ("cleanup", CHANGE, "--pr", "--with-open-tasks")
SAMPLED = 2
CHUNKS = 4


def merged(trials: Trials, folder: Path) -> Scene:
    """A run whose pull request is merged, on a forge with an `openspec` on PATH."""
    scene = trials.next(folder)
    bare = trials.hub.bare(NAME)
    git(bare, "update-ref", "refs/heads/main", trials.base)
    git(bare, "update-ref", "-d", f"refs/heads/{ARCHIVE}")
    program = scene.folder / "bin/openspec"
    program.parent.mkdir()
    program.write_text(OPENSPEC)
    program.chmod(0o755)
    scene.environment["PATH"] = f"{program.parent}{os.pathsep}{scene.environment.get('PATH', os.environ['PATH'])}"
    assert scene.start("pr", CHANGE) == 0, scene.said()
    trials.hub.merge(1, "squash")
    return scene


def check(trials: Trials, scene: Scene) -> None:
    hub = trials.hub
    assert [(one["branch"], one["base"]) for one in hub.pulls] == [(BRANCH, "main"), (ARCHIVE, "main")]
    assert hub.tip(NAME, ARCHIVE) == git(scene.repo, "rev-parse", ARCHIVE)
    assert git(scene.repo, "rev-parse", f"{ARCHIVE}^") == hub.tip(NAME, "main")
    assert git(scene.repo, "ls-tree", "--name-only", ARCHIVE, "openspec/changes/archive/").endswith(ARCHIVED)
    assert hub.tip(NAME, BRANCH) == ""
    assert sorted(scene.refs()) == [f"refs/heads/{ARCHIVE}", "refs/heads/main", f"refs/heads/{BRANCH}"]
    assert not scene.state.exists()


def places(trials: Trials, folder: Path) -> list[str]:
    """Before and after each point of a cleanup that nothing disturbs, and that is as it should be."""
    scene = merged(trials, folder)
    assert scene.start(*COMMAND) == 0, scene.said()
    check(trials, scene)
    return [f"{point}:{when}" for point in scene.points() for when in ("before", "after")]


def try_twice(trials: Trials, folder: Path, place: str) -> None:
    scene = merged(trials, folder)
    assert scene.start(*COMMAND, fault=Fault(place)) == -9, f"{place}: {scene.said()}"
    assert scene.start(*COMMAND) == 0, f"{place}: {scene.said()}"
    try:
        check(trials, scene)
    except AssertionError as error:
        raise AssertionError(f"kill at {place} (in {scene.folder}): {error}") from error


@pytest.mark.faults
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_cleanup_that_archives_killed_at_any_point_is_whole_when_it_is_given_again(
    trials: Trials, tmp_path: Path, chunk: int
) -> None:
    for place in places(trials, tmp_path)[chunk::CHUNKS]:
        try_twice(trials, tmp_path, place)


def test_a_cleanup_that_archives_killed_at_a_seeded_effect_is_whole_when_it_is_given_again(
    trials: Trials, tmp_path: Path
) -> None:
    effects = [one for one in places(trials, tmp_path) if one.split("/")[1] in ("push", "rest", "git-write", "rename")]
    for place in random.Random(SEED).sample(effects, min(SAMPLED, len(effects))):
        try_twice(trials, tmp_path, place)
