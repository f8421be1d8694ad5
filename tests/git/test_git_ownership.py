"""Whose repository it is, and what root does in somebody else's: nothing, or all of it as the owner."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import parallel_impl
from parallel_impl.errors import UserError
from parallel_impl.git import ownership
from parallel_impl.git.repo import Repo
from tests.git.scene import make_user
from tests.repository import contents, git, tool

STRANGER = 54321
NOBODY = 65534
AS_OWNER = """\
import os, sys
from pathlib import Path
from parallel_impl.git import ownership
ownership.become_owner(Path(sys.argv[1]), os.environ)
print(os.getuid(), os.getgid(), *os.getgroups(), os.environ.get("HOME"), os.environ.get("XDG_STATE_HOME"))
"""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def give_away(folder: Path, uid: int = STRANGER) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, uid, uid, follow_symlinks=False)


def test_a_repository_is_found_where_git_finds_it(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    git(user, "worktree", "add", "--quiet", "-b", "other", str(tmp_path / "linked"))
    git(tmp_path, "clone", "--quiet", "--bare", str(user), str(tmp_path / "bare.git"))
    for folder in (user, user / "src/pkg", user / ".git", tmp_path / "linked/src", tmp_path / "bare.git"):
        found = ownership.locate(folder)
        assert found is not None
        assert found.common == Repo.discover(folder).git_dir
        assert found.worktree == Repo.discover(folder).top(folder)
        assert str(found.git_dir) == git(folder, "rev-parse", "--absolute-git-dir")
    assert ownership.locate(tmp_path) is None


@needs_root
def test_root_stops_in_somebody_elses_repository_with_both_names_and_two_ways_on(tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    give_away(user)
    before = contents(user)
    for command in ("implement", "cleanup"):
        done = tool(user, command, "add-x")
        assert done.returncode == 2
        assert f"you are {pwd.getpwuid(0).pw_name}, and this repository belongs to {STRANGER}" in done.stderr
        assert f"sudo -u '#{STRANGER}' parallel-{command} add-x\n" in done.stderr
        assert f"parallel-{command} add-x --as-owner" in done.stderr
    assert contents(user) == before


@needs_root
@pytest.mark.parametrize("own", [".", ".git"])
def test_root_goes_on_where_repository_or_worktree_is_its_own(own: str, tmp_path: Path) -> None:
    user = make_user(tmp_path / "user")
    give_away(user)
    os.chown(user / own, 0, 0)
    ownership.check(user, "parallel-implement add-x")
    assert Repo.discover(user).top(user) == user


@needs_root
def test_git_takes_only_the_named_folders_for_ones_own(tmp_path: Path) -> None:
    user, other = make_user(tmp_path / "user"), make_user(tmp_path / "other")
    give_away(user)
    give_away(other)
    repo = Repo.discover(user)
    assert repo.top(user / "src") == user
    assert repo.top(other) is None
    assert tool(user, "status").stdout == "no runs in this repository\n"


def install(folder: Path) -> None:
    """What becomes the owner, where every user can read it, and a repository of somebody else's."""
    package = Path(parallel_impl.__file__).parent
    folder.chmod(0o755)
    (folder / "parallel_impl/git").mkdir(parents=True)
    for file in ("__init__.py", "errors.py", "text.py", "git/__init__.py", "git/ownership.py"):
        shutil.copy(package / file, folder / "parallel_impl" / file)
    (folder / "main.py").write_text(AS_OWNER)
    give_away(make_user(folder / "user"), NOBODY)


def become_owner(folder: Path) -> subprocess.CompletedProcess[str]:
    python = shutil.which("python3", path="/usr/bin") or os.path.realpath(sys.executable)  # ours may lie in /root
    argv = (python, str(folder / "main.py"), str(folder / "user"))
    environment = os.environ | {"XDG_STATE_HOME": "/root/state"}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)


@needs_root
def test_as_owner_an_installation_that_the_owner_cannot_read_is_refused_with_the_folder_that_is_closed() -> None:
    with tempfile.TemporaryDirectory() as name:
        install(Path(name))
        (Path(name) / "parallel_impl").chmod(0o700)
        done = become_owner(Path(name))
    if f"{name}/parallel_impl" not in done.stderr:
        pytest.skip("another user cannot run Python here")
    owner = pwd.getpwuid(NOBODY).pw_name
    assert f"{owner} may not use this installation of the program: it may not enter {name}/parallel_impl" in done.stderr


@needs_root
def test_as_owner_the_process_has_the_owners_ids_and_home_and_nothing_of_the_callers() -> None:
    with tempfile.TemporaryDirectory() as name:  # which another user can read, unlike pytest's
        install(Path(name))
        done = become_owner(Path(name))
    if "may not use this installation" in done.stderr:
        pytest.skip("another user cannot run Python here")
    entry = pwd.getpwuid(NOBODY)
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    expected = " ".join(map(str, (NOBODY, entry.pw_gid, *groups, entry.pw_dir, None)))
    assert done.stdout == f"{expected}\n", done.stderr


def test_as_owner_changes_nothing_in_ones_own_repository(tmp_path: Path) -> None:
    ownership.become_owner(make_user(tmp_path / "user"), os.environ)


def test_only_root_can_become_the_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    user = make_user(tmp_path / "user")
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    with pytest.raises(UserError, match="only root can become"):
        ownership.become_owner(user, os.environ)


def test_an_owner_without_an_entry_in_passwd_has_no_home(tmp_path: Path) -> None:
    inherited = {"HOME": "/root", "USER": "root", "XDG_CACHE_HOME": "/root/.cache", "PATH": "/bin", "TMPDIR": "/gone"}
    assert ownership.environment_of(STRANGER, "", inherited) == {"PATH": "/bin"}
    of_owner = ownership.environment_of(STRANGER, "/home/x", inherited | {"TMPDIR": str(tmp_path)})
    home = {"HOME": "/home/x", "USER": str(STRANGER), "LOGNAME": str(STRANGER)}
    assert of_owner == {"PATH": "/bin", "TMPDIR": str(tmp_path), **home}
