"""A run that is killed at any point goes on, and nothing is lost and nothing done twice."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from parallel_impl.views.view import Means
from tests.faults.scene import Fault, Undisturbed
from tests.faults.stage import SEED, Endure, Stage
from tests.means import CHOSEN

CHUNKS = 24
SAMPLED = 12
KINDS = {
    "file", "fsync", "git", "git-write", "journal", "link", "object", "reaped", "remove", "rename", "slot", "start",
    "unlink",
}  # fmt: skip
if CHOSEN is not Means.EACH:
    KINDS |= {"enter", "mount", "seal", "unmount"}
if CHOSEN is Means.OVERLAY:
    KINDS |= {"upper"}


@pytest.mark.parametrize("number", range(SAMPLED))
def test_a_run_killed_at_a_seeded_point_lands_as_if_nothing_had_happened(
    stage: Stage, endure: Endure, number: int
) -> None:
    chosen = random.Random(SEED).sample(stage.places, SAMPLED)
    endure((Fault(chosen[number]),), points=1)


@pytest.mark.faults
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_run_killed_before_and_after_every_point_lands_as_if_nothing_had_happened(
    stage: Stage, endure: Endure, chunk: int
) -> None:
    chosen = stage.places[chunk::CHUNKS]
    endure(*((Fault(place),) for place in chosen), points=len([place for place in chosen if place.endswith("before")]))


def test_the_points_are_the_same_in_every_run_and_of_every_kind(stage: Stage, tmp_path: Path) -> None:
    again = Undisturbed.of(stage.template, tmp_path / "again").points
    assert sorted(again) == sorted(stage.undisturbed.points)
    assert {point.split("/")[1] for point in again} == KINDS
    assert {point.split("/")[0] for point in again} >= {"main", "wp-left", "wp-right", "wp-both", "base-gates"}
