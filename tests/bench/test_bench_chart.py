"""The picture of the curves: valid XML, every point inside its panel, axes that a person can read."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.bench.chart import HEIGHT, PANEL, Axis, Line, Panel, draw, label

SVG = "{http://www.w3.org/2000/svg}"
VALUES = st.floats(min_value=1e-6, max_value=1e9)


def picture(*points: tuple[float, float]) -> ET.Element:
    return ET.fromstring(draw("A < B & C", [Panel("left & right", "files <1>", "s", (Line("ours", points),))] * 2))  # noqa: S314


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=8))
def test_every_point_lies_inside_its_panel(points: list[tuple[float, float]]) -> None:
    circles = list(picture(*points).iter(f"{SVG}circle"))[1:]  # the first is the legend's
    assert len(circles) == 2 * len(points)
    for number, one in enumerate(circles):
        left = PANEL * (number // len(points))
        assert left < float(one.attrib["cx"]) < left + PANEL
        assert 0 < float(one.attrib["cy"]) < HEIGHT


@given(st.lists(VALUES, min_size=1))
@example([1.0, 50_050_000.0])
@example([49_950_050.0, 100_100_101.0])
def test_an_axis_has_room_for_its_values_and_few_ticks(values: list[float]) -> None:
    axis = Axis.over(values, 0, 100)
    assert axis.low <= min(values) and max(values) <= axis.high
    assert all(0 <= axis.place(value) <= 100 for value in values)
    assert 1 <= len(axis.ticks()) <= 16 and axis.low <= axis.ticks()[0] and axis.ticks()[-1] <= axis.high


def test_an_axis_is_logarithmic_and_its_ticks_are_1_2_and_5() -> None:
    axis = Axis.over([10, 1000], 0, 100)
    assert [axis.place(value) for value in (10, 100, 1000)] == [0, 50, 100]
    assert Axis.over([3, 45], 0, 1).ticks() == [2, 5, 10, 20, 50]
    assert Axis.over([1, 100_000], 0, 1).ticks() == [1, 10, 100, 1000, 10_000, 100_000]


@pytest.mark.parametrize(("value", "written"), [(0.05, "0.05"), (20, "20"), (1000, "1k"), (100_000, "100k")])
def test_a_tick_is_written_short(value: float, written: str) -> None:
    assert label(value) == written


def test_texts_are_escaped_and_axes_named_in_each_panel() -> None:
    texts = [one.text for one in picture((1, 1), (10, 2)).iter(f"{SVG}text")]
    assert [texts.count(name) for name in ("left & right", "files <1>", "s")] == [2, 2, 2]
    assert texts[0] == "ours"
