"""Objects that are written in this process are the ones that git makes, byte for byte, and git finds them whole."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_impl.git import object_names
from parallel_impl.git.identity import OURS, Identity, Person
from parallel_impl.git.object_names import Unsound
from parallel_impl.git.objects import Entry, Objects, UnusualError, compare, is_plain
from parallel_impl.git.repo import Repo
from tests.git.scene import DATE, make_user
from tests.repository import git

NAMES = st.sampled_from(["a", "a.b", "a-", "a0", "b", "B", "c d", "-x", "z"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
FILES = st.dictionaries(PATHS, st.sampled_from(["100644", "100755", "120000"]), max_size=8)


@pytest.fixture(scope="module", params=["sha1", "sha256"])
def repo(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Repo:
    folder = tmp_path_factory.mktemp("objects") / "user"
    return Repo.discover(make_user(folder, None, f"--object-format={request.param}"))


def whole(files: Mapping[str, str]) -> dict[bytes, str]:
    """The files that can stand beside each other: no other one has one of them as its folder."""
    return {path.encode(): mode for path, mode in files.items() if not any(one.startswith(f"{path}/") for one in files)}


def tree_of(repo: Repo, entries: Mapping[bytes, Entry]) -> str:
    """The tree that git makes of these."""
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder, "index")
        lines = b"".join(f"{mode} {oid}\t".encode() + path + b"\0" for path, (mode, oid) in entries.items())
        repo.git("read-tree", "--empty", index=index)
        if lines:
            repo.git("update-index", "-z", "--index-info", input=lines, index=index)
        return repo.git("write-tree", index=index).decode().strip()


@settings(max_examples=25, deadline=None)
@given(old=FILES, new=FILES)
def test_a_tree_that_is_edited_is_the_one_that_git_makes(repo: Repo, old: dict[str, str], new: dict[str, str]) -> None:
    blob, other = repo.write_blob(b"old"), repo.write_blob(b"new")
    before = {path: (mode, blob) for path, mode in whole(old).items()}
    after = {path: (mode, other if mode == "100644" else blob) for path, mode in whole(new).items()}
    start, wanted = tree_of(repo, before), tree_of(repo, after)
    changes: dict[bytes, Entry | None] = {**dict.fromkeys(before.keys() - after.keys()), **after}
    for order in (changes, dict(sorted(changes.items())), dict(sorted(changes.items(), reverse=True))):
        tree, made = Objects(repo, {}).edit(start, order)
        assert tree == wanted
    assert list(compare(before, changes, repo.null)) == repo.changes(start, wanted)
    assert {*made} >= {*repo.changes_and_trees(start, wanted)[1]}
    assert object_names.look_up(repo, dict.fromkeys([tree, *made], 0)) == Unsound()


@settings(max_examples=25, deadline=None)
@given(
    name=st.text(min_size=1, max_size=8),
    email=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
    message=st.text(max_size=20),
)
def test_a_commit_is_the_one_that_git_makes_or_is_left_to_git(repo: Repo, name: str, email: str, message: str) -> None:
    person = Person(name, email)
    tree, parent = repo.tree("HEAD"), repo.resolve("HEAD") or ""
    for identity in (OURS, Identity(person, OURS.committer), Identity(person, person, signoff=True)):
        try:
            ours = Objects(repo, {}).commit(tree, parent, message, date=DATE, identity=identity)
        except UnusualError:
            continue
        assert ours == repo.commit_tree(tree, [parent], message, date=DATE, identity=identity)


def test_ordinary_people_and_messages_are_written_here(repo: Repo) -> None:
    people = (Person("Jürgen O'Neil-Łoś (he)", "j@example.org"), Person("李", "x@y"), OURS.author)
    for person in people:
        made = Objects(repo, {}).commit(
            repo.tree("HEAD"), repo.resolve("HEAD") or "", "ü\n\nA: b\n", date=DATE, identity=Identity(person, person)
        )
        assert repo.text("show", "-s", "--format=%an <%ae>%n%B", made) == f"{person}\nü\n\nA: b\n"


def test_files_are_stored_as_they_are(repo: Repo, tmp_path: Path) -> None:
    objects = Objects(repo, {})
    for content, mode in ((b"", 0o644), (b"x\r\ny\0", 0o755), (os.urandom(200_000), 0o600), (b"x", 0o711)):
        (tmp_path / "file").write_bytes(content)
        (tmp_path / "file").chmod(mode)
        (kind, oid), size = objects.file(tmp_path / "file")
        assert (kind, size) == ("100755" if mode & 0o100 else "100644", len(content))
        assert repo.blobs([oid]) == {oid: content}
        (tmp_path / "file").unlink()
    (tmp_path / "file").symlink_to("na\udcffme")
    (kind, oid), _ = objects.file(tmp_path / "file")
    assert (kind, repo.blobs([oid])[oid]) == ("120000", b"na\xffme")
    repo.git("fsck", "--strict")


def test_what_is_no_file_or_cannot_be_read_is_left_to_git(repo: Repo, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name in ("fifo", "absent", "."):
        with pytest.raises(UnusualError):
            Objects(repo, {}).file(tmp_path / name)


@pytest.mark.parametrize("key", ["core.sharedrepository", "extensions.compatobjectformat"])
def test_a_repository_that_stores_objects_in_another_way_is_left_to_git(repo: Repo, key: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnusualError):
        Objects(repo, {key: "x"}).file(tmp_path / "file")
    with pytest.raises(UnusualError):
        Objects(repo, {key: "x"}).commit(repo.tree("HEAD"), repo.resolve("HEAD") or "", "m", date=DATE)


@pytest.mark.parametrize("name", [".git", ".GIT", ".gitmodules", "git~1", "a\\b", "a:b", "ü", "\u200c.git", "a\nb", ""])
def test_a_name_that_somebody_may_read_otherwise_is_left_to_git(repo: Repo, name: str) -> None:
    path = f"folder/{name}".encode()
    assert not is_plain(path)
    with pytest.raises(UnusualError):
        Objects(repo, {}).edit(repo.tree("HEAD"), {path: ("100644", repo.write_blob(b"x"))})


def test_what_a_prune_would_take_is_new_again_and_what_it_took_is_written_again(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("pruned")
    objects = Objects(repo, {})
    (_, oid), _ = objects.file(tmp_path / "file")
    place = repo.git_dir / "objects" / oid[:2] / oid[2:]
    os.utime(place, (1, 1))
    objects.file(tmp_path / "file")
    repo.git("prune", "--expire=1.hour.ago")
    assert place.exists()
    repo.git("prune", "--expire=now")
    assert not place.exists()
    objects.file(tmp_path / "file")
    assert repo.blobs([oid]) == {oid: b"pruned"}
    assert not list(place.parent.glob("tmp_obj_*"))


def test_a_tree_with_other_content_under_its_name_is_not_built_on(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    repo = Repo.discover(user)
    tree, other = repo.tree("HEAD"), git(user, "rev-parse", "HEAD:src")
    place, content = ((repo.git_dir / "objects" / oid[:2] / oid[2:]) for oid in (tree, other))
    place.unlink()
    place.write_bytes(content.read_bytes())
    with pytest.raises(UnusualError):
        Objects(repo, {}).edit(tree, {b"a": ("100644", repo.write_blob(b"x"))})
