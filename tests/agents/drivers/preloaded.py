"""A driver program that has imported its SDK already: each order is worked at in a fork of this process.

Importing an SDK takes one to two seconds of a processor, and most tests of the drivers are about what comes after it.
`preloaded.py DRIVER` reads an order to fork a line on stdin, and writes the exit code of each fork.
"""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import msgspec

from parallel_impl.agents.dialects import driven

SECONDS = 120  # for one order: what is at work then is killed


class Fork(msgspec.Struct, frozen=True):
    """What a fork is given; the streams are the paths of files."""

    folder: str
    words: tuple[str, ...]
    environment: Mapping[str, str]
    streams: tuple[str, str, str]


class Preloaded:
    """The serving process, from the side of a test."""

    def __init__(self, server: subprocess.Popen[bytes]) -> None:
        self._server = server

    def run(
        self, folder: Path, given: bytes, words: Sequence[str], environment: Mapping[str, str]
    ) -> tuple[int, bytes, bytes]:
        """The exit code, stdout and stderr of the driver that is given these bytes on stdin."""
        stdin, stdout = self._server.stdin, self._server.stdout
        assert stdin and stdout
        with tempfile.TemporaryDirectory() as place:
            streams = [Path(place, name) for name in ("in", "out", "err")]
            streams[0].write_bytes(given)
            fork = Fork(str(folder), tuple(words), environment, (str(streams[0]), str(streams[1]), str(streams[2])))
            stdin.write(msgspec.json.encode(fork) + b"\n")
            stdin.flush()
            code = int(stdout.readline())
            return code, streams[1].read_bytes(), streams[2].read_bytes()


@contextmanager
def preload(driver: str) -> Iterator[Preloaded]:
    argv = [sys.executable, "-P", __file__, driver]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        yield Preloaded(server)


def serve(driver: str) -> None:
    module = importlib.import_module(f"{driven.DRIVERS}.{driver}")
    for line in sys.stdin.buffer:
        child = os.fork()
        if child == 0:
            work(module, msgspec.json.decode(line, type=Fork))
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def work(module: ModuleType, fork: Fork) -> NoReturn:
    signal.alarm(SECONDS)
    for number, path in enumerate(fork.streams):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), number)
    os.chdir(fork.folder)
    os.environ.clear()
    os.environ.update(fork.environment)
    sys.argv = [module.__file__ or "", *fork.words]
    raise SystemExit(module.main())


if __name__ == "__main__":
    serve(sys.argv[1])
