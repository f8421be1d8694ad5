"""A checkout as a view: its work is what its upper holds, over a layer that was made ready once."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from parallel_impl.git.checkout import Checkout
from parallel_impl.git.mounts import Mounts, remove_empty, store_of
from parallel_impl.git.staging import Staging
from parallel_impl.views.trial import Ability
from parallel_impl.views.view import Means
from tests.git.scene import Scene, make_user, open_ready, open_scene
from tests.repository import contents, git

BOTH = pytest.mark.parametrize("means", [Means.OVERLAY, Means.COPY])
ENVIRONMENT = {"PATH": os.environ["PATH"]}


def do(checkout: Checkout, script: str) -> str:
    assert checkout.view
    environment = {**ENVIRONMENT, **{name: value for name, value in os.environ.items() if name.startswith("GIT_")}}
    code, out, err = checkout.view.call(["bash", "-ec", script], env=environment, cwd=checkout.path)
    assert code == 0, err
    return out.decode()


def work(scene: Scene, checkout: Checkout, script: str) -> dict[str, str]:
    """What an agent changed that runs a script."""
    staging = Staging(scene.trees, checkout, base=scene.base)
    before = staging.before(set_up=True)
    do(checkout, script)
    taken = staging.after(before)
    assert taken.unstageable == ()
    return {change.path: change.status for change in taken.changes}


def open_fresh(scene: Scene) -> tuple[Mounts, Checkout]:
    """A checkout that no layer serves: set-up has yet to run in it."""
    mounts = scene.source.mounts
    assert mounts
    mounts._layers.clear()
    return mounts, scene.source.open("base", scene.base)


@BOTH
def test_git_works_in_a_view_as_in_a_checkout(tmp_path: Path, means: Means) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=means)
    checkout = scene.checkout
    assert do(checkout, "git status --porcelain; git diff-files --name-only") == ""
    assert do(checkout, "git rev-parse HEAD --abbrev-ref HEAD").split() == [scene.base, "openspec/c--wp1"]
    assert do(checkout, "git rev-parse --show-toplevel").strip() == str(checkout.path.resolve())
    assert work(scene, checkout, "echo z >> README.md; git commit -qam x; git stash list") == {"README.md": "M"}
    assert work(scene, scene.sibling, "true") == {}


@BOTH
def test_git_sees_an_edit_of_the_second_in_which_the_checkout_was_made(tmp_path: Path, means: Means) -> None:
    scene = open_scene(make_user(tmp_path / "user", {"f": "a\n"}), tmp_path, means=means)
    for number in range(5):
        checkout = open_ready(scene.source, f"wp{number + 3}", scene.base)
        assert do(checkout, "echo b >f; git status --porcelain") == " M f\n"


@BOTH
def test_a_retry_starts_from_other_files_and_its_changes_are_against_the_base(tmp_path: Path, means: Means) -> None:
    user = make_user(tmp_path / "user")
    scene = open_scene(user, tmp_path, means=means)
    git(user, "rm", "-q", "other/o.py")
    (user / "src/pkg/a.py").write_text("second\n")
    (user / "src/pkg/n.py").write_text("new\n")
    git(user, "add", "--all")
    git(user, "commit", "-qm", "second")
    second = git(user, "rev-parse", "HEAD").strip()
    checkout = open_ready(scene.source, "wp3", second)
    assert do(checkout, "git status --porcelain; ls; cat src/pkg/a.py").split() == ["README.md", "src", "second"]
    changed = work(scene, checkout, "rm src/pkg/n.py; echo more >> README.md")
    assert changed == {"README.md": "M", "other/o.py": "D", "src/pkg/a.py": "M"}


@BOTH
def test_a_commit_that_converts_files_otherwise_has_files_of_its_own(tmp_path: Path, means: Means) -> None:
    user = make_user(tmp_path / "user")
    scene = open_scene(user, tmp_path, means=means)
    (user / ".gitattributes").write_text("*.md eol=crlf\n")
    git(user, "add", "--all")
    git(user, "commit", "-qm", "second")
    checkout = scene.source.open("wp3", git(user, "rev-parse", "HEAD").strip())
    assert do(checkout, "od -c README.md | head -1; git status --porcelain").split() == ["0000000", "r", "\\r", "\\n"]
    assert checkout.mounted and checkout.mounted.why == ".gitattributes"


@BOTH
def test_what_set_up_made_is_in_every_view_and_in_no_work(tmp_path: Path, means: Means) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=means)
    _, fresh = open_fresh(scene)
    assert fresh.mounted and not fresh.mounted.ready
    do(fresh, "mkdir build .venv; echo made > build/lib; echo made > .venv/tool; ln -s /usr ../common")
    fresh.settle(seconds=1.0, inputs={"README.md": ""})
    assert do(fresh, "cat build/lib; readlink ../common") == "made\n/usr\n"
    for name in ("one", "two"):
        checkout = scene.source.open(name, scene.base)
        assert do(checkout, "cat build/lib .venv/tool; readlink ../common") == "made\nmade\n/usr\n"
        script = "echo edited > .venv/tool; echo x >> build/more; echo z >> src/pkg/a.py"
        assert work(scene, checkout, script) == {"src/pkg/a.py": "M"}


def test_a_view_that_cannot_be_taken_is_kept_as_plain_files_with_the_names_of_its_layers(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=Means.OVERLAY)
    do(scene.checkout, "echo z >> README.md; mkfifo pipe")
    kept = scene.checkout.keep(1)
    assert kept == tmp_path / "home/c/.kept/wp1.1/user"
    assert (kept / "README.md").read_text() == "r\nz\n"
    assert (kept / "pipe").is_fifo()
    names = (kept.parent / "layers").read_text().split()
    assert [(store_of(scene.source.home) / name).is_dir() for name in names] == [True]
    assert not (scene.source.home / "wp1").exists()


def test_a_copy_that_cannot_be_taken_is_kept_whole(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=Means.COPY)
    do(scene.checkout, "echo z >> README.md; rm -r other; mkfifo pipe")
    kept = scene.checkout.keep(1)
    assert kept == tmp_path / "home/c/.kept/wp1.1/user"
    assert (kept / "README.md").read_text() == "r\nz\n"
    assert (kept / "pipe").is_fifo()
    assert git(kept, "status", "--porcelain") == " M README.md\n D other/o.py"
    assert (kept.parent / "layers").read_text() == ""  # it needs none
    assert not (scene.source.home / "wp1").exists()


@BOTH
def test_nothing_of_a_checkout_stays_that_is_removed(tmp_path: Path, means: Means) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=means)
    mounts = scene.source.mounts
    assert mounts
    do(scene.checkout, "mkdir x; echo x > x/y; chmod 000 x")
    for name in ("wp1", "wp2"):
        scene.source.place(name).remove()
    mounts.end()
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["_layers", "c"]
    assert [path.name for path in (tmp_path / "home/_layers").iterdir()] == ["k" * 24]
    assert list((tmp_path / "home/c").iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


@BOTH
def test_a_set_up_is_seen_to_read_what_it_reads_and_nothing_that_git_does(tmp_path: Path, means: Means) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=means)
    mounts, fresh = open_fresh(scene)
    assert fresh.mounted
    do(fresh, "cat src/pkg/a.py; ls other")  # as what looks whether files are converted
    mounts.forget_reads(fresh.mounted)
    assert mounts.inputs(fresh.mounted) == {}
    do(fresh, "export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=core.trustctime GIT_CONFIG_VALUE_0=false; "
       "git status; git describe --always --dirty; git diff-index HEAD; cat README.md; ls -R")  # fmt: skip
    assert list(mounts.inputs(fresh.mounted)) == ["*.gitignore", "*.md", ".gitignore", "README.md"]  # git reads rules


def test_the_files_of_a_view_are_those_of_its_commit(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    scene = open_scene(user, tmp_path, means=Means.OVERLAY)
    wanted = {path: one for path, one in contents(user).items() if not path.startswith(".git/")}
    found = contents(scene.files)
    assert found.pop(".git")[1].startswith(b"gitdir: ")
    assert found == wanted
    inside = subprocess.run(["ls", "-A", str(scene.checkout.path.parent)], check=True, capture_output=True)
    assert inside.stdout == b""


@BOTH
@pytest.mark.parametrize("moved_out", [False, True])  # it was killed when it kept what could not be taken
def test_what_a_killed_process_left_in_a_view_is_taken_without_mounting_it(
    tmp_path: Path, means: Means, moved_out: bool
) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=means)
    mounts = scene.source.mounts
    assert mounts and scene.checkout.mounted
    staging = Staging(scene.trees, scene.checkout, base=scene.base)
    before, about = staging.before(set_up=True), scene.checkout.mounted.about
    do(scene.checkout, "echo z >> README.md; rm -r other; mv src/pkg src/moved; echo n > new")
    scene.checkout.mounted.close()
    mounts._mounted.clear()
    if moved_out:
        mounts.move_out("wp1", scene.checkout.folder)
    mounts.ability = Ability(Means.EACH)  # the next process may have no views
    found = scene.source.found("wp1", scene.base, about)
    assert found and found.view is None
    taken = Staging(scene.trees, found, base=scene.base).after(before)
    paths = [f"src/{folder}/{name}" for folder in ("moved", "pkg") for name in ("a.py", "b.py", "secret/k")]
    assert [change.path for change in taken.changes] == ["README.md", "new", "other/o.py", *paths]
    found.remove()
    assert not (scene.source.home / "wp1").exists()
    assert not (mounts.views / "wp1").exists()


@BOTH
@pytest.mark.parametrize("ended", [False, True])  # in order, but the work could not be taken: a full disk, say
def test_what_a_process_left_over_other_files_than_the_layers_is_whole(
    tmp_path: Path, means: Means, ended: bool
) -> None:
    user = make_user(tmp_path / "user")
    scene = open_scene(user, tmp_path, means=means)
    mounts = scene.source.mounts
    (user / "src/pkg/a.py").write_text("second\n")
    git(user, "commit", "-qam", "second")
    checkout = open_ready(scene.source, "wp3", second := git(user, "rev-parse", "HEAD"))
    assert mounts and checkout.mounted
    staging, about = Staging(scene.trees, checkout, base=scene.base), checkout.mounted.about
    before = staging.before(set_up=True)
    do(checkout, "mv src/pkg src/moved")
    checkout.mounted.close()
    mounts._mounted.clear()
    if ended:
        mounts.end()
    remove_empty(scene.source.home)  # as the next process begins
    found = scene.source.found("wp3", second, about)
    assert found
    taken = Staging(scene.trees, found, base=scene.base).after(before)
    assert scene.repo.read(taken.tree, "src/moved/a.py") == b"second\n"
    assert scene.repo.read(taken.tree, "src/moved/b.py") == b"b\n"


def test_new_and_moved_attributes_count_for_all_that_was_moved_and_changed(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user", {"src/pkg/a.txt": "one\r\n", "lib/.gitattributes": "*.c text\n"})
    scene = open_scene(user, tmp_path, means=Means.OVERLAY)
    staging = Staging(scene.trees, scene.checkout, base=scene.base)
    before = staging.before(set_up=True)
    do(scene.checkout, "echo '*.txt text' >.gitattributes; mv src/pkg src/moved; mv lib new; printf 'x\\r\\n' >new/b.c")
    taken = staging.after(before)
    assert scene.repo.read(taken.tree, "src/moved/a.txt") == b"one\n"
    assert scene.repo.read(taken.tree, "new/b.c") == b"x\n"


def test_what_another_commit_changes_of_a_layer_goes_with_the_last_checkout_of_it(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    scene = open_scene(user, tmp_path, means=Means.OVERLAY)
    (user / "src/pkg/a.py").write_text("second\n")
    git(user, "commit", "-qam", "second")
    second = git(user, "rev-parse", "HEAD")
    first, last = (open_ready(scene.source, name, second) for name in ("wp3", "wp4"))
    mounts = scene.source.mounts
    assert mounts
    (start,) = (mounts.views / ".starts").iterdir()
    first.remove()
    assert do(last, "cat src/pkg/a.py; git status --porcelain") == "second\n"
    last.remove()
    assert not start.exists()
    assert do(open_ready(scene.source, "wp3", second), "cat src/pkg/a.py; git status --porcelain") == "second\n"


def test_a_kept_layer_that_was_changed_serves_no_run(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path, means=Means.OVERLAY)
    mounts = scene.source.mounts
    assert mounts
    for name in ("wp1", "wp2"):
        scene.source.place(name).remove()
    mounts.end()
    (kept,) = store_of(scene.source.home).glob("k*/*/files/README.md")
    kept.write_text("R\n")
    mounts.begin()
    again = scene.source.open("wp3", scene.base)
    assert again.mounted and not again.mounted.ready
    assert do(again, "cat README.md") == "r\n"
    assert [*mounts.changed.values()] == [f"{kept} was changed after set-up had made it"]


@BOTH
def test_what_a_view_shows_and_writes_is_of_the_users_own_group_and_lies_on_one_file_system(
    tmp_path: Path, means: Means
) -> None:
    user, home = make_user(tmp_path / "user"), tmp_path / "home"
    home.mkdir()
    if os.geteuid() == 0:
        os.chown(home, -1, 4321)
    home.chmod(0o2775)
    scene = open_scene(user, tmp_path, means=means)
    do(scene.checkout, "mkdir -p new/er; echo z >new/er/file; echo z >>README.md; git add -A; touch ../beside")
    places = [path for top in (store_of(scene.source.home), scene.source.home) for path in (top, *top.rglob("*"))]
    found = [path.lstat() for path in places]
    assert {(one.st_uid, one.st_gid, one.st_dev) for one in found} == {(os.geteuid(), os.getegid(), home.stat().st_dev)}
    assert not any(one.st_mode & stat.S_ISGID for one in found if stat.S_ISDIR(one.st_mode))
