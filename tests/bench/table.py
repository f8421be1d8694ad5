"""Figures as text: aligned lines for a terminal, Markdown for a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.bench.alternate import Comparison

UNITS = (("wall", "s"), ("cpu", "CPU s"))


def align(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows under each other: the first column is words, the others are figures."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown; the first row is its head."""
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    line = f"|{'---|' * len(rows[0])}"
    return "\n".join((head, line, *body)) + "\n"


def figure(value: float) -> str:
    """Three figures that count: `0.0123`, `1.23`, `123`."""
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def compare_rows(
    found: Comparison, *, to: str, per: int = 1, unit: str = "s", more: Iterable[str] = ()
) -> list[list[str]]:
    """The rows of a comparison: median and minimum of wall and CPU time, each divided by `per`, and ratios to a side.

    `unit` is s or ms. `more` are other figures, of which the median is shown.
    """
    times = 1000 if unit == "ms" else 1
    more = tuple(more)
    head = ["", f"wall {unit}", "(min)", f"CPU {unit}", "(min)", f"wall of {to}", f"CPU of {to}", *more]
    rows = [head]
    for side, samples in found.samples.items():
        if not samples:
            continue
        row = [side]
        for what in ("wall", "cpu"):
            row += [figure(one(side, what) / per * times) for one in (found.median, found.least)]
        row += ["-" if found.failure else f"{found.ratio(side, to, what):.2f}" for what in ("wall", "cpu")]
        row += [figure(found.median(side, name)) if name in samples[0].counted else "-" for name in more]
        rows.append(row)
    return rows


def lines(
    title: str, found: Comparison, *, to: str, per: int = 1, unit: str = "s", more: Iterable[str] = ()
) -> list[str]:
    """A comparison as lines to print, with the load beside it; one that failed says why in the place of ratios."""
    rounds = max(len(samples) for samples in found.samples.values())
    first = f"{title}; {rounds} {'round' if rounds == 1 else 'rounds'}, load {found.before:.1f} to {found.after:.1f}"
    failed = [f"NO RATIO: {found.failure}"] if found.failure else []
    return [
        first,
        *(f"  {line}" for line in (*align(compare_rows(found, to=to, per=per, unit=unit, more=more)), *failed)),
    ]
