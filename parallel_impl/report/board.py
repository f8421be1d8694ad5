"""The board: a picture of a run as the lines of a terminal, at most as many and as wide as it has.

What is at work comes first when not all packages have room; what has none is counted.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from parallel_impl.record.state import LIVE, PackageState
from parallel_impl.report.picture import CheckRow, Picture, Row, duration, named

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

Colours = Literal["standard", "256", "truecolor"] | None
NARROW, WIDE = 100, 140  # columns from which agent and tries, tokens and cost are shown
LEAST = 40  # columns for which it is laid out; a narrower terminal sees its left part
NEEDS = 6  # lines about what a person has to do
GLYPHS: dict[str, tuple[str, str]] = {
    PackageState.RUNNING: ("▶", "blue"),
    PackageState.VERIFYING: ("▷", "blue"),
    PackageState.ACCEPTED: ("✓", "green"),
    PackageState.FAILED: ("✗", "red"),
    PackageState.CANCELLED: ("–", "red"),
    PackageState.QUEUED: ("○", ""),
    PackageState.PLANNED: ("·", "dim"),
    PackageState.STALE: ("·", "dim"),
}
STATES: dict[str, str] = {PackageState.QUEUED: "ready", PackageState.PLANNED: "waiting", PackageState.STALE: "waiting"}
RANK = ("interrupted", *LIVE, PackageState.FAILED, PackageState.QUEUED, *(PackageState.PLANNED, PackageState.STALE))
GOOD, BAD = ("green", "passed", "done", "old failures"), ("red", "failed", "broken", "not proven")


def lines(picture: Picture, width: int, height: int, colours: Colours = None) -> list[str]:
    """At most `height` lines of at most `width` columns, with colours where there are `colours`."""
    from rich.console import Console  # noqa: PLC0415  (40 ms: not for --help)

    console = Console(
        file=io.StringIO(),
        width=max(width, LEAST),
        height=max(height, 1),
        color_system=colours,
        force_terminal=colours is not None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )
    head = [*_head(picture, console), *_checks(picture)]
    needs = _needs(picture)[: max(0, min(NEEDS, height - len(head) - 3))]
    room = height - len(head) - len(needs) - (1 if needs else 0)
    with console.capture() as captured:
        for line in head:
            console.print(line, no_wrap=True, overflow="ellipsis", crop=True)
        if picture.rows and room > 0:
            console.print(_table(picture, console, room))
            if more := _more(picture, room):
                console.print(more, no_wrap=True, overflow="ellipsis", style="dim")
        for number, need in enumerate(needs):
            console.print(need, no_wrap=True, overflow="ellipsis", style="" if number else "bold")
    found = captured.get().splitlines()[: max(height, 1)]
    return found if width >= LEAST else _cropped(found, width)


def _cropped(found: list[str], width: int) -> list[str]:
    from rich.text import Text  # noqa: PLC0415

    cut = [Text.from_ansi(line) for line in found]
    for line in cut:
        line.truncate(max(width, 1))
    return [line.plain for line in cut]


def _head(picture: Picture, console: Console) -> Iterator[Text]:
    from rich.text import Text  # noqa: PLC0415

    left = [picture.state, duration(picture.elapsed)]
    left += [f"about {duration(picture.left)} left, if nothing fails"] if picture.left is not None else []
    left += [f"{_short(picture.usage.tokens)} tokens"] if picture.usage.tokens is not None else []
    left += [f"${picture.usage.dollars:.2f}"] if picture.usage.dollars is not None else []
    name = Text(picture.change_id or "parallel-implement", style="bold")
    yield Text.assemble(name, "  ", ", ".join(left))
    if picture.rows:
        words = picture.sentence
        cells = max(10, min(40, console.width - len(words) - 2))
        yield Text.assemble(*_bar(picture, cells), "  ", words)


def _bar(picture: Picture, cells: int) -> Iterator[tuple[str, str]]:
    """One bar over all packages: accepted, at work, stopped, the rest."""
    whole, used = len(picture.rows), 0
    for number, glyph, style in (
        (picture.accepted, "━", "green"),
        (picture.running, "━", "blue"),
        (picture.stopped, "━", "red"),
    ):
        share = min(cells - used, max(1, round(number * cells / whole))) if number else 0
        yield glyph * share, style
        used += share
    yield "┄" * (cells - used), "dim"


def _checks(picture: Picture) -> Iterator[Text]:
    """Set-ups and gates of the base and of the whole, a line for each of the two."""
    from rich.text import Text  # noqa: PLC0415

    for on in dict.fromkeys(mark.on for mark in (*picture.setups, *picture.gates)):
        told = Text(f"{named(on)}: ")
        for number, mark in enumerate(one for one in (*picture.setups, *picture.gates) if one.on == on):
            told.append(", " if number else "")
            told.append(f"{mark.name} {mark.state} {duration(mark.seconds)}", _colour(mark))
        yield told


def _colour(mark: CheckRow) -> str:
    return "blue" if mark.state == "running" else "green" if mark.state in GOOD else "red" if mark.state in BAD else ""


def _table(picture: Picture, console: Console, room: int) -> Table:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, expand=True, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    agents, figures = console.width >= NARROW, console.width >= WIDE
    shown = _shown(picture, room)
    longest = max((len(row.id) for row in shown), default=0)
    table.add_column("wave", width=4, no_wrap=True, justify="right")
    table.add_column("state", width=12, no_wrap=True)
    table.add_column("package", width=min(longest, console.width // 4), no_wrap=True, overflow="ellipsis")
    table.add_column("time", width=7, no_wrap=True, justify="right")
    table.add_column("try", width=3, no_wrap=True, justify="right")
    if agents:
        table.add_column("agent", width=14, no_wrap=True, overflow="ellipsis")
    if figures:
        table.add_column("tokens", width=7, no_wrap=True, justify="right")
        table.add_column("cost", width=7, no_wrap=True, justify="right")
    table.add_column("", ratio=1, no_wrap=True, overflow="ellipsis")
    for row in shown:
        glyph, style = GLYPHS.get(row.state, ("!", "yellow"))
        cells = [Text(str(row.wave)), Text(f"{glyph} {STATES.get(row.state, row.state)}", style)]
        cells += [Text(row.id), Text(duration(row.seconds) if row.attempts else ""), Text(str(row.attempts or ""))]
        cells += [Text(row.agent)] if agents else []
        cells += [Text(word) for word in _figures(row)] if figures else []
        table.add_row(*cells, Text(_answer(row)))
    return table


def _answer(row: Row) -> str:
    """The row's answer; an agent that has been quiet for a while is said to be, before what it did last."""
    if row.quiet is not None and row.quiet >= 60:
        return f"quiet for {duration(row.quiet)}: {row.answer}"
    return row.answer or row.title


