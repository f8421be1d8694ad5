"""Free ports for checkouts, so that servers which are tested at once do not meet: one block for each.

    <state directory>/ports.json     who has which block, by checkout, over all runs of this user
    <state directory>/ports.lock     its guard

A block is given back with its checkout; that of a process which is gone is taken again.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
from filelock import FileLock, Timeout

from parallel_impl import storage
from parallel_impl.errors import UserError
from parallel_impl.processes.procfs import boot_id, lives, start_time
from parallel_impl.record import json_form
from parallel_impl.storage import write_atomically

FIRST, END = 20_000, 32_000  # below what systems give to outgoing connections
PATIENCE = 60.0  # seconds that others may have the file


class Block(msgspec.Struct, frozen=True):
    """Consecutive ports, and the process that has them with what makes its pid unique."""

    first: int
    count: int
    pid: int
    start_time: int
    boot_id: str

    def is_lent(self) -> bool:
        """Whether the process that has the ports still lives."""
        return lives(self.pid, started=self.start_time, boot=self.boot_id)

    @property
    def ports(self) -> tuple[int, ...]:
        return tuple(range(self.first, self.first + self.count))


def lend(checkout: Path, count: int) -> tuple[int, ...]:
    """So many free ports for a checkout: the same ones until they are given back. UserError when none are left."""
    folder, key, me = storage.state_directory(), str(checkout), os.getpid()
    with _guarded(folder):
        taken = {name: block for name, block in read(folder).items() if block.is_lent()}
        mine = taken.get(key)
        if mine is None or mine.pid != me or mine.count != count:
            others = [block for name, block in taken.items() if name != key]
            mine = Block(find(others, count), count, me, start_time(me), boot_id())
            _write(folder, taken | {key: mine})
    return mine.ports


def give_back(checkout: Path) -> None:
    """Give back the ports of a checkout, and of all below it where it is the folder of several."""
    folder = storage.state_directory()
    if not (folder / "ports.json").exists():
        return
    with _guarded(folder):
        taken = read(folder)
        kept = {name: block for name, block in taken.items() if not Path(name).is_relative_to(checkout)}
        if kept != taken:
            _write(folder, kept)


def find(taken: Collection[Block], count: int) -> int:
    """The first port of a block that nobody has, and on which nothing listens. UserError when there is none."""
    lent = {port for block in taken for port in block.ports}
    start = FIRST
    while start + count <= END:
        block = range(start, start + count)
        busy = next((port for port in reversed(block) if port in lent or not _is_free(port)), None)
        if busy is None:
            return start
        start = busy + 1
    hint = "end the programs that listen there, or write a lower number"
    raise UserError(f"no {count} free ports in a row from {FIRST} to {END}", where="ports", hint=hint)


def read(folder: Path) -> Mapping[str, Block]:
    """Who has which block. A file that cannot be read counts for nothing: the trial still finds what is in use."""
    try:
        return json_form.decode(storage.read(folder / "ports.json"), dict[str, Block])
    except (FileNotFoundError, ValueError):
        return {}


def _write(folder: Path, taken: Mapping[str, Block]) -> None:
    write_atomically(folder / "ports.json", json_form.encode(taken, indent=1))


@contextmanager
def _guarded(folder: Path) -> Iterator[None]:
    guard = folder / "ports.lock"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(guard, timeout=PATIENCE):
            yield
    except Timeout:
        raise UserError("another run does not let go of the ports", where=str(guard), hint="end it") from None


def _is_free(port: int) -> bool:
    """Whether a server could be bound to the port now; a connection that still winds down is not in its way."""
    with closing(socket.socket()) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("", port))
        except OSError:
            return False
    return True
