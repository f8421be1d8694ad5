"""Layers: never half made, held while they are used, sealed; and a start layer is exactly another commit's files."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from parallel_impl.git import layer
from parallel_impl.git.index import CONFIG
from parallel_impl.git.layer import PreparedLayer
from parallel_impl.git.remove import remove
from parallel_impl.git.repo import Repo
from parallel_impl.views.slot import Slot
from parallel_impl.views.view import View
from tests.git.scene import make_user
from tests.repository import contents, git
from tests.views import scene

KEY = "a" * 24


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo.discover(make_user(tmp_path / "user"))


@pytest.fixture(autouse=True)
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every layer that a test uses is released at its end."""
    opened, found = layer._open, list[PreparedLayer]()

    def remember(place: Path, *, changed: bool = False) -> PreparedLayer | None:
        one = opened(place, changed=changed)
        found.extend([one] if one else [])
        return one

    monkeypatch.setattr(layer, "_open", remember)
    yield
    for one in found:
        one.release()


def make(
    repo: Repo, store: Path, commit: str, *, made: str = "", inputs: dict[str, str] | None = None, run: str = ""
) -> PreparedLayer:
    """A layer of a commit, in which set-up made one file."""
    begun = layer.begin(store)
    index, files = begun.folder / "index", begun.folder / "files"
    repo.git("read-tree", "-u", "--reset", commit, index=index, work_tree=files, config=CONFIG)
    if made:
        (files / made).write_text("made\n")
    made_from = {"commit": commit, "key": KEY, "inputs": inputs or {}, "seconds": 1.5, "env": {}, "run": run}
    return layer.finish(store, begun, repo, **made_from)  # type: ignore[arg-type]


def head(repo: Repo) -> str:
    commit = repo.resolve("HEAD")
    assert commit
    return commit


def test_a_layer_that_is_made_is_found_again_and_says_what_it_was_made_from(tmp_path: Path, repo: Repo) -> None:
    store = tmp_path / "layers"
    made = make(repo, store, head(repo), made="build.log", inputs={"README.md": "100644 1"})
    made.release()
    (found,) = layer.find(store, KEY)
    assert found.about == made.about
    assert (found.about.commit, found.about.inputs, found.about.seconds) == (head(repo), {"README.md": "100644 1"}, 1.5)
    assert (found.files / "build.log").read_text() == "made\n"
    assert found.changed() == ""
    assert list(layer.find(store, "b" * 24)) == []
    count, size = layer.count(store)
    assert count == 1
    assert size > 0


@pytest.mark.parametrize("edit", ["write", "write-back", "mode", "new", "gone", "moved", "index", "no-index", "beside"])
def test_a_layer_that_was_changed_is_told_by_the_path(tmp_path: Path, repo: Repo, edit: str) -> None:
    made = make(repo, tmp_path / "layers", head(repo))
    file = made.files / "src/pkg/a.py"
    before = file.stat()
    if edit == "write":
        file.write_text("other\n")
    elif edit == "write-back":  # the same size, and the time set back
        file.write_text("b\n")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    elif edit == "mode":
        file.chmod(0o755)
    elif edit == "new":
        (made.files / "src/pkg/a.pyc").touch()
    elif edit == "gone":
        file.unlink()
    elif edit == "index":
        os.utime(made.index)
    elif edit == "no-index":
        made.index.unlink()
    elif edit == "beside":
        (made.level / "link").symlink_to("elsewhere")
    else:
        file.rename(made.files / "src/pkg/a.pz")
    told = {"index": "../index", "no-index": str(made.index), "beside": "../level/link"}
    assert made.changed().startswith(told.get(edit, "src/pkg"))


