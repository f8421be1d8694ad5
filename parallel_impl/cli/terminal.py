"""How a run is shown while it goes on: a board on a terminal, else a line per event; or JSON lines for programs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import msgspec

from parallel_impl.cli import ci
from parallel_impl.cli.output import put, put_json
from parallel_impl.errors import first_line, printable
from parallel_impl.record.events import Event, RunContinued, RunStarted, to_line
from parallel_impl.report.event_line import describe
from parallel_impl.report.outline import Outline
from parallel_impl.report.picture import Roots, relative
from parallel_impl.report.ticker import Ticker
from parallel_impl.report.viewer import Viewer
from parallel_impl.run.run import Listener

HEARTBEAT = 60.0  # seconds without a line after which one says that the run goes on


class JsonLines:
    """Events as JSON lines on stdout and nothing else there; text for people goes to stderr.

    With `plan`, as in a dry run, which has no events, the plan is a line too; else progress.json has it.
    """

    def __init__(self, *, plan: bool = False) -> None:
        self._plan = plan

    def begin(self, outline: Outline, earlier: Sequence[Event]) -> None:
        del earlier
        if self._plan:
            put_json({"event": "plan", **msgspec.to_builtins(outline)})

    def event(self, event: Event) -> None:
        put(ci.guarded_json(to_line(event)))

    def say(self, text: str) -> None:
        put(printable(text), err=True)

    def end(self) -> None:
        """Nothing: whoever reads sees the end of the file."""


class Terminal:
    """One line per event on stdout, with the seconds since the start, and one each minute; blocks of text as they come.

    `tick` prints the heartbeat, called by a thread of its own.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._began, self._roots = 0.0, Roots()
        self._last = clock()
        self.clock, self.viewer = clock, Viewer()
        self.ticker = Ticker(self.tick, clock=clock)

    def begin(self, outline: Outline, earlier: Sequence[Event]) -> None:
        self.viewer.begin(outline, earlier)
        self._roots = replace(self._roots, state=outline.state)
        for event in earlier[:1]:
            self._place(event)

    def event(self, event: Event) -> None:
        self._place(event)
        self._began = self._began or event.at
        self.viewer.event(event)
        if line := describe(event):
            self._put(event.at, relative(first_line(line), self._roots))  # all of it comes once, at the end

    def say(self, text: str) -> None:
        put(printable(text), err=True)

    def end(self) -> None:
        self.ticker.stop()

    def tick(self, now: float) -> float:
        """Say that the run goes on where nothing was printed for a minute; returns the seconds until the next look."""
        self.viewer.catch_up()
        if (silent := now - self._last) < HEARTBEAT:
            return HEARTBEAT - max(silent, 0.0)
        self._began = self._began or now
        self._put(now, self.viewer.picture(now).heartbeat)
        return HEARTBEAT

    def _place(self, event: Event) -> None:
        """Where the run has its worktrees: paths in there are shown from there."""
        if isinstance(event, RunStarted):
            self._roots = replace(self._roots, home=event.home, repository=event.repository_name)
        elif isinstance(event, RunContinued) and event.home:
            self._roots = replace(self._roots, home=event.home)

    def _put(self, at: float, line: str) -> None:
        self._last = self.clock()
        put(f"{at - self._began:7.1f}s  {printable(line)}")


def is_plain(environment: Mapping[str, str]) -> bool:
    """Whether lines are printed and no board is drawn: no terminal, or one that is to show lines only."""
    if environment.get("NO_COLOR") or ci.is_ci(environment) or environment.get("TERM", "dumb") == "dumb":
        return True
    return not sys.stdout.isatty()


def view(*, plain: bool) -> Listener:
    """The view for people, at work."""
    if plain or is_plain(os.environ):
        lines = Terminal()
        lines.ticker.start()
        return lines
    from parallel_impl.cli.live_board import Board, Screen, colours_of, size_of  # noqa: PLC0415

    board = Board(Screen(sys.stdout, lambda: size_of(sys.stdout)), colours_of(dict(os.environ)))
    board.ticker.start()
    return board
