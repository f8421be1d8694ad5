"""What an agent commits is thrown away: no rule of the user's for commits decides about it, and none is in its way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from parallel_impl.git import hooks
from tests.git.scene import make_user, open_scene
from tests.repository import git


def refusing(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("#!/bin/sh\nexit 1\n")
    file.chmod(0o755)


def test_neither_signing_nor_global_hooks_nor_a_missing_identity_stop_a_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = make_user(tmp_path / "user")
    refusing(tmp_path / "hooks/pre-commit")
    everywhere = tmp_path / "gitconfig"
    everywhere.write_text(
        f"[commit]\n\tgpgsign = true\n[tag]\n\tgpgsign = true\n[gpg]\n\tprogram = /bin/false\n"
        f"[user]\n\tuseConfigOnly = true\n[core]\n\thooksPath = {tmp_path}/hooks\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(everywhere))
    scene = open_scene(user, tmp_path)
    hooks.switch_off(scene.checkout)
    git(scene.checkout.path, "commit", "--allow-empty", "-qm", "x")
    git(scene.checkout.path, "tag", "-a", "-m", "x", "t")


def test_a_worktree_is_not_bare_and_switches_to_any_branch(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    with pytest.raises(Exception, match="exit status 1"):
        git(scene.checkout.path, "config", "core.bare")
    git(scene.checkout.path, "switch", "-q", "main")
    assert git(scene.checkout.path, "branch", "--show-current") == "main"


def test_hooks_that_set_up_installed_do_not_run(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    path = scene.checkout.path
    refusing(path / ".husky/_/pre-commit")
    git(path, "config", "core.hooksPath", ".husky/_")
    git(path, "config", "extensions.worktreeConfig", "true")
    git(path, "config", "--worktree", "core.hooksPath", ".husky/_")
    with pytest.raises(Exception, match="exit status 1"):
        git(path, "commit", "--allow-empty", "-qm", "x")
    hooks.switch_off(scene.checkout)
    git(path, "commit", "--allow-empty", "-qm", "x")
    git(path, "config", "core.hooksPath", ".husky/_")  # by the agent's own installation
    git(path, "commit", "--allow-empty", "-qm", "x")


def test_a_configuration_that_became_a_link_is_not_written_through(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    config, victim = scene.checkout.git_dir / "config", scene.user / ".git/config"
    before = victim.read_bytes()
    config.unlink()
    config.symlink_to(victim)
    hooks.switch_off(scene.checkout)
    assert victim.read_bytes() == before


def test_what_set_up_installed_is_known_wherever_it_ran(tmp_path: Path) -> None:
    scene = open_scene(make_user(tmp_path / "user"), tmp_path)
    for checkout in (scene.checkout, scene.sibling):
        folder = checkout.git_dir / "hooks"
        folder.mkdir()
        (folder / "pre-commit").write_bytes(b"#!" + os.fsencode(checkout.path) + b"/.venv/bin/python\n")
    assert hooks.installed(scene.checkout) == hooks.installed(scene.sibling)
    assert set(hooks.installed(scene.checkout).hooks) == {"pre-commit"}
