"""The user's repository is compared: what is ours and what runs programs stops the run, the rest is reported."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from parallel_impl.git import watch as watch_module
from parallel_impl.git.repo import Repo
from parallel_impl.git.watch import Kind, Watch
from tests.git.scene import BASE_REF, make_user
from tests.repository import git


@pytest.fixture
def user(tmp_path: Path) -> Path:
    user = make_user(tmp_path / "user")
    git(user, "update-ref", BASE_REF, "HEAD")
    git(user, "remote", "add", "origin", "https://example.org/r.git")
    return user


def watch(user: Path) -> Watch:
    return Watch(Repo.discover(user), "c", checkout=user)


def found(watch: Watch) -> list[tuple[Kind, str]]:
    return [(tamper.kind, tamper.what) for tamper in (*watch.compare(), *watch.compare_checkouts())]


def test_nothing_changed(user: Path) -> None:
    watching = watch(user)
    git(user, "status")
    assert found(watching) == []


def test_our_own_refs_are_expected_and_any_other_value_is_not(user: Path) -> None:
    watching, head = watch(user), git(user, "rev-parse", "HEAD")
    other = git(user, "commit-tree", "-m", "x", "HEAD^{tree}")
    ref = "refs/parallel-impl/c/packages/wp"
    watching.expect(ref, head)
    assert found(watching) == []
    git(user, "update-ref", ref, head)
    assert found(watching) == []
    git(user, "update-ref", ref, other)
    assert found(watching) == [(Kind.OWN_REFS, f"{ref} moved from {head[:12]} to {other[:12]}")]
    assert found(watching) == []
    git(user, "update-ref", "-d", BASE_REF)
    assert found(watching) == [(Kind.OWN_REFS, f"{BASE_REF} was deleted")]


def test_a_move_of_ours_that_was_seen_excuses_no_other_one(user: Path) -> None:
    watching, head = watch(user), git(user, "rev-parse", "HEAD")
    known, unknown = "refs/parallel-impl/c/packages/wp", "refs/parallel-impl/c/bases/wp"
    watching.expect(known, head)
    watching.expect_any(unknown)
    git(user, "update-ref", known, head)
    git(user, "update-ref", unknown, head)
    watching.expect(unknown, head)
    assert found(watching) == []
    git(user, "update-ref", "-d", known)
    git(user, "update-ref", "-d", unknown)
    assert found(watching) == [(Kind.OWN_REFS, f"{unknown} was deleted"), (Kind.OWN_REFS, f"{known} was deleted")]


def test_refs_that_are_listed_seldom_are_listed_in_the_end_and_what_we_moved_meanwhile_is_ours(
    user: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching, base = watch(user), git(user, "rev-parse", "HEAD")
    own, planted = "refs/parallel-impl/c/attempts/wp-a/1", "refs/parallel-impl/c/packages/wp-b"
    watching.compare()
    monkeypatch.setattr(watch_module, "MANY", 0)
    watching._refs_due = math.inf  # they were listed just now
    for moves in (own, f"{own}-2"):
        watching.expect(moves, base)
        git(user, "update-ref", moves, base)
    git(user, "update-ref", planted, base)
    assert watching.compare(seldom=True) == []
    watching.expect(own, None)
    git(user, "update-ref", "-d", own)
    (user / ".git/hooks/pre-push").write_text("#!/bin/sh\n")
    assert [tamper.kind for tamper in watching.compare(seldom=True)] == [Kind.HOOKS]  # these always are
    assert [tamper.what for tamper in watching.compare()] == [f"{planted} was made to {base[:12]}"]
    git(user, "update-ref", own, base)
    monkeypatch.undo()  # few are listed each time
    assert [tamper.what for tamper in watching.compare(seldom=True)] == [f"{own} was made to {base[:12]}"]


def test_other_refs_are_reported_and_another_runs_are_not(user: Path) -> None:
    watching = watch(user)
    git(user, "tag", "v1")
    git(user, "update-ref", "refs/parallel-impl/other/base", "HEAD")
    (tamper,) = watching.compare()
    assert (tamper.kind, tamper.halts) == (Kind.REFS, False)
    assert tamper.what.startswith("refs/tags/v1 was made")


@pytest.mark.parametrize(
    "key",
    [
        "core.hooksPath",
        "core.fsmonitor",
        "core.sshCommand",
        "core.worktree",
        "filter.x.clean",
        "include.path",
        "includeIf.gitdir:/.path",
        "url.https://evil/.insteadOf",
        "remote.origin.url",
        "remote.origin.pushurl",
        "credential.helper",
        "diff.x.command",
        "merge.x.driver",
        "gpg.program",
        "alias.status",
    ],
)
def test_configuration_that_runs_or_redirects_halts(key: str, user: Path) -> None:
    watching = watch(user)
    git(user, "config", key, "planted")
    tampering = watching.compare()
    assert {tamper.kind for tamper in tampering} == {Kind.CONFIG} and tampering[0].halts
    assert tampering[-1].what.casefold() == f"{key} in {user}/.git/config".casefold()


def test_the_users_own_configuration_file_is_watched(user: Path) -> None:
    watching = watch(user)
    file = Path.home() / ".gitconfig"
    before = file.read_bytes()
    try:
        git(user, "config", "--file", str(file), "core.pager", "planted")
        assert found(watching) == [(Kind.CONFIG, f"core.pager in {file}")]
    finally:
        file.write_bytes(before)


def test_harmless_configuration_is_reported(user: Path) -> None:
    watching = watch(user)
    git(user, "config", "branch.main.remote", "origin")
    git(user, "remote", "add", "fork", "https://example.org/fork.git")
    assert {tamper.halts for tamper in watching.compare()} == {False}


def test_a_configuration_that_git_cannot_read_halts(user: Path) -> None:
    watching = watch(user)
    config = user / ".git/config"
    before = config.read_bytes()
    config.write_bytes(b"[core\n")
    unreadable = (Kind.CONFIG, "git cannot read the repository any more")
    assert found(watching) == [
        unreadable,
        (Kind.CONFIG, f"{config} cannot be read by git any more"),
        (Kind.FILES, f"{user} cannot be read any more"),
    ]
    config.write_bytes(before)


def test_hooks_halt(user: Path) -> None:
    watching = watch(user)
    hooks = user / ".git/hooks"
    hooks.mkdir(exist_ok=True)
    (hooks / "pre-push").write_text("#!/bin/sh\n")
    assert found(watching) == [(Kind.HOOKS, str(hooks / "pre-push"))]
    (hooks / "pre-push").chmod(0o755)
    assert found(watching) == [(Kind.HOOKS, str(hooks / "pre-push"))]


def test_hooks_halt_where_the_configuration_says_that_they_lie(user: Path) -> None:
    git(user, "config", "core.hooksPath", ".husky")
    watching = watch(user)
    (user / ".husky").mkdir()
    (user / ".husky/post-checkout").write_text("#!/bin/sh\n")
    assert (Kind.HOOKS, str(user / ".husky/post-checkout")) in found(watching)


def test_attributes_halt_and_excludes_are_reported(user: Path) -> None:
    watching = watch(user)
    info = user / ".git/info"
    info.mkdir(exist_ok=True)
    (info / "attributes").write_text("* filter=x\n")
    (info / "exclude").write_text("*\n")
    (user / ".git/objects/info/alternates").write_text("/nowhere\n")
    assert found(watching) == [
        (Kind.CONFIG, "info/attributes"),
        (Kind.SETTINGS, "info/exclude"),
        (Kind.OBJECTS, "objects/info/alternates"),
    ]


def test_the_feature_branch_is_the_users_too_also_after_a_move_of_ours_that_failed(user: Path) -> None:
    watching, other = watch(user), git(user, "commit-tree", "-m", "x", "HEAD^{tree}")
    watching.expect("refs/heads/openspec/c", git(user, "rev-parse", "HEAD"))
    git(user, "update-ref", "refs/heads/openspec/c", other)
    assert [tamper.halts for tamper in watching.compare()] == [False]


def test_edits_of_the_checkout_are_reported(user: Path) -> None:
    (user / "README.md").write_text("the user's edit before the run\n")
    watching = watch(user)
    assert found(watching) == []
    (user / "README.md").write_text("another edit\n")
    (user / "other/o.py").unlink()
    assert found(watching) == [(Kind.FILES, "README.md"), (Kind.FILES, "other/o.py")]
