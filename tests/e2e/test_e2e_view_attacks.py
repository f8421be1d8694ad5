"""What agents and steps do to the views of a run: what lands is in scope and verified, or the run halts by name."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from parallel_impl.views.view import Means
from tests.means import ability
from tests.repository import command, commit_all, git, init, tool

PACKAGE = """
  - package_id: {0}
    description: Writes a file.
    retry_budget: 0
    scope: {{write_allow: [{0}.txt]}}
    verification:
      steps:
        - {{name: hostile, kind: command, command: "mount -t tmpfs none src || umount -l $PWD || true"}}
        - {{name: check, kind: command, command: "test -e {0}.txt && test -e src/kept.txt"}}
"""
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can unmount what it did not mount")


class Scene:
    """A repository with the packages wp-a and wp-b, which nothing orders."""

    def __init__(self, folder: Path, *lines: str) -> None:
        ability(Means.OVERLAY)
        self.folder, self.repo, self.above = folder, folder / "repo", folder / "repo.worktrees"
        change = self.repo / "openspec/changes/c"
        change.mkdir(parents=True)
        (change / "proposal.md").write_text("# C\n")
        (change / "tasks.md").write_text("## 1. All\n- [ ] 1.1 Write the files\n")
        plan = "".join(PACKAGE.format(name) for name in ("wp-a", "wp-b"))
        (change / "work-packages.yaml").write_text(f"schema_version: 1\nfeature: {{id: c}}\npackages:{plan}")
        (self.repo / "src").mkdir()
        (self.repo / "src/kept.txt").write_text("kept\n")
        settings = ("setup = []", "jobs = 2", "gates.openspec = false", *lines, "")
        (self.repo / "parallel-impl.toml").write_text("\n".join(settings))
        init(self.repo)
        commit_all(self.repo, "base")

    def run(self, script: str) -> tuple[int, str]:
        """The change done by an agent that is a script, `$1` is its package, `$T` the folder of the test."""
        agent = command(self.folder / "agent.sh", f"T={self.folder}\necho $1 >>$T/paid\n{script}")
        env = {"PARALLEL_IMPL_CHECKOUTS": "overlay"}
        done = tool(self.repo, "implement", "c", "--agent", agent, env=env)
        return done.returncode, done.stdout + done.stderr

    def lines(self, name: str) -> list[str]:
        return (self.folder / name).read_text().splitlines()

    def journal(self, kind: str) -> list[dict[str, Any]]:
        lines = (self.repo / ".git/parallel-impl/c/journal.jsonl").read_text().splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == kind]


@ROOT
def test_what_works_below_its_view_halts_and_no_attempt_alive_then_is_accepted(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    os.mkfifo(tmp_path / "done")
    script = """
        at=$PWD
        if [ $1 = wp-a ] && ! [ -e $T/over ]; then
            touch $T/over; cd /; umount -l $at; echo lost >$at/lost.txt; echo done >$T/done
        elif ! [ -e $T/first ]; then
            touch $T/first; read -r word <$T/done
        fi
        echo x >$at/$1.txt
    """
    code, said = scene.run(script)
    assert code == 1, said
    assert "Not landed: what ran in a checkout unmounted it" in said
    assert "it ran in: wp-a" in said
    (kept,) = scene.above.glob("c/.kept/_checkout.*/lost.txt")
    assert str(kept.parent) in said
    assert kept.read_text() == "lost\n"
    assert [one["code"] for one in scene.journal("run-halted")] == ["VIEW_UNMOUNTED"]
    ended = {one["package"]: one["code"] for one in scene.journal("attempt-ended")}
    assert ended == {"wp-a": "VIEW_UNMOUNTED", "wp-b": "VIEW_UNMOUNTED"}
    assert scene.journal("package-accepted") == scene.journal("package-failed") == []
    code, said = scene.run(script)
    assert code == 0, said
    # the work of wp-b was whole and is only judged again
    assert sorted(scene.lines("paid")) == ["wp-a", "wp-a", "wp-b"]
    assert git(scene.repo, "ls-tree", "--name-only", "openspec/c").split()[-2:] == ["wp-a.txt", "wp-b.txt"]
    git(scene.repo, "merge", "--quiet", "openspec/c")
    (scene.above / "_checkout").mkdir()
    (scene.above / "_checkout/left").touch()
    cleaned = tool(scene.repo, "cleanup", "c")
    for place in (kept.parent, scene.above / "_checkout/left"):
        assert f"{place}: written below a checkout that was unmounted" in cleaned.stdout + cleaned.stderr
    assert kept.read_text() == "lost\n"
    tool(scene.repo, "cleanup", "c", "--force")
    assert not [*scene.above.rglob("*")]


HOSTILE = """
import contextlib, os, pathlib, stat, subprocess, sys
at, above, out = pathlib.Path.cwd(), pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
told = [f"sees {path}" for path in above.rglob("*") if path.name in ("_layers", "views", ".kept", "wp-b", "wp-b.git")]
for place in ("_layers/x", "c/x", "c/wp-b/repo/wp-b.txt", "_layers/views/c/wp-b/upper/wp-b.txt", "_checkout.x"):
    with contextlib.suppress(OSError):
        (above / place).write_text("planted")
        told.append(f"wrote {place}")
