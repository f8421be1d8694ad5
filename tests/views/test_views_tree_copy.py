"""A copy of a layer has all that the layer has, and an edit in it reaches nothing else."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from parallel_impl.views.tree_copy import copy_tree
from tests.privileges import closed_is_closed
from tests.views import scene

A_MEGABYTE = 1_000_000


def lay_out(folder: Path) -> Path:
    """A tree with one of everything."""
    (folder / "sub/empty").mkdir(parents=True)
    (folder / "plain").write_text("text\n")
    (folder / "tool").write_text("#!/bin/sh\n")
    (folder / "tool").chmod(0o555)
    (folder / "sub/link").symlink_to("../plain")
    (folder / "sub/nowhere").symlink_to("absent")
    (folder / os.fsdecode(b"sub/\xff\n")).write_bytes(b"odd\n")
    (folder / "large").write_bytes(os.urandom(3 * A_MEGABYTE))
    os.mkfifo(folder / "sub/pipe")
    for place in (*folder.rglob("*"), folder):
        os.utime(place, ns=(5, 7 * 10**9 + 123), follow_symlinks=False)
    (folder / "sub/empty").chmod(0o500)
    return folder


def look(folder: Path) -> dict[str, tuple[object, ...]]:
    """What a tree holds; reading it moves nothing that is compared."""
    found: dict[str, tuple[object, ...]] = {}
    for place in (folder, *folder.rglob("*")):
        status = place.lstat()
        content: object = None
        if stat.S_ISLNK(status.st_mode):
            content = place.readlink()
        elif stat.S_ISREG(status.st_mode):
            content = place.read_bytes()
        who = status.st_uid, status.st_gid
        found[str(place.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, who, content)
    return found


def test_a_copy_has_every_file_with_its_content_mode_and_time(tmp_path: Path) -> None:
    copy_tree(lay_out(tmp_path / "layer"), tmp_path / "copy")
    assert look(tmp_path / "copy") == look(tmp_path / "layer")


def test_what_was_one_file_by_two_names_is_two_in_a_copy(tmp_path: Path) -> None:
    layer, copy = tmp_path / "layer", tmp_path / "copy"
    layer.mkdir()
    (layer / "one").write_text("old\n")
    os.link(layer / "one", layer / "two")
    copy_tree(layer, copy)
    (copy / "one").write_text("new\n")
    assert [(folder / name).read_text() for folder in (layer, copy) for name in ("one", "two")] == [
        "old\n", "old\n", "new\n", "old\n",
    ]  # fmt: skip


def test_the_holes_of_a_file_stay_holes(tmp_path: Path) -> None:
    layer, copy = tmp_path / "layer", tmp_path / "copy"
    layer.mkdir()
    with (layer / "disk").open("wb") as file:
        file.seek(5 * A_MEGABYTE)
        file.write(b"in the middle")
        file.truncate(50 * A_MEGABYTE)
    copy_tree(layer, copy)
    assert (copy / "disk").read_bytes() == (layer / "disk").read_bytes()
    assert (copy / "disk").stat().st_blocks * 512 < A_MEGABYTE


def test_attributes_of_files_and_folders_are_copied(tmp_path: Path) -> None:
    layer = tmp_path / "layer"
    (layer / "sub").mkdir(parents=True)
    (layer / "sub/file").touch()
    try:
        for place in (layer / "sub", layer / "sub/file"):
            os.setxattr(place, "user.kind", b"made")
    except OSError as error:
        pytest.skip(f"no attributes here: {error}")
    copy_tree(layer, tmp_path / "copy")
    assert [os.getxattr(tmp_path / "copy" / name, "user.kind") for name in ("sub", "sub/file")] == [b"made", b"made"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_copies_owners_too(tmp_path: Path) -> None:
    layer = lay_out(tmp_path / "layer")
    for place, who in ((layer / "plain", 1), (layer / "sub/link", 2), (layer / "sub", 3)):
        os.chown(place, who, who, follow_symlinks=False)
    (layer / "tool").chmod(0o4755)  # given away, it would lose this
    copy_tree(layer, tmp_path / "copy")
    assert look(tmp_path / "copy") == look(layer)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    layer = lay_out(tmp_path / "layer")
    (layer / "plain").chmod(0)
    with closed_is_closed(), pytest.raises(PermissionError) as raised:
        copy_tree(layer, tmp_path / "copy")
    assert os.fsdecode(raised.value.filename) == str(layer / "plain")


@pytest.mark.skipif(os.geteuid() != 0, reason="root mounts a small disk")
def test_a_full_disk_is_told_as_one_with_the_file_and_nothing_stays_on_it(tmp_path: Path) -> None:
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer/large").write_bytes(os.urandom(2 * A_MEGABYTE))
    (tmp_path / "small").mkdir()
    program = (
        "import sys; from pathlib import Path; from parallel_impl import storage\n"
        "from parallel_impl.views.tree_copy import copy_tree\n"
        "try: copy_tree(Path('layer'), Path('small/copy'))\n"
        "except OSError as error: print(storage.is_of_disk(error), error.filename, Path('small/copy').exists())"
    )
    mounted = 'mount -t tmpfs -o size=1m tmpfs small && exec "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", mounted, "sh", sys.executable, "-c", program],
        check=True, capture_output=True, text=True, cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(scene.REPOSITORY)},
    )  # fmt: skip
    assert done.stdout.split() == ["True", "layer/large", "False"]
