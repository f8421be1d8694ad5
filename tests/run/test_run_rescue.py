"""What an agent left elsewhere than in its worktree is on refs of ours, whole, or its repository is kept."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from parallel_impl.config import Config
from parallel_impl.git.repo import Repo
from parallel_impl.git.side_work import TakenTree
from parallel_impl.record.result import SideWorkRecord
from parallel_impl.run.attempt import rescue
from parallel_impl.run.places import Places
from parallel_impl.run.spec import RunSpec, Workspace
from tests.git.scene import CHANGE, DATE, Scene, make_user, open_scene

REF = f"refs/parallel-impl/{CHANGE}/attempts/wp1/2"
STASH = "echo s>>src/pkg/a.py; git stash -q"


@dataclass
class Ended:
    """An attempt whose agent has ended, and what is noted about it."""

    scene: Scene
    spec: RunSpec
    workspace: Workspace
    notes: list[str] = field(default_factory=list)

    def save(self) -> tuple[SideWorkRecord, ...]:
        tree = self.scene.staging.after(self.scene.snapshot).tree
        taken = TakenTree(tree, frozenset(), self.scene.snapshot.tree)
        return rescue.save(
            self.spec, self.workspace, self.scene.checkout, taken, package="wp1", number=2, note=self.notes.append
        )


@pytest.fixture
def ended(tmp_path: Path) -> Ended:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    spec = RunSpec(scene.base, "HEAD", DATE, "f" * 32, Config())
    workspace = Workspace(scene.repo, scene.trees, Places(scene.repo.git_dir, CHANGE), scene.source, scene.watch)
    return Ended(scene, spec, workspace)


class Losing(Repo):
    """A Repo whose user prunes right before a commit is looked at whole."""

    def git(self, *args: str, **options: object) -> bytes:
        if "--missing=print" in args:
            packs = self.git_dir / "objects/pack"
            for pack in packs.glob("*"):
                pack.unlink()
        return super().git(*args, **options)  # type: ignore[arg-type]


def test_each_place_has_a_ref_which_the_watch_expects_and_the_next_attempt_is_told(ended: Ended) -> None:
    ended.scene.act(
        f"git checkout -qb x/y; echo b>src/pkg/n.py; git add -A; git commit -qm n; git checkout -q -; {STASH}"
    )
    kept = ended.save()
    assert [(one.where, one.ref, one.paths) for one in kept] == [
        ("branch x/y", f"{REF}.x-y", ("src/pkg/n.py",)),
        ("stash@{0}", f"{REF}.stash", ("src/pkg/a.py",)),
    ]
    assert [ended.scene.repo.ref(one.ref) for one in kept] == [one.commit for one in kept]
    assert ended.scene.watch.compare() == []
    assert (
        ended.notes[1] == f"it left work elsewhere than in its worktree: stash@{{0}}: src/pkg/a.py, kept on {REF}.stash"
    )
    assert rescue.describe(kept).split("\n")[-1] == f"  stash@{{0}}: src/pkg/a.py; see: git show {kept[1].commit[:12]}"
    assert rescue.describe(()) == ""


def test_of_many_paths_the_first_are_named_and_none_breaks_a_line() -> None:
    kept = SideWorkRecord("branch x", "refs/x", "c" * 40, ("a\nb", *map(str, range(30))))
    told = rescue.describe([kept])
    assert "branch x: a\\nb, 0, 1, " in told
    assert "18 and 11 more; see" in told


def test_what_vanishes_while_it_is_kept_has_no_ref_and_its_repository_stays(ended: Ended) -> None:
    ended.scene.act(STASH)
    repo = Losing(ended.scene.repo.git_dir)
    ended.workspace = replace(ended.workspace, repo=repo, trees=replace(ended.workspace.trees, repo=repo))
    assert ended.save() == ()
    assert ended.scene.repo.refs(REF) == {}
    kept = ended.scene.checkout.folder.parent / ".kept/wp1.2.git/refs/stash"
    assert kept.is_file()
    assert ended.notes[0].endswith(f"and is kept whole: {ended.workspace.home}/.kept/wp1.2/user")


def test_a_copy_of_the_repository_that_an_agent_made_beside_its_worktree_is_kept_whole(ended: Ended) -> None:
    ended.scene.act("git clone -q . ../copy; cd ../copy; echo s>s; git add s; git commit -qm s")
    assert ended.save() == ()
    assert (ended.workspace.home / ".kept/wp1.2/copy/s").is_file()
    assert "it made a repository beside its worktree (copy)" in ended.notes[0]


def test_what_set_up_makes_beside_the_worktree_is_not_the_agents(ended: Ended) -> None:
    ended.scene.act("git clone -q . ../copy")
    ended.spec = replace(ended.spec, beside=frozenset({"copy"}))
    assert ended.save() == ()
    assert ended.notes == []
