"""A repository with several approved changes, and runs of them in the background, for tests of runs side by side."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.repository import commit_all, init

PACKAGE = """\
  - package_id: {name}
    description: Writes what its scope allows.
    scope:
      write_allow: [{scope}]
    locks:
      keys: [{keys}]
    verification:
      steps: [{{name: nothing, kind: command, command: "true"}}]
"""


def repository(
    folder: Path, changes: Mapping[str, Mapping[str, str]], *, keys: Mapping[str, str] | None = None
) -> Path:
    """A repository whose changes are `{change: {package: glob that it writes}}`; `keys` are locks by package."""
    folder.mkdir(parents=True)
    init(folder)
    (folder / "parallel-impl.toml").write_text("setup = []\n")
    for change, packages in changes.items():
        write_change(folder, change, packages, keys=keys)
    commit_all(folder, "The changes")
    return folder


def write_change(
    folder: Path, change: str, packages: Mapping[str, str], *, keys: Mapping[str, str] | None = None
) -> None:
    """Write a change into the work tree."""
    place = folder / "openspec/changes" / change
    place.mkdir(parents=True, exist_ok=True)
    (place / "proposal.md").write_text(f"# {change}\n")
    parts = [
        PACKAGE.format(name=name, scope=f"'{scope}'", keys=(keys or {}).get(name, ""))
        for name, scope in packages.items()
    ]
    text = f"schema_version: 1\nfeature:\n  id: {change}\npackages:\n{''.join(parts)}"
    (place / "work-packages.yaml").write_text(text)


class Background:
    """A command of the tool that runs beside the test; what it says goes to files."""

    def __init__(self, repo: Path, log: Path, *args: str) -> None:
        self._out, self._err = log.with_suffix(".out"), log.with_suffix(".err")
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "parallel_impl", *args],
                cwd=repo,
                env=os.environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def said(self) -> str:
        """All that it said so far."""
        return self._out.read_text() + self._err.read_text()

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for `condition`; the command must not end before."""
        while not condition():
            assert self.process.poll() is None, self.said
            threading.Event().wait(0.02)

    def ends(self, seconds: float = 120) -> int:
        """Its exit code."""
        return self.process.wait(timeout=seconds)


@contextmanager
def background(repo: Path, log: Path, *args: str) -> Iterator[Background]:
    """Start a command and see that it is over in the end."""
    running = Background(repo, log, *args)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()


def agent(tmp_path: Path, text: str) -> Sequence[str]:
    """`--agent` with a shell agent: `$1` package, `$2` attempt, `$CHANGE`; `wait_for` blocks until a file is there."""
    script = tmp_path / "agent.sh"
    waiting = f'wait_for() {{ : >"{tmp_path}/at-$CHANGE"; while [ ! -e "{tmp_path}/$1" ]; do sleep 0.05; done; }}'
    script.write_text(f"set -eu\nCHANGE=$PARALLEL_IMPL_CHANGE\n{waiting}\n{text}\n")
    return "--agent", f"command: sh {script} {{package_id}} {{attempt}}"
