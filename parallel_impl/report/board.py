"""The board: a picture of a run as the lines of a terminal, at most as many and as wide as it has.

What is at work comes first when not all packages have room; what has none is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

from parallel_impl.record.state import LIVE, PackageState
from parallel_impl.report.picture import CheckRow, Picture, Row, duration, named

Words = tuple[str, str]  # a text and its style
Colours = Literal["standard", "256", "truecolor"] | None
NARROW, WIDE = 100, 140  # columns from which agent and tries, tokens and cost are shown
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
    head = [*_head(picture, width), *_checks(picture)]
    needs = _needs(picture)[: max(0, min(NEEDS, height - len(head) - 3))]
    room = height - len(head) - len(needs)
    rows = _table(picture, width, room) if picture.rows and room > 1 else []
    told = [*head, *rows, *([(need, "bold" if need[0] != " " else "")] for need in needs)]
    return [_painted(parts, width, colours) for parts in told[: max(height, 1)]]


def _painted(parts: Sequence[Words], width: int, colours: Colours) -> str:
    """One line, cut at the width of the terminal: wide characters take two columns."""
    from rich.cells import cell_len  # noqa: PLC0415  (rich: 40 ms, not for --help)
    from rich.color import ColorSystem  # noqa: PLC0415
    from rich.style import Style  # noqa: PLC0415

    system = {"standard": ColorSystem.STANDARD, "256": ColorSystem.EIGHT_BIT, "truecolor": ColorSystem.TRUECOLOR}
    found, left = "", width
    for text, style in parts:
        shown = text if cell_len(text) <= left else _fit(text, left)
        left -= cell_len(shown)
        found += Style.parse(style).render(shown, color_system=system[colours]) if colours and style else shown
    return found.rstrip(" ")


def _fit(text: str, width: int, *, right: bool = False) -> str:
    """`text` in exactly so many columns, with an ellipsis where something is left out."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415

    size = cell_len(text)
    if size > width:
        return set_cell_size(text, width - 1) + "…" if width > 0 else ""
    return " " * (width - size) + text if right else text + " " * (width - size)


def _head(picture: Picture, width: int) -> Iterator[list[Words]]:
    left = [picture.state, duration(picture.elapsed)]
    left += [f"about {duration(picture.left)} left, if nothing fails"] if picture.left is not None else []
    left += [f"{_short(picture.usage.tokens)} tokens"] if picture.usage.tokens is not None else []
    left += [f"${picture.usage.dollars:.2f}"] if picture.usage.dollars is not None else []
    yield [(picture.change_id or "parallel-implement", "bold"), ("  " + ", ".join(left), "")]
    if picture.rows:
        words = picture.sentence
        yield [*_bar(picture, max(10, min(40, width - len(words) - 2))), (f"  {words}", "")]


def _bar(picture: Picture, cells: int) -> Iterator[Words]:
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


def _checks(picture: Picture) -> Iterator[list[Words]]:
    """Set-ups and gates of the base and of the whole, a line for each of the two."""
    both = (*picture.setups, *picture.gates)
    for on in dict.fromkeys(mark.on for mark in both):
        told = [(f"{mark.name} {mark.state} {duration(mark.seconds)}", _colour(mark)) for mark in both if mark.on == on]
        parted = (words for one in told for words in ((", ", ""), one))
        yield [(f"{named(on)}: ", ""), *list(parted)[1:]]


def _colour(mark: CheckRow) -> str:
    return "blue" if mark.state == "running" else "green" if mark.state in GOOD else "red" if mark.state in BAD else ""


def _table(picture: Picture, width: int, room: int) -> list[list[Words]]:
    """A line of headings, the rows that have room, and one that counts the others."""
    shown = _shown(picture, room)
    package = min(max((len(row.id) for row in shown), default=0), width // 4)
    columns = [
        ("wave", 4, True),
        ("state", 12, False),
        ("package", package, False),
        ("time", 7, True),
        ("try", 3, True),
    ]
    columns += [("agent", 14, False)] if width >= NARROW else []
    columns += [("tokens", 7, True), ("cost", 7, True)] if width >= WIDE else []
    found: list[list[Words]] = [[(f"{_fit(name, size, right=right)} ", "dim") for name, size, right in columns]]
    for row in shown:
        glyph, style = GLYPHS.get(row.state, ("!", "yellow"))
        cells = [str(row.wave), f"{glyph} {STATES.get(row.state, row.state)}", row.id]
        cells += [duration(row.seconds) if row.attempts else "", str(row.attempts or ""), row.agent, *_figures(row)]
        line = [f"{_fit(text, size, right=right)} " for text, (_, size, right) in zip(cells, columns, strict=False)]
        styled = [(text, style if number == 1 else "") for number, text in enumerate(line)]
        found.append([*styled, (_answer(row), "")])
    more = _more(picture, room)
    return [*found, [(more, "dim")]] if more else found


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
