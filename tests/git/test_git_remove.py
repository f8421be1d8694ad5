"""What an agent left is removed, or told, with the reason, where somebody else owns a part of it."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from parallel_impl.git.checkout import Checkout
from parallel_impl.git.remove import open_folders, remove, try_remove


@pytest.fixture
def sticks(tmp_path: Path) -> Iterator[Path]:
    """A folder with a file that nobody may remove."""
    folder = tmp_path / "home/wp-a"
    folder.mkdir(parents=True)
    (folder / "f").touch()
    if subprocess.run(["chattr", "+i", folder / "f"], check=False, capture_output=True).returncode:
        pytest.skip("files cannot be made immutable here")
    yield folder
    subprocess.run(["chattr", "-R", "-i", tmp_path], check=True)


def test_what_cannot_be_removed_is_named_with_the_reason(sticks: Path) -> None:
    with pytest.raises(OSError, match="Operation not permitted") as caught:
        remove(sticks)
    assert (caught.value.errno, caught.value.filename) == (errno.EPERM, str(sticks))
    assert try_remove(sticks).startswith(f"could not be removed: {sticks}: ")
    assert try_remove(sticks.parent / "absent") == ""


def test_a_checkout_that_cannot_be_removed_is_moved_aside_and_its_place_is_free(sticks: Path, tmp_path: Path) -> None:
    checkout = Checkout(sticks, sticks.with_name("wp-a.git"), tmp_path / "indexes/wp-a/index", "")
    assert checkout.put_away(3).endswith(f"; moved to {sticks.parent}/.kept/wp-a.3")
    assert not sticks.exists()
    assert (sticks.parent / ".kept/wp-a.3/f").exists()
    assert checkout.put_away() == ""


def test_closed_folders_are_opened_again_and_files_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/f").touch(mode=0o400)
    for folder in (tmp_path / "a/b", tmp_path / "a"):
        folder.chmod(0)
    open_folders(tmp_path / "a")
    modes = [os.stat(tmp_path / name).st_mode & 0o777 for name in ("a", "a/b", "a/b/f")]  # noqa: PTH116
    assert modes == [0o700, 0o700, 0o400]


def test_removing_needs_nothing_of_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    monkeypatch.setenv("PATH", "/nonexistent")
    remove(tmp_path / "a")
    assert not (tmp_path / "a").exists()
