"""Package repositories and worktrees, from every kind of user's repository."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from parallel_impl.errors import Severity
from parallel_impl.git.checkout import Checkout, Source
from parallel_impl.git.home import home, repository_name
from parallel_impl.git.remove import remove
from parallel_impl.git.repo import GitError, Repo
from parallel_impl.git.staging import round_trip
from parallel_impl.git.suitability import check_repository, submodules
from parallel_impl.git.trees import Trees
from tests.git.scene import FILES, Scene, make_user, needs_submodules, open_scene
from tests.repository import contents, git


def assert_works(scene: Scene) -> None:
    """An agent edits and commits, git is content with the worktree, and the work is what was edited."""
    path = scene.checkout.path
    assert git(path, "status", "--porcelain") == ""
    assert git(path, "symbolic-ref", "HEAD") == "refs/heads/openspec/c--wp1"
    (path / "src/pkg/a.py").write_text("edited\n")
    git(path, "commit", "-qam", "x")
    assert git(path, "rev-list", "--count", f"{scene.base}..HEAD") == "1"
    verdict = scene.judge()
    assert verdict.accepted and verdict.changed == {"src/pkg/a.py": "M"}
    assert verdict.tampering == ()


def problems(user: Path, tmp_path: Path) -> list[tuple[Severity, str]]:
    repo = Repo.discover(user)
    trees = Trees(repo, tmp_path / "trees")
    return [(problem.severity, problem.what) for problem in check_repository(trees, repo.resolve("HEAD") or "")]


# -- the ordinary repository


def test_a_checkout_is_what_git_worktree_add_would_make(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    path, git_dir = scene.checkout.path, scene.checkout.git_dir
    assert (path, git_dir) == (tmp_path / "home/c/wp1/user", tmp_path / "home/c/wp1.git")
    listed = [line for line in git(path, "worktree", "list", "--porcelain").splitlines() if line.startswith("worktree")]
    assert listed == [f"worktree {git_dir}", f"worktree {path}"]
    assert git(path, "fsck", "--connectivity-only") == ""
    assert git(path, "rev-parse", "--git-common-dir") == str(git_dir)
    git(path, "worktree", "prune", "--expire=now")
    (path / "README.md").write_text("x\n")
    git(path, "stash", "-q")
    git(path, "stash", "pop", "-q")
    assert_files = {name: content for name, content in FILES.items() if name != "README.md"}
    assert all((path / name).read_text() == content for name, content in assert_files.items())


def test_the_index_is_fresh_so_that_status_reads_no_file(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    fresh = git(scene.checkout.path, "ls-files", "--debug")
    mtimes = [line for line in fresh.splitlines() if "mtime:" in line]
    assert mtimes and all("mtime: 0:0" not in line for line in mtimes)


def test_a_detached_checkout_names_its_commit(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    checkout = scene.source.open("wp1.verify", scene.base)
    assert git(checkout.path, "rev-parse", "HEAD") == scene.base
    assert git(checkout.path, "rev-parse", "--abbrev-ref", "HEAD") == "HEAD"


def test_ancestors_are_carried_over_and_nothing_else(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    git(user, "tag", "v1")
    git(user, "tag", "-m", "annotated", "v2")
    git(user, "branch", "old")
    git(user, "update-ref", "refs/remotes/origin/main", "HEAD")
    git(user, "symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    git(user, "commit", "-q", "--allow-empty", "-m", "two")
    git(user, "checkout", "-q", "-b", "ahead")
    git(user, "commit", "-q", "--allow-empty", "-m", "not an ancestor")
    git(user, "checkout", "-q", "main")
    git(user, "update-ref", "refs/heads/openspec", "HEAD")
    path = open_scene(user, tmp_path).checkout.path
    names = git(path, "for-each-ref", "--format=%(refname)").splitlines()
    assert names == [
        "refs/heads/main",
        "refs/heads/old",
        "refs/heads/openspec/c--wp1",
        "refs/remotes/origin/HEAD",
        "refs/remotes/origin/main",
        "refs/tags/v1",
        "refs/tags/v2",
    ]
    assert git(path, "describe") == "v2-1-g" + git(user, "rev-parse", "--short", "HEAD")
    assert git(path, "rev-parse", "origin/HEAD") == git(user, "rev-parse", "HEAD~1")


def test_configuration_that_git_needs_is_carried_and_push_is_off(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    settings = {
        "user.name": 'A "quoted" \\ name',
        "core.autocrlf": "input",
        "filter.x.clean": "cat",
        "url.https://a/.insteadof": "b:",
        "remote.origin.url": "https://me:secret@example.org/r.git",
        "core.hooksPath": "/hooks",
        "core.fsmonitor": "true",
        "alias.x": "!touch x",
        "commit.gpgsign": "true",
    }
    for key, value in settings.items():
        git(user, "config", key, value)
    git(user, "config", "--add", "filter.x.required", "yes")
    git_dir = open_scene(user, tmp_path).checkout.git_dir
    local = git(git_dir, "config", "--local", "--list").splitlines()
    carried = dict(line.split("=", 1) for line in local)
    assert carried["user.name"] == 'A "quoted" \\ name'
    assert carried["core.autocrlf"] == "input"
    assert (
        carried["filter.x.clean"] == f"GIT_DIR={user}/.git; export GIT_DIR; cat"
        and carried["filter.x.required"] == "yes"
    )
    assert carried["url.https://a/.insteadof"] == "b:"
    assert carried["remote.origin.url"] == "https://example.org/r.git"
    assert carried["credential.helper"] == ""
    assert not {"core.hookspath", "core.fsmonitor", "alias.x", "core.bare"} & carried.keys()
    assert carried["commit.gpgsign"] == "false"
    git(user, "config", "remote.origin.url", str(user))
    with pytest.raises(Exception, match="exit status 128"):
        git(open_scene_again(user, tmp_path).path, "push", "origin", "HEAD:refs/heads/pushed")
    assert "pushed" not in git(user, "for-each-ref")


def open_scene_again(user: Path, tmp_path: Path) -> Checkout:
    repo = Repo.discover(user)
    base = repo.resolve("HEAD") or ""
    source = Source.prepare(repo, base, tmp_path / "again", indexes=tmp_path / "indexes")
    return source.open("wp1", base, branch="openspec/c--wp1")


def test_debris_of_a_crash_is_made_anew(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    (scene.checkout.path / "left").write_text("x")
    (scene.checkout.git_dir / "HEAD").unlink()
    (scene.source.indexes / "wp1/index.lock").write_text("")
    again = scene.source.open("wp1", scene.base, branch="openspec/c--wp1")
    assert git(again.path, "status", "--porcelain") == ""
    assert not (again.path / "left").exists()


@pytest.mark.parametrize("name", ["", ".", "..", ".kept", "a/b", "../x", "a.git", "-a", "a\n"])
def test_a_checkout_never_leaves_its_home(name: str, tmp_path: Path) -> None:
    source = Source(Repo(tmp_path), tmp_path / "home", tmp_path / "indexes", ())
    with pytest.raises(ValueError, match="not a name for a checkout"):
        source.open(name, "0" * 40)


def test_a_relative_path_out_of_a_worktree_meets_no_other_worktree(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    assert scene.checkout.path == tmp_path / "home/c/wp1/user"
    assert scene.sibling.path.is_dir()
    assert list(scene.checkout.path.parent.iterdir()) == [scene.checkout.path]


def test_what_set_up_puts_beside_a_worktree_is_found_and_goes_with_it(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    (tmp_path / "common").mkdir()
    (tmp_path / "common/value").touch()
    link = scene.checkout.path.parent / "common"
    link.symlink_to(tmp_path / "common")
    assert scene.checkout.beside() == [link]
    scene.checkout.remove()
    assert not os.path.lexists(link)
    assert (tmp_path / "common/value").exists()


def test_without_a_name_for_its_folder_a_worktree_lies_where_earlier_versions_had_it(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    repo = Repo.discover(user)
    base = repo.resolve("HEAD") or ""
    checkout = Source.prepare(repo, base, tmp_path / "home", indexes=tmp_path / "indexes").open("wp1", base)
    assert (checkout.path, checkout.folder, checkout.beside()) == (tmp_path / "home/wp1", tmp_path / "home/wp1", [])
    assert checkout.keep(1) == tmp_path / "home/.kept/wp1.1"


@pytest.mark.parametrize(
    ("bare", "linked", "name"),
    [("", "", "project"), ("", "feature", "project"), (".bare", "feature", "feature"), ("project.git", "", "project")],
)
def test_worktrees_have_the_name_of_the_main_worktree_or_in_a_bare_repository_of_the_users(
    bare: str, linked: str, name: str, tmp_path: Path
) -> None:
    folder = make_user(tmp_path / "project")
    if bare:
        git(tmp_path, "clone", "--quiet", "--bare", str(folder), str(tmp_path / bare))
        folder = tmp_path / bare
    if linked:
        git(folder, "worktree", "add", "--quiet", "-b", "feature", str(tmp_path / linked))
    repo = Repo.discover(folder)
    assert repository_name(repo, repo.top(tmp_path / linked if linked else folder)) == name


def test_a_worktree_is_kept_whole_and_git_still_works_in_it(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    scene.act("mkfifo src/pkg/pipe; echo z>>src/pkg/a.py; git commit -qam mine")
    place = scene.checkout.keep(2)
    assert place == tmp_path / "home/c/.kept/wp1.2/user"
    assert not scene.checkout.path.exists() and not scene.checkout.git_dir.exists()
    assert stat.S_ISFIFO((place / "src/pkg/pipe").lstat().st_mode)
    assert git(place, "log", "-1", "--format=%s") == "mine"
    assert git(place, "status", "--porcelain") == ""


def test_a_worktree_whose_git_is_gone_is_kept_too(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    scene.act("rm -rf .git $COMMON; git init -q .; mkfifo src/pkg/pipe")
    assert (scene.checkout.keep(1) / ".git/HEAD").exists()


@pytest.mark.parametrize(
    "script",
    [
        "rm .git; ln -s $OUT/precious .git",
        "rm .git; ln $OUT/precious .git",
        "ln -sf $OUT/precious $COMMON/worktrees/wp1/gitdir",
        "cd $COMMON/worktrees; mv wp1 $OUT/admin; cp $OUT/precious $OUT/admin/gitdir; ln -s $OUT/admin wp1",
        "mv $COMMON $OUT/common; ln -s $OUT/common $COMMON",
        "cd /; mv $WT $OUT/wt; ln -s $OUT/wt $WT",
        "cd /; mv $WT/.. $OUT/level; ln -s $OUT/level $(dirname $WT)",
        "cd /; rm -rf $WT $COMMON",
    ],
)
def test_keeping_writes_nowhere_that_an_agent_points_to(script: str, tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    (scene.out / "precious").write_text("precious\n")
    scene.act(script)
    before = contents(scene.out)
    place = scene.checkout.keep(1)
    assert contents(scene.out) == before
    assert not os.path.lexists(scene.checkout.path)
    assert place.parent.parent.name == ".kept"


# -- removing


def test_removing_never_follows_a_symlink(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.mkdir(mode=0o755)
    (precious / "file").write_text("x")
    (tmp_path / "folder/sub").mkdir(parents=True)
    (tmp_path / "folder/sub/link").symlink_to(precious)
    (tmp_path / "link").symlink_to(precious)
    os.link(precious / "file", tmp_path / "folder/sub/hard")
    (precious / "file").chmod(0o400)
    for closed, mode in (("folder/sub", 0o000), ("folder", 0o500)):
        (tmp_path / closed).chmod(mode)
    before = contents(precious)
    remove(tmp_path / "folder")
    remove(tmp_path / "link")
    remove(tmp_path / "absent")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["precious"]
    assert contents(precious) == before


# -- kinds of repositories


def test_a_dirty_checkout_stays_as_it_is(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    (user / "src/pkg/a.py").write_text("the user's own edit\n")
    (user / "README.md").write_text("staged\n")
    git(user, "add", "README.md")
    (user / "new").write_text("untracked\n")
    before, index = contents(user / "src"), (user / ".git/index").read_bytes()
    assert_works(open_scene(user, tmp_path))
    assert contents(user / "src") == before
    assert (user / ".git/index").read_bytes() == index
    assert git(user, "status", "--porcelain") == "M  README.md\n M src/pkg/a.py\n?? new"


def test_a_sparse_checkout(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    git(user, "sparse-checkout", "set", "--cone", "--sparse-index", "other")
    scene = open_scene(user, tmp_path)
    (scene.checkout.path / "src/pkg/new.py").write_text("x\n")
    verdict = scene.judge()
    assert verdict.accepted and verdict.changed == {"src/pkg/new.py": "A"}
    assert not (user / "src").exists()


def test_a_shallow_clone(tmp_path: Path) -> None:
    origin = make_user(tmp_path / "origin")
    for number in range(3):
        git(origin, "commit", "-q", "--allow-empty", "-m", f"{number}")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{origin}", "user")
    scene = open_scene(tmp_path / "user", tmp_path)
    assert git(scene.checkout.path, "rev-list", "--count", "HEAD") == "1"
    assert_works(scene)
    assert (Severity.NOTICE, "a shallow clone: worktrees have the same cut history") in problems(
        tmp_path / "user", tmp_path
    )


def test_a_bare_repository(tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--bare", str(make_user(tmp_path / "origin")), "user.git")
    assert_works(open_scene(tmp_path / "user.git", tmp_path))
    assert home(Repo.discover(tmp_path / "user.git"), "c").path == tmp_path / "user.worktrees/c"


def test_a_linked_worktree_of_the_users(tmp_path: Path) -> None:
    main = make_user(tmp_path / "main")
    git(main, "worktree", "add", "-q", "-b", "work", str(tmp_path / "elsewhere/linked"))
    linked = tmp_path / "elsewhere/linked"
    assert_works(open_scene(linked, tmp_path))
    assert home(Repo.discover(linked), "c").path == tmp_path / "main.worktrees/c"


def test_sha256(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user", None, "--object-format=sha256"), tmp_path)
    assert len(scene.base) == 64
    assert_works(scene)


def test_a_filter_in_the_users_own_configuration(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    git(user, "config", "filter.case.clean", "tr a-z A-Z")
    git(user, "config", "filter.case.smudge", "tr A-Z a-z")
    git(user, "config", "filter.case.required", "true")
    (user / ".gitattributes").write_text("*.py filter=case\n")
    (user / "src/pkg/a.py").write_text("lower\n")
    git(user, "add", "--all", "--renormalize")
    git(user, "add", "--all")
    git(user, "commit", "-qm", "filtered")
    assert git(user, "show", "HEAD:src/pkg/a.py") == "LOWER"
    scene = open_scene(user, tmp_path)
    assert (scene.checkout.path / "src/pkg/a.py").read_text() == "lower\n"
    scene.act("touch other/o.py; echo more>>src/pkg/a.py")
    verdict = scene.judge()
    assert verdict.accepted and verdict.changed == {"src/pkg/a.py": "M"}
    assert scene.content(verdict, "src/pkg/a.py") == b"LOWER\nMORE\n"


def test_files_that_do_not_survive_their_attributes_do_not_count(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user", {**FILES, "other/dos.txt": "one\r\ntwo\r\n", "other/o.txt": "x\n"})
    (user / ".gitattributes").write_text("*.txt text eol=crlf\n")
    git(user, "add", ".gitattributes")
    git(user, "commit", "-qm", "attributes, without renormalizing")
    scene = open_scene(user, tmp_path)
    trees = Trees(scene.repo, tmp_path / "trees")
    assert round_trip(trees, scene.source.open("probe", scene.base)) == ["other/dos.txt"]
    scene.act("touch other/dos.txt other/o.txt; git stash -q; git stash pop -q; echo z>>src/pkg/a.py")
    verdict = scene.judge()
    assert verdict.reasons == []
    assert verdict.changed == {"src/pkg/a.py": "M"}
    assert scene.content(verdict, "other/dos.txt") == b"one\r\ntwo\r\n"


def test_autocrlf(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    git(user, "config", "core.autocrlf", "true")
    git(user, "config", "core.safecrlf", "true")
    scene = open_scene(user, tmp_path)
    assert (scene.checkout.path / "src/pkg/a.py").read_bytes() == b"a\r\n"
    scene.act("printf 'a\\r\\nb\\n' >src/pkg/a.py; printf 'n\\r\\n' >src/pkg/n.py; touch other/o.py")
    verdict = scene.judge()
    assert verdict.accepted and verdict.changed == {"src/pkg/a.py": "M", "src/pkg/n.py": "A"}
    assert scene.content(verdict, "src/pkg/n.py") == b"n\n"


def test_settings_that_blind_git_are_overruled(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    for setting in ("core.trustctime=false", "core.checkStat=minimal", "core.ignoreStat=true", "core.fileMode=false"):
        git(user, "config", *setting.split("="))
    scene = open_scene(user, tmp_path)
    scene.act(
        "t=$(stat -c %y src/pkg/a.py); printf 'X\\n'>src/pkg/a.py; touch -d \"$t\" src/pkg/a.py; chmod +x src/pkg/b.py"
    )
    assert scene.judge().changed == {"src/pkg/a.py": "M", "src/pkg/b.py": "M"}


def test_submodules_stay_empty_and_cannot_be_changed(tmp_path: Path) -> None:
    needs_submodules()
    inner = make_user(tmp_path / "inner", {"f": "x\n"})
    user = make_user(tmp_path / "user")
    git(user, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "src/pkg/sub")
    git(user, "commit", "-qm", "submodule")
    scene = open_scene(user, tmp_path)
    assert submodules(scene.trees, scene.base) == ["src/pkg/sub"]
    assert list((scene.checkout.path / "src/pkg/sub").iterdir()) == []
    assert_works(scene)
    scene.act("echo x>src/pkg/sub/f")
    assert scene.judge().reasons == ["src/pkg/sub: a submodule was edited: such work cannot be taken"]
    scene.act("rm -r src/pkg/sub")
    reason = "a submodule was added, moved or removed: no package may do that"
    assert scene.judge().reasons == [f"src/pkg/sub: {reason}"]
    scene.act("echo x>src/pkg/sub")
    assert scene.judge().reasons == [f"src/pkg/sub: {reason}"]


def test_a_submodule_that_set_up_filled_may_stay_and_not_be_edited(tmp_path: Path) -> None:
    needs_submodules()
    inner = make_user(tmp_path / "inner", {"f": "x\n"})
    user = make_user(tmp_path / "user")
    git(user, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "sub")
    git(user, "commit", "-qm", "submodule")
    scene = open_scene(user, tmp_path)
    scene.act("git -c protocol.file.allow=always submodule update -q --init; test -f sub/f && touch $OUT/filled")
    assert (scene.out / "filled").exists()
    scene.snapshot = scene.staging.before(set_up=True)
    scene.act("echo z>>src/pkg/a.py")
    verdict = scene.judge()
    assert verdict.accepted and verdict.changed == {"src/pkg/a.py": "M"}
    scene.act("echo z>>sub/f")
    assert scene.judge().reasons == ["sub: a submodule was edited: such work cannot be taken"]


def test_the_users_hooks_never_run(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    git(user, "config", "core.hooksPath", ".husky")
    for folder in (user / ".git/hooks", user / ".husky"):
        folder.mkdir(exist_ok=True)
        for name in ("reference-transaction", "post-checkout", "post-index-change", "pre-commit", "post-commit"):
            (folder / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
            (folder / name).chmod(0o755)
    assert_works(open_scene(user, tmp_path))
    assert not (tmp_path / "ran").exists()
    said = problems(user, tmp_path)
    hooks = "post-checkout, post-commit, post-index-change, pre-commit, reference-transaction"
    what = f"git hooks ({hooks}) are not run, for agents neither: they do not apply to the commits of this tool"
    assert said == [(Severity.NOTICE, what)]


@pytest.mark.parametrize("name", ["with blank", "naïve-ü", 'qu"ote', "new\nline", "back\\slash", "#hash", "$(touch x)"])
def test_any_path_of_the_repository(name: str, tmp_path: Path) -> None:
    place = tmp_path / name
    place.mkdir()
    assert_works(open_scene(make_user(place / name), place))


def test_lfs_files_are_real_in_the_worktree_and_pointers_in_the_work(tmp_path: Path) -> None:
    if shutil.which("git-lfs") is None:
        pytest.skip("git-lfs is not installed")
    user = make_user(tmp_path / "user")
    git(user, "lfs", "install", "--local")
    (user / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (user / "src/pkg/x.bin").write_bytes(b"\0" * 3_000)
    git(user, "add", "--all")
    git(user, "commit", "-qm", "lfs", "--no-verify")
    scene = open_scene(user, tmp_path, max_blob_mb=0.01)
    assert (scene.checkout.path / "src/pkg/x.bin").read_bytes() == b"\0" * 3_000
    (scene.checkout.path / "src/pkg/y.bin").write_bytes(b"\1" * 30_000)
    scene.act("touch src/pkg/x.bin")
    verdict = scene.judge()
    assert verdict.accepted and verdict.changed == {"src/pkg/y.bin": "A"}
    assert (scene.content(verdict, "src/pkg/y.bin") or b"").startswith(b"version https://git-lfs.github.com/spec/v1\n")
    commit = git(user, "rev-parse", "refs/parallel-impl/c/packages/wp1")
    again = scene.source.open("wp1.verify", commit)
    assert (again.path / "src/pkg/y.bin").read_bytes() == b"\1" * 30_000


def test_a_filter_whose_program_is_missing_is_an_error_before_the_run(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user", {**FILES, ".gitattributes": "# x\n*.bin filter=big\n"})
    git(user, "config", "filter.big.smudge", "no-such-program-here smudge -- %f")
    said = problems(user, tmp_path)
    missing = "the filter big needs no-such-program-here, which is not on PATH"
    assert said == [(Severity.WARNING, f"{missing}: git passes it over (no file so far as stored)")]


def test_a_partial_clone_is_refused_with_the_line_that_makes_it_whole(tmp_path: Path) -> None:
    origin = make_user(tmp_path / "origin")
    git(origin, "config", "uploadpack.allowFilter", "true")
    git(tmp_path, "clone", "-q", "--filter=blob:none", "--no-checkout", f"file://{origin}", "user")
    user = tmp_path / "user"
    trees = Trees(Repo.discover(user), tmp_path / "trees")
    (problem,) = check_repository(trees, trees.repo.resolve("HEAD") or "")
    assert problem.severity is Severity.ERROR
    assert problem.what.startswith("a partial clone: 6 objects of the base are not here")
    for command in problem.hint.removeprefix("make it whole: ").split(" && "):
        git(user, *command.split()[1:])
    assert problems(user, tmp_path) == []
    git(user, "checkout", "-q", "main")
    assert_works(open_scene(user, tmp_path))


def test_a_mirror_and_signing_are_said(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    git(user, "remote", "add", "--mirror=push", "copy", "https://example.org/copy.git")
    git(user, "config", "commit.gpgSign", "true")
    assert problems(user, tmp_path) == [
        (Severity.NOTICE, "commits are signed here; the commits of this tool are not"),
        (
            Severity.WARNING,
            "remote copy is a mirror: a push to it would publish refs/parallel-impl/*, unfinished work too",
        ),
    ]


def test_a_commit_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    with pytest.raises(GitError):
        scene.source.open("wp3", "1" * 40)


# -- where worktrees lie


def test_worktrees_lie_beside_the_repository(tmp_path: Path) -> None:
    found = home(Repo.discover(make_user(tmp_path / "user")), "my-change")
    assert (found.path, found.why) == (tmp_path / "user.worktrees/my-change", "")


def test_worktrees_move_away_from_configuration_that_the_checkout_does_not_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    repo = Repo.discover(make_user(tmp_path / "user"))
    (tmp_path / "conftest.py").write_text("")  # the user's checkout sees it too
    assert home(repo, "c").why == ""
    (tmp_path / "user.worktrees").mkdir()
    (tmp_path / "user.worktrees/pytest.ini").write_text("")
    found = home(repo, "c")
    assert found.path.is_relative_to(tmp_path / "state/parallel-impl") and found.path.name == "c"
    assert found.why.endswith(f"{tmp_path}/user.worktrees/pytest.ini would be used by tools there")
