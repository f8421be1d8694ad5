"""What killed processes leave, one kind at a time: it is in nobody's way, and nothing of it stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.scene import CHANGE, Fault, Midway, Scene, losses, redone, try_faults
from tests.faults.stage import Stage

REFS = f".git/refs/parallel-impl/{CHANGE}"
BRANCH = f".git/refs/heads/openspec/{CHANGE}"


def killed(stage: Stage, folder: Path, place: str) -> tuple[Scene, Midway]:
    scene = stage.template.copy(folder)
    assert scene.implement(Fault(place)) == -9, scene.said()
    return scene, Midway.of(scene)


def assert_goes_on(stage: Stage, scene: Scene, midway: Midway) -> None:
    assert scene.implement() == 0, scene.said()
    assert list(losses(scene, stage.undisturbed, [midway])) == []
    assert list(redone(scene, [midway])) == []


def test_a_run_killed_right_after_it_landed_has_its_summary_and_no_worktree_left(stage: Stage, tmp_path: Path) -> None:
    scene, midway = killed(stage, tmp_path / "trial", stage.find("journal", "Landed", "after"))
    assert_goes_on(stage, scene, midway)


def test_a_killed_preflight_leaves_no_temporary_folder(stage: Stage, tmp_path: Path) -> None:
    scene, midway = killed(stage, tmp_path / "trial", stage.find("remove", "/pi-", "before"))
    assert [path.name[:3] for path in (scene.folder / "tmp").iterdir()] == ["pi-"]
    assert not (scene.state / "journal.jsonl").exists()
    assert_goes_on(stage, scene, midway)


def test_lock_files_that_killed_git_commands_left_on_our_own_refs_and_indexes_are_removed(
    stage: Stage, tmp_path: Path
) -> None:
    scene, midway = killed(stage, tmp_path / "trial", "wp-left/reaped/1:after")
    names = ["base", "candidate", "proven", "packages/wp-left", "attempts/wp-left/1", "bases/wp-both"]
    locks = [scene.repo / REFS / f"{name}.lock" for name in names]
    for lock in [*locks, scene.state / "indexes/wp-left/index.after.lock"]:
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()
    assert_goes_on(stage, scene, midway)


def test_the_lock_of_the_feature_branch_is_ours_when_we_were_moving_it(stage: Stage, tmp_path: Path) -> None:
    scene, midway = killed(
        stage, tmp_path / "trial", stage.find("git-write", f"refs/heads/openspec/{CHANGE}", "before")
    )
    lock = scene.repo / f"{BRANCH}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    assert_goes_on(stage, scene, midway)


def test_a_lock_that_may_be_somebody_elses_is_named_and_left_and_the_run_goes_on_without_it(
    stage: Stage, tmp_path: Path
) -> None:
    scene = stage.template.copy(tmp_path / "trial")
    lock = scene.repo / f"{BRANCH}.lock"
    lock.parent.mkdir(parents=True)
    lock.touch()
    for _ in range(2):
        assert scene.implement() == 2
        assert f"{lock}: error: another git command holds a lock" in scene.said()
        assert f"rm '{lock}'" in scene.said()
        assert lock.exists()
    midway = Midway.of(scene)
    assert set(midway.accepted) == {"wp-left", "wp-right", "wp-both"}
    lock.unlink()
    assert_goes_on(stage, scene, midway)


def test_a_commit_that_the_user_amends_and_prunes_while_set_up_runs_is_still_the_base(
    stage: Stage, tmp_path: Path
) -> None:
    scene = stage.template.copy(tmp_path / "trial")
    assert scene.implement(Fault(stage.find("git-write", "read-tree", "before"), "gc")) == 0, scene.said()
    assert list(losses(scene, stage.undisturbed, [], amended=True)) == []


@pytest.mark.parametrize(
    ("kind", "what", "action"),
    [
        ("journal", "PackageAccepted", "full"),
        ("git-write", "attempts/wp-left/1", "full-once"),
        ("rename", "result.json", "full"),
        ("fsync", "journal", "full"),
    ],
)
def test_a_full_disk_is_told_with_the_file_and_costs_no_attempt(
    stage: Stage, tmp_path: Path, kind: str, what: str, action: str
) -> None:
    fault = Fault(stage.find(kind, what, "before"), action)
    trial = try_faults(stage.template, tmp_path / "trial", stage.undisturbed, fault)
    assert trial.losses == ()
    assert trial.redone == ()
