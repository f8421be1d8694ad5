"""Which kind of repository the user has, and what that means for a run: refused, or reported."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from parallel_impl import storage
from parallel_impl.errors import Problem, Severity
from parallel_impl.git import filters
from parallel_impl.git.repo import MINIMUM, Repo, decode, version
from parallel_impl.git.trees import Trees

SHOWN = 5


def check_repository(trees: Trees, base: str) -> list[Problem]:
    """What is wrong or worth saying about the repository, for a run on the commit `base`."""
    repo = trees.repo
    config = repo.config()
    where = str(repo.git_dir)
    found = [*_git_version(where), *_partial(repo, base, config, where)]
    if any(problem.severity is Severity.ERROR for problem in found):
        return found
    return [*found, *_remarks(repo, config, where), *_submodules(trees, base), *filters.check(trees, base)]


def submodules(trees: Trees, treeish: str) -> list[str]:
    """The paths of the submodules in a tree; their folders are empty in a fresh checkout."""
    return sorted(decode(path) for path in trees.listing(treeish).links)


def _git_version(where: str) -> Iterator[Problem]:
    found = version()
    if found[:2] < MINIMUM:
        text, need = ".".join(map(str, found)), ".".join(map(str, MINIMUM))
        yield Problem(f"git {text} is too old", where=where, hint=f"install git {need} or newer")


def _partial(repo: Repo, base: str, config: list[tuple[str, str]], where: str) -> Iterator[Problem]:
    remotes = sorted({key.split(".", 1)[1].rpartition(".")[0] for key, value in config if _is_promisor(key, value)})
    if not remotes:
        return
    listed = repo.text("rev-list", "--objects", "--missing=print", "--no-walk", "--end-of-options", base)
    missing = sum(line.startswith("?") for line in listed.split("\n"))
    lines = []
    for remote in remotes:
        name = shlex.quote(remote)
        keys = [shlex.quote(f"remote.{remote}.{key}") for key in ("partialclonefilter", "promisor")]
        lines.append(f"git fetch --refetch --no-filter {name}")
        lines += [f"git config --unset-all {key}" for key in keys]
    yield Problem(
        f"a partial clone: {missing} objects of the base are not here, and worktrees could not fetch them",
        where=where,
        hint=f"make it whole: {' && '.join(lines)}",
    )


def _is_promisor(key: str, value: str) -> bool:
    return key.startswith("remote.") and key.endswith(".promisor") and value.lower() in ("true", "yes", "on", "1")


def _remarks(repo: Repo, config: list[tuple[str, str]], where: str) -> Iterator[Problem]:
    settings = dict(config)
    ours = "they do not apply to the commits of this tool"
    if hooks := _hooks(repo, settings):
        text = f"git hooks ({', '.join(hooks[:SHOWN])}) are not run, for agents neither: {ours}"
        yield Problem(text, where=where, severity=Severity.NOTICE)
    if settings.get("commit.gpgsign", "false").lower() not in ("false", "no", "off", "0", ""):
        text = "commits are signed here; the commits of this tool are not"
        yield Problem(text, where=where, severity=Severity.NOTICE)
    for key, value in config:
        if key.startswith("remote.") and key.endswith(".mirror") and value.lower() not in ("false", "no", "off", "0"):
            remote = key.split(".", 1)[1].rpartition(".")[0]
            text = f"remote {remote} is a mirror: a push to it would publish refs/parallel-impl/*, unfinished work too"
            yield Problem(
                text, where=where, hint=f"git config --unset remote.{remote}.mirror", severity=Severity.WARNING
            )
    if (repo.git_dir / "shallow").exists():
        text = "a shallow clone: worktrees have the same cut history"
        yield Problem(text, where=where, severity=Severity.NOTICE)


def hooks_folders(repo: Repo, settings: Mapping[str, str]) -> list[Path]:
    """Where the user's hooks lie, there or not; `settings` are the configuration by its keys.

    A relative path means a folder in each worktree.
    """
    named = settings.get("core.hookspath")
    folder = storage.expand(named) if named else repo.git_dir / "hooks"
    return [folder] if folder.is_absolute() else [worktree.path / folder for worktree in repo.worktrees()]


def _hooks(repo: Repo, settings: Mapping[str, str]) -> list[str]:
    folders = [folder for folder in hooks_folders(repo, settings) if folder.is_dir()]
    files = (path for folder in folders for path in folder.iterdir() if path.suffix == "" and path.is_file())
    return sorted({path.name for path in files if os.access(path, os.X_OK)})


def _submodules(trees: Trees, base: str) -> Iterator[Problem]:
    if paths := submodules(trees, base):
        shown = ", ".join(paths[:SHOWN])
        yield Problem(
            f"submodules are empty in the worktrees, and packages cannot change them: {shown}",
            where=".gitmodules",
            hint='fill them where they are needed: setup = ["git submodule update --init"]',
            severity=Severity.NOTICE,
        )
