"""What lies around the checkouts of a run and is not of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from parallel_impl.git import surroundings
from parallel_impl.git.file_clock import pass_tick
from parallel_impl.git.surroundings import Surroundings, configuration_above, folders_in, foreign_beside


def home_in(folder: Path) -> Path:
    home = folder / "repo.worktrees/c1"
    for name in ("wp-a/repo", "wp-a.git", "base.gate/repo", "base.gate.git", ".kept/wp-a.1"):
        (home / name).mkdir(parents=True)
    return home


def test_anything_else_in_the_home_is_foreign_and_the_line_that_removes_it_is_told(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    around = Surroundings(home, frozenset(("wp-a", "base.gate")), configuration_above(home))
    assert around.foreign() == []
    (home / "it's mine.txt").touch()
    (home / "node_modules").mkdir()
    (home / ".DS_Store").touch()
    (home / ".idea").mkdir()
    assert [str(one).partition("\n")[2] for one in around.foreign()] == [
        f"  rm '{home}/it'\"'\"'s mine.txt'",
        f"  rm -r {home}/node_modules",
    ]


def test_tool_configuration_above_counts_from_the_start(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    around = Surroundings(home, frozenset(("wp-a", "base.gate")), configuration_above(home))
    (tmp_path / "notes.txt").touch()
    assert around.foreign() == []
    (tmp_path / "pytest.ini").touch()
    assert [one.path for one in around.foreign()] == [tmp_path / "pytest.ini"]


def test_folders_that_an_earlier_run_left_are_its_worktrees(tmp_path: Path) -> None:
    home = home_in(tmp_path)
    (home / "node_modules").mkdir()
    (home / "conftest.py").touch()
    assert folders_in(home) == {"wp-a", "base.gate", ".kept"}


def test_beside_a_worktree_only_configuration_that_set_up_does_not_make_is_foreign(tmp_path: Path) -> None:
    worktree = home_in(tmp_path) / "wp-a/repo"
    level = worktree.parent
    for name in ("other", "pytest.ini", "package.json"):
        (level / name).touch()
    assert [one.path.name for one in foreign_beside(level, worktree, {"package.json"})] == ["pytest.ini"]
    assert foreign_beside(level, level, ()) == []  # as in runs of earlier versions


def test_a_folder_that_was_looked_at_is_looked_at_again_when_something_came_or_went(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "SETTLED_NS", -1)  # as if it had been left alone for long
    home, looked = home_in(tmp_path), list[Path]()
    listed = surroundings._names

    def names(folder: Path) -> list[str]:
        looked.append(folder)
        return listed(folder)

    monkeypatch.setattr(surroundings, "_names", names)
    before = configuration_above(home)
    assert tmp_path in looked
    looked.clear()
    assert configuration_above(home) == before
    assert tmp_path not in looked
    found = tmp_path.stat()
    pass_tick(tmp_path)
    (tmp_path / "tox.ini").touch()
    os.utime(tmp_path, ns=(found.st_atime_ns, found.st_mtime_ns))  # its time set back
    assert configuration_above(home) == {*before, str(tmp_path / "tox.ini")}
    pass_tick(tmp_path)
    (tmp_path / "tox.ini").unlink()
    assert configuration_above(home) == before
