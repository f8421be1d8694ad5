"""How a checkout is made able to work: found from lock files, run the same way wherever it runs.

`find` tells the commands, `make_ready` runs them in a checkout, and `environment_of` puts the checkout's own `.venv`
before all else for what runs there.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from parallel_impl import structs
from parallel_impl.config import SetupCommand
from parallel_impl.errors import Problem, Severity, printable
from parallel_impl.gates import foreign, foreign_child, node_manager, requirements, shell
from parallel_impl.gates.project_files import Read, Table, json_table, sections, strings, table, toml
from parallel_impl.processes.launch import Launch, Limits, Stops
from parallel_impl.processes.process import Reason, run
from parallel_impl.text import tail
from parallel_impl.views.slot import OpenView

WANTED = ("dev", "test", "tests", "testing")
OTHER_LOCKS = {
    "poetry.lock": "poetry install",
    "Gemfile.lock": "bundle install",
}
DEPENDENCIES = ("dependencies", "devDependencies")
UNLOCKED = "npm install --no-package-lock"
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
    parts = [one for one in (_python(read), _node(read)) if one]
    if parts:
        whys = [why for _, why in parts]
        return FoundSetup(tuple(SetupCommand(run) for runs, _ in parts for run in runs), f"found {' and '.join(whys)}")
    for name, line in OTHER_LOCKS.items():
        if read(name) is not None:
            return FoundSetup((), f"none: {name} is not acted on by itself; write setup = [{line!r}] if steps need it")
    return FoundSetup((), "none: no lock file, requirements file, [project] or setup.py")


def problems(read: Read, found: FoundSetup) -> Iterator[Problem]:
    """A warning where JavaScript dependencies are named that nothing installs, since no lock file says which."""
    package = json_table(read("package.json"))
    if node_manager.lock_file(read) or not any(table(package, name) for name in DEPENDENCIES):
        return
    line = json.dumps([*(command.run for command in found.commands), UNLOCKED])
    what = "package.json names dependencies, and there is no lock file: set-up does not install them"
    hint = f"commit the lock file of your package manager, or write setup = {line}"
    yield Problem(what, where="package.json", hint=hint, severity=Severity.WARNING)


def _python(read: Read) -> tuple[list[str], str] | None:
    """The commands of a Python project, and what asks for them."""
    if read("uv.lock") is not None:
        return [_uv(read)], "uv.lock"
    install, project = _editable(read), _is_project(read)
    files = list(requirements.found(read, project=project))
    if not install and not files:
        return None
    wanted = [*(word for name in files for word in ("-r", name)), *install]
    line = shlex.join([".venv/bin/python", "-m", "pip", "install", "--quiet", *wanted])
    return ["python3 -m venv .venv", line], " and ".join([*(["a Python project"] if project else []), *files])


def _uv(read: Read) -> str:
    """What uv does not take by itself: the extras, and the groups beyond its default ones, that are for development."""
    document = toml(read("pyproject.toml"))
    extras = _wanted(table(table(document, "project"), "optional-dependencies"))
    settings = table(table(document, "tool"), "uv")
    default = settings.get("default-groups", ["dev"])
    groups = [name for name in _wanted(table(document, "dependency-groups")) if name not in strings(default)]
    every = ["--all-packages"] if "workspace" in settings else []
    options = [*(f"--extra={name}" for name in extras), *(f"--group={name}" for name in groups)]
    return shlex.join(["uv", "sync", "--frozen", *every, *options])


def _node(read: Read) -> tuple[list[str], str] | None:
    """The command of a JavaScript project with a lock file, and that file."""
    lock = node_manager.lock_file(read)
    return ([node_manager.install(read)], lock) if lock else None


def _wanted(declared: Table) -> list[str]:
    return sorted(name for name in declared if _normal(name) in WANTED)


def missing_programs(commands: Sequence[SetupCommand], env: Mapping[str, str]) -> list[str]:
    """The programs of found set-up commands that are not on PATH; what the checkout itself gets is not looked for."""
    named = dict.fromkeys(command.run.split()[0] for command in commands)
    return [name for name in named if "/" not in name and shutil.which(name, path=env.get("PATH", os.defpath)) is None]


def _is_project(read: Read) -> bool:
    return isinstance(toml(read("pyproject.toml")).get("project"), dict) or read("setup.py") is not None


def _editable(read: Read) -> list[str]:
    """What pip installs of the project itself, with what `dev` and `test` name; empty when there is no project.

    Dependency groups are expanded here (PEP 735), because the pip that a new venv has may not know them.
    """
    document = toml(read("pyproject.toml"))
    groups = table(document, "dependency-groups")
    needed = list(dict.fromkeys(need for name in _wanted(groups) for need in _group(groups, name, ())))
    if not _is_project(read):
        return needed
    declared = table(table(document, "project"), "optional-dependencies") or sections(read("setup.cfg")).get(
        "options.extras_require", {}
    )
    extras = _wanted(declared)
    return ["-e", f".[{','.join(extras)}]" if extras else ".", *needed]


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


def environment_of(checkout: Path, env: Mapping[str, str], view: OpenView | None = None) -> dict[str, str]:
    """`env` as it is inside a checkout: its `.venv` first on PATH where it exists, caches that give copies.

    In a `view`, `checkout` is where this process reads its files.
    """
    inside = {**env, **COPIES}
    if os.path.isdir(checkout / ".venv" / "bin"):  # noqa: PTH112 - `Path.is_dir` raises in a closed folder
        environment = (view.at if view else checkout) / ".venv"
        inside["PATH"] = os.pathsep.join((str(environment / "bin"), env.get("PATH", os.defpath)))
        inside["VIRTUAL_ENV"] = str(environment)
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
    view: OpenView | None = None,
    ran: Callable[[], None] = lambda: None,
) -> SetupOutcome:
    """Run the set-up in a checkout and prove that its environment does not lead elsewhere.

    All output goes to `log` (overwritten); `seconds` is the limit of each command. In a `view`, `checkout` is where
    this process reads its files. `ran` is called when the commands have run, before anything else reads or lists there.
    """
    seen = view.at if view else checkout
    began = time.monotonic()
    log.unlink(missing_ok=True)
    for command in commands:
        inside = {**environment_of(checkout, env, view), "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
        folder = checkout / command.cwd
        if not os.path.isdir(folder):  # noqa: PTH112
            why = f"set-up: its folder {command.cwd!r} is not there: {command.run}"
            return SetupOutcome(time.monotonic() - began, printable(why), log)
        argv = shell.argv(command.run, inside.get("PATH", os.defpath))
        launch = Launch(seen / command.cwd, inside, Limits(seconds), stop=stop, mask=mask, view=view)
        ended = run(argv, launch, log)
        if not ended.clean:
            why = f"set-up: {command.run}: {ended}\n{tail(log)}"
            stopped = ended.reason is Reason.STOPPED
            return SetupOutcome(time.monotonic() - began, printable(why), log, stopped)
    ran()
    found = _foreign(checkout, caches, everywhere=bool(commands), view=view)
    return SetupOutcome(time.monotonic() - began, _refuse(found), log)


def _foreign(checkout: Path, caches: Sequence[Path], *, everywhere: bool, view: OpenView | None) -> list[str]:
    if view is None:
        return foreign.foreign_code(checkout, caches, everywhere=everywhere)
    argv = [sys.executable, "-I", "-B", foreign_child.__file__, str(view.at), str(int(everywhere)), *map(str, caches)]
    code, said, why = view.call(argv, env={}, cwd=Path(os.sep))
    if code != 0:
        return [f"what it imports cannot be looked at: {why.decode(errors='replace')[-500:]}"]
    return structs.decode(said, list[str])


def _refuse(found: Sequence[str]) -> str | None:
    if not found:
        return None
    shown = "\n".join(f"  {line}" for line in found[:SHOWN])
    more = f"\n  and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    hint = "let set-up install from inside the checkout, or name a shared folder in caches"
    return f"set-up: code is imported from outside the checkout, which would prove another tree:\n{shown}{more}\n{hint}"