def _figures(row: Row) -> tuple[str, str]:
    tokens = "" if row.usage.tokens is None else _short(row.usage.tokens)
    return tokens, "" if row.usage.dollars is None else f"${row.usage.dollars:.2f}"


def _short(number: int | None) -> str:
    """`950`, `12.3k`, `4.5M`."""
    amount = number or 0
    return f"{amount / 1e6:.1f}M" if amount >= 1e6 else f"{amount / 1e3:.1f}k" if amount >= 1e4 else str(amount)


def _shown(picture: Picture, room: int) -> list[Row]:
    """The rows that have room, below a line of headings and above one that counts the others."""
    if len(picture.rows) < room:
        return sorted(picture.rows, key=lambda row: row.wave)
    return sorted(picture.rows, key=_rank)[: max(room - 2, 0)]


def _rank(row: Row) -> tuple[int, float, int]:
    """What is at work first, in the order of start; then what failed, is ready, waits, was accepted."""
    place = RANK.index(row.state) if row.state in RANK else len(RANK)
    since = -row.started if row.state == PackageState.ACCEPTED else row.started  # the last one that was accepted
    return (1 if row.state in LIVE else place), since, row.wave


def _more(picture: Picture, room: int) -> str:
    shown = {row.id for row in _shown(picture, room)}
    rest = Counter(STATES.get(row.state, row.state) for row in picture.rows if row.id not in shown)
    told = ", ".join(f"{number} {state}" for state, number in rest.items())
    return f"and {sum(rest.values())} more: {told}" if rest else ""


def _needs(picture: Picture) -> list[str]:
    found: list[str] = []
    for need in picture.needs:
        found += [need.what, *(f"  {line}" for line in need.lines)]
    return found
