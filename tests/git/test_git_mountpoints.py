"""Whoever worked below a view is found, whatever is left of that, and what is left is kept."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from parallel_impl.git import mountpoints
from parallel_impl.git.mounts import Mounts
from parallel_impl.views.view import Means
from tests.git.scene import Scene, make_user, open_scene

BOTH = pytest.mark.parametrize("means", [Means.OVERLAY, Means.COPY])
ROOT = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("nsenter"), reason="only root enters a namespace")


def opened(tmp_path: Path, means: Means = Means.OVERLAY) -> tuple[Scene, Mounts]:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=means)
    assert scene.source.mounts
    return scene, scene.source.mounts


def kept(tmp_path: Path) -> list[str]:
    place = tmp_path / "home/c/.kept"
    return sorted(str(path.relative_to(place)) for path in place.rglob("*") if path.is_file())


@BOTH
def test_nothing_is_below_views_that_nobody_unmounted(tmp_path: Path, means: Means) -> None:
    scene, mounts = opened(tmp_path, means)
    scene.act("echo x > new; touch ../beside; rmdir ../user; rm -rf ../*; true")
    assert mounts.look_below() == ()
    for name in ("wp1", "wp2"):
        scene.source.place(name).remove()
    assert mounts.look_below() == ()
    assert kept(tmp_path) == []


def write(folder: Path) -> None:
    (folder / "lost").write_text("lost\n")


def clear_up(folder: Path) -> None:
    write(folder)
    (folder / "lost").unlink()


def put_another(folder: Path) -> None:
    folder.rename(folder.with_name("old"))
    folder.mkdir()


@pytest.mark.parametrize("use", [write, clear_up, put_another, Path.rmdir], ids=lambda one: one.__name__)
def test_the_folder_below_one_view_tells_who_left_it(tmp_path: Path, use: Callable[[Path], None]) -> None:
    scene, mounts = opened(tmp_path)
    use(scene.source.home / "wp1/user")
    (found,) = mounts.look_below()
    assert found.checkouts == ("wp1",)
    assert str(found).startswith(f"{scene.source.home}/wp1/user lies below the checkouts")
    assert kept(tmp_path) == (["_checkout.1/lost"] if use is write else [])
    scene.source.place("wp1").remove()
    assert mounts.look_below()[0] == found


@pytest.mark.parametrize("use", [write, clear_up], ids=lambda one: one.__name__)
def test_the_folder_below_all_views_tells_that_one_of_them_did(tmp_path: Path, use: Callable[[Path], None]) -> None:
    scene, mounts = opened(tmp_path)
    use(mounts.at.parent)
    scene.source.place("wp2").remove()
    (found,) = mounts.look_below()
    assert found.checkouts == ("wp2", "wp1")
    assert kept(tmp_path) == (["_checkout.1/lost"] if use is write else [])


def test_a_view_that_ends_is_looked_at_before_its_level_is_removed_or_kept(tmp_path: Path) -> None:
    scene, mounts = opened(tmp_path)
    write(scene.source.home / "wp1/user")
    write(scene.source.home / "wp2/user")
    scene.source.place("wp1").remove()
    worktree = scene.source.place("wp2").keep(1)
    assert sorted(one.checkouts for one in mounts.look_below()) == [("wp1",), ("wp2",)]
    assert kept(tmp_path)[:2] == ["_checkout.1/lost", "_checkout.2/lost"]
    assert not (worktree / "lost").exists()


def test_what_a_killed_run_left_below_its_views_is_kept_and_told(tmp_path: Path) -> None:
    scene, mounts = opened(tmp_path)
    write(scene.source.home / "wp1/user")
    write(mounts.at.parent)
    for mounted in mounts._mounted.values():
        mounted.close()
    mounts._mounted.clear()
    mounts.end()
    assert (mounts.at.parent / "lost").exists()
    mounts.begin()
    scene.source.place("wp1").remove()
    assert mounts.look_below() == ()
    assert [told.split(" lies below")[0] for told in mounts.told] == [
        str(mounts.at.parent),
        f"{scene.source.home}/wp1/user",
    ]
    assert kept(tmp_path) == ["_checkout.1/lost", "_checkout.2/lost"]


def test_another_run_that_moved_it_away_hides_nothing(tmp_path: Path) -> None:
    scene, mounts = opened(tmp_path)
    write(mounts.at.parent)
    assert mountpoints.empty(mounts.at.parent, tmp_path / "other/.kept")
    (found,) = mounts.look_below()
    assert "nothing is left there" in str(found)
    assert scene.source.home.exists()


@ROOT
@pytest.mark.parametrize("what", ["umount -l {0}", "mount -t tmpfs none {0}/src", "mount -t tmpfs none {0}/../.."])
def test_a_program_that_entered_the_namespace_of_a_view_is_found(tmp_path: Path, what: str) -> None:
    scene, mounts = opened(tmp_path)
    assert scene.checkout.view
    change = what.format(scene.checkout.path)
    subprocess.run(["nsenter", "-t", str(scene.checkout.view.holder), "-m", "sh", "-ec", change], check=True)
    scene.source.place("wp1").remove()
    (found,) = mounts.look_below()
    assert str(found) == f"what is mounted at {scene.checkout.path} was changed by wp1"


@ROOT
@BOTH
def test_what_a_program_mounts_is_seen_by_no_other_and_is_no_work(tmp_path: Path, means: Means) -> None:
    scene, mounts = opened(tmp_path, means)
    scene.act("mount -t tmpfs none src && mkdir -p src/pkg && echo fake > src/pkg/a.py; echo z > src/../src/pkg/b.py")
    scene.act('umount -l "$PWD"; cd /; echo fake > "$WT/src/pkg/a.py"')
    scene.act("cp src/pkg/a.py src/pkg/seen")
    verdict = scene.judge()
    assert verdict.changed == {"src/pkg/seen": "A"}
    assert scene.content(verdict, "src/pkg/seen") == b"a\n"
    scene.source.place("wp1").remove()
    assert [one.checkouts for one in mounts.look_below()] == []


@BOTH
def test_a_view_shows_of_all_checkouts_and_layers_only_its_own(tmp_path: Path, means: Means) -> None:
    scene, _ = opened(tmp_path, means)
    own = scene.source.home
    attack = f"""
        find {own.parent} -mindepth 1 -maxdepth 2 >$OUT/seen
        for place in {own}/wp2/user/README.md {own}/wp2.git/config {own.parent}/x {own}/x \\
            {own.parent}/_layers/views/c/wp2/*/README.md {own.parent}/_layers/{"k" * 24}/*/files/README.md; do
            echo planted >$place && echo $place >>$OUT/wrote
        done
        rm -rf {own} {own.parent}/_layers
    """
    scene.act(attack)
    names = {path.removeprefix(f"{own.parent}/") for path in (scene.out / "seen").read_text().split()}
    assert names == {"_checkout", "_checkout/user", "c", "c/wp1.git"}
    assert not (scene.out / "wrote").exists()
    assert (scene.sibling.files / "README.md").read_text() == "r\n"
