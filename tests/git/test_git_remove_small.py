"""Removing what an agent left: small trees here, all others by `rm`, and nothing else in either case."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from parallel_impl.git.remove import DEEPEST, SMALL, remove


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The programs that were started."""
    started, run = list[str](), subprocess.run

    def noted(command: tuple[str, ...], **options: object) -> object:
        started.append(command[0])
        return run(command, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", noted)
    return started


def grow(folder: Path, precious: Path, drawn: random.Random, entries: int) -> None:
    """Something of every kind that an agent may leave."""
    folders = [folder]
    folder.mkdir()
    for number in range(entries):
        place = drawn.choice(folders) / f"{number}\udcff"
        match drawn.randrange(6):
            case 0 | 1:
                place.mkdir()
                folders.append(place)
            case 2:
                place.symlink_to(precious)
            case 3:
                os.mkfifo(place)
            case 4:
                os.link(precious / "file", place)
            case _:
                place.write_text("x")


@pytest.mark.parametrize("entries", [0, 30, SMALL - 1, SMALL + 1])
def test_a_tree_is_removed_and_what_its_links_name_stays(tmp_path: Path, entries: int, processes: list[str]) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    grow(tmp_path / "tree", precious, random.Random(entries), entries)  # noqa: S311 - the same trees each time
    remove(tmp_path / "tree", tmp_path / "absent")
    assert list(tmp_path.iterdir()) == [precious]
    assert (precious / "file").read_text() == "x"
    assert processes == (["rm"] if entries > SMALL else [])


def test_a_deep_tree_is_left_to_rm(tmp_path: Path, processes: list[str]) -> None:
    place = tmp_path.joinpath("tree", *["d"] * (DEEPEST + 2))
    place.mkdir(parents=True)
    remove(tmp_path / "tree")
    assert list(tmp_path.iterdir()) == []
    assert processes == ["rm"]


def test_a_link_in_the_place_of_a_folder_is_removed_itself(tmp_path: Path, processes: list[str]) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "file").touch()
    remove(tmp_path / "link", tmp_path / "file")
    assert list(tmp_path.iterdir()) == [tmp_path / "there"]
    assert processes == []
