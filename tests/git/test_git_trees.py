"""What is known of trees without asking git again, against what git says."""

from __future__ import annotations

import shutil
from pathlib import Path

from parallel_impl.git.repo import Repo, encode
from parallel_impl.git.trees import Listing, Trees, conversions
from tests.git.scene import Scene, make_user, open_scene
from tests.repository import git

EDITS = (
    "echo new >>src/pkg/a.py; rm src/pkg/b.py; mkdir src/pkg/n; echo n >src/pkg/n/x.py",
    "rm -r src/pkg/secret; ln -s a.py src/pkg/secret",  # a folder becomes a link
    "rm src/pkg/a.py; mkdir src/pkg/a.py; echo in >src/pkg/a.py/in.py",  # a file becomes a folder
    "git mv src/pkg src/moved; chmod +x src/moved/a.py",
    "printf 'ü\\n' >$'src/pkg/\\303\\274 \\n.py'; printf x >$'src/pkg/\\377'",
)


class Silent(Repo):
    """A repository that nothing is asked of."""

    def git(self, *args: str, **options: object) -> bytes:
        raise AssertionError(args, options)


def same(ours: Listing, gits: Listing) -> bool:
    return (ours.entries, ours.links, ours.paths) == (gits.entries, gits.links, gits.paths)


def test_a_tree_that_was_made_here_is_listed_from_its_base_and_its_changes(tmp_path: Path) -> None:
    scene, start = open_scene(make_user(tmp_path / "user"), tmp_path), ""
    for number, script in enumerate(EDITS):
        start = start or scene.base
        scene.act(f"git checkout -q -f {scene.base}; git clean -qfdx; {script}")
        work = scene.staging.after(scene.snapshot)
        assert work.changes, script
        known = Trees(scene.repo, tmp_path / f"known-{number}")
        known.listing(scene.base)
        known.learn("a commit", work.tree, scene.base, work.changes)
        known.repo = Silent(scene.repo.git_dir)
        assert same(known.listing("a commit"), Trees(scene.repo, tmp_path / "asked").listing(work.tree)), script
        assert list(known.changes(scene.base, "a commit")) == scene.repo.changes(scene.base, work.tree), script
        assert known.changes(work.tree, "a commit") == ()
        known.repo = scene.repo
        assert list(known.changes("a commit", scene.base)) == scene.repo.changes(work.tree, scene.base), script


def test_a_file_is_read_once_and_only_if_it_is_a_regular_one(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    scene.act("ln -s a.py src/pkg/link")
    tree = scene.staging.after(scene.snapshot).tree
    for path in ("src/pkg/a.py", "src/pkg/link", "src/pkg", "src/none", ""):
        assert scene.trees.read(tree, path) == (scene.repo.read(tree, path) if path else None), path
    scene.trees.repo = Silent(scene.repo.git_dir)
    assert scene.trees.read(tree, "src/pkg/a.py") == b"a\n"


def test_what_lies_below_a_folder_is_found_as_git_finds_it(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    scene.act(
        "mkdir -p src/pkg.d src/pkg0; echo x >src/pkg.d/x; echo x >src/pkg0/x; echo x >src/pkg-x; echo x >src/pkh"
    )
    tree = scene.staging.after(scene.snapshot).tree
    listing = scene.trees.listing(tree)
    for folder in ("src", "src/pkg", "src/pkg/secret", "other", "src/pkg/a.py", "none"):
        asked = [encode(entry.path) for entry in scene.repo.entries(tree, f"{folder}/", recurse=True)]
        assert listing.below(encode(folder)) == asked, folder


def test_a_tree_that_was_made_here_is_exact_unless_it_brings_attributes(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    assert scene.trees.exact(scene.base)
    assert _is_exact(scene, "echo more >>src/pkg/a.py")
    assert not _is_exact(scene, "echo '* text' >src/pkg/.gitattributes")


def _is_exact(scene: Scene, script: str) -> bool:
    scene.act(script)
    work = scene.staging.after(scene.snapshot)
    scene.trees.learn(script, work.tree, scene.base, work.changes)
    return scene.trees.exact(script)


def test_rules_that_change_are_met_by_the_git_that_stays(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    trees, listing, excludes = scene.trees, scene.trees.listing(scene.base), tmp_path / "excludes"
    git(scene.repo.git_dir, "config", "core.excludesFile", str(excludes))

    def asked(of: Listing = listing) -> dict[bytes, str]:
        return trees.ignored(of, [b"src/a.log", b"out/", b"out", b":x", b"n/b.tmp"])

    before = asked()
    assert asked() == before
    steady = scene.repo._ignoring._child
    assert steady and b"n/b.tmp" not in before
    excludes.write_text("*.tmp\n!*.log\n")
    assert asked()[b"n/b.tmp"] == f"{excludes}:1: *.tmp"
    assert scene.repo._ignoring._child != steady
    (scene.repo.git_dir / "info/exclude").write_text(":x\n/out/\n")
    found = asked()
    assert b":x" in found
    scene.act("printf '*.log\\n' >src/.gitignore; mkdir n; printf '!b.tmp\\n' >n/.gitignore")
    other = trees.listing(scene.staging.after(scene.snapshot).tree)
    for _ in range(2):  # one after the other, and back
        assert asked(other)[b"src/a.log"] == "src/.gitignore:1: *.log"
        assert b"n/b.tmp" not in asked(other)
        assert asked() == found
    shutil.rmtree(trees.scratch / "ignored")  # an agent may reach it
    assert asked(other)[b"src/a.log"] == "src/.gitignore:1: *.log"
    scene.repo.close()


def test_whatever_makes_git_convert_files_of_any_tree_is_told(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    repo = Repo.discover(user)
    before = conversions(repo)
    git(user, "config", "core.autocrlf", "input")
    file = user / ".git/info/attributes"
    file.parent.mkdir(exist_ok=True)
    file.write_text("*.txt eol=crlf\n")
    attributes = (str(file.resolve()), "*.txt eol=crlf\n")
    assert sorted(set(conversions(repo)) - set(before)) == sorted([("core.autocrlf", "input"), attributes])
