"""How a checkout is made able to work: found from lock files, run the same way in every checkout.

`find` tells the commands, `make_ready` runs them in a checkout, and `environment_of` puts the checkout's own `.venv`
before all else for what runs there.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from parallel_impl.config import SetupCommand
from parallel_impl.errors import printable
from parallel_impl.gates import foreign, shell
from parallel_impl.gates.project_files import Read, Table, sections, table, toml
from parallel_impl.processes.launch import Launch, Limits, Stops
from parallel_impl.processes.process import Reason, run
from parallel_impl.text import tail

WANTED = ("dev", "test")
OTHER_LOCKS = {
    "pnpm-lock.yaml": "pnpm install --frozen-lockfile",
    "yarn.lock": "yarn install --immutable",
    "poetry.lock": "poetry install",
    "Gemfile.lock": "bundle install",
}
# Caches give copies: through a hard link an agent's edit in its site-packages reached another checkout.
# uv links by default, pnpm does where it can, yarn and conda may be configured to; pip and npm always copy.
COPIES = {
    "UV_LINK_MODE": "copy",
    "npm_config_package_import_method": "copy",
    "pnpm_config_package_import_method": "copy",
    "YARN_NM_MODE": "classic",
    "CONDA_ALWAYS_COPY": "true",
}
CACHES = ("UV_CACHE_DIR", "PIP_CACHE_DIR", "npm_config_cache", "XDG_CACHE_HOME", "YARN_CACHE_FOLDER")
DEFAULT_CACHES = ("~/.cache/uv", "~/.cache/pip", "~/.npm", "~/.local/share/uv/python")
SHOWN = 20


@dataclass(frozen=True, slots=True)
class FoundSetup:
    """The set-up found in a repository: the commands, and why these (for people)."""

    commands: tuple[SetupCommand, ...]
    why: str


@dataclass(frozen=True, slots=True)
class SetupOutcome:
    """How set-up ended; `failure` is None when the checkout can work. `stopped`: the run was asked to end."""

    seconds: float
    failure: str | None = None
    log: Path | None = None
    stopped: bool = False


# -- what to run


def find(read: Read) -> FoundSetup:
    """The set-up that lock files and project files ask for; `read` gives a file of the base tree, or None."""
    commands, why = [], []
    if read("uv.lock") is not None:
        commands.append(SetupCommand("uv sync --frozen"))
        why.append("uv.lock")
    if read("package-lock.json") is not None:
        commands.append(SetupCommand("npm ci"))
        why.append("package-lock.json")
    if commands:
        return FoundSetup(tuple(commands), f"found {' and '.join(why)}")
    if install := _editable(read):
        return FoundSetup((SetupCommand("python3 -m venv .venv"), SetupCommand(install)), "found a Python project")
    for name, line in OTHER_LOCKS.items():
        if read(name) is not None:
            return FoundSetup((), f"none: {name} is not acted on by itself; write setup = [{line!r}] if steps need it")
    return FoundSetup((), "none: no uv.lock, package-lock.json, [project] or setup.py")


def missing_programs(commands: Sequence[SetupCommand], env: Mapping[str, str]) -> list[str]:
    """The programs of found set-up commands that are not on PATH; what the checkout itself gets is not looked for."""
    named = dict.fromkeys(command.run.split()[0] for command in commands)
    return [name for name in named if "/" not in name and shutil.which(name, path=env.get("PATH", os.defpath)) is None]


def _editable(read: Read) -> str:
    """The line that installs the project itself, with what `dev` and `test` name; empty when there is none.

    Dependency groups are expanded here (PEP 735), because the pip that a new venv has may not know them.
    """
    document = toml(read("pyproject.toml"))
    project = document.get("project")
    if not isinstance(project, dict) and read("setup.py") is None:
        return ""
    declared = table(project, "optional-dependencies") or sections(read("setup.cfg")).get("options.extras_require", {})
    extras = [name for name in declared if _normal(name) in WANTED]
    groups = table(document, "dependency-groups")
    needed = dict.fromkeys(need for name in groups if _normal(name) in WANTED for need in _group(groups, name, ()))
    what = f".[{','.join(sorted(extras))}]" if extras else "."
    return shlex.join([".venv/bin/python", "-m", "pip", "install", "--quiet", "-e", what, *needed])


def _group(groups: Table, name: str, seen: tuple[str, ...]) -> Iterator[str]:
    for wanted, items in groups.items():
        if _normal(wanted) != _normal(name) or _normal(name) in seen or not isinstance(items, list):
            continue
        for item in items:
            if isinstance(item, str):
                yield item
            elif isinstance(item, dict) and isinstance(item.get("include-group"), str):
                yield from _group(groups, item["include-group"], (*seen, _normal(name)))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


# -- running it


def environment_of(checkout: Path, env: Mapping[str, str]) -> dict[str, str]:
    """`env` as it is inside a checkout: its `.venv` first on PATH where it exists, caches that give copies."""
    inside = {**env, **COPIES}
    if (checkout / ".venv" / "bin").is_dir():
        inside["PATH"] = os.pathsep.join((str(checkout / ".venv" / "bin"), env.get("PATH", os.defpath)))
        inside["VIRTUAL_ENV"] = str(checkout / ".venv")
        inside.pop("PYTHONHOME", None)
    return inside


def cache_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """The user's own places of the package caches, so that all checkouts share them; defaults follow HOME."""
    return {name: inherited[name] for name in CACHES if inherited.get(name)}


