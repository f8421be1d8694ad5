"""Which commit edits the plan of a run: none whose history had that plan when it parted from the plan in force."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from parallel_impl.git.repo import Repo
from parallel_impl.record import events as e
from parallel_impl.record.state import State, fold
from parallel_impl.run.places import Places
from parallel_impl.run.start import inputs
from tests.repository import commit_all, git, init
from tests.run.scene import CHANGE, first_event, package


@dataclass
class Scene:
    """A repository in which the plan is the words of a file, and where HEAD is looked at."""

    folder: Path

    @property
    def places(self) -> Places:
        return Places(self.folder / ".git", CHANGE)

    def plan(self, words: str, *, message: str = "plan") -> str:
        file = self.folder / self.places.plan_file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(words)
        return commit_all(self.folder, message)

    def other(self, name: str) -> str:
        (self.folder / name).write_text(name)
        return commit_all(self.folder, name)

    def go(self, *words: str) -> None:
        git(self.folder, "checkout", "--quiet", *words)

    def state(self, base: str) -> State:
        blob = git(self.folder, "rev-parse", f"{base}:{self.places.plan_file}")
        first = first_event(base, [package("a")], self.folder)
        return fold([msgspec.structs.replace(first, plan_blob=blob)])

    def edited(self, state: State) -> str:
        return inputs.find_edited_plan(Repo.discover(self.folder), self.folder, self.places, state)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    init(tmp_path)
    made = Scene(tmp_path)
    made.other("first")
    return made


def revise(state: State, commit: str, scene: Scene) -> None:
    blob = git(scene.folder, "rev-parse", f"{commit}:{scene.places.plan_file}")
    state.apply(
        e.PlanRevised(
            plan_blob=blob, commit=commit, plan_revision=2, contracts_revision=1, packages={"a": []}, changed=[]
        )
    )


def test_a_plan_of_an_ancestor_is_no_edit(scene: Scene) -> None:
    old, new = scene.plan("old"), scene.plan("new")
    state = scene.state(new)
    scene.go(old)
    assert scene.edited(state) == ""


def test_a_branch_that_left_before_the_plan_was_edited_does_not_edit_it(scene: Scene) -> None:
    old, new = scene.plan("old"), scene.plan("new")
    state = scene.state(new)
    scene.go("-b", "hotfix", old)
    scene.other("fix")
    assert scene.edited(state) == ""
    assert inputs.is_older_plan(Repo.discover(scene.folder), scene.places, state, "hotfix")


def test_what_is_older_than_a_revision_is_no_edit_either(scene: Scene) -> None:
    old, new = scene.plan("old"), scene.plan("new")
    state = scene.state(old)
    assert scene.edited(state) == new
    revise(state, new, scene)
    scene.go(old)
    assert scene.edited(state) == ""


def _on_top(scene: Scene) -> str:
    return scene.plan("newer")


def _back(scene: Scene) -> str:
    git(scene.folder, "revert", "--no-edit", "HEAD")
    return git(scene.folder, "rev-parse", "HEAD")


def _amended(scene: Scene) -> str:
    (scene.folder / scene.places.plan_file).write_text("amended")
    git(scene.folder, "commit", "--quiet", "--all", "--amend", "-m", "amended")
    return git(scene.folder, "rev-parse", "HEAD")


def _on_another_branch(scene: Scene) -> str:
    scene.go("-b", "other", "HEAD~1")
    return scene.plan("edited there")


@pytest.mark.parametrize("act", [_on_top, _back, _amended, _on_another_branch])
def test_a_plan_that_was_edited_since_is_an_edit(act: Callable[[Scene], str], scene: Scene) -> None:
    scene.plan("old")
    state = scene.state(scene.plan("new"))
    commit = act(scene)
    assert scene.edited(state) == commit


def test_a_commit_without_the_plan_edits_nothing(scene: Scene) -> None:
    state = scene.state(scene.plan("plan"))
    scene.go("HEAD~1")
    assert scene.edited(state) == ""
