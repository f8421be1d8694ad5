"""What the tests of views start from: a small view, and programs that run as an ordinary user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from parallel_impl.views import trial
from parallel_impl.views.slot import OpenView
from parallel_impl.views.view import Means, View

NOBODY = 65534
ENVIRONMENT = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
REPOSITORY = Path(__file__).resolve().parents[2]


@cache
def ability(folder: Path) -> trial.Ability:
    """What this machine can do below a folder."""
    return trial.find(folder)


def lay_out(folder: Path, *, copy: bool = False) -> View:
    """A view of one layer with the files `kept/file`, `kept/removed` and `other`; skips where there is none."""
    found = ability(folder.parent / "trial")
    if found.means is Means.EACH or (found.means is Means.COPY and not copy):
        pytest.skip(f"no such views here: {found.why}")
    at, level, store = folder / "_checkout" / "files", folder / "level", folder / "store"
    for made in (at.parent, level / "files", store / "layer/kept", store / "upper", store / "work"):
        made.mkdir(parents=True)
    for file in ("kept/file", "kept/removed", "other"):
        (store / "layer" / file).write_text("old\n")
    view = View(at, level, store, ("layer",), "upper", "work", covers=(folder,), user=found.user)
    return View(at, level, store, copy="layer", covers=(folder,), user=found.user) if copy else view


def run(opened: OpenView, script: str, *, cwd: Path | None = None) -> str:
    """What a shell script prints in a view; it must end with 0."""
    child = opened.start(
        ["bash", "-ec", script],
        env=ENVIRONMENT,
        cwd=cwd or opened.at,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.STDOUT,
    )
    with child.stdout:
        said = child.stdout.read().decode()
    assert child.wait() == 0, said
    return said


def users(script: Path, folder: Path, *arguments: str) -> Iterator[tuple[list[str], Path]]:
    """The commands that run a script as this user, and as an ordinary one where this is root; a folder for each."""
    own = folder / "own"
    own.mkdir()
    yield [sys.executable, str(script), str(own), *arguments], own
    if os.geteuid() == 0 and (python := _python_of_nobody()):
        with tempfile.TemporaryDirectory(prefix="views-") as theirs:  # pytest keeps its folders to itself
            os.chown(theirs, NOBODY, NOBODY)
            yield [*_as_nobody(python), str(script), theirs, *arguments], Path(theirs)


def _as_nobody(*command: str) -> list[str]:
    user = f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"
    return ["setpriv", *user, "env", f"PYTHONPATH={REPOSITORY}", "PYTHONDONTWRITEBYTECODE=1", *command]


@cache
def _python_of_nobody() -> str:
    """A Python that an ordinary user can start, and that can load this package; "" where there is none."""
    if not shutil.which("setpriv"):
        return ""
    load = "import sys; sys.exit(sys.version_info < (3, 11)); import parallel_impl.views.slot"
    for python in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        with_it = subprocess.run(_as_nobody(python, "-c", load), check=False, capture_output=True)
        if with_it.returncode == 0:
            return python
    return ""
