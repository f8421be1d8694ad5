"""What is written of a comparison: the page of the curves, the marginal cost of a package, limits of a checkout."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import checkouts, idle
from tests.bench.alternate import Comparison, Sample
from tests.bench.chart import LEFT, PANEL
from tests.bench.scale import Curve, curves, marginal, page, panel
from tests.bench.spent import Spent
from tests.bench.ways import FLOOR, LOCK, OURS


def comparison(ours: float, *others: float) -> Comparison:
    walls = dict(zip((OURS, FLOOR, LOCK), (ours, *others), strict=True))
    return Comparison({name: [Sample(Spent(wall, wall / 2))] for name, wall in walls.items()}, 1.0, 2.0)


SIZES = {10: comparison(2.0, 1.0, 1.0), 100: comparison(11.0, 9.0, 9.0), 1000: comparison(110.0, 90.0, 90.0)}
CURVE = Curve("packages", "100 files", tuple(SIZES), lambda _folder, _size: [], lambda size: size / 8)


def test_the_marginal_cost_is_of_packages_between_two_sizes() -> None:
    assert marginal(SIZES).splitlines()[2:] == [
        "| from 10 to 100 | 100.0 | 50.0 |",
        "| from 100 to 1000 | 110.0 | 55.0 |",
        "| ratio, at most 1.15 | 1.10 | 1.10 |",
    ]


def test_the_page_has_every_size_and_side_with_its_load() -> None:
    lines = page([(CURVE, SIZES)]).splitlines()
    assert "| 100 | 1.0 to 2.0 | ours | 11 | 11 | 5.5 | 5.5 | 1.22 | 1.22 |" in lines
    assert sum(line.startswith(("| 10 ", "| 100 ", "| 1000 ")) for line in lines) == 9


def test_a_diagram_shows_medians_and_what_the_agents_alone_take() -> None:
    drawn = {line.name: line.points for line in panel(CURVE, SIZES).lines}
    assert drawn["parallel-implement"] == ((10, 2.0), (100, 11.0), (1000, 110.0))
    assert drawn["agents alone"] == ((10, 1.25), (100, 12.5), (1000, 125.0))


@pytest.mark.parametrize("curve", curves(quick=False), ids=lambda curve: curve.name)
def test_a_title_fits_over_its_diagram(curve: Curve) -> None:
    assert len(curve.what) * 7.2 <= PANEL - LEFT


def test_a_limit_of_a_checkout_is_of_the_view_and_of_both_times() -> None:
    fast, slow = Spent(0.01, 0.01), Spent(0.01, 0.3)
    costs = {(way, step): [fast] for way in ("view", "each") for step in checkouts.AT_MOST}
    assert [row[-1] for row in checkouts.rows(costs, 1000)[1:]] == ["yes"] * 4
    costs["view", checkouts.TAKEN] = costs["each", checkouts.READY] = [slow]
    assert [row[-1] for row in checkouts.rows(costs, 1000)[1:]] == ["yes", "yes", "NO", "yes"]
    assert [row[-1] for row in checkouts.rows(costs, 20_000)[1:]] == [""] * 4


def test_a_process_is_read_whatever_its_name(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("7 (a) b (c) S 3 7 7 0 -1 4194304 1 2 3 4 10 20 30 40 20 0 1 0 5 6 7\n")
    assert idle.look(stat) == idle.Seen(3, "a) b (c", 100)
    assert idle.look(tmp_path / "ended") is None
