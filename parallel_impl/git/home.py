"""Where the worktrees of a change lie, so that no tool picks up configuration which the user's checkout does not see.

pytest, ruff, mypy and node look upward from the worktree: a `conftest.py` or `node_modules` above it was used.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from parallel_impl import storage
from parallel_impl.errors import UserError, printable
from parallel_impl.git.repo import Repo

KEPT = ".kept"  # the folder in a home for what could not be taken
CONFIGURATION = (
    "conftest.py", "pytest.ini", ".pytest.ini", "pyproject.toml", "setup.cfg", "setup.py", "tox.ini", "mypy.ini",
    ".mypy.ini", "ruff.toml", ".ruff.toml", ".flake8", ".coveragerc", "uv.toml", "node_modules", "package.json",
    "tsconfig.json", "jest.config.js", "babel.config.js", ".babelrc", ".npmrc", ".editorconfig", "go.work", "go.mod",
    "Cargo.toml", "pytest.toml", ".pytest.toml", "tox.toml", "pylintrc", ".pylintrc", "pyrightconfig.json",
    ".isort.cfg", "clippy.toml", ".clippy.toml", "rustfmt.toml", ".rustfmt.toml", "rust-toolchain",
    "rust-toolchain.toml", "pnpm-workspace.yaml", ".yarnrc.yml", ".pnp.cjs", "deno.json", "biome.json", "biome.jsonc",
    "deno.jsonc", ".yarnrc", ".pnpmfile.cjs", "bunfig.toml", ".swcrc", "lerna.json", "nx.json", "turbo.json",
    ".python-version", ".node-version", ".tool-versions", "mise.toml", ".mise.toml", ".clang-tidy", ".clang-format",
)  # fmt: skip
CONFIGURATION_PREFIXES = (
    ".eslintrc", "eslint.config.", ".prettierrc", "prettier.config.", "jest.config.", "vitest.config.", "vite.config.",
    "babel.config.", ".babelrc", ".mocharc", "postcss.config.", ".golangci.", ".rubocop", ".stylelintrc", ".nycrc",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of a change's worktrees; `why` says in one line why it is not beside the repository ("" if it is)."""

    path: Path
    why: str = ""


def home(repo: Repo, change_id: str, *, checkout: Path | None = None) -> Home:
    """`<parent of the main worktree>/<repo>.worktrees/<change-id>`, or a folder in the user's state directory.

    `checkout` is the worktree that the user works in (default: the main one). Nothing is made on disk.
    """
    main = repo.worktrees()[0].path
    seen = storage.real(checkout or main)
    beside = _beside(main) / change_id
    why, leak = "", None
    if ".git" in main.parts[:-1]:
        why = "the repository lies inside a .git folder"
    elif there := storage.obstruction(beside):
        why = f"{there} is no folder"
    elif not os.access(storage.nearest(beside), os.W_OK | os.X_OK):
        why = f"{main.parent} is not writable"
    elif leak := _leak(beside, seen):
        why = f"{leak} would be used by tools there"
    if not why:
        return Home(beside)
    elsewhere = away(repo, change_id)
    if leak and _leak(elsewhere, seen):
        return Home(beside, printable(f"tools in the worktrees will use {leak}, which your checkout does not see"))
    return Home(elsewhere, printable(f"worktrees are in {elsewhere}: {why}"))


def is_configuration(name: str) -> bool:
    """Whether tools that look upward take a file or folder of this name for their configuration."""
    return name in CONFIGURATION or name.startswith(CONFIGURATION_PREFIXES)


def main_folder(repo: Repo, checkout: Path | None) -> Path:
    """The main worktree; in a bare repository the user's, `checkout`, and without one the repository itself."""
    main = repo.worktrees()[0]
    return (checkout or main.path) if main.bare else main.path


def repository_name(repo: Repo, checkout: Path | None) -> str:
    """The name that tests and tools know the files' folder by: worktrees get it too."""
    folder = main_folder(repo, checkout)
    return folder.name.removesuffix(".git") or folder.parent.name or "repository"


def away(repo: Repo, change_id: str) -> Path:
    """A folder for the change's worktrees that no other repository uses, in the user's state directory."""
    return storage.state_directory() / _label(repo.git_dir, repo.worktrees()[0].path) / change_id


def possible(git_dir: Path, main: Path) -> tuple[Path, Path]:
    """The folders in which homes of a repository's changes lie; `main` is its main worktree, a bare one itself."""
    return _beside(main), storage.state_directory() / _label(git_dir, main)


def _beside(main: Path) -> Path:
    return main.parent / f"{main.name.removesuffix('.git') or main.name}.worktrees"


def check_space(home: Path, tree_bytes: int, *, jobs: int) -> None:
    """UserError when there is no room for checkouts of `tree_bytes` each: two per job and two for the gates at most."""
    if why := shortage(home, tree_bytes, jobs=jobs):
        raise UserError(why, where=str(storage.nearest(home)), hint="free some space, or use fewer --jobs")


def shortage(home: Path, tree_bytes: int, *, jobs: int) -> str:
    """What room is missing for that many jobs; "" when there is enough."""
    checkouts, free = 2 * jobs + 2, shutil.disk_usage(storage.nearest(home)).free
    if (need := tree_bytes * checkouts) <= free:
        return ""
    each, there = f"{tree_bytes / 1e6:.0f} MB", f"{free / 1e6:.0f} MB"
    return f"{need / 1e6:.0f} MB are needed for {checkouts} checkouts of {each}, {there} are free"


def remove_empty(home: Path) -> None:
    """Remove the home of a change, and the folder of all homes, as far as they are empty: other runs may be there."""
    for folder in (home, home.parent):
        try:
            folder.rmdir()
        except OSError:
            return


def _label(git_dir: Path, main: Path) -> str:
    return f"{main.name or 'repository'}-{hashlib.sha256(os.fsencode(git_dir)).hexdigest()[:8]}"


def _leak(home: Path, checkout: Path) -> Path | None:
    """A tool's configuration in a folder above `home` which is not above `checkout`."""
    seen = {checkout, *checkout.parents}
    for folder in storage.real(home).parents:
        if folder in seen or not folder.is_dir():
            continue
        for path in sorted(folder.iterdir()):
            if is_configuration(path.name):
                return path
    return None
