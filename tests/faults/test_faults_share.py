"""A seeded share of all faults that reaches every kind of point of every command: `make test-faults-share`."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from tests.faults import test_faults_archive as archive
from tests.faults import test_faults_cleanup as cleanup
from tests.faults import test_faults_layers as layers
from tests.faults import test_faults_pull_request as pull_request
from tests.faults import test_faults_samples as samples
from tests.faults.scene import Fault, Scene
from tests.faults.stage import SEED, Endure, Stage, endure_all
from tests.faults.test_faults_cleanup import halfway, landed
from tests.faults.test_faults_crash import KINDS
from tests.faults.test_faults_layers import endure_layers, layered
from tests.faults.test_faults_pull_request import Trials, trials
from tests.faults.test_faults_second_start import second

__all__ = ["endure_layers", "halfway", "landed", "layered", "second", "trials"]  # the fixtures
pytestmark = pytest.mark.share
WORSE = {
    "pairs": (),
    "torn": ("journal",),
    "power": ("git", "git-write"),
    "gc": ("file", "git", "git-write", "journal", "reaped", "remove", "start"),
    "full-once": samples.NEED_ROOM,
    "full": samples.NEED_ROOM,
}


def of_each_kind(places: Iterable[str], what: str) -> list[str]:
    """One of the places of each kind of point, chosen by the seed."""
    kinds: dict[str, list[str]] = {}
    for place in places:
        kinds.setdefault(place.split("/")[1], []).append(place)
    return [random.Random(f"{SEED} {what} {kind}").choice(found) for kind, found in sorted(kinds.items())]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_run_killed_at_a_point_of_each_kind_lands_as_if_nothing_had_happened(
    stage: Stage, endure: Endure, kind: str
) -> None:
    (place,) = of_each_kind((one for one in stage.places if one.split("/")[1] == kind), "run")
    endure((Fault(place),), points=1)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_second_start_killed_at_a_point_of_each_kind_loses_nothing(
    second: Stage, tmp_path: Path, record_property: Callable[[str, object], None], kind: str
) -> None:
    (place,) = of_each_kind((one for one in second.places if one.split("/")[1] == kind), "second")
    endure_all(second, tmp_path, record_property, (Fault(place),), points=1)


@pytest.mark.parametrize("kind", layers.KINDS)
def test_a_run_killed_at_a_point_of_each_kind_of_layers_and_views_loses_nothing(
    layered: Stage, endure_layers: Endure, kind: str
) -> None:
    endure_layers((Fault(*of_each_kind(layers.places(layered, kind), "layers")),), points=1)


def test_a_disk_that_is_full_where_a_layer_is_written_loses_nothing(layered: Stage, endure_layers: Endure) -> None:
    before = [place for place in layers.places(layered, *layers.WRITING) if place.endswith("before")]
    endure_layers(*((Fault(place, "full"),) for place in of_each_kind(before, "full layers")))


@pytest.mark.parametrize("action", WORSE)
def test_worse_than_one_crash_loses_nothing(stage: Stage, endure: Endure, action: str) -> None:
    endure(*samples.chosen(stage, 0, action, 2, *WORSE[action]))


def test_a_cleanup_killed_at_a_point_of_each_kind_leaves_nothing_when_it_is_given_again(
    landed: Scene, tmp_path: Path
) -> None:
    places = cleanup.places(landed, tmp_path / "whole", *cleanup.CLEANUP)
    for place in of_each_kind(places, "cleanup"):
        folder = tmp_path / place.replace("/", "-")
        cleanup.try_twice(landed, folder, place, cleanup.assert_clean, *cleanup.CLEANUP, again=(0,))


def test_an_abort_killed_at_a_point_of_each_kind_gives_the_run_up_when_it_is_asked_again(
    halfway: Scene, tmp_path: Path
) -> None:
    places = cleanup.places(halfway, tmp_path / "whole", *cleanup.ABORT)
    for place in of_each_kind(places, "abort"):
        folder = tmp_path / place.replace("/", "-")
        cleanup.try_twice(halfway, folder, place, cleanup.assert_given_up, *cleanup.ABORT, again=(0, 2))


def test_a_publication_killed_at_a_point_of_each_kind_is_whole_when_it_is_given_again(
    trials: Trials, tmp_path: Path
) -> None:
    for place in of_each_kind(pull_request.places(trials, tmp_path), "pr"):
        pull_request.try_twice(trials, tmp_path, place)


def test_an_archive_killed_at_a_point_of_each_kind_is_whole_when_it_is_given_again(
    trials: Trials, tmp_path: Path
) -> None:
    for place in of_each_kind(archive.places(trials, tmp_path), "archive"):
        archive.try_twice(trials, tmp_path, place)
