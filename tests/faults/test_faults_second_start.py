"""The start that follows an edit of the plan, killed at any point: what it finds, keeps and judges again is not lost.

In the first start wp-left fails by a wrong step, and the agent of wp-right does nothing. The edited plan repairs the
step, so wp-left is judged again without an agent; wp-right leaves its work on a branch of its own, which is fetched,
and does it in the retry; wp-both changes what steers the gate, so the gate runs again with the base's version.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from parallel_impl.record.events import AttemptEnded, AttemptStarted
from tests.faults.scene import CHANGE, REPLAY, Driver, Fault, Scene, Undisturbed
from tests.faults.stage import SEED, Endure, Stage, endure_all
from tests.repository import commit_all

CHUNKS = 8
SAMPLED = 3
AGENT = f"""
echo "$1 $2" >>"$HOME/agent.log"
[ "$1 $2" != 'wp-right 1' ] || exit 1
if [ "$1 $2" = 'wp-right 2' ]; then
    git checkout -qb aside
    cp -R '{REPLAY}/wp-right/1/.' .
    git commit -qam aside
    exec git checkout -q -
fi
cp -R '{REPLAY}/'"$1"/1/. .
[ ! -f DELETE ] || {{ xargs rm -f <DELETE; rm DELETE; }}
[ "$1" != wp-both ] || echo 'test -s all.txt' >>check.sh
"""
FIRST, SECOND = "retry_budget: 0\n    description", "retry_budget: 1\n    description"
ASIDE = f"refs/parallel-impl/{CHANGE}/attempts/wp-right/2.aside"


def edit(scene: Scene, *replacements: tuple[str, str]) -> None:
    plan = scene.repo / f"openspec/changes/{CHANGE}/work-packages.yaml"
    text = plan.read_text()
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    plan.write_text(text)
    commit_all(scene.repo, "The plan")


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A repository whose plan was edited after a start that failed."""
    folder = tmp_path_factory.mktemp("second")
    with Driver() as driver:
        template = Scene.prepare(driver, folder / "template", AGENT)
        edit(template, ("description", FIRST), ("grep -qx apple", "grep -qx aple"))
        assert template.implement() == 1, template.said()
        scope = ("[all.txt, show]", "[all.txt, show, check.sh]")
        edit(template, (FIRST, SECOND), ("grep -qx aple", "grep -qx apple"), scope)
        template.options = ("--retry-failed",)
        yield Stage(template, Undisturbed.of(template, folder / "undisturbed"))


@pytest.fixture
def endure(second: Stage, tmp_path: Path, record_property: Callable[[str, object], None]) -> Endure:
    return partial(endure_all, second, tmp_path, record_property)


def test_the_second_start_judges_again_keeps_what_lies_elsewhere_and_asks_the_bases_judge(
    second: Stage, tmp_path: Path
) -> None:
    scene = second.template.copy(tmp_path / "trial")
    assert scene.implement() == 0, scene.said()
    started = [(one.package, one.number, one.judges) for one in scene.events() if isinstance(one, AttemptStarted)]
    assert sorted(started[2:]) == [("wp-both", 1, 0), ("wp-left", 2, 1), ("wp-right", 2, 0), ("wp-right", 3, 0)]
    assert [one.code for one in scene.events() if isinstance(one, AttemptEnded)].count("NO_CHANGES") == 1
    assert ASIDE in scene.refs()
    assert "wp-both changed check.sh, which steers lists" in scene.said()
    points = second.undisturbed.points
    assert any("2.aside" in what for what in points.values())
    assert {"gate", "proof"} <= {point.split("/")[0] for point in points}


@pytest.mark.parametrize("number", range(SAMPLED))
def test_a_second_start_killed_at_a_seeded_point_loses_nothing(second: Stage, endure: Endure, number: int) -> None:
    chosen = random.Random(f"{SEED} second").sample(second.places, SAMPLED)
    endure((Fault(chosen[number]),), points=1)


@pytest.mark.faults
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_second_start_killed_before_and_after_every_point_loses_nothing(
    second: Stage, endure: Endure, chunk: int
) -> None:
    chosen = second.places[chunk::CHUNKS]
    endure(*((Fault(place),) for place in chosen), points=len([place for place in chosen if place.endswith("before")]))
