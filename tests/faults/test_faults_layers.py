"""A run with a set-up whose layers are kept, disturbed wherever a layer or a view is made, entered, read or removed.

wp-left changes what set-up reads, so there are two layers. One that was in its place when the run was killed is used by
the next start: set-up does not run for it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from parallel_impl.git.mounts import STORE
from parallel_impl.views.view import Means
from tests.faults.scene import Driver, Fault, Scene, Undisturbed, made
from tests.faults.stage import Endure, Stage, endure_all
from tests.means import CHOSEN
from tests.repository import commit_all

CHUNKS = 8
SETTINGS = """
setup = ['mkdir made; cat left.txt >made/it; sha256sum <left.txt >>"$HOME/set-ups"']
setup_keep = true
"""
OF_VIEWS = ("enter", "mount", "seal", "unmount", *(("upper",) if CHOSEN is Means.OVERLAY else ()))
WRITING = ("file", "fsync", "git-write", "rename")  # what fails on a full disk
OF_LAYERS = re.compile(f"/{STORE}/|^(read-tree|update-index) ")
KINDS = (*OF_VIEWS, *WRITING, "remove")


@pytest.fixture(scope="session")
def layered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The repository of the stage with a set-up."""
    if CHOSEN is Means.EACH:
        pytest.skip("there are no layers where set-up runs in each checkout")
    folder = tmp_path_factory.mktemp("layered")
    with Driver() as driver:
        template = Scene.prepare(driver, folder / "template")
        template.keeps = True
        settings = template.repo / "parallel-impl.toml"
        settings.write_text(settings.read_text().replace("setup = []\n", SETTINGS))
        (template.repo / ".gitignore").write_text("made/\n")
        commit_all(template.repo, "A set-up")
        yield Stage(template, Undisturbed.of(template, folder / "undisturbed"))


@pytest.fixture
def endure_layers(layered: Stage, tmp_path: Path, record_property: Callable[[str, object], None]) -> Endure:
    return partial(endure_all, layered, tmp_path, record_property)


def places(stage: Stage, *kinds: str) -> list[str]:
    """The places of these kinds where something is done to a layer or a view."""
    points = ((point, what, point.split("/")[1]) for point, what in stage.undisturbed.points.items())
    found = [point for point, what, kind in points if kind in kinds and (kind in OF_VIEWS or OF_LAYERS.search(what))]
    return [f"{point}:{when}" for point in sorted(found) for when in ("before", "after")]


def test_what_is_done_to_layers_are_points_and_a_second_start_makes_no_layer_again(
    layered: Stage, tmp_path: Path
) -> None:
    for kind in KINDS:
        assert places(layered, kind), kind
    scene = layered.template.copy(tmp_path / "trial")
    assert scene.implement(Fault("wp-both/reaped/1:after")) == -9, scene.said()
    set_ups = scene.home_lines("set-ups")
    assert sorted(set_ups) == sorted(made(scene))
    assert len(set_ups) == 2
    assert scene.implement() == 0, scene.said()
    assert scene.home_lines("set-ups") == set_ups  # nor for what wp-both and the whole are verified in


@pytest.mark.faults
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_run_killed_wherever_a_layer_or_a_view_is_touched_loses_nothing(
    layered: Stage, endure_layers: Endure, chunk: int
) -> None:
    endure_layers(*((Fault(place),) for place in places(layered, *KINDS)[chunk::CHUNKS]))


@pytest.mark.faults
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_disk_that_is_full_wherever_a_layer_or_a_view_is_written_loses_nothing(
    layered: Stage, endure_layers: Endure, chunk: int
) -> None:
    chosen = [place for place in places(layered, *WRITING) if place.endswith("before")][chunk::CHUNKS]
    endure_layers(*((Fault(place, "full"),) for place in chosen))