def caches(declared: Sequence[str], inherited: Mapping[str, str], repository: Path) -> tuple[Path, ...]:
    """The folders that checkouts may link into: the defaults of uv, pip and npm, and the configuration's.

    A relative path means a place beside or in the `repository`, the main worktree.
    """
    home = inherited.get("HOME", "/nonexistent")
    named = [*DEFAULT_CACHES, *declared, *cache_environment(inherited).values()]
    return tuple(repository / (home + name[1:] if name.startswith("~") else name) for name in named)


def make_ready(
    checkout: Path,
    commands: Sequence[SetupCommand],
    *,
    env: Mapping[str, str],
    log: Path,
    caches: Sequence[Path] = (),
    seconds: float = 1800,
    stop: Stops = None,
    mask: tuple[bytes, ...] = (),
) -> SetupOutcome:
    """Run the set-up in a checkout and prove that its environment does not lead elsewhere.

    All output goes to `log` (overwritten); `seconds` is the limit of each command.
    """
    began = time.monotonic()
    log.unlink(missing_ok=True)
    for command in commands:
        inside = {**environment_of(checkout, env), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
        folder = checkout / command.cwd
        if not folder.is_dir():
            why = f"set-up: its folder {command.cwd!r} is not there: {command.run}"
            return SetupOutcome(time.monotonic() - began, printable(why), log)
        argv = shell.argv(command.run, inside.get("PATH", os.defpath))
        ended = run(argv, Launch(folder, inside, Limits(seconds), stop=stop, mask=mask), log)
        if not ended.clean:
            why = f"set-up: {command.run}: {ended}\n{tail(log)}"
            stopped = ended.reason is Reason.STOPPED
            return SetupOutcome(time.monotonic() - began, printable(why), log, stopped)
    return SetupOutcome(time.monotonic() - began, _foreign(checkout, commands, caches), log)


def _foreign(checkout: Path, commands: Sequence[SetupCommand], caches: Sequence[Path]) -> str | None:
    found = foreign.foreign_code(checkout, caches, everywhere=bool(commands))
    if not found:
        return None
    shown = "\n".join(f"  {line}" for line in found[:SHOWN])
    more = f"\n  and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    hint = "let set-up install from inside the checkout, or name a shared folder in caches"
    return f"set-up: code is imported from outside the checkout, which would prove another tree:\n{shown}{more}\n{hint}"
