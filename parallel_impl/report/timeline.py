"""The timeline of a run in plain characters, which a terminal shows as well as a browser. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from parallel_impl.report.course import Stage
from parallel_impl.report.picture import Bar, Row, duration
from parallel_impl.text import shorten

MARKS = {Stage.SET_UP: ".", Stage.AGENT: "#", Stage.STEPS: "="}
ENDS = {"failed": "x", "interrupted": "!"}
LEGEND = ". set-up   # agent   = steps   x failed   ! interrupted"
NAMES = 28  # characters of a name at most
WIDTH = 48  # of the axis


def draw(rows: Iterable[Row], *, width: int = WIDTH) -> list[str]:
    """A line for each package with an attempt, and what the signs mean; none where nothing was tried."""
    shown = [row for row in rows if any(bar.parts for bar in row.bars)]
    end = max((part.end for row in shown for bar in row.bars for part in bar.parts), default=0.0)
    if not shown:
        return []
    names = max(len(shorten(row.id, NAMES)) for row in shown)
    scale = width / end if end else 0.0
    axis = f"0:00{duration(end):>{width - 4}}"
    lines = [f"{' ' * names}  {axis}"]
    lines += [f"{shorten(row.id, NAMES):<{names}}  {_line(row.bars, scale, width)}".rstrip() for row in shown]
    return [*lines, "", LEGEND]


def _line(bars: Iterable[Bar], scale: float, width: int) -> str:
    cells = [" "] * width
    for bar in bars:
        last = 0
        for mark, first, last in _stretches(bar, scale, width):
            cells[first : last + 1] = mark * (last + 1 - first)
        if bar.parts and bar.outcome in ENDS:
            cells[last] = ENDS[bar.outcome]
    return "".join(cells)


def _stretches(bar: Bar, scale: float, width: int) -> Iterator[tuple[str, int, int]]:
    """Each part that took time, as its sign and its first and last cell: an attempt has one cell at least."""
    for part in [one for one in bar.parts if one.end > one.start] or bar.parts[:1]:
        first = min(int(part.start * scale), width - 1)
        yield MARKS[part.stage], first, max(first, min(int(part.end * scale), width) - 1)
