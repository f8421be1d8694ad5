"""Who holds something: one process, told from every other one that ever had its pid.

The one place that says who this process is and whether a recorded one still lives.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from parallel_impl import environment
from parallel_impl.errors import printable
from parallel_impl.processes.procfs import boot_id, lives, start_time


@dataclass(frozen=True, slots=True)
class Owner:
    """A process: its pid with what makes that unique, and what people want to know of it."""

    pid: int
    start_time: int
    boot_id: str
    host: str
    since: str
    command: str

    @classmethod
    def this(cls) -> Owner:
        """This process. What the environment holds as a secret is masked in its command."""
        told = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
        command = environment.masked(told, environment.secret_values(os.environ))
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        pid = os.getpid()
        return cls(pid, start_time(pid), boot_id(), socket.gethostname(), since, printable(command))

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Owner:
        """What `to_json` made; KeyError or TypeError when it is something else."""
        return cls(
            int(values["pid"]),
            int(values["start_time"]),
            *(str(values[name]) for name in ("boot_id", "host", "since", "command")),
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def lives(self) -> bool:
        """Whether the process runs on this machine; a recycled pid is not mistaken for it."""
        return lives(self.pid, started=self.start_time, boot=self.boot_id)

    def is_foreign(self) -> bool:
        """Whether the process was recorded on another machine, so that nobody here can say whether it lives."""
        return self.host != socket.gethostname() and self.boot_id != boot_id()

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}: {self.command}"
