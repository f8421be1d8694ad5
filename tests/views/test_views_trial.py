"""What this machine can do is tried, and the reason is the kernel's own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from parallel_impl.views import trial
from parallel_impl.views.slot import Slot
from parallel_impl.views.view import Means
from tests.views import scene

FIND = """\
import sys
from pathlib import Path
from parallel_impl.views import trial
found = trial.find(Path(sys.argv[1]))
print(found.means, found.user, found.why)
"""


def find_with(*before: str, folder: Path) -> str:
    """What is found by a process that is started in another way."""
    command = [*before, sys.executable, "-c", FIND, str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=scene.REPOSITORY).stdout.strip()


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


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("unshare"), reason="root and unshare make such machines")
def test_a_store_that_lies_on_an_overlay_is_copied(tmp_path: Path) -> None:
    scene.lay_out(tmp_path / "here")
    for name in ("lower", "upper", "work", "merged"):
        (tmp_path / name).mkdir()
    mount = (
        f"mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged && cd {scene.REPOSITORY} && "
    )
    within = ("unshare", "--mount", "sh", "-ec", f'cd "$0"; {mount} exec "$@"', str(tmp_path))
    assert find_with(*within, folder=tmp_path / "merged/layers").startswith("copy ")


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="only root can give capabilities up")
def test_root_without_the_capability_takes_a_user_namespace(tmp_path: Path) -> None:
    scene.lay_out(tmp_path / "here")
    found = find_with("setpriv", "--bounding-set=-sys_admin", folder=tmp_path)
    assert found == "overlay True" or found.startswith("each False unshare")


def test_where_nothing_can_be_mounted_each_checkout_is_set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Slot, "_begin", _refuse)
    found = trial.find(tmp_path)
    assert (found.means, found.why) == (Means.EACH, "[Errno 1] Operation not permitted")


def _refuse(_slot: Slot) -> None:
    raise PermissionError(1, "Operation not permitted")
