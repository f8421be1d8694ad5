"""Curves as one SVG that reads on a light and on a dark page: panels side by side, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from xml.sax.saxutils import escape

PANEL, HEIGHT = 320, 330
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 66, 50
TICKS_AT_MOST = 7
DASHES = ("", "6 3", "2 3", "9 3 2 3")  # colours are not all that tells lines apart
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 12.5px }
.page { fill: #ffffff }
.frame { fill: none; stroke: #8c959f }
.grid { stroke: #d8dee4 }
.line { fill: none; stroke-width: 2 }
.l0 { stroke: #0969da } .p0 { fill: #0969da }
.l1 { stroke: #59636e } .p1 { fill: #59636e }
.l2 { stroke: #bc4c00 } .p2 { fill: #bc4c00 }
.l3 { stroke: #1a7f37 } .p3 { fill: #1a7f37 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .page { fill: #0d1117 }
  .frame { stroke: #656c76 }
  .grid { stroke: #2f353d }
  .l0 { stroke: #58a6ff } .p0 { fill: #58a6ff }
  .l1 { stroke: #9198a1 } .p1 { fill: #9198a1 }
  .l2 { stroke: #f0883e } .p2 { fill: #f0883e }
  .l3 { stroke: #3fb950 } .p3 { fill: #3fb950 }
}
"""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """One curve; a line of this name has one colour in all panels. All values are above 0."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """One diagram. `x` and `y` name the axes, with units."""

    title: str
    x: str
    y: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from `low` to `high`, drawn from pixel `begin` to pixel `end`."""

    low: float
    high: float
    begin: float
    end: float

    @classmethod
    def over(cls, values: Iterable[float], begin: float, end: float) -> Axis:
        """The axis that has room for these values, from one step of 1, 2, 5, 10, … to another."""
        known = sorted(values)
        low, high = _step_below(known[0]), _step_above(known[-1])
        return cls(low, high if high > low else low * 10, begin, end)

    def place(self, value: float) -> float:
        """The pixel of a value."""
        part = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.begin + part * (self.end - self.begin), 1)

    def ticks(self) -> list[float]:
        """Steps of 1, 2 and 5, or of 1 where these are too many."""
        steps = list(takewhile(lambda one: one <= self.high, _steps(self.low)))
        tens = [one for one in steps if f"{one:e}".startswith("1.0")]
        return steps if len(steps) <= TICKS_AT_MOST else tens


def draw(title: str, panels: Sequence[Panel]) -> str:
    """The whole picture."""
    names = list(dict.fromkeys(line.name for panel in panels for line in panel.lines))
    width = PANEL * len(panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{width}" height="{HEIGHT}"/>',
        *_legend(names),
    ]
    for number, panel in enumerate(panels):
        parts += _panel(panel, names, number * PANEL)
    return "\n".join([*parts, "</svg>", ""])


def _legend(names: Sequence[str]) -> Iterator[str]:
    left = LEFT
    for number, name in enumerate(names):
        yield f'<path class="line l{number}" stroke-dasharray="{DASHES[number]}" d="M{left} 18h28"/>'
        yield f'<circle class="p{number}" cx="{left + 14}" cy="18" r="3"/>'
        yield f'<text x="{left + 36}" y="22">{escape(name)}</text>'
        left += 64 + 7 * len(name)


def _panel(panel: Panel, names: Sequence[str], left: int) -> Iterator[str]:
    points = [point for line in panel.lines for point in line.points]
    x = Axis.over((point[0] for point in points), left + LEFT, left + PANEL - RIGHT)
    y = Axis.over((point[1] for point in points), HEIGHT - BOTTOM, TOP)
    yield f'<text class="title" x="{x.begin}" y="{TOP - 14}">{escape(panel.title)}</text>'
    yield from _axes(panel, x, y)
    for line in panel.lines:
        number = names.index(line.name)
        places = [(x.place(across), y.place(up)) for across, up in line.points]
        path = " ".join(f"{across},{up}" for across, up in places)
        yield f'<polyline class="line l{number}" stroke-dasharray="{DASHES[number]}" points="{path}"/>'
        yield from (f'<circle class="p{number}" cx="{across}" cy="{up}" r="3"/>' for across, up in places)


def _axes(panel: Panel, x: Axis, y: Axis) -> Iterator[str]:
    for tick in x.ticks():
        at = x.place(tick)
        yield f'<path class="grid" d="M{at} {y.begin}V{y.end}"/>'
        yield f'<text x="{at}" y="{y.begin + 17}" text-anchor="middle">{label(tick)}</text>'
    for tick in y.ticks():
        at = y.place(tick)
        yield f'<path class="grid" d="M{x.begin} {at}H{x.end}"/>'
        yield f'<text x="{x.begin - 6}" y="{at + 4}" text-anchor="end">{label(tick)}</text>'
    yield f'<path class="frame" d="M{x.begin} {y.end}V{y.begin}H{x.end}"/>'
    middle = (y.begin + y.end) / 2
    yield f'<text x="{(x.begin + x.end) / 2}" y="{y.begin + 38}" text-anchor="middle">{escape(panel.x)}</text>'
    side = x.begin - 44
    yield f'<text transform="translate({side} {middle}) rotate(-90)" text-anchor="middle">{escape(panel.y)}</text>'


def label(value: float) -> str:
    """A number as it is written at an axis: `0.05`, `20`, `5k`."""
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def _steps(low: float) -> Iterator[float]:
    """1, 2, 5, 10, … of all powers, from `low` on; as decimals are read, so that they compare exactly."""
    power = math.floor(math.log10(low)) - 1  # the logarithm may be rounded up
    while True:
        yield from (one for factor in (1, 2, 5) if (one := float(f"{factor}e{power}")) >= low)
        power += 1


def _step_below(value: float) -> float:
    return list(takewhile(lambda step: step <= value, _steps(value / 20)))[-1]


def _step_above(value: float) -> float:
    return next(_steps(value))
