"""A name alone leaves nothing out: what is named like a tool's cache is work where the plan lets it be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.git import scope as scoping
from parallel_impl.git.staging import Staging
from parallel_impl.git.tool_caches import AGENT_RULE
from parallel_impl.git.walk import CACHE_RULE
from parallel_impl.plan.model import Scope
from tests.git.scene import FILES, Scene, Verdict, make_user, open_scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return open_scene(make_user(tmp_path / "user", {**FILES, ".gitignore": "ignored/\n"}), tmp_path)


def judge(scene: Scene, script: str, *write_allow: str, deny: tuple[str, ...] = (), set_up: str = "") -> Verdict:
    """What becomes of an agent's work in a package with this scope, after a set-up."""
    allowed = Scope(write_allow, deny=deny)
    scene.act(set_up)
    scene.staging = Staging(scene.trees, scene.checkout, base=scene.base, scope=allowed)
    scene.snapshot = scene.staging.before(set_up=bool(set_up))
    scene.act(script)
    return scene.judge(allowed)


def test_a_fixture_that_is_named_like_an_environment_is_work(scene: Scene) -> None:
    verdict = judge(scene, "mkdir -p t/two/.venv; echo x>t/two/.venv/pyvenv.cfg", "t/two/.venv/pyvenv.cfg")
    assert verdict.accepted and verdict.changed == {"t/two/.venv/pyvenv.cfg": "A"}


def test_a_folder_of_tools_counts_in_a_wide_scope_and_not_outside_it(scene: Scene) -> None:
    script = "mkdir -p src/node_modules/m other/.tox; echo x>src/node_modules/m/index.js; echo x>other/.tox/log"
    verdict = judge(scene, script, "src/**")
    assert verdict.accepted and verdict.changed == {"src/node_modules/m/index.js": "A"}
    assert verdict.ignored == {"other/.tox/": CACHE_RULE}


def test_what_is_denied_is_no_work_of_a_tool_either(scene: Scene) -> None:
    verdict = judge(scene, "mkdir -p src/node_modules; echo x>src/node_modules/m", "**", deny=("src/node_modules/**",))
    assert verdict.accepted and verdict.ignored == {"src/node_modules/": CACHE_RULE}


def test_git_decides_about_an_ignored_one(scene: Scene) -> None:
    verdict = judge(scene, "mkdir -p ignored/.venv; echo x>ignored/.venv/f", "**")
    assert verdict.changed == {} and verdict.ignored == {"ignored/": ".gitignore:1: ignored/"}


def test_what_set_up_had_made_stays_out_whatever_the_agent_adds(scene: Scene) -> None:
    set_up = "mkdir -p .venv web/node_modules; echo x>.venv/f"
    verdict = judge(scene, "echo y>.venv/g; mkdir web/node_modules/m; echo z>web/node_modules/m/f", "**", set_up=set_up)
    assert verdict.accepted and verdict.changed == {}


def test_what_only_programs_write_is_left_out_unless_a_pattern_spells_it(scene: Scene) -> None:
    script = "for d in __pycache__ .any_cache; do mkdir -p src/$d; echo x>src/$d/a.pyc; done; echo x>src/.coverage"
    verdict = judge(scene, script, "src/**")
    assert verdict.changed == {}
    assert verdict.ignored == dict.fromkeys(("src/.any_cache/", "src/.coverage", "src/__pycache__/"), CACHE_RULE)


@pytest.mark.parametrize("pattern", ["src/__pycache__/a.pyc", "src/__pycache__/*.pyc"])
def test_compiled_files_that_a_pattern_spells_are_work(pattern: str, scene: Scene) -> None:
    verdict = judge(scene, "mkdir src/__pycache__; echo x>src/__pycache__/a.pyc", pattern)
    assert verdict.changed == {"src/__pycache__/a.pyc": "A"}


@pytest.mark.parametrize(("files", "counts"), [(500, True), (501, False)])
def test_an_installation_is_left_out_and_counted(files: int, counts: bool, scene: Scene) -> None:
    script = (
        f"mkdir -p src/node_modules/m; for n in $(seq {files}); do echo $n>src/node_modules/m/$n; done; echo z>src/z"
    )
    verdict = judge(scene, script, "src/**")
    assert len(verdict.changed) == (files + 1 if counts else 1)
    rule = "501 new files below a name of tools that no pattern spells"
    assert verdict.ignored == ({} if counts else {"src/node_modules/": rule})
    spelt = scoping.spell_out(scene.checkout.path, verdict.work.ignored, Scope(("src/**",)))
    assert [one.path for one in spelt] == ([] if counts else ["src/node_modules/"])


def test_a_large_fixture_that_a_pattern_spells_is_work(scene: Scene) -> None:
    script = "mkdir -p t/node_modules; for n in $(seq 501); do echo $n>t/node_modules/$n; done"
    assert len(judge(scene, script, "t/node_modules/**").changed) == 501


def test_an_agent_programs_own_files_are_left_out_unless_a_pattern_spells_them(scene: Scene) -> None:
    files = ".claude/settings.local.json .claude/commands/x.md .codex/log .aider.chat.history.md"
    script = f"for f in {files}; do mkdir -p $(dirname $f); echo x>$f; done"
    verdict = judge(scene, script, ".claude/commands/**", "src/**")
    assert verdict.accepted and verdict.changed == {".claude/commands/x.md": "A"}
    left_out = (".aider.chat.history.md", ".claude/settings.local.json", ".codex/")
    assert verdict.ignored == dict.fromkeys(left_out, AGENT_RULE)


def test_a_wide_scope_spells_no_agent_program(scene: Scene) -> None:
    script = "mkdir .gemini; echo x>.gemini/settings.json"
    assert judge(scene, script, "**").changed == {}
    assert judge(scene, script, ".gemini/**").changed == {".gemini/settings.json": "A"}
