"""Which commits get a set-up of their own, whose edits are seen where, and what the configuration changes in that."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from parallel_impl.views.view import Means
from tests.e2e.test_e2e_views import SETUP, STORE, Scene
from tests.means import ability
from tests.repository import command, commit_all, tool

PACKAGE = """
  - package_id: {name}
    description: Writes a file.
    retry_budget: 0
    scope: {{write_allow: [{path}]}}
    depends_on: [{above}]
    verification: {{steps: [{{name: check, kind: command, command: "test ! -e .mypy_cache && {check}"}}]}}
"""
CLEAN = "grep -qx one made/it && test ! -e made/node_modules/.cache"
# what each package writes, and the first file for which it has a set-up of its own ("": the one of the base serves it)
WRITES = {
    "wp-lock": ("uv.lock", "uv.lock"),  # read
    "wp-native": ("native/a.c", "native/a.c"),  # read by what builds
    "wp-npmrc": (".npmrc", ".npmrc"),  # new, of a known name
    "wp-top": ("newly/__init__.py", "newly/__init__.py"),  # new, a package that set-up may list
    "wp-docs": ("docs/page.md", "docs/page.md"),  # in setup_inputs
    "wp-plain": ("lib/other.py", ""),
    "wp-later": ("lib/later.py", ""),
}
# it edits what set-up made, and leaves caches; the one after it must find neither
AGENT = """\
grep -qx one made/it && test ! -e .mypy_cache && test ! -e made/node_modules
mkdir -p "$(dirname "$3")" made/node_modules/.cache .mypy_cache
echo changed | tee "$3" .mypy_cache/x made/node_modules/.cache/x >made/it
"""


def replace_plan(scene: Scene, plan: str, *settings: str) -> None:
    (scene.repo / "openspec/changes/c/work-packages.yaml").write_text(plan)
    found = scene.repo / "parallel-impl.toml"
    found.write_text("\n".join([found.read_text().rstrip(), *settings, ""]))
    commit_all(scene.repo, "The plan and what it is about")


def test_only_what_set_up_depends_on_gives_a_package_a_set_up_of_its_own(tmp_path: Path) -> None:
    here = ability(Means.OVERLAY)
    scene = Scene(tmp_path, Means.OVERLAY)
    for path in ("uv.lock", "native/a.c", "docs/page.md", "lib/other.py"):
        (scene.repo / path).parent.mkdir(exist_ok=True)
        (scene.repo / path).write_text("base\n")
    (scene.repo / "build.sh").write_text("cat native/*.c >made/built\n")
    (scene.repo / ".gitignore").write_text("made/\n.mypy_cache/\n")
    packages = (
        PACKAGE.format(name=name, path=path, above="wp-plain" if name == "wp-later" else "", check=CLEAN)
        for name, (path, _) in WRITES.items()
    )
    setup = f"{SETUP.format(tmp_path)}; cat uv.lock >made/locked; sh build.sh"
    settings = (scene.repo / "parallel-impl.toml").read_text().replace(SETUP.format(tmp_path), setup)
    (scene.repo / "parallel-impl.toml").write_text(settings)
    plan = f"schema_version: 1\nfeature: {{id: c}}\npackages:{''.join(packages)}"
    replace_plan(scene, plan, 'setup_inputs = ["docs/**"]', "layers_gb = 0.000001")
    paths = " ".join(f"{name}) set -- $1 $2 {path};;" for name, (path, _) in WRITES.items())
    agent = command(tmp_path / "agent.sh", f"case $1 in {paths} esac\n{AGENT}")
    tried = tool(scene.repo, "implement", "c", "--agent", agent, "--dry-run", env=scene.env)
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "\n  checkouts: set-up once, checkouts are views (overlay)" in tried.stdout
    assert "more than layers_gb = 1e-06" in tried.stderr + tried.stdout
    done = tool(scene.repo, "implement", "c", "--agent", agent, env=scene.env)
    assert done.returncode == 0, done.stdout + done.stderr
    own = [name for name, (_, why) in WRITES.items() if why]
    candidate = ["base"]
    assert sorted(scene.lines("set-ups")) == sorted(["base", "base", *own, *candidate])
    said = json.loads((scene.repo / ".git/parallel-impl/c/summary.json").read_text())["set_up"]
    assert said.startswith("once, ")
    assert "; checkouts are views (overlay)" in said
    again = re.findall(r"; (?:again for )?([^;()]+) \(([^()]+)\), [0-9.]+ s", said)
    found = {name: why for names, why in again for name in names.split(", ") if name in WRITES}
    assert found == {name: why for name, (_, why) in WRITES.items() if why}
    prompt = (scene.repo / ".git/parallel-impl/c/attempts/wp-plain/1/prompt.md").read_text()
    assert ("rename(2)" in prompt) is not here.renames
    # all are larger than what is kept
    assert not (tmp_path / "repo.worktrees").exists()


@pytest.mark.parametrize("keys", [("setup_fresh = true",), ()])
def test_the_candidate_is_set_up_anew_on_request_and_a_kept_layer_serves_the_next_run(
    tmp_path: Path, keys: tuple[str, ...]
) -> None:
    ability(Means.OVERLAY)
    scene = Scene(tmp_path, Means.OVERLAY, *keys)
    plan = PACKAGE.format(name="wp-a", path="wp-a.txt, inputs/", above="", check="true")
    replace_plan(scene, f"schema_version: 1\nfeature: {{id: c}}\npackages:{plan}")
    if not keys:
        assert tool(scene.repo, "implement", "c", "--agent", scene.agent, "--dry-run", env=scene.env).returncode == 0
    done = tool(scene.repo, "implement", "c", "--agent", scene.agent, env=scene.env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert scene.lines("set-ups") == (["base", "base"] if keys else ["base"])
    assert len(list((tmp_path / STORE).glob("*/*/layer.json"))) == (2 if keys else 1)


def test_layers_that_are_not_kept_go_and_each_is_forced(tmp_path: Path) -> None:
    ability(Means.OVERLAY)
    scene = Scene(tmp_path, Means.OVERLAY)
    found = scene.repo / "parallel-impl.toml"
    found.write_text(found.read_text().replace("setup_keep = true", "setup_keep = false"))
    commit_all(scene.repo, "not kept")
    arguments = ("implement", "c", "--agent", scene.agent, "--only", "wp-a")
    assert tool(scene.repo, *arguments, env=scene.env).returncode == 1  # nothing lands
    assert scene.lines("set-ups") == ["base"]
    assert not (tmp_path / "repo.worktrees").exists()
    found.write_text(found.read_text() + 'checkouts = "each"\n')
    commit_all(scene.repo, "each")
    assert tool(scene.repo, "implement", "c", "--abort").returncode == 0
    done = tool(scene.repo, *arguments, env={"PARALLEL_IMPL_CHECKOUTS": ""})
    assert scene.lines("set-ups") == ["base", "base", "wp-a", "wp-a"], done.stdout + done.stderr
    line = 'set-up in each checkout: checkouts = "each"'
    assert line in done.stdout + done.stderr
    assert json.loads((scene.repo / ".git/parallel-impl/c/summary.json").read_text())["set_up"] == line


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_without_room_for_the_layer_no_agent_starts_and_what_makes_room_is_named(tmp_path: Path) -> None:
    ability(Means.OVERLAY)
    scene = Scene(tmp_path, Means.OVERLAY)
    found = scene.repo / "parallel-impl.toml"
    found.write_text(
        found.read_text().replace("mkdir made;", "mkdir made; head -c 9000000 /dev/zero >made/large || exit;")
    )
    commit_all(scene.repo, "large")
    disk = tmp_path / "repo.worktrees"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(disk)], check=True)
    try:
        done = tool(scene.repo, "implement", "c", "--agent", scene.agent, env=scene.env)
        assert done.returncode == 2, done.stdout + done.stderr
        assert f"{disk}/_layers: error: no space for a layer" in done.stderr
        assert "No space left on device" in done.stderr
        assert "0 layers with 0 kB are kept there (layers_gb = 10)" in done.stderr
        assert "to remove those that no run uses: parallel-cleanup --layers" in done.stderr
        assert not (tmp_path / "paid").exists()
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
