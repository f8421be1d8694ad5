"""The configuration of a stopped run, edited in a later commit."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from parallel_impl import config
from parallel_impl.config import Config
from parallel_impl.git.repo import Repo
from parallel_impl.record.state import State, fold
from parallel_impl.run.start import configuration_edit
from parallel_impl.run.start.configuration_edit import FIRST, PUBLISHING, REVISABLE, SECOND, ConfigurationEdit
from tests.repository import commit_all, git, init
from tests.run.scene import first_event, package

KEPT = ("source", "standards", "commit_identity", "signoff", "ports", "announce", "notify", "keep_completed")


class Scene:
    """A repository whose configuration is edited, and the run that started on its first commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        init(folder)
        self.base = self.configure("jobs = 1", "setup = ['true']")
        self.state: State = fold([first_event(self.base, [package("a")], folder)])

    def configure(self, *lines: str) -> str:
        (self.folder / config.FILE).write_text("\n".join(lines))
        return commit_all(self.folder, "Configure")

    def other(self, name: str) -> str:
        (self.folder / name).write_text(name)
        return commit_all(self.folder, name)

    def find(self, commit: str) -> ConfigurationEdit:
        return configuration_edit.find(Repo.discover(self.folder), self.state, self.base, commit)

    def revise(self, commit: str) -> ConfigurationEdit:
        """Find the edit, and take it in as the run does."""
        found = self.find(commit)
        assert found.event is not None
        self.state.apply(found.event)
        return found


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_every_key_is_revised_or_kept_or_no_part_of_the_run() -> None:
    assert sorted((*REVISABLE, *PUBLISHING, *KEPT)) == sorted(field.name for field in dataclasses.fields(Config))


def test_how_work_is_made_and_judged_is_taken_from_the_later_commit(scene: Scene) -> None:
    lines = ("jobs = 3", "setup = []", "pass_env = ['X_Y']", "agents.mine = {kind = 'claude'}", "signoff = true")
    found = scene.revise(scene.configure(*lines))
    assert found.keys == ("setup", "pass_env", "jobs", "agents.mine")
    assert (found.values.jobs, found.values.setup, found.values.signoff) == (3, (), False)
    assert found.ignored == ("signoff",)
    assert scene.find(git(scene.folder, "rev-parse", "HEAD")).keys == ()


def test_where_the_branch_is_published_is_no_part_of_the_run(scene: Scene) -> None:
    found = scene.find(scene.configure("jobs = 1", "setup = ['true']", "remote = 'upstream'"))
    assert (found.keys, found.ignored) == ((), ())


def test_an_older_configuration_is_no_edit(scene: Scene) -> None:
    scene.configure("jobs = 2")
    scene.revise(scene.configure("jobs = 3"))
    for commit in (scene.base, git(scene.folder, "rev-parse", "HEAD~1")):
        found = scene.find(commit)
        assert (found.keys, found.values.jobs) == ((), 3)


def test_a_branch_that_left_before_the_edit_does_not_take_it_back(scene: Scene) -> None:
    scene.revise(scene.configure("jobs = 3"))
    git(scene.folder, "checkout", "--quiet", "-b", "hotfix", scene.base)
    assert scene.find(scene.other("fix")).values.jobs == 3
    found = scene.find(scene.configure("jobs = 5"))
    assert (found.keys, found.values.jobs) == (("jobs",), 5)


def test_an_edit_is_taken_back_by_a_later_commit(scene: Scene) -> None:
    scene.revise(scene.configure("jobs = 3", "setup = ['true']"))
    assert scene.revise(scene.configure("jobs = 1", "setup = ['true']")).keys == ("jobs",)


def test_what_an_earlier_version_passed_over_is_an_edit_now(scene: Scene) -> None:
    commit = scene.configure("jobs = 3", "setup = []", "base_minutes = 1")
    values = dataclasses.replace(scene.find(commit).values, jobs=1)
    event = scene.find(commit).event
    assert event is not None
    earlier = configuration_edit.digest(values, FIRST)
    scene.state.apply(type(event)(commit=commit, digest=earlier, keys=["base_minutes"]))
    assert scene.find(commit).keys == ("setup", "jobs")
    assert scene.find(scene.other("later")).keys == ("setup", "jobs")


def test_what_an_earlier_version_had_revised_stays_so(scene: Scene) -> None:
    commit = scene.configure("jobs = 3", "setup = ['true']", "checkouts = 'each'")
    event = scene.find(commit).event
    assert event is not None
    earlier = configuration_edit.digest(scene.find(commit).values, SECOND)
    scene.state.apply(type(event)(commit=commit, digest=earlier, keys=["jobs"]))
    found = scene.find(commit)
    assert (found.keys, found.values.jobs) == (("checkouts",), 3)
