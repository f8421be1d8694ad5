"""Machines that can do less, and odd places: each run says what it found, and lands the same tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from parallel_impl.views.view import Means
from tests import machines
from tests.means import ability
from tests.repository import command, commit_all, init

PACKAGE = """
  - package_id: {name}
    description: Writes a file.
    retry_budget: 0
    scope: {{write_allow: [{name}/, requirements.txt, src/]}}
    depends_on: [{above}]
    verification: {{steps: [{{name: check, kind: command, command: "cmp requirements.txt made/it"}}]}}
"""
SETTINGS = 'setup = ["mkdir -p made; cat requirements.txt >made/it"]\ngates.openspec = false\n'
AGENT = """\
echo "$PWD" >&2
mkdir $1 && echo x >$1/new
[ $1 != wp-b ] || { echo more >>requirements.txt; mv src/old.py src/new.py; rm -r src/gone; }
"""
LANDED = ["requirements.txt", "src/new.py", "wp-a/new", "wp-b/new"]
ONCE, EACH = "set-up once, checkouts are ", "set-up in each checkout: "
BY_OVERLAY, BY_COPY = f"{ONCE}views (overlay)", f"{ONCE}copies: "
ON_OVERLAY = (
    "mount overlay: Invalid argument (the worktrees' file system takes none: a container's own, or one of a network)"
)
NO_COPIES = "what set-up copies is not seen: files of known names are its inputs too"
NO_CALLS = "unshare: Operation not permitted (namespaces are not allowed, as in many containers)"
NO_NAMESPACES = "unshare: No space left on device (user namespaces are switched off by user.max_user_namespaces)"
NO_RENAMES = "rename(2) of a folder of the base fails there"
NO_TIMES = "what set-up reads is not seen (noatime): its inputs are known by their names only"


@dataclass(frozen=True, slots=True)
class Scene:
    """A repository with a set-up that reads one file, which its second package changes."""

    repo: Path
    agent: str
    before: tuple[str, ...] = ()

    @classmethod
    def lay_out(cls, folder: Path, above: Path, before: tuple[str, ...] = ()) -> Scene:
        repo = above / "repo"
        change = repo / "openspec/changes/c"
        change.mkdir(parents=True)
        (change / "proposal.md").write_text("# C\n")
        (change / "tasks.md").write_text("## 1. All\n- [ ] 1.1 Write the files\n")
        plan = PACKAGE.format(name="wp-a", above="") + PACKAGE.format(name="wp-b", above="wp-a")
        (change / "work-packages.yaml").write_text(f"schema_version: 1\nfeature: {{id: c}}\npackages:{plan}")
        for path in ("requirements.txt", "src/old.py", "src/gone/one.py"):
            (repo / path).parent.mkdir(parents=True, exist_ok=True)
            (repo / path).write_text("one\n")
        (repo / ".gitignore").write_text("made/\n")
        (repo / "parallel-impl.toml").write_text(SETTINGS)
        init(repo)
        commit_all(repo, "base")
        return cls(repo, command(folder / "agent.sh", AGENT), before)

    def implement(self, *options: str) -> str:
        """What a run prints, which must be right."""
        return self.run(sys.executable, "-m", "parallel_impl", "implement", "c", "--agent", self.agent, *options)

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("cat", ".git/parallel-impl/c/summary.json"))
        return found

    def landed(self) -> list[str]:
        """The paths that landed, but for those of the configuration; what was written must be right."""
        paths = ("requirements.txt", "src/new.py", "wp-b/new")
        assert self.run("git", "show", *(f"openspec/c:{path}" for path in paths)) == "one\nmore\none\nx\n"
        listed = self.run("git", "ls-tree", "-r", "--name-only", "openspec/c").split()
        kept = (".gitignore", "parallel-impl.toml", "openspec/")
        return [path for path in listed if not path.startswith(kept)]

    def run(self, *argv: str) -> str:
        """What a command prints on this machine: what is mounted is so only there."""
        done = subprocess.run(
            [*self.before, *argv],
            cwd=self.repo,
            env={**os.environ, "PARALLEL_IMPL_CHECKOUTS": ""},
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.mark.views
@pytest.mark.parametrize(
    ("machine", "needs", "line"),
    [
        pytest.param(machines.overlay_at, Means.COPY, f"{BY_COPY}{ON_OVERLAY}; {NO_COPIES}", id="overlay on overlay"),
        pytest.param(lambda _: machines.NO_ADMIN, Means.OVERLAY, f"{BY_OVERLAY}: {NO_RENAMES}", id="no CAP_SYS_ADMIN"),
        pytest.param(
            lambda _: machines.ROOT_OF_NAMESPACE, Means.OVERLAY, f"{BY_OVERLAY}: {NO_RENAMES}", id="a user's container"
        ),
        pytest.param(lambda _: machines.FILTERED, Means.EACH, EACH + NO_CALLS, id="seccomp"),
        pytest.param(lambda _: machines.NO_NAMESPACES, Means.EACH, EACH + NO_NAMESPACES, id="no user namespaces"),
        pytest.param(machines.noatime_at, Means.OVERLAY, f"{BY_OVERLAY}: {NO_TIMES}", id="noatime"),
    ],
)
def test_a_machine_that_can_do_less_says_so_and_lands_the_same(
    tmp_path: Path, machine: Callable[[Path], tuple[str, ...]], needs: Means, line: str
) -> None:
    if needs is not Means.EACH:
        ability(needs)
    disk = tmp_path / "disk"
    disk.mkdir()
    scene = Scene.lay_out(tmp_path, disk, machines.lacking(machine(disk)))
    assert line in scene.implement("--dry-run")
    assert line in scene.implement()
    assert scene.landed() == LANDED
    summary = scene.summary()
    set_up = summary["set_up"]
    if needs is Means.EACH:
        assert set_up == line
    else:
        assert set_up.startswith("once, ") and "; again for wp-b (requirements.txt), " in set_up
    assert [what for what in summary["lacking"] if what.startswith("set-up")] == [line] * (NO_RENAMES not in line)
    assert scene.run("find", "..", "-path", "../repo.worktrees/*", "-type", "f") == ""


@pytest.mark.views
def test_an_odd_and_long_place_below_a_setgid_folder_has_views_as_any_other(tmp_path: Path) -> None:
    found = ability(Means.OVERLAY)
    above = tmp_path / "a:b,c\\d e\nf" / ("x" * 200)
    above.mkdir(parents=True)
    os.chown(above, -1, 1 if os.geteuid() == 0 else os.getegid())
    above.chmod(0o2775)
    scene = Scene.lay_out(tmp_path, above)
    assert BY_OVERLAY + ("" if found.renames else f": {NO_RENAMES}") in scene.implement()
    assert scene.landed() == LANDED
    assert scene.summary()["set_up"].startswith("once, ")
