"""What the agents of a run did and do, line by line, from the files of their attempts. Writes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from parallel_impl.errors import UserError, printable
from parallel_impl.record import activity
from parallel_impl.report import activity_line
from parallel_impl.report.activity_line import INDENT
from parallel_impl.run.claims import change_lock
from parallel_impl.run.inspect.run_status import RunStatus
from parallel_impl.run.places import Places

LOOK_SECONDS = 0.5  # between two looks at the files of live attempts
CHUNK = 1_000_000  # bytes that are read at once: a log may have 50 MB


@dataclass(slots=True)
class _Source:
    """An attempt whose lines are read as they come; of its files the first that there is."""

    package: str
    number: int
    files: tuple[Path, ...]
    file: Path | None = None
    read: int = 0
    rest: bytes = b""
    shown: bool = False

    @property
    def heading(self) -> str:
        return f"== {self.package}, attempt {self.number}"

    @property
    def is_activity(self) -> bool:
        return self.file is not None and self.file.name == "activity.jsonl"

    def lines(self, *, whole: bool) -> Iterator[bytes]:
        """What was added since the last call; the beginning of a line only if it is the `whole` file."""
        self.file = self.file or next((file for file in self.files if file.is_file()), None)
        if self.file is None:
            return
        with self.file.open("rb") as file:
            file.seek(self.read)
            while more := file.read(CHUNK):
                self.read += len(more)
                *lines, self.rest = (self.rest + more).split(b"\n")
                yield from lines
        if whole and self.rest:
            yield self.rest
            self.rest = b""


@dataclass(slots=True)
class _LogReader:
    places: Places
    package: str
    raw: bool
    order: tuple[str, ...]
    sources: dict[tuple[str, int], _Source] = field(default_factory=dict)
    last: _Source | None = None

    def read(self, *, whole: bool) -> Iterator[str]:
        """What attempts wrote since the last call, for people, under the heading of their attempt."""
        for source in self._find():
            for line in source.lines(whole=whole):
                if text := self._render(source, line):
                    if self.last is not source:
                        yield source.heading
                        self.last = source
                        source.shown = True
                    yield printable(text)

    def missing(self) -> Iterator[str]:
        """The attempts that nothing was shown of, after all was read."""
        for source in self._find():
            if not source.shown:
                yield source.heading
                yield f"{INDENT}nothing written"

    def _find(self) -> list[_Source]:
        for folder in self.places.attempts.glob("*/*"):
            package, number = folder.parent.name, folder.name
            if number.isdecimal() and self.package in ("", package):
                key = (package, int(number))
                files = self.places.attempt_files(*key)
                kept = (files.raw,) if self.raw else (files.activity,)
                self.sources.setdefault(key, _Source(*key, (*kept, files.agent_log)))
        place = {name: number for number, name in enumerate(self.order)}
        return [self.sources[key] for key in sorted(self.sources, key=lambda key: (place.get(key[0], len(place)), key))]

    def _render(self, source: _Source, line: bytes) -> str:
        if self.raw or not source.is_activity:
            return line.decode(errors="replace").replace("\t", "    ").rstrip("\r")
        return "\n".join(filter(None, map(activity_line.describe, activity.read([line]))))


def lines(run: RunStatus, package: str, *, follow: bool, raw: bool) -> Iterator[str]:
    """The lines of all attempts, or of those at one package, in the order of the plan.

    With `follow` as they come, until nobody works on the run any more; an attempt that wrote nothing is named last.

    Every line is printable. UserError for an unknown package.
    """
    if package and package not in run.state.packages:
        known = ", ".join(run.state.packages)
        raise UserError(f"{run.places.change_id} has no package {package!r}", hint=f"packages: {known}")
    reader = _LogReader(run.places, package, raw, tuple(run.state.packages))
    while follow and change_lock.find_owner(run.places):
        yield from reader.read(whole=False)
        time.sleep(LOOK_SECONDS)
    yield from reader.read(whole=True)
    yield from reader.missing()
