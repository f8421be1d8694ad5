"""What agents do, read from the files of their attempts as they grow: whole lines, from where the last look ended."""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from parallel_impl.record import activity
from parallel_impl.record.activity import Activity

CHUNK = 1_000_000  # bytes of a file in one look: what an agent writes faster than that is shown later
NAME = "activity.jsonl"


@dataclass(slots=True)
class Place:
    """How far a file was read; one with another inode is another file, and is read from its start."""

    inode: int = 0
    offset: int = 0


@dataclass(slots=True)
class Follower:
    """Reads `<attempts>/<package>/<number>/activity.jsonl` of attempts, by increments."""

    attempts: Path
    places: dict[tuple[str, int], Place] = field(default_factory=dict)

    def read(self, attempts: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int, Activity]]:
        """What these attempts did since they were last read."""
        for package, number in attempts:
            place = self.places.setdefault((package, number), Place())
            for done in activity.read(self._lines(self.attempts / package / str(number) / NAME, place)):
                yield package, number, done

    @staticmethod
    def _lines(file: Path, place: Place) -> list[bytes]:
        try:
            found = file.stat()
            if found.st_ino != place.inode or found.st_size < place.offset:
                place.inode, place.offset = found.st_ino, 0
            if found.st_size == place.offset or not stat.S_ISREG(found.st_mode):
                return []
            with file.open("rb") as opened:
                opened.seek(place.offset)
                read = opened.read(CHUNK)
        except OSError:
            return []  # it is not there yet, or not any more
        whole = read.rfind(b"\n") + 1
        if not whole and len(read) == CHUNK:
            whole = CHUNK  # a line that long tells nobody anything
        place.offset += whole
        return read[:whole].split(b"\n")[:-1] if whole else []
