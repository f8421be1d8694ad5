"""`make demo-plan`: a change without a plan gets one and lands, and lands the same code with --single."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.repository import git

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "demo_plan.sh"


def test_a_change_without_a_plan_is_planned_and_lands_as_it_does_with_single(tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    done = subprocess.run(
        ["sh", SCRIPT, demo], check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "recommended: parallel: 5 packages" in done.stderr
    assert "Both ways landed the same code." in done.stdout
    landed = {name: git(demo / name, "rev-parse", "openspec/add-orders:tests") for name in ("shop", "single")}
    assert landed["shop"] == landed["single"]
