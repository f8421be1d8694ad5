"""What the trials of one test process share: the serving driver, the prepared repository, the run to compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.faults.scene import Driver, Scene, Undisturbed
from tests.faults.stage import Endure, Stage, endure_all


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("faults")
    with Driver() as driver:
        template = Scene.prepare(driver, folder / "template")
        yield Stage(template, Undisturbed.of(template, folder / "undisturbed"))


@pytest.fixture
def endure(stage: Stage, tmp_path: Path, record_property: Callable[[str, object], None]) -> Endure:
    """Try each of these lists of faults on the run of the stage."""
    return partial(endure_all, stage, tmp_path, record_property)
