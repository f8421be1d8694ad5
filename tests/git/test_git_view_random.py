"""Random commits and random work: a view is what a checkout would be, and its upper what git would stage in it."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from parallel_impl.git.checkout import Checkout
from parallel_impl.git.staging import Staging
from parallel_impl.views.view import Means
from tests.git.scene import Scene, make_user, open_ready, open_scene
from tests.repository import commit_all, git
from tests.views.random_work import OPERATIONS, WITH_ATTACKS, Operation, operate

COMMITS, SEQUENCES = 6, 8
BOTH = pytest.mark.parametrize("means", [Means.OVERLAY, Means.COPY])


def fill(folder: Path, choose: random.Random) -> None:
    """Random files in folders that are in each other."""
    for number in range(40):
        below = folder / "/".join(f"d{choose.randrange(3)}" for _ in range(choose.randrange(4)))
        below.mkdir(parents=True, exist_ok=True)
        (below / f"f{number % 7}").write_text(f"{number}\n")


def in_folder(folder: Path, choose: random.Random, most: int, operations: tuple[Operation, ...] = OPERATIONS) -> None:
    """So many random operations in a folder, at most."""
    before = Path.cwd()
    os.chdir(folder)  # the paths of operations are short, and follow a view
    try:
        for _ in range(choose.randrange(1, most)):
            operate(choose, operations)
    finally:
        os.chdir(before)


def commit_randomly(user: Path, choose: random.Random) -> str:
    """A commit on top of HEAD with random changes."""
    (user / ".git").rename(user.with_name("git"))
    in_folder(user, choose, 14)
    user.with_name("git").rename(user / ".git")
    git(user, "add", "--all", "--force")
    git(user, "commit", "--quiet", "--allow-empty", "-m", "random")
    return git(user, "rev-parse", "HEAD")


def staged_inside(scene: Scene, checkout: Checkout) -> str:
    """The tree that git writes in the view of all files there, each of which it reads."""
    assert checkout.view
    script = "rm -f $GIT_INDEX_FILE; git add --all --force . >&2 && git write-tree"
    env = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith("GIT_")}
    env["GIT_INDEX_FILE"] = str(scene.out / "scratch-index")
    code, said, complaints = checkout.view.call(["sh", "-ec", script], env=env, cwd=checkout.path)
    assert code == 0, complaints
    return said.decode().strip()


def scene_of(tmp_path: Path, choose: random.Random, means: Means) -> Scene:
    user = make_user(tmp_path / "user", {"kept": "kept\n"})
    fill(user, choose)
    commit_all(user, "files")
    return open_scene(user, tmp_path, means=means)


@BOTH
def test_a_view_of_any_commit_is_a_checkout_of_it_and_its_index_is_clean(tmp_path: Path, means: Means) -> None:
    choose = random.Random(11)  # noqa: S311  (the same commits each time, no secret)
    scene = scene_of(tmp_path, choose, means)
    for number in range(COMMITS):
        commit = commit_randomly(scene.user, choose)
        checkout = open_ready(scene.source, f"v{number}", commit)
        assert checkout.view
        assert staged_inside(scene, checkout) == git(scene.user, "rev-parse", f"{commit}^{{tree}}"), number
        env = {"PATH": os.environ["PATH"]}
        said = checkout.view.call(["git", "status", "--porcelain", "--ignored"], env=env, cwd=checkout.path)
        assert said == (0, b"", b""), number
        # by what the index says of the files alone
        unlike = scene.repo.git(
            "diff-files", "--name-only", index=checkout.index, work_tree=checkout.path, view=checkout.view
        )
        assert unlike == b"", number
        checkout.remove()


@BOTH
def test_the_work_taken_is_what_git_stages_inside(tmp_path: Path, means: Means) -> None:
    choose = random.Random(13)  # noqa: S311
    scene = scene_of(tmp_path, choose, means)
    for number in range(SEQUENCES):
        commit = commit_randomly(scene.user, choose) if number % 2 else scene.base
        checkout = open_ready(scene.source, f"w{number}", commit)
        staging = Staging(scene.trees, checkout, base=commit)
        before = staging.before(set_up=True)
        shutil.move(checkout.files / ".git", scene.out / "pointer")  # no operation is for it
        in_folder(checkout.files, choose, 20, WITH_ATTACKS if means is Means.OVERLAY else OPERATIONS)
        shutil.move(scene.out / "pointer", checkout.files / ".git")
        wanted, taken = staged_inside(scene, checkout), staging.after(before)
        assert (taken.unstageable, taken.tree) == ((), wanted), number
        checkout.remove()