for process in pathlib.Path("/proc").glob("[0-9]*"):
    with contextlib.suppress(OSError):
        if (process / "root" / above.relative_to("/") / "_layers").exists():
            told.append(f"entered {process}")
for descriptor in pathlib.Path("/proc/self/fd").iterdir():
    with contextlib.suppress(OSError):
        if (target := os.readlink(descriptor)).startswith(("socket:", "anon", str(above))) or "/proc/" in target:
            told.append(f"inherited {target}" if not target.endswith("/fd") else "")
for name, look in (("root", os.readlink), ("cwd", os.readlink), ("mem", open), ("fd/0", os.readlink)):
    with contextlib.suppress(OSError):
        look(f"/proc/1/{name}")
        told.append(f"looked at /proc/1/{name}")
for kind in ("trusted", "user"):
    for name, value in (("opaque", b"y"), ("redirect", b"/../../.."), ("metacopy", b""), ("whiteout", b"")):
        for place in ("src", "src/kept.txt"):
            with contextlib.suppress(OSError):
                os.setxattr(place, f"{kind}.overlay.{name}", value)
with contextlib.suppress(OSError):
    os.mknod("src/white", stat.S_IFCHR | 0o600, 0)
for line in ("mount -t tmpfs none src", "mount --bind /etc src", "unshare -Urm umount -l .", "nsenter -t 1 -m true"):
    subprocess.run(["sh", "-c", f"cd {at} && {line} && echo planted >src/mounted"], capture_output=True)
subprocess.Popen(["sh", "-c", "sleep 1; while :; do echo late >wp-a.txt; echo late >src/late; done"],
    start_new_session=True, env={"PATH": os.environ["PATH"]}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
out.write_text("\\n".join(filter(None, told)))
"""


def test_what_an_agent_plants_in_views_and_around_them_changes_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    (tmp_path / "hostile.py").write_text(HOSTILE)
    attack = f"{sys.executable} $T/hostile.py {scene.above} $T/told"
    code, said = scene.run(f"echo x >$1.txt\n[ $1 != wp-a ] || {attack}\n")
    assert code == 0, said
    assert (tmp_path / "told").read_text() == ""
    landed = git(scene.repo, "ls-tree", "-r", "--name-only", "openspec/c", "--", "src", "wp-a.txt", "wp-b.txt")
    assert landed.split() == ["src/kept.txt", "wp-a.txt", "wp-b.txt"]
    assert git(scene.repo, "show", "openspec/c:wp-a.txt", "openspec/c:src/kept.txt").split() == ["x", "kept"]
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()


@ROOT
def test_who_unmounts_the_cover_and_writes_to_a_layer_halts_the_run_and_nobody_is_paid_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    script = """
        [ $1 = wp-a ] || read -r word <$T/done
        echo x >$1.txt
        if [ $1 = wp-a ]; then
            cd /; umount -l {above}; for kept in {above}/_layers/*/*/files/src/kept.txt; do echo evil >>$kept; done
            echo done >$T/done
        fi
    """
    os.mkfifo(tmp_path / "done")
    code, said = scene.run(script.format(above=scene.above))
    assert code == 1, said
    assert "Not landed: a prepared checkout was changed" in said
    assert "src/kept.txt was changed after set-up had made it" in said
    assert "verified on it: wp-a, wp-b" in said
    code, said = scene.run("exit 1\n")
    assert code == 0, said
    assert sorted(scene.lines("paid")) == ["wp-a", "wp-b"]
    assert git(scene.repo, "show", "openspec/c:src/kept.txt") == "kept"
