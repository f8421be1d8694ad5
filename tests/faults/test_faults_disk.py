"""A disk that really fills up: what fails for it is told and costs no attempt; with room the run goes on."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.scene import Midway, losses, redone
from tests.faults.stage import SEED, Stage

FULL = re.compile("^/.+: error: No space left on device", re.MULTILINE)  # which file, before anything else
SIZE = 16_000_000
LEAST, MOST = 60_000, 1_200_000  # bytes: what preflight wants free, and more than a whole run writes


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.faults
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
@pytest.mark.parametrize("number", range(20))
def test_a_disk_that_fills_up_is_told_and_the_run_goes_on_when_there_is_room(
    stage: Stage, tmp_path: Path, number: int
) -> None:
    room = random.Random(f"{SEED} disk {number}").randrange(LEAST, MOST)
    with small_disk(tmp_path / "disk") as disk:
        scene = stage.template.copy(disk / "trial")
        filler = disk / "filler"
        filler.write_bytes(b"\0" * (shutil.disk_usage(disk).free - room))
        code = scene.implement()
        midway = Midway.of(scene)
        filler.unlink()
        assert code == 0 or (code == 2 and "No space left on device" in scene.said()), (room, code, scene.said())
        assert "writable" not in scene.said(), room
        assert scene.implement() == 0, (room, scene.said())
        assert list(losses(scene, stage.undisturbed, [midway])) == [], room
        assert list(redone(scene, [midway])) == [], room


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_an_attempt_that_failed_on_a_full_disk_costs_no_retry(stage: Stage, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        scene = stage.template.copy(disk / "trial")
        agent = scene.folder / "agent.sh"
        fill = (
            f"head -c $(($(stat -f -c '%a * %S' {disk}) - 800000)) /dev/zero >{disk}/big"  # the rest is enough for us
        )
        agent.write_text(f"[ $1 != wp-left ] || [ -e {disk}/mended ] || {{ {fill}; exit 1; }}\n{agent.read_text()}")
        assert scene.implement() == 2
        assert FULL.search(scene.said()), scene.said()
        midway = Midway.of(scene)
        (disk / "big").unlink()
        (disk / "mended").touch()
        assert scene.implement() == 0, scene.said()
        assert list(losses(scene, stage.undisturbed, [midway])) == []
