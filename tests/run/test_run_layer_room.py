"""Without room for a layer nothing starts, and what makes room is named; `layers_gb` bounds only what stays."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from parallel_impl.config import Config
from parallel_impl.errors import UserError
from parallel_impl.git.mounts import Mounts
from parallel_impl.git.repo import Repo
from parallel_impl.git.trees import Trees
from parallel_impl.run.start import layer_room
from parallel_impl.views.view import Means
from tests.git import scene

HUGE = 10**18
CONFIG = Config(layers_gb=2.5)


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[Mounts]:
    repo = Repo.discover(scene.make_user(tmp_path / "user"))
    trees = Trees(repo, tmp_path / "trees")
    made = scene.mount(repo, trees, tmp_path / "homes/c", "user", Means.OVERLAY)
    assert made
    yield made
    made.end()


def test_what_is_missing_for_the_files_ends_it_before_set_up_with_what_makes_room(mounts: Mounts) -> None:
    with pytest.raises(UserError) as refused, layer_room.needed(mounts, HUGE, CONFIG):
        pytest.fail("nothing is to be made")
    (problem,) = refused.value.problems
    assert problem.what.startswith("no space for a layer")
    assert "1000000000.0 GB are needed for the files alone" in problem.what
    assert "0 layers with 0 kB are kept there (layers_gb = 2.5)" in problem.hint
    assert "parallel-cleanup --layers" in problem.hint


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        UserError("set-up: npm ci: exit 228\nnpm error code ENOSPC"),
        UserError(f"set-up: cp: {os.strerror(errno.ENOSPC)}"),
    ],
)
def test_a_disk_that_is_full_while_the_layer_is_made_is_that(mounts: Mounts, error: Exception) -> None:
    with (
        pytest.raises(UserError, match=r"no space for a layer.*No space left on device"),
        layer_room.needed(mounts, 1, CONFIG),
    ):
        raise error


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "Permission denied"), UserError("set-up: exit 1")])
def test_another_failure_stays_what_it_is(mounts: Mounts, error: Exception) -> None:
    with pytest.raises(type(error), match=r"Permission denied|exit 1"), layer_room.needed(mounts, 1, CONFIG):
        raise error


def test_checkouts_with_a_set_up_of_their_own_need_no_layer(mounts: Mounts) -> None:
    mounts.ability = replace(mounts.ability, means=Means.EACH)
    with layer_room.needed(mounts, HUGE, CONFIG):
        pass
    assert list(layer_room.problems(mounts, CONFIG)) == []


def test_more_layers_than_are_kept_are_said_and_used(mounts: Mounts) -> None:
    mounts.limit = 0
    assert list(layer_room.problems(mounts, CONFIG)) == []
    folder = mounts.store / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    about = '{"commit": "", "key": "", "inputs": {}, "seconds": 1, "seal": "", "bytes": 3000000000}'
    (folder / "layer.json").write_text(about)
    (problem,) = layer_room.problems(mounts, CONFIG)
    assert problem.what.startswith("layers use 3.0 GB, more than layers_gb = 2.5")
