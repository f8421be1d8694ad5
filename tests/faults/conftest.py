"""What the trials of one test process share: the serving driver, the prepared repository, the run to compare with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.scene import Driver, Fault, Scene, Undisturbed, try_faults
from tests.faults.stage import SEED, Endure, Stage


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("faults")
    with Driver() as driver:
        template = Scene.prepare(driver, folder / "template")
        yield Stage(template, Undisturbed.of(template, folder / "undisturbed"))


@pytest.fixture
def endure(stage: Stage, tmp_path: Path, record_property: Callable[[str, object], None]) -> Endure:
    """Try each of these lists of faults, and fail with all that was lost or done twice; the figures are recorded."""

    def try_all(*trials: tuple[Fault, ...], points: int = 0) -> None:
        wrong, runs, lost, redone = list[str](), 0, 0, 0
        for number, faults in enumerate(trials):
            trial = try_faults(stage.template, tmp_path / str(number), stage.undisturbed, *faults)
            runs, lost, redone = runs + trial.runs, lost + len(trial.losses), redone + len(trial.redone)
            found = [*trial.losses, *trial.redone]
            if found:
                wrong.append(f"{', then '.join(str(fault) for fault in faults)} (in {tmp_path / str(number)})")
                wrong += [f"    {what}" for what in found]
        for name, value in (("points", points), ("runs", runs), ("losses", lost), ("redone packages", redone)):
            record_property(f"faults: {name}", value)
        assert not wrong, "\n".join([f"FAULTS_SEED={SEED}", *wrong])

    return try_all
