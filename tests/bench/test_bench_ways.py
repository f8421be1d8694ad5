"""All ways of a comparison do the same work: they land the same tree."""

from __future__ import annotations

from pathlib import Path

from tests.bench.alternate import alternate
from tests.bench.scenes import make
from tests.bench.ways import FLOOR, LOCK, OURS, floor, ours, with_a_lock
from tests.repository import git


def test_the_floor_the_script_and_we_land_the_same_tree(tmp_path: Path) -> None:
    scene = make(tmp_path / "scene", 3, files=10)
    found = alternate([floor(scene, 2), ours(scene, 2), with_a_lock(scene, 2)], 1, tmp_path)
    assert found.failure == ""
    (tree,) = {one.landed for samples in found.samples.values() for one in samples}
    assert len(tree) >= 40
    assert list(found.samples) == [FLOOR, OURS, LOCK]
    assert git(scene.repository, "branch", "--list", "openspec/*") == ""  # each works on a copy
