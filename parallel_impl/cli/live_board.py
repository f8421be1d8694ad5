"""The board on a terminal: drawn in place below what was printed, at most four times a second.

Whoever tells it something never waits for the terminal: one thread alone writes there.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Protocol

from parallel_impl.cli.output import put
from parallel_impl.errors import printable
from parallel_impl.record.events import Event
from parallel_impl.report import board
from parallel_impl.report.board import Colours
from parallel_impl.report.outline import Outline
from parallel_impl.report.ticker import Ticker
from parallel_impl.report.viewer import Viewer

FRAME = 0.25  # seconds between two frames at least
LOOK = 1.0  # between two looks at the clock, at agents' files and at the size of the terminal
UP, DOWN, LINE, SCREEN = "\x1b[{}A", "\x1b[J", "\x1b[K", "\x1b[H\x1b[2J"

Size = Callable[[], tuple[int, int]]


class Stream(Protocol):
    """What is written to: a terminal's side of a file."""

    def fileno(self) -> int: ...

    def write(self, text: str, /) -> int: ...

    def flush(self) -> None: ...


def size_of(stream: Stream) -> tuple[int, int]:
    """Columns and lines of the terminal that a stream is; 80 and 24 where it does not tell."""
    try:
        found = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return 80, 24
    return found.columns or 80, found.lines or 24


def colours_of(environment: dict[str, str]) -> Colours:
    """How many colours the terminal has, by its own word."""
    if environment.get("COLORTERM", "") in ("truecolor", "24bit"):
        return "truecolor"
    return "256" if "256color" in environment.get("TERM", "") else "standard"


class Screen:
    """Lines that are drawn over those of the last time. `frames` counts how often something was written."""

    def __init__(self, stream: Stream, size: Size) -> None:
        self.stream, self.size = stream, size
        self.frames, self.drawn = 0, list[str]()
        self._size = (0, 0)
        self._gone = False

    def resized(self) -> bool:
        """Whether the terminal has another size than the lines were drawn for."""
        return bool(self.drawn) and self.size() != self._size

    def draw(self, lines: list[str], above: str = "") -> None:
        """Replace the lines; `above` is printed before them and stays."""
        size = self.size()
        if lines == self.drawn and size == self._size and not above:
            return
        start = "\r" + (UP.format(len(self.drawn) - 1) if len(self.drawn) > 1 else "") if self.drawn else ""
        if self.drawn and size != self._size:
            start = SCREEN  # a terminal wraps what it has in its own way when it becomes narrower
        kept = "".join(f"{line}{LINE}\n" for line in above.splitlines())
        self._write(start + kept + "\n".join(f"{line}{LINE}" for line in lines) + DOWN)
        self.drawn, self._size = lines, size

    def leave(self) -> None:
        """What is drawn stays; what is printed next comes below."""
        if self.drawn:
            self._write("\n")
        self.drawn = []

    def _write(self, text: str) -> None:
        if self._gone:
            return
        self.frames += 1
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError:  # the terminal is gone: a run goes on without
            self._gone = True
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())  # for what is still in the buffer
            os.close(nowhere)


class Board:
    """A listener that draws the run as a board. `tick` does all of the drawing, and only one thread calls it."""

    def __init__(self, screen: Screen, colours: Colours, clock: Callable[[], float] = time.time) -> None:
        self.screen, self.colours, self.clock = screen, colours, clock
        self.viewer = Viewer()
        self.ticker = Ticker(self.tick, self.finish, clock=clock)
        self._said: SimpleQueue[str] = SimpleQueue()
        self._last, self._new = 0.0, False
        self._open = True

    def begin(self, outline: Outline, earlier: Sequence[Event]) -> None:
        self.viewer.begin(outline, earlier)

    def event(self, event: Event) -> None:
        self.viewer.event(event)
        self.ticker.wake()

    def say(self, text: str) -> None:
        if not self._open or not sys.stderr.isatty():
            put(printable(text), err=True)
            return
        self._said.put(text)
        self.ticker.wake()

    def end(self) -> None:
        """Draw how it ended, and leave the terminal to what is printed next."""
        if self._open:
            self._open = False
            self.ticker.stop()

    def finish(self) -> None:
        """The last frame."""
        self.draw(self.clock(), alive=False)
        self.screen.leave()

    def tick(self, now: float) -> float:
        """Draw if there is something new and it is time to; returns the seconds until it wants to be called again."""
        self._new = self.viewer.catch_up() or not self._said.empty() or self.screen.resized() or self._new
        if now - self._last < FRAME and now >= self._last:
            return FRAME - (now - self._last)
        if self._new or (now - self._last >= LOOK and self.viewer.busy):
            self.draw(now)
        return LOOK

    def draw(self, now: float, *, alive: bool = True) -> None:
        """One frame."""
        self.viewer.catch_up()
        self._last, self._new = now, False
        said = [self._said.get() for _ in range(self._said.qsize())]
        width, height = self.screen.size()
        shown = self.viewer.picture(now, alive=alive) if self.viewer.begun else None
        drawn = board.lines(shown, width, max(height - 1, 1), self.colours) if shown else []
        self.screen.draw(drawn, "".join(f"{printable(text)}\n" for text in said))
