"""Sides take turns, and there is a ratio only of what succeeded and has landed the same tree."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import table
from tests.bench.alternate import Comparison, Sample, Side, Trial, alternate, order
from tests.bench.spent import MeasureError, Spent, measure_command, read_costs, spend


def test_the_order_is_swapped_each_round() -> None:
    assert "".join(order("AB", 4)) == "ABBAABBA"
    assert "".join(order("ABC", 2)) == "ABCCBA"


def side(name: str, script: str = "true", landed: str = "") -> Side:
    return Side(name, lambda folder: Trial(["sh", "-c", script], folder, landed=lambda _spent: landed))


def test_equal_trees_have_a_ratio(tmp_path: Path) -> None:
    found = alternate([side("a", landed="t"), side("b", landed="t"), side("none")], 2, tmp_path)
    assert found.failure == "" and found.ratio("a", "b") > 0
    assert [len(one) for one in found.samples.values()] == [2, 2, 2]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (side("b", landed="another"), "a has landed t; b has landed another"),
        (side("b", "echo no >&2; exit 4"), "exit 4"),
    ],
)
def test_another_tree_or_a_failure_has_no_ratio(tmp_path: Path, other: Side, why: str) -> None:
    found = alternate([side("a", landed="t"), other], 3, tmp_path)
    assert why in found.failure
    assert "NO RATIO" in table.lines("x", found, to="a")[-1]
    with pytest.raises(MeasureError, match="no ratio"):
        found.ratio("b", "a")


def test_a_comparison_is_shown_with_median_minimum_ratio_and_load() -> None:
    a = [Sample(Spent(wall, wall / 2)) for wall in (4.0, 2.0, 3.0)]
    b = [Sample(Spent(wall, wall), counted={"set-ups": 2}) for wall in (6.0, 6.0, 7.0)]
    found = Comparison({"floor": a, "ours": b}, before=0.5, after=12.25)
    assert table.lines("runs", found, to="floor", more=["set-ups"]) == [
        "runs; 3 rounds, load 0.5 to 12.2",
        "         wall s  (min)  CPU s  (min)  wall of floor  CPU of floor  set-ups",
        "  floor       3      2    1.5      1           1.00          1.00        -",
        "  ours        6      6      6      6           2.00          4.00        2",
    ]
    assert table.compare_rows(found, to="floor", per=2, unit="ms")[1][1:3] == ["1500", "1000"]


def test_a_table_of_markdown() -> None:
    assert table.markdown([["size", "s"], ["10", "0.5"]]) == "| size | s |\n|---|---|\n| 10 | 0.5 |\n"


def test_cpu_of_what_a_command_leaves_behind_is_counted(tmp_path: Path) -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    spent = spend(["sh", "-c", f"setsid {sys.executable} -S -c '{burn}' >/dev/null 2>&1 & exit 0"], tmp_path)
    assert spent.cpu >= 0.3


def test_costs_are_appended_and_the_exit_code_is_the_commands(tmp_path: Path) -> None:
    for code in (0, 3):
        command = measure_command(tmp_path / "costs", "sh", "-c", f"exit {code}")
        assert subprocess.run(command, check=False).returncode == code
    assert len(read_costs(tmp_path / "costs")) == 2
