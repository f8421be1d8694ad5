"""Filters of the user's work in every checkout, and one that cannot run is found before an agent is paid."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.errors import Severity
from parallel_impl.git import filters
from parallel_impl.git.repo import GitError, Repo
from parallel_impl.git.staging import round_trip
from parallel_impl.git.trees import Trees
from tests.git.scene import FILES, make_user, open_scene
from tests.repository import git

BOX = """\
#!/bin/sh
key="$(git rev-parse --git-common-dir)/box/key"
[ -f "$key" ] || { echo "box: no key" >&2; exit 1; }
tr "$1" "$2"
"""


def boxed(tmp_path: Path, *, required: bool = True) -> Path:
    """A repository whose secret.txt passes a filter that keeps its key in the git dir, as git-crypt does."""
    user = make_user(tmp_path / "user", {**FILES, ".gitattributes": "secret.txt filter=box\n"})
    script = tmp_path / "box.sh"
    script.write_text(BOX)
    (user / ".git/box").mkdir()
    (user / ".git/box/key").touch()
    git(user, "config", "filter.box.clean", f"sh {script} a-z b-za")
    git(user, "config", "filter.box.smudge", f"sh {script} b-za a-z")
    git(user, "config", "filter.box.required", str(required).lower())
    (user / "secret.txt").write_text("hidden\n")
    git(user, "add", "secret.txt")
    git(user, "commit", "-qm", "secret")
    assert git(user, "show", "HEAD:secret.txt") == "ijeefo"
    return user


def found(user: Path, tmp_path: Path) -> list[tuple[Severity, str]]:
    trees = Trees(Repo.discover(user), tmp_path / "trees")
    return [(one.severity, one.what) for one in filters.check(trees, git(user, "rev-parse", "HEAD"))]


def test_a_checkout_has_what_the_users_has_and_stages_to_what_is_stored(tmp_path: Path) -> None:
    user = boxed(tmp_path)
    scene = open_scene(user, tmp_path)
    assert (scene.checkout.path / "secret.txt").read_text() == "hidden\n"
    assert round_trip(scene.trees, scene.sibling) == []
    scene.act("echo hidden too >> secret.txt; echo z >> src/pkg/a.py")
    verdict = scene.judge()
    assert verdict.changed == {"secret.txt": "M", "src/pkg/a.py": "M"}
    assert scene.content(verdict, "secret.txt") == b"ijeefo\nijeefo upp\n"


def test_an_agents_own_git_works_on_filtered_files(tmp_path: Path) -> None:
    scene = open_scene(boxed(tmp_path), tmp_path)
    path = scene.checkout.path
    assert git(path, "status", "--porcelain") == ""
    (path / "secret.txt").write_text("other\n")
    git(path, "stash", "-q")
    assert (path / "secret.txt").read_text() == "hidden\n"
    git(path, "stash", "pop", "-q")
    git(path, "commit", "-qam", "other")
    assert git(path, "show", "HEAD:secret.txt") == "puifs"
    assert (path / "secret.txt").read_text() == "other\n"


def test_that_agents_read_what_is_decrypted_is_one_notice(tmp_path: Path) -> None:
    text = "agents read what the filter box makes of files, decrypted ones too (1 file: secret.txt)"
    assert found(boxed(tmp_path), tmp_path) == [(Severity.NOTICE, text)]


def test_a_filter_that_fails_is_explained_with_its_file_and_its_words(tmp_path: Path) -> None:
    user = boxed(tmp_path)
    (user / ".git/box/key").unlink()
    with pytest.raises(GitError) as caught:
        open_scene(user, tmp_path)
    (problem,) = filters.explain(caught.value, "write the files").problems
    assert problem.where == "secret.txt"
    assert "the filter box fails" in problem.what and "box: no key" in problem.what
    assert problem.hint == "see what it needs: git cat-file --filters HEAD:secret.txt > /dev/null"


def test_nothing_is_staged_past_a_filter_that_fails_required_or_not(tmp_path: Path) -> None:
    user = boxed(tmp_path, required=False)
    scene = open_scene(user, tmp_path)
    (user / ".git/box/key").unlink()
    scene.act("echo plain > secret.txt")
    (reason,) = scene.judge().reasons
    assert "clean filter 'box' failed" in reason


@pytest.mark.parametrize("kind", ["clean", "process"])
def test_a_missing_program_of_what_stores_files_is_an_error_required_or_not(kind: str, tmp_path: Path) -> None:
    user = make_user(tmp_path / "user", {**FILES, ".gitattributes": "*.py filter=big\n"})
    git(user, "config", f"filter.big.{kind}", "/no/such/program --now %f")
    ((severity, what), *_) = found(user, tmp_path)
    assert severity is Severity.ERROR
    assert what == (
        "the filter big needs /no/such/program, which is not on PATH: "
        "it filters 3 files: other/o.py, src/pkg/a.py, src/pkg/b.py"
    )


def test_a_smudge_that_git_passes_over_is_a_warning_with_the_count(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user", {**FILES, ".gitattributes": "*.py filter=big\n"})
    git(user, "config", "filter.big.smudge", "git no-such-command smudge")
    ((severity, what), *_) = found(user, tmp_path)
    assert severity is Severity.WARNING
    assert what.startswith(
        "the filter big needs git-no-such-command, which is not on PATH: git passes it over (3 files: "
    )
    git(user, "config", "filter.big.required", "true")
    assert found(user, tmp_path)[0][0] is Severity.ERROR


def test_a_filter_that_is_not_set_up_is_a_warning(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user", {**FILES, "src/.gitattributes": "*.py filter=git-crypt\n"})
    ((severity, what),) = found(user, tmp_path)
    assert severity is Severity.WARNING
    assert what.startswith("the filter git-crypt is not set up here") and "2 files" in what


def test_lfs_objects_that_no_server_has_are_explained(tmp_path: Path) -> None:
    said = (
        b"Error downloading object: big.bin (4d7a214): Smudge error: [404] Object does not exist on the server\n"
        b"error: external filter 'git-lfs filter-process' failed\nfatal: big.bin: smudge filter lfs failed\n"
    )
    (problem,) = filters.explain(GitError(("read-tree",), 128, said), "write the files").problems
    assert problem.where == "big.bin" and "the filter lfs fails" in problem.what
    assert "GIT_LFS_SKIP_SMUDGE" in problem.hint
