"""The work of an agent is on its attempt's ref, whole, or on none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from parallel_impl.config import Config
from parallel_impl.git.repo import GitError, Repo
from parallel_impl.git.staging import Staging
from parallel_impl.git.trees import Trees
from parallel_impl.plan.model import Package
from parallel_impl.record.result import AgentRecord
from parallel_impl.run.attempt import take_work
from parallel_impl.run.attempt.job import Job, Kept
from parallel_impl.run.attempt.take_work import Taken
from parallel_impl.run.places import Places
from parallel_impl.run.spec import RunSpec, Workspace
from tests.git.scene import CHANGE, DATE, SCOPE, Scene, make_user, open_scene
from tests.run.scene import in_force

REF = f"refs/parallel-impl/{CHANGE}/attempts/wp1/2"


@dataclass
class Desk:
    """The worktree of one attempt, and what is needed to take what is in it."""

    scene: Scene
    spec: RunSpec
    workspace: Workspace
    job: Job
    staging: Staging

    def take(self) -> Taken:
        return take_work.take(
            self.spec, self.workspace, self.job, self.staging, self.scene.snapshot, base=self.scene.base
        )


class Pruned(Repo):
    """A Repo whose user prunes: `prune` is called with the arguments of each command before it runs."""

    def __init__(self, git_dir: Path, prune: Callable[[Repo, tuple[str, ...]], None]) -> None:
        super().__init__(git_dir)
        self.prune = prune

    def git(self, *args: str, **options: object) -> bytes:
        self.prune(Repo(self.git_dir), args)
        return super().git(*args, **options)  # type: ignore[arg-type]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    package = Package("wp1", "Do it", SCOPE, title="Do  the\nthing", tasks=("1.1", "2"))
    spec = RunSpec(scene.base, "HEAD", DATE, "f" * 32, Config(), agent_spec="command: x")
    workspace = Workspace(scene.repo, scene.trees, Places(scene.repo.git_dir, CHANGE), scene.source, scene.watch)
    return Desk(scene, spec, workspace, Job(package, 2, in_force([package], 3)), scene.staging)


def pruned(desk: Desk, prune: Callable[[Repo, tuple[str, ...]], None], scratch: Path) -> Desk:
    """The same desk in a repository that is pruned beside us."""
    repo = Pruned(desk.scene.repo.git_dir, prune)
    trees = Trees(repo, scratch)
    workspace = replace(desk.workspace, repo=repo, trees=trees)
    return replace(desk, workspace=workspace, staging=Staging(trees, desk.scene.checkout, base=desk.scene.base))


def lose(repo: Repo, oid: str) -> None:
    (repo.git_dir / "objects" / oid[:2] / oid[2:]).unlink()


@dataclass
class Vanish:
    """Loses what the attempt's commit holds right before it is checked, the first `times` times."""

    what: str
    times: int
    seen: list[str] = field(default_factory=list)

    def __call__(self, repo: Repo, args: tuple[str, ...]) -> None:
        if "--missing=print" in args:
            commit = args[-2]
            self.seen.append(commit)
            if len(self.seen) <= self.times:
                lose(repo, commit if self.what == "commit" else repo.entries(commit, "src/pkg/new.py")[0].oid)


def test_the_work_is_one_commit_on_the_base_with_trailers_that_say_where_it_comes_from(desk: Desk) -> None:
    desk.scene.act("echo precious>src/pkg/new.py; git add -A; git commit -qm own")
    taken = desk.take()
    repo = desk.scene.repo
    assert repo.ref(REF) == taken.commit
    assert repo.parents(taken.commit) == (desk.scene.base,)
    assert [(change.status, change.path) for change in taken.work.changes] == [("A", "src/pkg/new.py")]
    assert repo.text("log", "-1", "--format=%B", taken.commit).strip() == (
        f"wp1: Do the thing\n\nTasks: 1.1, 2\nWork-Package: wp1\nChange-Id: c\nRun: {'f' * 32}\nAttempt: 2\n"
        "Agent: command: x\n"
        "Plan-Revision: 3\nContracts-Revision: 1"
    )


