"""How a run is shown while it goes on: a line per event for people, or JSON lines for programs."""

from __future__ import annotations

from parallel_impl.cli.output import put
from parallel_impl.errors import first_line, printable
from parallel_impl.record.events import Event, to_line
from parallel_impl.report.event_line import describe


class JsonLines:
    """Events as JSON lines on stdout and nothing else there; text for people goes to stderr."""

    def event(self, event: Event) -> None:
        put(to_line(event))

    def say(self, text: str) -> None:
        put(printable(text), err=True)


class Terminal:
    """One line per event on stdout, with the seconds since the start; blocks of text as they come."""

    def __init__(self) -> None:
        self._began = 0.0

    def event(self, event: Event) -> None:
        self._began = self._began or event.at
        if line := describe(event):
            put(f"{event.at - self._began:7.1f}s  {printable(first_line(line))}")  # all of it comes once, at the end

    def say(self, text: str) -> None:
        put(printable(text), err=True)
