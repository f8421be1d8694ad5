"""Other versions of single files in a checkout: laid over, and put back."""

from __future__ import annotations

from pathlib import Path

from parallel_impl.git.overlay import Version, lay
from tests.git.scene import make_user, open_scene
from tests.repository import contents


def test_files_are_written_and_removed_and_what_set_up_made_stays(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    root, repo = scene.checkout.path, scene.repo
    (root / "src/pkg/made").write_text("by set-up\n")
    (root / "src/pkg/b.py").write_text("by set-up too\n")
    before = contents(root)
    entries = {one.path: Version(one.mode, one.oid) for one in repo.entries(scene.base, recurse=True)}
    other = Version("100755", repo.write_blob(b"other\n"))
    versions = {"src/pkg/a.py": other, "README.md": Version(), "new/deep/conftest.py": other, "absent": Version()}
    lay(repo, scene.checkout, versions, {})
    assert (root / "src/pkg/a.py").read_text() == (root / "new/deep/conftest.py").read_text() == "other\n"
    assert (root / "src/pkg/a.py").stat().st_mode & 0o100
    assert not (root / "README.md").exists()
    assert (root / "src/pkg/b.py").read_text() == "by set-up too\n"
    lay(repo, scene.checkout, {path: entries.get(path, Version()) for path in versions}, {})
    assert contents(root) == before


def test_what_lies_behind_a_link_is_not_removed(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/conftest.py").touch()
    (scene.checkout.path / "link").symlink_to(tmp_path / "elsewhere")
    lay(scene.repo, scene.checkout, {"link/conftest.py": Version()}, {})
    assert (tmp_path / "elsewhere/conftest.py").exists()
