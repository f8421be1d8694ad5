"""What this machine can do is tried, and the reason is the kernel's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from parallel_impl.views import trial
from parallel_impl.views.slot import Slot
from parallel_impl.views.view import Means
from tests import machines
from tests.machines import lacking
from tests.views import scene

FIND = """\
import sys
from pathlib import Path
from parallel_impl.views import trial
found = trial.find(Path(sys.argv[1]))
unseen = "" if found.copies_seen else "copies unseen" if found.reads_seen else "reads unseen"
renames = "" if found.renames else "no renames"
told = " ".join((unseen, renames)).strip()
print(found.means, "as a user" if found.user else "as root", f"| {found.why} |", told)
"""
NO_SYSTEM = (
    "mount overlay: Invalid argument (the worktrees' file system takes none: a container's own, or one of a network)"
)
REFUSED = "unshare: Operation not permitted (namespaces are not allowed, as in many containers)"
SWITCHED_OFF = "unshare: No space left on device (user namespaces are switched off by user.max_user_namespaces)"


def find_with(*before: str, folder: Path) -> str:
    """What is found by a process that is started in another way; nothing of it stays."""
    command = [*before, sys.executable, "-c", FIND, str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=scene.REPOSITORY)
    assert not folder.exists() or list(folder.iterdir()) == []
    return done.stdout.strip()


def test_nothing_of_a_trial_stays(tmp_path: Path) -> None:
    trial.find(tmp_path / "layers")
    assert list((tmp_path / "layers").iterdir()) == []
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


def test_an_overlay_needs_no_reason(tmp_path: Path) -> None:
    found = trial.find(tmp_path)
    assert (found.means is Means.OVERLAY) == (found.why == "")


@pytest.mark.parametrize("odd", ["a:b", "a,b", "a\\b", "a b", "a\nb", "x" * 200])
def test_names_of_folders_are_no_problem(tmp_path: Path, odd: str) -> None:
    assert trial.find(tmp_path / odd).means is scene.ability(tmp_path).means


def test_a_store_that_lies_on_an_overlay_is_copied(tmp_path: Path) -> None:
    scene.lay_out(tmp_path / "here")
    found = find_with(*lacking(machines.overlay_at(tmp_path / "disk")), folder=tmp_path / "disk/layers")
    assert found == f"copy as root | {NO_SYSTEM} | copies unseen"


def test_root_without_the_capability_takes_a_user_namespace(tmp_path: Path) -> None:
    lacking(machines.IN_NAMESPACE)
    scene.lay_out(tmp_path / "here")
    assert find_with(*lacking(machines.NO_ADMIN), folder=tmp_path / "layers") == "overlay as a user |  | no renames"


def test_root_of_a_users_container_takes_a_user_namespace(tmp_path: Path) -> None:
    scene.lay_out(tmp_path / "here")
    found = find_with(*lacking(machines.ROOT_OF_NAMESPACE), folder=tmp_path / "layers")
    assert found == "overlay as a user |  | no renames"


def test_root_that_may_mount_no_overlay_copies(tmp_path: Path) -> None:
    scene.lay_out(tmp_path / "here")
    found = find_with(*lacking(machines.NO_OVERLAY), folder=tmp_path / "layers")
    assert found == "copy as root | mount overlay: Operation not permitted |"


def test_where_user_namespaces_are_switched_off_each_checkout_is_set_up(tmp_path: Path) -> None:
    found = find_with(*lacking(machines.NO_NAMESPACES), folder=tmp_path / "layers")
    assert found == f"each as root | {SWITCHED_OFF} |"


def test_where_a_filter_refuses_mounts_each_checkout_is_set_up(tmp_path: Path) -> None:
    found = find_with(*lacking(machines.FILTERED), folder=tmp_path / "layers")
    assert found == f"each as root | {REFUSED} |"


def test_it_is_found_out_that_reading_a_file_does_not_show(tmp_path: Path) -> None:
    scene.lay_out(tmp_path / "here")
    found = find_with(*lacking(machines.noatime_at(tmp_path)), folder=tmp_path / "layers")
    assert found.endswith("| reads unseen")


def test_where_nothing_can_be_mounted_each_checkout_is_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Slot, "_begin", _refuse)
    found = trial.find(tmp_path)
    assert (found.means, found.why) == (Means.EACH, "[Errno 1] Operation not permitted")


def _refuse(_slot: Slot) -> None:
    raise PermissionError(1, "Operation not permitted")
