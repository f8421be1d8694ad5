"""The user may go on working: what git does for them is reported, what anybody plants halts."""

from __future__ import annotations

from pathlib import Path

import pytest

from parallel_impl.git.hooks import Installed, anywhere
from parallel_impl.git.repo import Repo
from parallel_impl.git.watch import Kind, Watch
from tests.git.scene import FILES, make_user
from tests.repository import commit_all, git

HOOK = "#!/bin/sh\nexit 0\n"


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """Hooks and an included configuration are tracked; another branch has other ones, a third none."""
    user = make_user(
        tmp_path / "user", {**FILES, ".gitconfig": "[alias]\n\tst = status\n", ".githooks/pre-commit": HOOK}
    )
    (user / ".githooks/pre-commit").chmod(0o755)
    commit_all(user, "executable")
    git(user, "switch", "-qc", "none")
    git(user, "rm", "-q", ".gitconfig", ".githooks/pre-commit")
    git(user, "commit", "-qm", "none")
    git(user, "switch", "-q", "main")
    git(user, "switch", "-qc", "other")
    (user / ".gitconfig").write_text("[alias]\n\tst = status -s\n[core]\n\tpager = less\n")
    (user / ".githooks/pre-commit").write_text(HOOK + "# other\n")
    commit_all(user, "other")
    git(user, "switch", "-q", "main")
    git(user, "config", "include.path", "../.gitconfig")
    git(user, "config", "core.hooksPath", ".githooks")
    return user


def watch(user: Path) -> Watch:
    return Watch(Repo.discover(user), "c", checkout=user)


def halting(watch: Watch) -> list[str]:
    return [str(tamper) for tamper in watch.compare() if tamper.halts]


@pytest.mark.parametrize("branch", ["other", "none"])
def test_switching_and_coming_back_is_reported(branch: str, user: Path) -> None:
    watching = watch(user)
    git(user, "switch", "-q", branch)
    told = [tamper.what for tamper in watching.compare() if not tamper.halts]
    assert f"{user}/.githooks/pre-commit, as a commit from before the run has it" in told
    assert halting(watching) == []
    git(user, "switch", "-q", "main")
    assert halting(watching) == []