def test_the_tasks_of_a_package_are_a_trailer_of_one_line(desk: Desk) -> None:
    named = replace(desk.job, package=replace(desk.job.package, tasks=("1.1", "2", "Write\nChange-Id: x")))
    message = take_work.describe(desk.spec, desk.workspace, named, changed=True)
    assert "Tasks: 1.1, 2, Write Change-Id: x\nWork-Package: wp1\nChange-Id: c\n" in message


def test_an_attempt_without_changes_says_so(desk: Desk) -> None:
    taken = desk.take()
    assert "\n\nNo changes.\n\n" in desk.scene.repo.text("log", "-1", "--format=%B", taken.commit)


def test_the_watch_over_the_repository_expects_the_ref(desk: Desk) -> None:
    desk.scene.act("echo x>src/pkg/new.py")
    desk.take()
    assert desk.scene.watch.compare() == []


@pytest.mark.parametrize("what", ["blob", "commit"])
def test_work_whose_objects_vanish_is_taken_again(what: str, desk: Desk, tmp_path: Path) -> None:
    desk.scene.act("echo precious>src/pkg/new.py")
    vanish = Vanish(what, times=1)
    taken = pruned(desk, vanish, tmp_path / "trees").take()
    assert len(vanish.seen) == 2
    assert desk.scene.repo.ref(REF) == taken.commit
    assert desk.scene.repo.read(taken.commit, "src/pkg/new.py") == b"precious\n"


def test_blobs_that_vanish_before_their_tree_is_written_are_no_fault_of_the_work(desk: Desk, tmp_path: Path) -> None:
    desk.scene.act("echo precious>src/pkg/new.py")
    done = list[bool]()

    def prune(repo: Repo, args: tuple[str, ...]) -> None:
        if args[0] == "write-tree" and not done:
            done.append(True)
            repo.git("prune", "--expire=now")

    taken = pruned(desk, prune, tmp_path / "trees").take()
    assert done
    assert [change.path for change in taken.work.changes] == ["src/pkg/new.py"]
    assert taken.commit


def test_objects_that_vanish_every_time_are_an_error_and_leave_no_ref(desk: Desk, tmp_path: Path) -> None:
    desk.scene.act("echo precious>src/pkg/new.py")
    vanish = Vanish("blob", times=9)
    with pytest.raises(GitError, match="objects vanish"):
        pruned(desk, vanish, tmp_path / "trees").take()
    assert len(vanish.seen) == 3
    assert desk.scene.repo.ref(REF) is None  # a ref to a commit that lacks objects would fail every gc


def test_a_worktree_that_cannot_be_staged_has_no_commit(desk: Desk) -> None:
    desk.scene.act("mkfifo src/pkg/pipe")
    taken = desk.take()
    assert [violation.path for violation in taken.work.unstageable] == ["src/pkg/pipe"]
    assert taken.commit == ""
    assert desk.scene.repo.ref(REF) is None


def test_work_that_is_judged_again_is_a_commit_of_this_attempt_by_the_agent_that_did_it(desk: Desk) -> None:
    desk.scene.act("head -c 2000 /dev/urandom >src/pkg/new.bin")
    first = desk.take()
    agent = AgentRecord(name="claude", kind="claude", model="m")
    job = replace(desk.job, number=5, kept=Kept(2, first.commit, agent))
    small = replace(desk.spec, config=Config(max_blob_mb=0.001))
    taken = take_work.take_again(small, desk.workspace, job, first.commit, base=desk.scene.base)
    repo = desk.scene.repo
    assert repo.tree(taken.commit) == repo.tree(first.commit)
    assert repo.parents(taken.commit) == (desk.scene.base,)
    assert repo.ref(REF.replace("/2", "/5")) == taken.commit
    assert taken.work.changes == first.work.changes
    assert [one.path for one in taken.work.too_big] == ["src/pkg/new.bin"]  # by the limit as it is now
    message = repo.text("show", "-s", "--format=%B", taken.commit)
    assert "Agent: claude m\n" in message and "Attempt: 5\n" in message
