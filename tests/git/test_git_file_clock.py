"""Which of two files was written first is told by their ctimes, once a tick lies between them."""

from __future__ import annotations

from pathlib import Path

from parallel_impl.git.file_clock import pass_tick


def test_what_is_written_after_a_tick_is_told_from_what_was_there(tmp_path: Path) -> None:
    for number in range(20):
        first, second = tmp_path / f"{number}.first", tmp_path / f"{number}.second"
        first.touch()
        time = pass_tick(tmp_path)
        second.touch()
        assert first.stat().st_ctime_ns < time <= second.stat().st_ctime_ns


def test_waiting_for_a_tick_leaves_nothing(tmp_path: Path) -> None:
    pass_tick(tmp_path)
    assert list(tmp_path.iterdir()) == []
