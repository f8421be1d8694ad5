"""What an upper tells of a view, where somebody wrote the marks by hand or the layers hold what misleads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from parallel_impl.views import upper
from parallel_impl.views.upper import Touched, TouchedAs
from parallel_impl.views.view import View


def lay_out(folder: Path) -> View:
    """An upper over two layers, as an ordinary user's: anybody can write these marks."""
    for made in ("upper/moved", "top/folder/inner", "bottom/elsewhere/inner"):
        (folder / made).mkdir(parents=True)
    (folder / "top/folder/inner/file").touch()
    (folder / "bottom/folder").symlink_to("elsewhere")  # a commit made a folder of it
    (folder / "bottom/elsewhere/inner/other").touch()
    try:
        os.setxattr(folder / "upper/moved", "user.overlay.test", b"")
    except OSError as error:
        pytest.skip(f"no attributes of users here: {error}")
    return View(Path("/at"), folder, folder, ("top", "bottom"), "upper", "work", user=True)


@pytest.mark.parametrize("redirect", [b"/../../etc", b"/folder/../..", b"../folder", b"a/b", b"/", b"", b"//etc", b"."])
def test_a_mark_that_leads_out_of_the_layers_is_not_followed(tmp_path: Path, redirect: bytes) -> None:
    view = lay_out(tmp_path)
    os.setxattr(tmp_path / "upper/moved", "user.overlay.redirect", redirect)
    assert list(upper.read(view)) == [Touched(b"moved", TouchedAs.ODD)]


def test_no_symlink_of_a_layer_is_followed(tmp_path: Path) -> None:
    view = lay_out(tmp_path)
    os.setxattr(tmp_path / "upper/moved", "user.overlay.redirect", b"/folder/inner")
    assert list(upper.read(view)) == [Touched(b"moved", TouchedAs.RENAMED, b"folder/inner")]
    assert [path for path, _, _ in upper.below(view, b"folder/inner")] == [b"file"]
    assert upper.find(view, b"folder/inner/other") == []
    assert upper.find(view, b"elsewhere/inner/other") == [os.fsencode(tmp_path / "bottom/elsewhere/inner/other")]


def test_marks_of_another_kind_of_view_mean_nothing(tmp_path: Path) -> None:
    view = lay_out(tmp_path)
    os.setxattr(tmp_path / "upper/moved", "user.overlay.redirect", b"/folder")
    as_root = View(view.at, view.level, view.store, view.layers, view.upper)
    assert list(upper.read(as_root)) == [Touched(b"moved", TouchedAs.FOLDER, b"moved")]
