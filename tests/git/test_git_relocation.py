"""What lies in the home of a repository that was moved works again; what is another repository's is left alone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from parallel_impl.git import relocation
from parallel_impl.git.checkout import Source, alternate
from parallel_impl.git.repo import Repo
from tests.repository import git, make_repository

HOME = "no-contracts.worktrees/fix-typos"


@pytest.fixture(params=["", "no-contracts"])
def repository_name(request: pytest.FixtureRequest) -> str:
    """The name of worktrees' folders on their levels; without one, as earlier versions had it, side by side."""
    return str(request.param)


@pytest.fixture(params=["plain", 'odd "\\\n name'])
def place(tmp_path: Path, repository_name: str, request: pytest.FixtureRequest) -> Path:
    """A folder with a repository, a package's worktree with an edit in it, and one that was kept whole."""
    place = tmp_path / str(request.param)
    place.mkdir()
    folder = make_repository("no-contracts", place)
    repo = Repo.discover(folder)
    base, indexes = git(folder, "rev-parse", "HEAD"), tmp_path / "indexes"
    source = Source.prepare(repo, base, place / HOME, indexes=indexes, repository_name=repository_name)
    for name in ("wp-guide", "wp-index"):
        checkout = source.open(name, base, branch=f"openspec/fix-typos--{name}")
        (checkout.path / "guide.md").write_text("edited\n")
        if name == "wp-index":
            checkout.keep(2)
    return place


def moved(place: Path) -> tuple[Path, Repo]:
    new = place.with_name("moved")
    place.rename(new)
    return new / HOME, Repo.discover(new / "no-contracts")


def test_git_works_again_in_worktrees_that_were_moved_with_their_repository(place: Path, repository_name: str) -> None:
    home, repo = moved(place)
    relocation.repair(home, repo, repository_name)
    for worktree in (home / "wp-guide" / repository_name, home / ".kept/wp-index.2" / repository_name):
        assert git(worktree, "status", "--porcelain") == " M guide.md"
        assert git(worktree, "log", "--format=%s") == "The state before the change"
        git(worktree, "commit", "-qam", "By hand")


def test_a_worktree_that_an_agent_made_itself_keeps_its_place(place: Path, repository_name: str) -> None:
    repo, worktree = Repo.discover(place / "no-contracts"), place / HOME / "wp-guide" / repository_name
    side = place / "side"
    git(worktree, "worktree", "add", "-q", "-b", "side", str(side))
    relocation.repair(place / HOME, repo, repository_name)
    assert git(worktree, "worktree", "list", "--porcelain").count(f"worktree {side}\n") == 1
    assert git(side, "branch", "--show-current") == "side"


def test_worktrees_that_stayed_are_still_the_runs(place: Path, tmp_path: Path, repository_name: str) -> None:
    (place / "no-contracts").rename(tmp_path / "renamed")
    repo = Repo.discover(tmp_path / "renamed")
    assert relocation.home(repo, "fix-typos", str(place / HOME)).path == place / HOME
    relocation.repair(place / HOME, repo, repository_name)
    assert git(place / HOME / "wp-guide" / repository_name, "status", "--porcelain") == " M guide.md"


def test_a_home_that_borrows_from_another_repository_is_not_the_runs(place: Path, tmp_path: Path) -> None:
    shutil.copytree(place / "no-contracts", tmp_path / "copy", symlinks=True)
    found = relocation.home(Repo.discover(tmp_path / "copy"), "fix-typos", str(place / HOME))
    assert found.path == tmp_path / "copy.worktrees/fix-typos"
    assert str(place / HOME).encode("unicode_escape").decode() in found.why or str(place / HOME) in found.why


def test_an_empty_home_is_chosen_anew(place: Path) -> None:
    repo = Repo.discover(place / "no-contracts")
    shutil.rmtree(place / HOME)
    assert relocation.home(repo, "fix-typos", str(place / HOME)).why == ""
    assert relocation.home(repo, "fix-typos", str(place / "gone")).path == place / HOME


@pytest.mark.parametrize("written", [None, b""])
def test_a_checkout_for_gates_that_was_killed_in_the_making_is_in_nobodys_way(
    tmp_path: Path, written: bytes | None
) -> None:
    repo = Repo.discover(make_repository("no-contracts", tmp_path))
    home = tmp_path / HOME
    (home / "base.gate/no-contracts").mkdir(parents=True)
    alternates = home / "base.gate.git/objects/info/alternates"
    alternates.parent.mkdir(parents=True)
    (home / "base.gate.git/config").touch()
    if written is not None:
        alternates.write_bytes(written)
    assert relocation.home(repo, "fix-typos", "", gates=("base.gate",)).why == ""
    (home / "base.gate/no-contracts/guide.md").touch()
    assert "those of another repository" in relocation.home(repo, "fix-typos", "", gates=("base.gate",)).why


def test_a_checkout_for_gates_of_another_repository_is_left_alone_without_any_file(tmp_path: Path) -> None:
    repo, other = (Repo.discover(make_repository("no-contracts", tmp_path / name)) for name in ("mine", "other"))
    alternates = tmp_path / "mine" / HOME / "base.gate.git/objects/info/alternates"
    alternates.parent.mkdir(parents=True)
    alternates.write_bytes(alternate(other.git_dir / "objects"))
    assert "those of another repository" in relocation.home(repo, "fix-typos", "", gates=("base.gate",)).why


def test_what_an_agent_put_in_the_place_of_our_files_is_not_written_through(
    place: Path, tmp_path: Path, repository_name: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("the user's\n")
    admin = place / HOME / "wp-guide.git/worktrees/wp-guide"
    (admin / "gitdir").unlink()
    (admin / "gitdir").symlink_to(victim)
    alternates = place / HOME / ".kept/wp-index.2.git/objects/info/alternates"
    alternates.unlink()
    os.mkfifo(alternates)
    home, repo = moved(place)
    relocation.repair(home, repo, repository_name)
    assert victim.read_text() == "the user's\n"


def test_a_hard_link_to_the_users_file_is_replaced_not_written(
    place: Path, tmp_path: Path, repository_name: str
) -> None:
    victim = tmp_path / "victim"
    victim.write_text("the user's\n")
    alternates = place / HOME / "wp-guide.git/objects/info/alternates"
    alternates.unlink()
    os.link(victim, alternates)
    home, repo = moved(place)
    relocation.repair(home, repo, repository_name)
    assert victim.read_text() == "the user's\n"
