"""A driver program run as a real process in a small repository, with the stub as its provider."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from parallel_impl.agents.dialects import driven
from parallel_impl.agents.dialects.driven import DriverOrder
from parallel_impl.record import activity
from parallel_impl.record.activity import Activity, Concluded
from tests.agents.drivers.preloaded import Preloaded
from tests.repository import commit_all, git

KEY = "sk-stub-0123456789-secret"
PROMPT = "# Work package wp-words of the change add-greeting\n\nAdd the words.\n"
Kind = TypeVar("Kind", bound=Activity)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a driver ended and what it told."""

    code: int
    told: tuple[Activity, ...]
    errors: str

    def of(self, kind: type[Kind]) -> list[Kind]:
        return [each for each in self.told if isinstance(each, kind)]

    @property
    def last(self) -> Concluded:
        """The last word, which is the last line."""
        found = self.told[-1]
        assert isinstance(found, Concluded), self.errors
        return found


def make_worktree(folder: Path) -> Path:
    """A repository with a file inside the scope of `order`, one outside it, and one that is ignored."""
    for path, text in {
        "src/greet/__init__.py": "",
        "README.md": "# Greet\n",
        ".gitignore": ".venv/\n",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git(folder, "init", "--quiet", "-b", "main")
    commit_all(folder, "The state before")
    (folder / ".venv/lib").mkdir(parents=True)
    (folder / ".venv/lib/ignored.py").write_text("needle = 1\n")
    return folder


def order(url: str, **more: object) -> DriverOrder:
    """An order for the model at `url`, with the write scope of `wp-words`."""
    usual = DriverOrder(key=KEY, model="stub", base_url=url, write_allow=("src/greet/words.py", "tests/**"), seconds=60)
    return msgspec.structs.replace(usual, **more)


def start(driver: str, worktree: Path, *words: str, **env: str) -> subprocess.Popen[bytes]:
    """The driver's process; stdin is a pipe."""
    return subprocess.Popen(
        [*driven.words(driver), *words],
        cwd=worktree,
        env={**os.environ, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def drive(
    driver: str, worktree: Path, what: DriverOrder, prompt: str = PROMPT, *, words: Sequence[str] = (), **env: str
) -> Outcome:
    """Start a driver and run it to its end."""
    child = start(driver, worktree, *words, **env)
    out, err = child.communicate(driven.to_line(what) + prompt.encode(), timeout=120)
    return _outcome(child.returncode, out, err)


def drive_preloaded(
    driver: Preloaded, worktree: Path, what: DriverOrder, prompt: str = PROMPT, *, words: Sequence[str] = (), **env: str
) -> Outcome:
    """Run a driver to its end that has imported its SDK already."""
    return _outcome(*driver.run(worktree, driven.to_line(what) + prompt.encode(), words, {**os.environ, **env}))


def _outcome(code: int, out: bytes, err: bytes) -> Outcome:
    return Outcome(code, tuple(map(activity.from_line, out.splitlines())), err.decode())
