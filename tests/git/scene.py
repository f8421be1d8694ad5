"""One package in a repository of its own: the ground on which the tests of the git room let an agent act."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from parallel_impl.git.checkout import Checkout, Source
from parallel_impl.git.mounts import Mounts, one_path
from parallel_impl.git.repo import Repo, encode
from parallel_impl.git.scope import violations
from parallel_impl.git.staging import Snapshot, Staging, Violation, Work
from parallel_impl.git.trees import Trees
from parallel_impl.git.watch import Tamper, Watch
from parallel_impl.plan.model import Scope
from parallel_impl.views.slot import Slot
from parallel_impl.views.view import Means
from tests.means import ability
from tests.repository import git

CHANGE = "c"
FILES = {
    "src/pkg/a.py": "a\n",
    "src/pkg/b.py": "b\n",
    "src/pkg/secret/k": "k\n",
    "other/o.py": "o\n",
    "README.md": "r\n",
    ".gitignore": "*.log\nbuild/\n",
}
SCOPE = Scope(write_allow=("src/pkg/**",), deny=("src/pkg/secret/**",))
SLOT = Slot()  # ends with this process
PACKAGE_REF = "refs/parallel-impl/c/packages/wp1"
BASE_REF = "refs/parallel-impl/c/base"
DATE = 1_700_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was made of an agent's work."""

    work: Work
    violations: tuple[Violation, ...]
    tampering: tuple[Tamper, ...]

    @property
    def accepted(self) -> bool:
        return not self.reasons

    @property
    def reasons(self) -> list[str]:
        return [str(violation) for violation in (*self.work.unstageable, *self.work.too_big, *self.violations)]

    @property
    def changed(self) -> dict[str, str]:
        """Path to git's letter for it: A, M, D, T."""
        return {change.path: change.status for change in self.work.changes}

    @property
    def ignored(self) -> dict[str, str]:
        return {ignored.path: ignored.rule for ignored in self.work.ignored}


@dataclass(slots=True)
class Scene:
    """The user's repository, the checkouts of the packages wp1 and wp2, and our own view of them."""

    user: Path
    base: str
    trees: Trees
    source: Source
    checkout: Checkout
    sibling: Checkout
    watch: Watch
    out: Path
    snapshot: Snapshot
    staging: Staging

    @property
    def repo(self) -> Repo:
        return self.trees.repo

    @property
    def files(self) -> Path:
        """The files of the worktree, as it is now."""
        return self.checkout.files

    def act(self, script: str) -> None:
        """Run the agent: a shell in the worktree, whatever it exits with."""
        environment = os.environ | {
            "REPO": str(self.user),
            "WT": str(self.checkout.path),
            "SIB": str(self.sibling.folder / self.user.name),
            "BASE": self.base,
            "COMMON": str(self.checkout.git_dir),
            "OUT": str(self.out),
        }
        if view := self.checkout.view:
            view.call(["bash", "-c", script], env=environment, cwd=self.checkout.path)
            return
        subprocess.run(
            ["bash", "-c", script],
            cwd=self.checkout.path,
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )

    def judge(self, scope: Scope = SCOPE) -> Verdict:
        """Take the work, check its scope, compare the user's repository: what an attempt does after the agent."""
        work = self.staging.after(self.snapshot)
        if not work.unstageable:
            commit = self.repo.commit_tree(work.tree, [self.base], "wp1", date=DATE)
            self.watch.expect(PACKAGE_REF, commit)
            self.repo.set_ref(PACKAGE_REF, commit)
        plan = "openspec/changes/c/work-packages.yaml"
        found = violations(self.trees, work.changes, scope, base=self.base, denied=(plan,))
        return Verdict(work, tuple(found), (*self.watch.compare(), *self.watch.compare_checkouts()))

    def content(self, verdict: Verdict, path: str) -> bytes | None:
        """What was taken under a path."""
        return self.repo.read(verdict.work.tree, path)


def make_user(folder: Path, files: dict[str, str] | None = None, *init: str) -> Path:
    """A repository with one commit of `files` on `main`."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "-b", "main", *init)
    for path, content in (FILES if files is None else files).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(encode(content))
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "-m", "base")
    return folder


def needs_submodules() -> None:
    """Skip the test where git came without `git submodule`, a script of its own: builds for containers leave it out."""
    if "submodule" not in git(Path.cwd(), "--list-cmds=main").splitlines():
        pytest.skip("this git has no `git submodule`")


def mount(repo: Repo, trees: Trees, home: Path, name: str, means: Means) -> Mounts | None:
    """The mounts of a run by these means; no set-up ever depends on anything."""
    if means is Means.EACH:
        return None
    at = one_path(home, name)
    mounts = Mounts(repo, trees, SLOT, ability(means), home, at, "k" * 24, lambda _changes, _inputs: "")
    mounts.begin()
    return mounts


def open_ready(source: Source, name: str, commit: str, *, branch: str = "") -> Checkout:
    """A checkout as after a set-up that does nothing."""
    checkout = source.open(name, commit, branch=branch)
    if checkout.mounted and not checkout.mounted.ready:
        checkout.settle(seconds=0.0, inputs={})
    return checkout


def open_scene(
    user: Path,
    tmp_path: Path,
    *,
    left_out: tuple[str, ...] = (),
    max_blob_mb: float = 50,
    means: Means = Means.EACH,
) -> Scene:
    """Prepare a run on the user's HEAD and open the checkouts of two packages."""
    repo = Repo.discover(user)
    base = repo.resolve("HEAD")
    assert base is not None
    repo.set_ref(BASE_REF, base)
    state = repo.git_dir / "parallel-impl" / CHANGE
    out = tmp_path / "out"
    out.mkdir()
    trees = Trees(repo, state / "trees")
    home = tmp_path / "home" / CHANGE
    source = Source.prepare(repo, base, home, indexes=state / "indexes", repository_name=user.name)
    source = replace(source, mounts=mount(repo, trees, home, user.name, means))
    checkout = open_ready(source, "wp1", base, branch="openspec/c--wp1")
    sibling = open_ready(source, "wp2", base, branch="openspec/c--wp2")
    bare = git(user, "rev-parse", "--is-bare-repository") == "true"
    watch = Watch(repo, CHANGE, checkout=None if bare else user)
    staging = Staging(trees, checkout, base=base, left_out=left_out, max_blob_mb=max_blob_mb)
    snapshot = staging.before(set_up=False)
    return Scene(user, base, trees, source, checkout, sibling, watch, out, snapshot, staging)
