"""A write scope that git ignores is found in the plan: work there would be left out, and land as done."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.errors import Severity
from parallel_impl.git import ignored_scope
from parallel_impl.git.repo import Repo
from parallel_impl.git.trees import Trees
from parallel_impl.plan.model import Package, Plan, Scope
from tests.git.scene import make_user
from tests.repository import git

FILES = {".gitignore": "dist/\n*.log\nout\n", "src/a.py": "a\n", "dist/kept.js": "k\n", "src/kept.log": "k\n"}


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    return Trees(Repo.discover(make_user(tmp_path / "user", FILES)), tmp_path / "trees")


def found(trees: Trees, *patterns: str) -> list[tuple[Severity, str]]:
    plan = Plan("c", (Package("wp", "Do it", Scope(patterns)),))
    base = git(trees.repo.git_dir.parent, "rev-parse", "HEAD")
    return [(one.severity, one.what) for one in ignored_scope.check(trees, base, plan)]


def test_an_ignored_pattern_beside_another_is_a_warning_with_its_rule(trees: Trees) -> None:
    text = "src/x.log of wp is ignored (.gitignore:2: *.log): files there are not taken as its work"
    assert found(trees, "src/x.log", "src/**") == [(Severity.WARNING, text)]


def test_a_package_with_no_other_pattern_is_an_error(trees: Trees) -> None:
    text = "out/** of wp is ignored (.gitignore:3: out): files there are not taken as its work"
    assert found(trees, "out/**") == [(Severity.ERROR, f"{text}, and it may write nothing else")]


def test_every_pattern_is_named(trees: Trees) -> None:
    assert [severity for severity, _ in found(trees, "out", "web/dist/*.js")] == [Severity.ERROR, Severity.ERROR]


@pytest.mark.parametrize(
    "pattern", ["**", "src/**", "*.log", "dist/**", "src/kept.log", "dist", "distant/x", ".gitignore", ".gitignore/x"]
)
def test_what_has_tracked_files_or_is_not_ignored_is_fine(pattern: str, trees: Trees) -> None:
    assert found(trees, pattern) == []


def test_a_name_that_is_ignored_as_a_folder_only_may_be_a_file(trees: Trees) -> None:
    assert found(trees, "web/dist") == []
    assert [severity for severity, _ in found(trees, "web/dist/")] == [Severity.ERROR]
