"""Who holds something: one process, told from every other one that ever had its pid.

The one place that says who this process is and whether a recorded one still lives.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from pathlib import Path

import msgspec

from parallel_impl import environment
from parallel_impl.errors import printable
from parallel_impl.processes.procfs import boot_id, lives, start_time


class Owner(msgspec.Struct, frozen=True):
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

    def lives(self) -> bool:
        """Whether the process runs on this machine; a recycled pid is not mistaken for it."""
        return lives(self.pid, started=self.start_time, boot=self.boot_id)

    def is_foreign(self) -> bool:
        """Whether the process was recorded on another machine, so that nobody here can say whether it lives."""
        return self.host != socket.gethostname() and self.boot_id != boot_id()

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} since {self.since}: {self.command}"
