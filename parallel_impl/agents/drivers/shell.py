"""The shell tool of our own agent: each command is a process of its own, seen to its end with all that it started.

Not the SDK's: its persistent bash dies of a time limit without its children, which go on beside the next command.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from parallel_impl.processes.launch import Launch, Limits, Stop
from parallel_impl.processes.process import Ended, Reason, run

SECONDS = 120.0  # for a command that asks for no other limit
LONGEST = 3600.0
GRACE_SECONDS = 1.0
KEPT = 30_000  # characters of output that the model gets: the first and the last half
LOG_BYTES = 20_000_000
# The folder in which a command ends is where the next one begins; "$0" is the command, "$1" the file for the folder.
SCRIPT = """trap 'pwd -P > "$1"' EXIT; . "$0" """


@dataclass(slots=True)
class Shell:
    """Commands in the worktree `root`; `folder` is where the next one begins. `stop` ends a running one."""

    root: Path
    env: Mapping[str, str]
    stop: Stop
    folder: Path = field(init=False)
    running: bool = False

    def __post_init__(self) -> None:
        self.folder = self.root

    def run(self, command: str, seconds: float = SECONDS) -> tuple[str, bool]:
        """What the command printed and how it ended, for the model, and whether that was well."""
        with tempfile.TemporaryDirectory(prefix="shell-", ignore_cleanup_errors=True) as name:
            script, place, log = (Path(name) / each for each in ("command", "folder", "log"))
            script.write_text(command + "\n", errors="surrogateescape")
            argv = ["bash", "-c", SCRIPT, str(script), str(place)]
            limits = Limits(max(1.0, min(seconds, LONGEST)), log_bytes=LOG_BYTES, grace_seconds=GRACE_SECONDS)
            self.running = True
            try:
                ended = run(argv, Launch(self.folder, self.env, limits, self.stop), log)
            finally:
                self.running = False
            if place.is_file():
                self.folder = Path(os.fsdecode(place.read_bytes().removesuffix(b"\n")))
            if not (self.folder.is_absolute() and self.folder.is_dir()):  # one that was removed has no name
                self.folder = self.root
            return f"{_excerpt(log)}{_how(ended, limits)}", ended.clean


def _how(ended: Ended, limits: Limits) -> str:
    lines = []
    if ended.reason is Reason.TIMEOUT:
        lines.append(f"[ended after {limits.seconds:.0f} s, its limit; timeout_seconds allows up to {LONGEST:.0f}]")
    elif not ended.clean:
        lines.append(f"[{ended}]")
    if ended.survivors:
        lines.append("[processes that it left in the background were ended]")
    return "\n".join(lines) or "[exit 0]"


def _excerpt(log: Path) -> str:
    """The output, at most KEPT characters of it, with a newline behind."""
    if not log.exists():
        return ""
    half = KEPT // 2
    with log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if size <= KEPT:
            text = file.read().decode(errors="replace")
        else:
            head = file.read(half).decode(errors="replace")
            file.seek(size - half)
            left_out = f"\n[… {size - 2 * half} bytes left out: narrow the output down, or write it to a file …]\n"
            text = head + left_out + file.read().decode(errors="replace")
    return text if not text or text.endswith("\n") else text + "\n"