def test_what_set_up_put_beside_a_checkout_is_beside_others_but_for_what_listens(tmp_path: Path) -> None:
    for name in ("one/folder", "other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "one/link").symlink_to("/usr")
    (tmp_path / "one/folder/file").write_text("text\n")
    for name in ("pipe", "folder/pipe"):
        os.mkfifo(tmp_path / "one" / name)
    layer.copy_level(tmp_path / "one", tmp_path / "other")
    assert sorted(contents(tmp_path / "other")) == ["folder/file", "link"]


def test_reading_a_layer_does_not_change_it(tmp_path: Path, repo: Repo) -> None:
    made = make(repo, tmp_path / "layers", head(repo))
    contents(made.files)
    assert made.changed() == ""


def test_of_two_that_make_one_layer_both_use_the_first(tmp_path: Path, repo: Repo) -> None:
    store = tmp_path / "layers"
    first, second = make(repo, store, head(repo), made="one"), make(repo, store, head(repo), made="two")
    assert first.folder == second.folder
    assert (second.files / "one").exists()
    assert [path.name for path in store.iterdir()] == [KEY]


def test_what_a_crash_left_of_a_layer_is_none(tmp_path: Path, repo: Repo) -> None:
    store = tmp_path / "layers"
    begun = layer.begin(store)
    whole = make(repo, store, head(repo))
    torn = store / KEY / "torn"
    torn.mkdir()
    (torn / "layer.json").write_text("{")
    (torn / "lock").touch()
    assert [one.folder for one in layer.find(store, KEY)] == [whole.folder]
    layer.remove_abandoned(store)
    assert begun.folder.exists()  # another run is at it
    begun.hold.release()
    layer.remove_abandoned(store)
    assert not begun.folder.exists()


def test_what_a_crash_left_before_it_held_what_it_made_goes_too(tmp_path: Path) -> None:
    store = tmp_path / "layers"
    (store / ".making-0").mkdir(parents=True)
    (store / KEY / ".making-1/files").mkdir(parents=True)  # in the middle of its removal
    with layer.scratch(store) as ours:
        layer.remove_abandoned(store)
        assert list(store.rglob(".making-*")) == [ours]
    assert list(store.rglob(".making-*")) == []


def test_the_least_recently_used_layer_goes_first_and_never_one_in_use(tmp_path: Path, repo: Repo) -> None:
    store = tmp_path / "layers"
    made = [make(repo, store, head(repo), made=name, inputs={name: ""}) for name in ("one", "two", "three")]
    for used, one in enumerate(made):
        os.utime(one.folder / "lock", (used, used))
    for found in layer.find(store, KEY):  # by a run that may need none of them
        found.release()
    made[1].use()
    made[1].release()
    made[2].release()
    size = made[0].about.bytes
    assert layer.prune(store, limit=3 * size) == 0
    assert layer.prune(store, limit=2 * size) == 1
    assert [one.folder.exists() for one in made] == [True, True, False]
    assert layer.prune(store, limit=0) == 1
    assert [one.folder.exists() for one in made] == [True, False, False]
    assert layer.count(store)[0] == 1


def test_no_package_is_called_so_that_its_work_is_taken_for_a_layer(tmp_path: Path) -> None:
    work = [tmp_path / "views/add-cart" / name / "upper/file" for name in ("changed", "lock", "layer")]
    for file in work:
        file.parent.mkdir(parents=True)
        file.write_text("untaken\n")
    assert layer.prune(tmp_path, limit=0) == 0
    assert layer.empty(tmp_path).removed == ()
    layer.discard_own(tmp_path, "a run")
    assert [file.read_text() for file in work] == ["untaken\n"] * 3


def test_emptying_names_what_is_used_needed_or_being_made_and_removes_the_rest(tmp_path: Path, repo: Repo) -> None:
    store = tmp_path / "layers"
    made = [make(repo, store, head(repo), made=name, inputs={name: ""}) for name in ("used", "needed", "free")]
    used, needed, free = (one.folder for one in made)
    made[1].release()
    made[2].release()
    list_of_killed = store / "views/c/wp-a/layers"
    list_of_killed.parent.mkdir(parents=True)
    list_of_killed.write_text(f"{needed.relative_to(store)}/files\n")
    (torn := store / ("b" * 24) / "torn").mkdir(parents=True)
    begun = layer.begin(store)
    assert layer.prune(store, limit=0) == 1
    assert not free.exists()
    reasons = {
        used: "a run uses it",
        needed: "work that was not taken yet was done on it",
        begun.folder: "a run is making it",
    }
    tried = layer.empty(store, dry_run=True)
    assert (tried.removed, tried.left) == ((torn,), reasons)
    assert torn.exists()
    del reasons[begun.folder]
    begun.hold.release()
    found = layer.empty(store)
    assert (set(found.removed), found.left) == ({torn, begun.folder}, reasons)
    assert not torn.parent.exists()
    assert not begun.folder.exists()
    made[0].release()
    list_of_killed.unlink()
    assert layer.empty(store).bytes >= sum(one.about.bytes for one in made[:2])
    assert sorted(path.name for path in store.iterdir()) == ["views"]


def test_a_layer_that_is_not_to_be_used_again_is_gone_for_the_next_run(tmp_path: Path, repo: Repo) -> None:
    store = tmp_path / "layers"
    layer.discard(make(repo, store, head(repo)))
    assert list(layer.find(store, KEY)) == []
    assert layer.count(store) == (0, 0)


@pytest.mark.parametrize("changed", [False, True])
def test_a_layer_that_another_run_uses_stays_for_that_one(tmp_path: Path, repo: Repo, changed: bool) -> None:
    store = tmp_path / "layers"
    ours = make(repo, store, head(repo))
    (theirs,) = layer.find(store, KEY)
    if changed:
        layer.mark_changed(ours)
    layer.discard(ours)
    assert theirs.files.is_dir()
    assert len(list(layer.find(store, KEY))) == (0 if changed else 1)
    again = make(repo, store, head(repo))
    assert (again.folder == theirs.folder) is not changed
    theirs.release()
    layer.prune(store, limit=again.about.bytes)
    assert (again.folder.exists(), theirs.folder.exists()) == (True, not changed)


def test_the_layers_of_a_run_that_is_over_go_and_those_that_are_kept_stay(tmp_path: Path, repo: Repo) -> None:
    made = [make(repo, tmp_path, head(repo), inputs={"a": run}, run=run) for run in ("", "ours", "another")]
    for one in made:
        one.release()
    untaken = tmp_path / "views/c/wp-a/layers"
    untaken.parent.mkdir(parents=True)
    untaken.write_text(f"{made[1].folder.relative_to(tmp_path)}/files\n")
    layer.discard_own(tmp_path, "ours")
    assert [one.folder.exists() for one in made] == [True, True, True]
    untaken.unlink()
    layer.discard_own(tmp_path, "ours")
    assert [one.folder.exists() for one in made] == [True, False, True]


def test_the_files_that_a_set_up_reads_are_seen(tmp_path: Path, repo: Repo) -> None:
    folder = layer.begin(tmp_path / "layers").folder
    files = folder / "files"
    repo.git("read-tree", "-u", "--reset", "HEAD", index=folder / "index", work_tree=files, config=CONFIG)
    tracked = [b"README.md", b"src/pkg/a.py", b"src/pkg/b.py", b"other/o.py"]
    written = layer.forget_reads(files, tracked)
    assert layer.reads(files, written) == set()
    (files / "README.md").read_text()
    (files / "src/pkg/b.py").write_text("changed\n")
    (files / "other/o.py").unlink()
    subprocess.run(["ls", "-R", str(files)], check=True, capture_output=True)
    read = {b"README.md", b"src/pkg/b.py", b"other/o.py"}
    assert layer.reads(files, written) == read
    assert layer.patterns(files, read) == {"*.md", "src/pkg/*.py", "other/*.py"}


def test_the_folders_that_a_set_up_lists_are_seen(tmp_path: Path, repo: Repo) -> None:
    files = layer.begin(tmp_path / "layers").folder / "files"
    index = files.with_name("index")
    repo.git("read-tree", "-u", "--reset", "HEAD", index=index, work_tree=files, config=CONFIG)
    written = layer.forget_reads(files, [b"README.md", b"src/pkg/a.py", b"src/pkg/b.py", b"other/o.py"])
    subprocess.run("cat src/pkg/*.py README.md", shell=True, cwd=files, check=True, capture_output=True)  # noqa: S602
    read = layer.reads(files, written)
    assert read == {b"README.md", b"src/pkg/a.py", b"src/pkg/b.py"}
    assert layer.patterns(files, read) == {"src/pkg/*.py"}


# -- start layers


def commits(user: Path, seed: int, number: int) -> Iterator[str]:
    """Commits after random edits, moves, removals and replacements, each from the one before."""
    choose = random.Random(seed)  # noqa: S311  (no secret)
    for _ in range(number):
        for _ in range(choose.randrange(1, 8)):
            files = git(user, "ls-files").split("\n")
            file, name = user / choose.choice(files), choose.choice(("x", "y", "src/pkg", "src/z", "other/deep/w"))
            match choose.randrange(6):
                case 0:
                    remove(file)
                case 1 if file.is_file():
                    file.write_text(f"{choose.random()}\n")
                case 2:
                    remove(file.parent) if file.parent != user else None
                case 3:
                    remove(user / name)
                    (user / name).parent.mkdir(parents=True, exist_ok=True)
                    (user / name).symlink_to("README.md")
                case 4 if not (user / name).is_dir():
                    remove(user / name)
                    (user / name / "below").mkdir(parents=True)
                    (user / name / "below/file").write_text("new\n")
                case 5 if file.is_file():
                    file.chmod(0o755)
        git(user, "add", "-A")
        git(user, "commit", "-qm", "next", "--allow-empty")
        yield git(user, "rev-parse", "HEAD").strip()


@pytest.mark.parametrize("seed", range(4))
def test_a_start_layer_shows_the_files_of_its_commit_and_git_finds_them_clean(tmp_path: Path, seed: int) -> None:
    user = make_user(tmp_path / "user")
    repo, store = Repo.discover(user), tmp_path / "view/store"
    template = scene.lay_out(tmp_path / "view")
    store.mkdir(exist_ok=True)
    prepared = make(repo, store, head(repo), made="build.log")
    with Slot() as slot:
        for commit in commits(user, seed, 6):
            folder = store / commit
            index = layer.start(
                repo, prepared, commit, folder, changes=repo.changes(prepared.about.commit, commit), env={}
            )
            for name in ("upper", "work"):
                (folder / name).mkdir()
            layers = (f"{commit}/files", str(prepared.files.relative_to(store)))
            view = View(
                template.at, template.level, store, layers, f"{commit}/upper", f"{commit}/work", user=template.user
            )
            opened = slot.open(view)
            shown = contents(opened.files)
            shown.pop("build.log", None)  # what set-up made
            assert shown == contents(plain(repo, commit, tmp_path / "plain"))
            say = f"export GIT_DIR={repo.git_dir} GIT_WORK_TREE=$PWD GIT_INDEX_FILE={index}; git diff-files --name-only"
            assert scene.run(opened, say) == ""
            empty = scene.run(opened, "find . -type d -empty").split()
            assert empty == []
            opened.close()


def plain(repo: Repo, commit: str, folder: Path) -> Path:
    remove(folder)
    folder.mkdir()
    repo.git("read-tree", "-u", "--reset", commit, index=folder.with_suffix(".index"), work_tree=folder, config=CONFIG)
    return folder
