"""Lines that real clients wrote, with their exit code: `recorded/<client>/<case>.txt`.

Each line has its stream in front (`out`, `err`), the last one the exit code (`end`). Recorded from the versions that
the dialects name, against a loopback server that plays the model; paths are replaced, long lists and texts are cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from parallel_impl.agents.dialect import Dialect
from parallel_impl.agents.dialects.catalogue import DIALECTS
from parallel_impl.agents.seen import Seen
from parallel_impl.processes.process import Ended, Reason
from parallel_impl.record.activity import Activity

RECORDED = Path(__file__).parent / "recorded"


@dataclass(frozen=True, slots=True)
class Recording:
    """One start of a client."""

    client: str
    lines: tuple[tuple[str, bytes], ...]
    exit_code: int

    @property
    def dialect(self) -> Dialect:
        return DIALECTS[self.client]

    @property
    def ended(self) -> Ended:
        return Ended(Reason.EXITED, self.exit_code, 1.0)

    def activity(self) -> Iterator[Activity]:
        for stream, line in self.lines:
            yield from self.dialect.read(line) if stream == "out" else self.dialect.complain(line)

    def seen(self, start: Seen | None = None) -> Seen:
        seen = start or Seen()
        for happened in self.activity():
            seen = seen.after(happened)
        return seen


def recording(client: str, case: str) -> Recording:
    lines = (RECORDED / client / f"{case}.txt").read_bytes().splitlines()
    *streams, (last, exit_code) = (line.split(b" ", 1) for line in lines if b" " in line)
    assert last == b"end"
    return Recording(client, tuple((stream.decode(), line) for stream, line in streams), int(exit_code))


def recordings() -> list[tuple[str, str]]:
    return sorted((path.parent.name, path.stem) for path in RECORDED.glob("*/*.txt"))
