"""A cleanup, and the giving up of a run, killed at any point: given again they end as if nothing had happened."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_impl.run.claims import ledger
from parallel_impl.run.places import LOCKS
from tests.faults.scene import CHANGE, PACKAGES, Fault, Scene, left_behind
from tests.faults.stage import SEED, Stage
from tests.repository import git

CHUNKS = 4
SAMPLED = 2


@pytest.fixture(scope="session")
def landed(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A repository in which the run has landed."""
    scene = stage.template.copy(tmp_path_factory.mktemp("landed") / "template")
    assert scene.implement() == 0, scene.said()
    return scene


@pytest.fixture(scope="session")
def halfway(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A repository in which the run was killed when two packages were accepted and the third worked on."""
    scene = stage.template.copy(tmp_path_factory.mktemp("halfway") / "template")
    assert scene.implement(Fault("wp-both/reaped/1:after")) == -9, scene.said()
    return scene


CLEANUP = ("cleanup", CHANGE, "--force")  # it landed and is not merged, which is no failure then
ABORT = ("implement", CHANGE, "--abort")


def places(scene: Scene, folder: Path, *arguments: str) -> list[str]:
    """Before and after each point of a command that nothing disturbs, and that is as it should be then."""
    tried = scene.copy(folder)
    assert tried.start(*arguments) == 0, tried.said()
    return [f"{point}:{when}" for point in tried.points() for when in ("before", "after")]


def try_twice(
    scene: Scene, folder: Path, place: str, check: Callable[[Scene], None], *arguments: str, again: tuple[int, ...]
) -> None:
    tried = scene.copy(folder)
    assert tried.start(*arguments, fault=Fault(place)) == -9, f"{place}: {tried.said()}"
    code = tried.start(*arguments)
    assert code in again, f"{place}: {code}: {tried.said()}"
    try:
        check(tried)
    except AssertionError as error:
        raise AssertionError(f"kill at {place} (in {folder}): {error}") from error


def assert_clean(scene: Scene) -> None:
    """Nothing is left of the change but its branch."""
    assert sorted(scene.refs()) == ["refs/heads/main", f"refs/heads/openspec/{CHANGE}"]
    assert not (scene.repo / ".git/parallel-impl").exists()
    assert list(left_behind(scene)) == []


def assert_given_up(scene: Scene) -> None:
    """No run is there any more; all that was done is on refs of attempts, its journal aside."""
    own = f"refs/parallel-impl/{CHANGE}"
    assert [ref for ref in scene.refs() if ref.startswith(f"{own}/packages/")] == []
    for package in PACKAGES:
        assert git(scene.repo, "show", "--format=", "--name-only", f"{own}/attempts/{package}/1")
    assert not (scene.state / "journal.jsonl").exists()
    assert [path.name for path in scene.state.glob("journal.*.jsonl")] == ["journal.1.jsonl"]
    assert f"refs/heads/openspec/{CHANGE}" not in scene.refs()
    assert CHANGE not in ledger.read(scene.state.parent / LOCKS)


@pytest.mark.faults
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_cleanup_killed_at_any_point_leaves_nothing_when_it_is_given_again(
    landed: Scene, tmp_path: Path, chunk: int
) -> None:
    for number, place in enumerate(places(landed, tmp_path / "whole", *CLEANUP)[chunk::CHUNKS]):
        try_twice(landed, tmp_path / str(number), place, assert_clean, *CLEANUP, again=(0,))


@pytest.mark.faults
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_run_whose_abort_was_killed_at_any_point_is_given_up_when_that_is_asked_again(
    halfway: Scene, tmp_path: Path, chunk: int
) -> None:
    for number, place in enumerate(places(halfway, tmp_path / "whole", *ABORT)[chunk::CHUNKS]):
        # 2: there was nothing left to give up
        try_twice(halfway, tmp_path / str(number), place, assert_given_up, *ABORT, again=(0, 2))


@pytest.mark.parametrize("number", range(SAMPLED))
def test_a_cleanup_killed_at_a_seeded_point_leaves_nothing_when_it_is_given_again(
    landed: Scene, tmp_path: Path, number: int
) -> None:
    chosen = random.Random(SEED).sample(places(landed, tmp_path / "whole", *CLEANUP), SAMPLED)
    try_twice(landed, tmp_path / "trial", chosen[number], assert_clean, *CLEANUP, again=(0,))
