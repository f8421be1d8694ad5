"""The ways to run all packages of a scene, measured against each other: ours, the floor, a script with a lock."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.bench.alternate import Side, Trial
from tests.bench.scenes import CHANGE, Scene
from tests.bench.spent import Spent
from tests.repository import git

OURS, FLOOR, LOCK = "ours", "floor", "with a lock"
HERE = Path(__file__).parent
TREE = f"refs/heads/openspec/{CHANGE}^{{tree}}"


def ours(
    scene: Scene,
    jobs: int,
    *,
    seconds: float = 0,
    name: str = OURS,
    checkouts: str = "",
    counted: Callable[[], Mapping[str, float]] = dict,
) -> Side:
    """`parallel-implement` with agents that take so long; `checkouts` as in its configuration."""
    env = {"PARALLEL_IMPL_CHECKOUTS": checkouts} if checkouts else {}

    def prepare(folder: Path) -> Trial:
        repository = scene.copy(folder)
        return Trial(implement(jobs, seconds), repository, env, read_landed(repository), counted)

    return Side(name, prepare)


def implement(jobs: int, seconds: float = 0) -> list[str]:
    """The command line of a run, as it is typed in a scene's repository."""
    agent = f"command: sh agent.sh {{package_id}} {seconds:g}"
    return [sys.executable, "-m", "parallel_impl", "implement", CHANGE, "--jobs", str(jobs), "--agent", agent]


def floor(scene: Scene, jobs: int, *, seconds: float = 0) -> Side:
    """The least git work, by floor.py or by the script that FLOOR names."""
    script = Path(os.environ.get("FLOOR") or HERE / "floor.py").absolute()

    def prepare(folder: Path) -> Trial:
        repository = scene.copy(folder)
        agent = f"sh agent.sh $PKG {seconds:g}"
        words = ["--repo", str(repository), "--packages", str(scene.packages), "--jobs", str(jobs), "--agent", agent]
        return Trial([sys.executable, str(script), *words], repository, landed=_read_tree)

    return Side(FLOOR, prepare)


def with_a_lock(scene: Scene, jobs: int, *, seconds: float = 0) -> Side:
    """The script that people write themselves."""

    def prepare(folder: Path) -> Trial:
        repository = scene.copy(folder)
        words = [str(scene.packages), str(jobs), f"{seconds:g}"]
        return Trial(["bash", str(HERE / "with_a_lock.sh"), *words], repository, landed=read_landed(repository))

    return Side(LOCK, prepare)


def read_landed(repository: Path) -> Callable[[Spent], str]:
    """Reads which tree has landed in a repository."""
    return lambda _spent: git(repository, "rev-parse", "--verify", TREE)


def _read_tree(spent: Spent) -> str:
    return str(json.loads(spent.out)["tree"])
