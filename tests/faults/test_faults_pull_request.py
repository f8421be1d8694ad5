"""A publication, killed at any point: given again there is one pull request, whole, and the journal tells it once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from parallel_impl.forge import body, marker
from parallel_impl.record.events import BranchPushed, PullRequestOpened
from tests.faults.scene import CHANGE, Fault, Scene
from tests.faults.stage import SEED, Stage
from tests.forge.github import LoopbackGitHub
from tests.repository import commit_all, git

NAME, BRANCH = "acme/demo", f"openspec/{CHANGE}"
CHUNKS = 4
SAMPLED = 3
SETTINGS = 'forge = "github"\nlabels = ["agents"]\nreviewers = ["ada"]\n'


@dataclass
class Trials:
    """Copies of one landed run, each with a forge that has nothing yet."""

    hub: LoopbackGitHub
    template: Scene
    base: str
    number: int = field(default=0)

    def next(self, folder: Path) -> Scene:
        hub, self.number = self.hub, self.number + 1
        for kept in (hub.pulls, hub.comments):
            kept.clear()
        bare = hub.bare(NAME)
        for ref in git(bare, "for-each-ref", "--format=%(refname)", "refs/heads/openspec").splitlines():
            git(bare, "update-ref", "-d", ref)
        scene = self.template.copy(folder / str(self.number))
        scene.environment.update(hub.environment)
        return scene

    def check(self, scene: Scene) -> None:
        """What stands in the end, wherever the first try was killed."""
        hub, landed = self.hub, git(scene.repo, "rev-parse", BRANCH)
        assert hub.tip(NAME, BRANCH) == landed
        assert len(hub.pulls) == 1
        pull = hub.pulls[0]
        assert marker.run_of(pull["body"], CHANGE)
        assert pull["body"].count(marker.END) == 1
        assert (pull["labels"], pull["reviewers"]) == (["agents"], ["ada"])
        parts = [one["body"].split("\n")[0] for one in hub.comments]
        assert len(parts) == len(set(parts)) >= 1
        events = [one for one in scene.events() if isinstance(one, BranchPushed | PullRequestOpened)]
        assert [type(one) for one in events] == [BranchPushed, PullRequestOpened]


@pytest.fixture(scope="module")
def trials(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    """The run lands before the settings are there, whose body is so long that it goes on in comments."""
    folder = tmp_path_factory.mktemp("publication")
    scene = stage.template.copy(folder / "template")
    assert scene.implement() == 0, scene.said()
    summary = scene.state / "summary.json"
    note = "x" * (body.LONGEST - 1)
    notes = ", ".join(f'"{number} {note}"' for number in range(49))
    text = summary.read_text()
    report = f'"report": [{notes}]'
    assert text.count('"report": []') == 3
    summary.write_text(text.replace('"report": []', report))
    with LoopbackGitHub(folder).running() as hub:
        bare = hub.add_repository(NAME)
        (scene.repo / "parallel-impl.toml").write_text(_settings(scene))
        base = commit_all(scene.repo, "Settings")
        git(scene.repo, "push", "--quiet", str(bare), "main")
        git(scene.repo, "remote", "add", "origin", hub.url(NAME))
        yield Trials(hub, scene, base)


def _settings(scene: Scene) -> str:
    file = scene.repo / "parallel-impl.toml"
    return SETTINGS + (file.read_text() if file.exists() else "")


def places(trials: Trials, folder: Path) -> list[str]:
    """Before and after each point of a publication that nothing disturbs, and that is as it should be."""
    scene = trials.next(folder)
    assert scene.start("pr", CHANGE) == 0, scene.said()
    trials.check(scene)
    points = scene.points()
    assert {"push", "rest", "journal"} <= {point.split("/")[1] for point in points}
    return [f"{point}:{when}" for point in points for when in ("before", "after")]


def try_twice(trials: Trials, folder: Path, place: str) -> None:
    scene = trials.next(folder)
    assert scene.start("pr", CHANGE, fault=Fault(place)) == -9, f"{place}: {scene.said()}"
    assert scene.start("pr", CHANGE) == 0, f"{place}: {scene.said()}"
    try:
        trials.check(scene)
    except AssertionError as error:
        raise AssertionError(f"kill at {place} (in {scene.folder}): {error}") from error


@pytest.mark.faults
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_publication_killed_at_any_point_is_whole_when_it_is_given_again(
    trials: Trials, tmp_path: Path, chunk: int
) -> None:
    for place in places(trials, tmp_path)[chunk::CHUNKS]:
        try_twice(trials, tmp_path, place)


def test_a_publication_killed_at_a_seeded_effect_is_whole_when_it_is_given_again(
    trials: Trials, tmp_path: Path
) -> None:
    effects = [place for place in places(trials, tmp_path) if place.split("/")[1] in ("push", "rest", "journal")]
    for place in random.Random(SEED).sample(effects, SAMPLED):
        try_twice(trials, tmp_path, place)
