"""Repositories to measure on: made once, and copied for each trial."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.spent import MeasureError, measure_command
from tests.repository import git

CHANGE = "bench"
AGENT = """\
mkdir -p pkg/$1
for k in 0 1 2; do echo "x = '$1 $k'" >pkg/$1/f$k.py; done
[ "${2:-0}" = 0 ] || sleep "$2"
"""
LINES = 45  # of a file, about 1.5 kB
PACKAGES_OF_NODE = (
    "rxjs@7.8.1",
    "date-fns@4.1.0",
    "core-js@3.39.0",
)  # 15,000 files, no program runs at their installation
PACKAGES_OF_PYTHON = ("click>=8.1", "rich>=14.0", "pytest>=8.0", "msgspec>=0.21")
BACKEND = "hatchling>=1.24"
PYPROJECT = """\
[build-system]
requires = ["{backend}"]
build-backend = "hatchling.build"
[project]
name = "measured"
version = "1.0"
dependencies = [{packages}]
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """A repository with a plan of so many independent packages, each of which writes three files."""

    repository: Path
    packages: int
    files: int

    @property
    def names(self) -> list[str]:
        """The names of its packages."""
        return names(self.packages)

    def copy(self, folder: Path) -> Path:
        """A copy of the repository, in a folder."""
        subprocess.run(["cp", "-a", str(self.repository), str(folder)], check=True)
        return folder / self.repository.name


def make(
    folder: Path,
    packages: int,
    *,
    files: int = 100,
    globs: int = 1,
    step: str = "true",
    retries: int | None = None,
    setup: Sequence[str] = (),
) -> Scene:
    """A repository of so many files.

    Each package has `step` as its verification ("": none; `{package}` is its name), and `true` is the gate.
    """
    repository = folder / "repository"
    repository.mkdir(parents=True)
    for number in range(files):
        file = repository / f"src/d{number // 2000}/m{number // 20}/f{number:06d}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(f"line {line} of file {number}\n" for line in range(LINES)))
    change = repository / "openspec/changes" / CHANGE
    change.mkdir(parents=True)
    (change / "work-packages.yaml").write_text(plan(packages, globs=globs, step=step, retries=retries))
    (repository / "parallel-impl.toml").write_text(
        f'setup = {json.dumps(list(setup))}\ngates.openspec = false\ngates.gate = "true"\n'
    )
    (repository / "agent.sh").write_text(AGENT)
    git(repository, "init", "--quiet", "-b", "main")
    commit(repository)
    return Scene(repository, packages, files)


def plan(packages: int, *, globs: int = 1, step: str = "true", retries: int | None = None) -> str:
    """The plan of independent packages p0000, p0001, …; scopes are `pkg/<package>/**` and `globs - 1` more."""
    lines = ["schema_version: 1", f"feature: {{id: {CHANGE}}}", "packages:"]
    for name in names(packages):
        scope = ", ".join([f'"pkg/{name}/**"', *(f'"more/{name}/{extra}/*.py"' for extra in range(globs - 1))])
        lines += [
            f"  - package_id: {name}",
            "    description: writes three files",
            f"    scope: {{write_allow: [{scope}]}}",
        ]
        if step:
            command = json.dumps(step.replace("{package}", name))
            lines.append(f"    verification: {{steps: [{{name: unit, kind: command, command: {command}}}]}}")
        if retries is not None:
            lines.append(f"    retry_budget: {retries}")
    return "\n".join(lines) + "\n"


def names(packages: int) -> list[str]:
    return [f"p{number:04d}" for number in range(packages)]


def commit(repository: Path) -> None:
    """Commit all that is in the worktree; objects are packed, as they are in repositories of some age."""
    for words in (["add", "--all"], ["commit", "--quiet", "--message", "base"], ["repack", "-a", "-d", "--quiet"]):
        subprocess.run(["git", *words], cwd=repository, check=True)


def make_node(folder: Path, packages: int) -> tuple[Scene, Path]:
    """A repository whose set-up is `npm ci`, and the file to which each set-up appends what it cost.

    MeasureError where there is no npm, or no network to fill its cache once.
    """
    lockfile, cache = folder / "lock", folder / "cache"
    lockfile.mkdir(parents=True)
    (lockfile / "package.json").write_text('{"name": "measured", "version": "1.0.0", "private": true}\n')
    options = ["--cache", str(cache), "--no-audit", "--no-fund", "--ignore-scripts"]
    obtain("npm", ["npm", "install", *options, *PACKAGES_OF_NODE], lockfile)
    script = f"exec npm ci --offline {shlex.join(options)}\n"
    more = {name: (lockfile / name).read_text() for name in ("package.json", "package-lock.json")}
    step = "node -e \"require('rxjs').of(1)\""
    return _with_set_up(folder, packages, script, more | {".gitignore": "node_modules/\n"}, step, keep=True)


def make_python(folder: Path, packages: int) -> tuple[Scene, Path]:
    """A repository whose set-up makes a `.venv` and installs it editable, and the file with what each set-up cost.

    MeasureError where there is no network to download the packages once.
    """
    wheels = folder / "wheels"
    wheels.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    obtain("pip", [*pip, "download", "-q", "-d", str(wheels), *PACKAGES_OF_PYTHON, BACKEND, "editables"], wheels)
    options = f"--disable-pip-version-check --quiet --no-index --find-links {shlex.quote(str(wheels))}"
    script = (
        f"{shlex.quote(sys.executable)} -m venv .venv\nexec .venv/bin/python -m pip install {options} --editable .\n"
    )
    dependencies = ", ".join(map(json.dumps, PACKAGES_OF_PYTHON))
    more = {
        "pyproject.toml": PYPROJECT.format(backend=BACKEND, packages=dependencies),
        "measured/__init__.py": "",
        ".gitignore": ".venv/\n__pycache__/\n",
    }
    return _with_set_up(folder, packages, script, more, ".venv/bin/python -c 'import measured, rich'")


def obtain(program: str, command: Sequence[str], folder: Path) -> None:
    """Run a command that needs a program and the network; MeasureError says what was missing."""
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MeasureError(f"{program} could not be used here: {error}") from None
    if done.returncode:
        raise MeasureError(f"{program} could not download what is to be installed: {done.stderr.strip()[-300:]}")


def _with_set_up(
    folder: Path, packages: int, script: str, more: dict[str, str], step: str, *, keep: bool = False
) -> tuple[Scene, Path]:
    """`keep`: the layer stays after the run, as it does where a lock file decides, and nothing measures the command."""
    costs = folder / "set-ups"
    scene = make(folder, packages, step=step, setup=[shlex.join(measure_command(costs, "sh", "setup.sh"))])
    for name, text in {"setup.sh": f"set -e\n{script}", **more}.items():
        (scene.repository / name).parent.mkdir(exist_ok=True)
        (scene.repository / name).write_text(text)
    if keep:
        with (scene.repository / "parallel-impl.toml").open("a") as settings:
            settings.write("setup_keep = true\n")
    commit(scene.repository)
    return scene, costs