def test_a_linked_worktrees_hooks_are_the_users_too(user: Path, tmp_path: Path) -> None:
    git(user, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"), "main")
    watching = watch(user)
    git(tmp_path / "linked", "switch", "-q", "other")
    assert halting(watching) == []


def test_a_stash_and_a_rebase_are_the_users_moves(user: Path) -> None:
    (user / ".githooks/pre-commit").write_text(HOOK + "# being edited\n")
    (user / ".gitconfig").write_text("[alias]\n\tst = being edited\n")
    watching = watch(user)
    git(user, "stash", "-q")
    assert halting(watching) == []
    git(user, "stash", "pop", "-q")
    assert halting(watching) == []
    git(user, "checkout", "-q", ".")
    (user / "x").touch()
    git(user, "add", "x")
    git(user, "commit", "-q", "--no-verify", "-m", "x")
    git(user, "rebase", "-q", "other")
    assert halting(watching) == []


def test_what_only_a_commit_made_since_holds_halts_with_that_commit(user: Path) -> None:
    watching = watch(user)
    (user / ".githooks/pre-commit").write_text(HOOK + "# planted\n")
    (user / ".gitconfig").write_text("[core]\n\tpager = planted\n")
    commit = commit_all(user, "planted")
    since = f"which only {commit[:12]} has, a commit made since the run began"
    config = f"{user}/.git/../.gitconfig"
    assert halting(watching) == [
        f"config: alias.st in {config}, {since}",
        f"config: core.pager in {config}, {since}",
        f"hooks: {user}/.githooks/pre-commit, {since}",
    ]
    assert halting(watch(user)) == []


@pytest.mark.parametrize(
    "deed",
    [
        "echo '# planted' >> .githooks/pre-commit",
        "cp .githooks/pre-commit .githooks/pre-push",
        "ln -sf ../README.md .githooks/pre-push; chmod +x README.md",
        "printf '[core]\\n\\tpager = planted\\n' >> .gitconfig",
        "printf '[include]\\n\\tpath = ../evil\\n' >> .gitconfig",
        "git config core.hooksPath elsewhere",
        "git config credential.helper planted",
        "git config submodule.x.url https://evil.example.org/x",
        "git config submodule.x.update '!planted'",
        "git config --add safe.directory '*'",
        "cp .githooks/pre-commit .git/hooks/; rm -rf .githooks",
    ],
)
def test_what_anybody_plants_halts(deed: str, user: Path) -> None:
    (user / ".git/hooks").mkdir(exist_ok=True)
    watching = watch(user)
    git(user, "-c", f"alias.act=!{deed}", "act")
    assert halting(watching) != []


def test_a_tracked_hook_that_is_made_executable_halts(user: Path) -> None:
    (user / ".githooks/pre-push").write_text(HOOK)
    commit_all(user, "not executable")
    watching = watch(user)
    (user / ".githooks/pre-push").chmod(0o755)
    assert halting(watching) == [f"hooks: {user}/.githooks/pre-push"]


def test_a_folder_that_another_repository_trusts_is_reported(user: Path) -> None:
    watching = watch(user)
    git(user, "config", "safe.directory", "/srv/other")
    (tamper,) = watching.compare()
    assert (tamper.kind, tamper.halts) == (Kind.SETTINGS, False)
    git(user, "config", "--add", "safe.directory", str(user))
    assert halting(watching) != []


@pytest.mark.parametrize("relative", [False, True])
def test_submodules_that_the_user_fills_are_reported(relative: bool, user: Path, tmp_path: Path) -> None:
    inner = make_user(tmp_path / "inner", {"f": "x\n"})
    git(user, "remote", "add", "origin", f"file://{tmp_path}/origin.git")
    git(user, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", f"file://{inner}", "sub")
    if relative:
        git(user, "config", "--file", ".gitmodules", "submodule.sub.url", "../inner")
    git(user, "config", "--file", ".gitmodules", "submodule.sub.update", "rebase")
    commit_all(user, "submodule")
    git(user, "submodule", "--quiet", "deinit", "--force", "sub")
    watching = watch(user)
    git(user, "-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init")
    assert "submodule.sub.url" in git(user, "config", "--list")
    assert halting(watching) == []


def test_a_hook_of_a_submodule_halts(user: Path, tmp_path: Path) -> None:
    inner = make_user(tmp_path / "inner", {"f": "x\n"})
    git(user, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", f"file://{inner}", "deep/sub")
    watching = watch(user)
    hook = user / ".git/modules/deep/sub/hooks/post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(HOOK)
    assert halting(watching) == [f"hooks: {hook}"]


def test_a_configuration_of_one_worktree_halts(user: Path, tmp_path: Path) -> None:
    git(user, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"), "main")
    git(user, "config", "extensions.worktreeConfig", "true")
    git(tmp_path / "linked", "config", "--worktree", "branch.x.remote", "y")
    watching = watch(user)
    git(tmp_path / "linked", "config", "--worktree", "core.pager", "planted")
    assert len(halting(watching)) == 1


def test_hooks_that_set_up_installs_are_reported_and_others_halt(user: Path) -> None:
    git(user, "config", "--unset", "core.hooksPath")
    folder = user / ".git/hooks"
    folder.mkdir(exist_ok=True)
    python = f"#!{user}/.venv/bin/python\n".encode()
    watching = watch(user)
    watching.expect_hooks(
        Installed(
            frozenset({b".husky/_"}), {"pre-commit": frozenset({anywhere(python, [user])}), "h": frozenset({b"h"})}
        )
    )
    (folder / "pre-commit").write_bytes(python)
    (user / ".husky/_").mkdir(parents=True)
    (user / ".husky/_/h").write_text("h")
    git(user, "config", "core.hooksPath", ".husky/_")
    assert halting(watching) == []
    (user / ".husky/_/pre-push").write_text("planted")
    (folder / "pre-commit").write_text("planted")
    assert halting(watching) == [f"hooks: {folder}/pre-commit", f"hooks: {user}/.husky/_/pre-push"]


def test_lfs_may_note_how_a_server_is_asked(user: Path) -> None:
    watching = watch(user)
    git(user, "config", "lfs.https://example.org/r.git/info/lfs.access", "basic")
    assert halting(watching) == []
    git(user, "config", "lfs.url", "https://evil.example.org")
    assert halting(watching) != []
