"""Where trials are made, for all tests of this folder; made once a process by `conftest.py`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults.scene import Fault, Scene, Undisturbed, try_faults

SEED = os.environ.get("FAULTS_SEED") or "1"


@dataclass(frozen=True, slots=True)
class Stage:
    """Where trials are made."""

    template: Scene
    undisturbed: Undisturbed

    @property
    def places(self) -> list[str]:
        """Before and after each point, in the same order in every process."""
        return [f"{point}:{when}" for point in sorted(self.undisturbed.points) for when in ("before", "after")]

    def find(self, kind: str, what: str, when: str) -> str:
        """The place of the first point of a kind at which something is done, such as `git-write` and `refs/x`."""
        passed = self.undisturbed.points.items()
        return next(f"{point}:{when}" for point, about in passed if point.split("/")[1] == kind and what in about)

    def places_of(self, *kinds: str) -> list[str]:
        """The places before points of these kinds."""
        return [place for place in self.places if place.split("/")[1] in kinds and place.endswith(":before")]


Endure = Callable[..., None]


def endure_all(
    stage: Stage, folder: Path, record: Callable[[str, object], None], *trials: tuple[Fault, ...], points: int = 0
) -> None:
    """Try each of these lists of faults, and fail with all that was lost or done twice; the figures are recorded."""
    wrong, runs, lossy, twice = list[str](), 0, 0, 0
    for number, faults in enumerate(trials):
        trial = try_faults(stage.template, folder / str(number), stage.undisturbed, *faults)
        runs, lossy, twice = runs + trial.runs, lossy + bool(trial.losses), twice + bool(trial.redone)
        found = [*trial.losses, *trial.redone]
        if found:
            wrong.append(f"{', then '.join(str(fault) for fault in faults)} (in {folder / str(number)})")
            wrong += [f"    {what}" for what in found]
    counted = {"points": points, "trials": len(trials), "runs": runs, "with losses": lossy, "done twice": twice}
    for name, value in counted.items():
        record(f"faults: {name}", value)
    assert not wrong, "\n".join([f"FAULTS_SEED={SEED}", *wrong])
