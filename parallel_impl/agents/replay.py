"""The agent that applies recorded edits: `replay: <folder>`, with `<folder>/<package-id>/<attempt>/`.

Below it lie the files to write, and a file `DELETE` with one path a line. The demo and the fixtures use it; it
needs no key and no network.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from parallel_impl import storage
from parallel_impl.agents.agent import AgentJob, Worked, judged
from parallel_impl.errors import Problem
from parallel_impl.processes.process import Ended, Reason
from parallel_impl.record.result import AgentRecord
from parallel_impl.text import useful

DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class Replay:
    """Plays back the edits below `folder`."""

    folder: Path
    name: str = field(default="replay", compare=False)
    starts_processes: ClassVar[bool] = False
    provider: ClassVar[str] = ""
    most: ClassVar[int] = 0

    @property
    def record(self) -> AgentRecord:
        return AgentRecord(name=self.name, kind="replay", program=str(self.folder))

    def check(self) -> Problem | None:
        """A folder that is not there."""
        if self.folder.is_dir():
            return None
        hint = "give the folder that holds <package-id>/<attempt>/"
        return Problem("no such folder", where=str(self.folder), hint=hint)

    def work(self, job: AgentJob) -> Worked:
        """Apply the recorded edits of this attempt; exit code 1 when there are none or one cannot be applied."""
        began = time.monotonic()
        recorded = self.folder / job.package_id / str(job.attempt)
        code, lines = 0, [f"replaying {recorded}"]
        try:
            for line in _apply(recorded, job.worktree):  # one by one: what was done before a failure is told too
                lines.append(line)  # noqa: PERF402
        except OSError as error:
            code = 1
            lines.append(f"{error.filename}: {error.strerror}")
        job.log.parent.mkdir(parents=True, exist_ok=True)
        text = "\n".join([*lines, ""]).encode("utf-8", "backslashreplace")
        with storage.named(job.log), job.log.open("ab") as log:
            log.write(text)
        ended = Ended(Reason.EXITED, code, time.monotonic() - began, len(text))
        return judged(ended, useful(text.decode(errors="replace")))


def _apply(recorded: Path, worktree: Path) -> Iterator[str]:
    if not recorded.is_dir():
        raise FileNotFoundError(2, "no edits are recorded for this attempt", str(recorded))
    for source in sorted(recorded.rglob("*")):
        path = source.relative_to(recorded)
        if str(path) == DELETE or (source.is_dir() and not source.is_symlink()):
            continue
        _write(source, worktree, path)
        yield f"wrote {path}"
    if (recorded / DELETE).is_file():
        for line in (recorded / DELETE).read_bytes().split(b"\n"):
            if line.strip():
                _delete(worktree, Path(os.fsdecode(line)))
                yield f"deleted {os.fsdecode(line)}"


def _delete(worktree: Path, path: Path) -> None:
    outside = path.is_absolute() or ".." in path.parts
    if outside or any((worktree / folder).is_symlink() for folder in path.parents[:-1]):
        raise PermissionError(1, "not a path inside the worktree", str(path))
    (worktree / path).unlink()


def _write(source: Path, worktree: Path, path: Path) -> None:
    target = worktree / path
    for folder in reversed(path.parents[:-1]):  # inside the worktree only
        if (worktree / folder).is_symlink() or (worktree / folder).is_file():
            (worktree / folder).unlink()  # a recorded folder replaces what has its name
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    elif target.is_symlink() or target.exists():
        target.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)
