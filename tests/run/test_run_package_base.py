"""The commit that a package starts from: the base with the accepted work of what it depends on, the same each time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from parallel_impl.config import Config
from parallel_impl.git.repo import Repo
from parallel_impl.git.union import Layer
from parallel_impl.run.attempt import package_base
from parallel_impl.run.spec import RunSpec
from tests.run.scene import DATE, RUN_ID, commit, in_force, make_repository, package, workspace

PACKAGES = (package("a"), package("b"), package("on-a", "a"), package("below", "on-a"), package("both", "a", "b"))


@pytest.fixture
def repository(tmp_path: Path) -> tuple[Repo, str]:
    return make_repository(tmp_path / "user.git")


def layer(repo: Repo, base: str, name: str, path: str, parent: str = "") -> Layer:
    made = commit(repo, parent or base, {path: name}, parent=parent)
    return Layer(name, made, tuple(repo.changes(parent or base, made)))


def base_of(repository: tuple[Repo, str], name: str, above: Sequence[Layer]) -> str:
    repo, base = repository
    spec = RunSpec(base, "HEAD", DATE, RUN_ID, Config())
    place = workspace(repo, repo.git_dir.parent / "home")
    found = package_base.make(spec, place, in_force(PACKAGES).order, name, above)
    assert place.watch.compare() == []  # the ref is ours
    return found


def test_without_dependencies_it_is_the_base_of_the_run(repository: tuple[Repo, str]) -> None:
    assert base_of(repository, "a", ()) == repository[1]


def test_the_commit_of_a_dependency_that_reaches_all_others_is_taken_as_it_is(repository: tuple[Repo, str]) -> None:
    repo, base = repository
    first = layer(repo, base, "a", "a/x")
    second = layer(repo, base, "on-a", "on-a/y", parent=first.commit)
    assert base_of(repository, "on-a", (first,)) == first.commit
    assert base_of(repository, "below", (first, second)) == second.commit


def test_several_are_put_together_in_one_commit_on_a_ref_of_its_own(repository: tuple[Repo, str]) -> None:
    repo, base = repository
    above = (layer(repo, base, "a", "a/x"), layer(repo, base, "b", "b/y"))
    found = base_of(repository, "both", above)
    assert [entry.path for entry in repo.entries(found, recurse=True)] == ["a/x", "b/y"]
    assert repo.parents(found) == (base, *(one.commit for one in above))
    assert repo.ref("refs/parallel-impl/c1/bases/both") == found
    assert base_of(repository, "both", above) == found  # done again after a crash it has the same id
