"""Another process that does what a test tells it, for tests of locks: it holds one until it is told or killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Peer:
    """A running program; it says a line when it is where the test wants it, and goes on when it gets one."""

    def __init__(self, program: str, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        return self.process.pid

    def hears(self) -> str:
        """The next line that it says; "" when it ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def go_on(self) -> None:
        """Let it leave what it waits in."""
        assert self.process.stdin is not None
        self.process.stdin.write("go on\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """End it at once, whatever it holds."""
        self.process.kill()
        self.process.wait()


@contextmanager
def peer(program: str, *arguments: object) -> Iterator[Peer]:
    """Start a program; it is over in the end."""
    started = Peer(program, *arguments)
    try:
        yield started
    finally:
        started.kill()
        for pipe in (started.process.stdin, started.process.stdout):
            if pipe:
                pipe.close()
