"""The board on a real pseudo-terminal of a given size, with a given clock: what a person sees, and how often."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import io
import os
import pty
import select
import struct
import termios
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyte
import pytest

from parallel_impl.cli.live_board import Board, Screen, size_of
from parallel_impl.record import activity as a
from parallel_impl.record import events as e
from parallel_impl.record.activity import to_line
from parallel_impl.record.events import Event
from tests.report import scene
from tests.report.scene import THREE, begin, outlined, started

BOARDS = Path(__file__).parent / "boards"


@dataclass
class Glass(io.TextIOBase):
    """A pseudo-terminal with a screen behind it, which reads while it is written to; `size` is that of its window."""

    main: int
    side: int
    screen: pyte.Screen = field(init=False)
    fed: pyte.Stream = field(init=False)
    heard: str = ""

    def fileno(self) -> int:
        return self.side

    def write(self, text: str) -> int:
        data = text.encode()
        while data:
            data = data[os.write(self.side, data[:1000]) :]  # a terminal takes no more than some 4,000 bytes unread
            self.hear()
        return len(text)

    def hear(self) -> None:
        while select.select([self.main], [], [], 0)[0]:
            read = self.decoder.decode(os.read(self.main, 65536))
            self.heard += read
            self.fed.feed(read)

    def size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.side, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        if self.heard:
            self.screen.resize(lines, columns)
            return
        self.screen = pyte.Screen(columns, lines)
        self.fed = pyte.Stream(self.screen)
        self.decoder = codecs.getincrementaldecoder("utf-8")()

    def look(self) -> str:
        """What the screen shows now, without blanks at the ends of lines."""
        self.hear()
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip() + "\n"


@pytest.fixture
def glass() -> Iterator[Glass]:
    main, side = pty.openpty()
    found = Glass(main, side)
    found.size(80, 24)
    yield found
    os.close(main)
    os.close(side)


def board(glass: Glass, state: Path, packages: dict[str, list[str]]) -> Board:
    made = Board(Screen(glass, lambda: size_of(glass)), "256")
    made.begin(outlined(packages, str(state)), ())
    return made


def write(state: Path, package: str, number: int, *done: a.Activity) -> None:
    file = state / "attempts" / package / str(number) / "activity.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as opened:
        opened.writelines(to_line(one) + b"\n" for one in done)


def tell(board: Board, happened: list[Event]) -> None:
    for event in happened:
        board.event(event)


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (200, 60)])
@pytest.mark.parametrize("packages", [3, 200])
def test_a_person_sees_the_recorded_run(glass: Glass, tmp_path: Path, packages: int, columns: int, lines: int) -> None:
    glass.size(columns, lines)
    plan, happened = (THREE, scene.three()) if packages == 3 else scene.two_hundred()
    drawn = board(glass, tmp_path, plan)
    tell(drawn, happened)
    for package, number, done in scene.doing() if packages == 3 else ():
        write(tmp_path, package, number, done)
    drawn.tick(70.0)
    drawn.tick(71.5)
    shown, kept = glass.look(), BOARDS / f"{packages}-{columns}x{lines}.txt"
    if "KEEP_BOARDS" in os.environ:
        kept.write_text(shown)
    assert shown == kept.read_text()


def test_no_more_than_four_frames_are_written_in_a_second(glass: Glass, tmp_path: Path) -> None:
    drawn = board(glass, tmp_path, THREE)
    tell(drawn, [started(THREE)])
    for number in range(1000):  # an event each millisecond
        drawn.event(e.SetupEnded(at=number / 1000, on="base", why="x" * (number // 250 % 2)))
        drawn.tick(10.0 + number / 1000)
    assert drawn.screen.frames == 4


def test_nothing_is_written_while_nothing_happens(glass: Glass, tmp_path: Path) -> None:
    drawn = board(glass, tmp_path, THREE)
    tell(drawn, [started(THREE)])
    drawn.tick(10.0)
    written = drawn.screen.frames
    waits = [drawn.tick(11.0 + number) for number in range(100)]
    assert (drawn.screen.frames, min(waits)) == (written, 1.0)


def test_the_clock_of_what_is_at_work_goes_on_once_a_second(glass: Glass, tmp_path: Path) -> None:
    drawn = board(glass, tmp_path, THREE)
    tell(drawn, [started(THREE, at=9.0), begin(10.0, "wp-contracts")])
    drawn.tick(10.0)
    for number in range(40):
        drawn.tick(10.0 + number / 4)
    assert drawn.screen.frames == 10
    assert "0:09" in glass.look()


def test_what_an_agent_writes_never_garbles_the_board(glass: Glass, tmp_path: Path) -> None:
    drawn = board(glass, tmp_path, THREE)
    tell(drawn, [started(THREE), begin(1.0, "wp-contracts")])
    hostile = "\x1b[2J\x1b[10;10H\x1b]0;x\x07\x9b2Jhere\u202e\u2066\tand\r\nthere \u200b\x00[bold red]no[/]" + "W" * 900
    write(tmp_path, "wp-contracts", 1, a.Said(at=2.0, text=hostile))
    drawn.tick(5.0)
    shown = glass.look()
    lines = shown.splitlines()
    assert "here and there [bold red]no[/]WW" in shown
    assert [line for line in lines if "wp-contracts  " in line] == [lines[3]]
    assert max(map(len, lines)) <= 80
    assert "\x1b]" not in glass.heard
    assert "\u202e" not in glass.heard


def test_a_resized_terminal_is_drawn_anew_at_its_size(glass: Glass, tmp_path: Path) -> None:
    drawn = board(glass, tmp_path, THREE)
    tell(drawn, [started(THREE), begin(1.0, "wp-contracts")])
    drawn.tick(5.0)
    glass.look()
    glass.size(60, 10)
    drawn.tick(6.0)
    lines = glass.look().splitlines()
    assert max(map(len, lines)) <= 60
    assert [line.split()[:2] for line in lines[:1]] == [["add-a", "running,"]]
    assert [line.split()[2] for line in lines[3:]] == ["running", "waiting", "waiting"]


@pytest.mark.parametrize(("columns", "lines"), [(1, 1), (20, 3), (39, 5), (300, 2)])
def test_a_terminal_of_any_size_is_enough(glass: Glass, tmp_path: Path, columns: int, lines: int) -> None:
    glass.size(columns, lines)
    drawn = board(glass, tmp_path, THREE)
    tell(drawn, scene.three())
    drawn.tick(70.0)
    assert len(glass.look().splitlines()) <= lines
    assert len(drawn.screen.drawn) <= max(lines - 1, 1)


def test_what_is_said_stays_above_and_the_last_board_below_it(glass: Glass, tmp_path: Path) -> None:
    drawn = board(glass, tmp_path, THREE)
    tell(drawn, [started(THREE)])
    drawn.tick(1.0)
    drawn._said.put("warning: one\n    and more")
    drawn.tick(2.0)
    drawn.finish()
    lines = glass.look().splitlines()
    assert lines[:2] == ["warning: one", "    and more"]
    assert lines[2].startswith("add-a  interrupted")
    glass.write("Landed.\n")
    assert glass.look().splitlines()[-1] == "Landed."


def test_a_terminal_that_is_gone_stops_no_run(glass: Glass, tmp_path: Path) -> None:
    drawn = board(glass, tmp_path, THREE)
    tell(drawn, [started(THREE)])
    with contextlib.suppress(OSError), Path("/dev/full").open("w") as full:
        drawn.screen.stream = full
        drawn.tick(1.0)
        drawn.tick(2.0)
        drawn.finish()
    assert drawn.screen.frames == 1
