"""A change that the forge says is merged is archived on the pull request's base, by a pull request of its own."""

from __future__ import annotations

import os
from pathlib import Path

from tests.forge.github import LoopbackGitHub
from tests.forge.test_e2e_pull_request import CHANGE, NAME, Scene, make
from tests.repository import git

FORK = "me/demo"
ARCHIVED = f"2026-01-02-{CHANGE}"
OPENSPEC = f"""#!/bin/sh
set -eu
mkdir -p openspec/changes/archive
mv openspec/changes/{CHANGE} openspec/changes/archive/{ARCHIVED}
echo '{{"archive": {{"change": "{CHANGE}", "archivedAs": "{ARCHIVED}"}}}}'
"""


def path_with_openspec(folder: Path) -> str:
    """PATH with a small `openspec` on it."""
    program = folder / "bin/openspec"
    program.parent.mkdir()
    program.write_text(OPENSPEC)
    program.chmod(0o755)
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}"


def test_the_archive_of_a_merged_change_is_a_pull_request_and_given_again_it_is_the_same(
    hub: LoopbackGitHub, tmp_path: Path
) -> None:
    scene, path = Scene(hub, make(tmp_path)), path_with_openspec(tmp_path)
    assert scene.implement("--pr").returncode == 0
    merged = hub.merge(1, "squash")

    done = scene.tool("cleanup", CHANGE, "--pr", PATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"archived {CHANGE} as {ARCHIVED}: one commit on origin/main, on the branch archive/{CHANGE}" in done.stdout
    assert f"pull request opened: https://{hub.host}/{NAME}/pull/2" in done.stdout
    pull = hub.pulls[1]
    assert (pull["title"], pull["base"], pull["branch"]) == (f"Archive {CHANGE}", "main", f"archive/{CHANGE}")
    tip = hub.tip(NAME, f"archive/{CHANGE}")
    assert git(scene.repo, "rev-parse", f"{tip}^") == merged

    again = scene.tool("cleanup", CHANGE, "--pr", PATH=path)
    assert again.returncode == 0, again.stdout + again.stderr
    assert f"archived on the branch archive/{CHANGE} already" in again.stdout
    assert len(hub.pulls) == 2


def test_the_archive_goes_to_the_base_that_the_pull_request_was_merged_into(
    hub: LoopbackGitHub, tmp_path: Path
) -> None:
    scene, path = Scene(hub, make(tmp_path)), path_with_openspec(tmp_path)
    assert scene.implement("--pr").returncode == 0
    git(hub.bare(NAME), "branch", "develop", "main")
    hub.pulls[0]["base"] = "develop"
    merged = hub.merge(1, "squash")

    done = scene.tool("cleanup", CHANGE, "--pr", PATH=path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (hub.pulls[1]["base"], hub.pulls[1]["branch"]) == ("develop", f"archive/{CHANGE}")
    assert git(scene.repo, "rev-parse", f"archive/{CHANGE}^") == merged


def test_a_branch_of_the_users_with_the_name_of_the_archive_is_neither_published_nor_moved(
    hub: LoopbackGitHub, tmp_path: Path
) -> None:
    scene, path = Scene(hub, make(tmp_path)), path_with_openspec(tmp_path)
    assert scene.implement("--pr").returncode == 0
    hub.merge(1, "merge")
    git(scene.repo, "fetch", "--quiet", str(hub.bare(NAME)), "main")
    git(scene.repo, "branch", f"archive/{CHANGE}", "FETCH_HEAD")
    tree = git(scene.repo, "rev-parse", "FETCH_HEAD^{tree}")
    own = git(scene.repo, "commit-tree", tree, "-p", "FETCH_HEAD", "-m", "mine")
    git(scene.repo, "update-ref", f"refs/heads/archive/{CHANGE}", own)

    done = scene.tool("cleanup", CHANGE, "--pr", PATH=path)
    assert (done.returncode, len(hub.pulls)) == (1, 1), done.stdout
    assert f"not archived: archive/{CHANGE} is a branch already" in done.stdout
    assert git(scene.repo, "rev-parse", f"archive/{CHANGE}") == own
    assert hub.tip(NAME, f"archive/{CHANGE}") == ""


def test_a_fork_that_does_not_have_the_merge_yet_gets_no_archive_without_it(
    hub: LoopbackGitHub, tmp_path: Path
) -> None:
    scene, path = Scene(hub, make(tmp_path)), path_with_openspec(tmp_path)
    fork = hub.add_repository(FORK)
    hub.parents[FORK] = NAME
    git(scene.repo, "push", "--quiet", str(fork), "main")
    git(scene.repo, "remote", "set-url", "origin", hub.url(FORK))
    assert scene.implement("--pr").returncode == 0
    merged = hub.merge(1, "squash")

    done = scene.tool("cleanup", CHANGE, PATH=path)
    assert f"not archived: https://{hub.host}/{NAME}/pull/1 is merged, but origin/main does not have it" in done.stdout
    git(fork, "fetch", "--quiet", str(hub.bare(NAME)), "main:main")
    done = scene.tool("cleanup", CHANGE, PATH=path)
    assert f"archived {CHANGE} as {ARCHIVED}: one commit on origin/main" in done.stdout
    assert git(scene.repo, "rev-parse", f"archive/{CHANGE}^") == merged
