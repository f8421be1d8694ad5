"""A program that hears of a run: the plan first, then each event; it can neither stop nor slow the run."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from parallel_impl.processes.launch import Launch, Limits
from parallel_impl.record import events as e
from parallel_impl.record.events import Event
from parallel_impl.report.announce import Announcer
from tests.report.scene import THREE, outlined, three

COPY = "import sys\nfor line in sys.stdin: open({!r}, 'a').write(line)"


def announcer(tmp_path: Path, program: str, *, waiting: int = 100) -> tuple[Announcer, list[Event]]:
    notes: list[Event] = []
    launch = Launch(tmp_path, dict(os.environ), Limits(60), mask=(b"hunter2",))
    argv = [sys.executable, "-c", program]
    return Announcer(argv, launch, tmp_path / "announce.log", notes.append, waiting=waiting), notes


def test_a_program_gets_the_plan_and_then_each_event_and_no_secret(tmp_path: Path) -> None:
    told, notes = announcer(tmp_path, COPY.format(str(tmp_path / "heard")))
    told.begin(outlined(THREE), ())
    for event in (*three(), e.Noted(text="hunter2")):
        told.event(event)
    told.end()
    heard = [json.loads(line) for line in (tmp_path / "heard").read_text().splitlines()]
    assert (heard[0]["event"], [one["id"] for one in heard[0]["packages"]]) == ("plan", list(THREE))
    assert [one["event"] for one in heard[1:3]] == ["setup-started", "setup-ended"]
    assert (len(heard), heard[-1]["text"], notes) == (1 + len(three()) + 1, "***", [])


def test_a_program_that_ends_is_started_three_times_again_and_then_noted(tmp_path: Path) -> None:
    once = f"import sys; open({str(tmp_path / 'heard')!r}, 'a').write(sys.stdin.readline()); sys.exit(3)"
    told, notes = announcer(tmp_path, once)
    told.begin(outlined(THREE), ())
    while not notes:  # it goes on being told until it is given up
        told.event(e.Noted(text="x" * 1000))
    told.end()
    assert len((tmp_path / "heard").read_text().splitlines()) == 4
    assert isinstance(notes[0], e.Noted)
    assert "exit 3, for the 4th time; nothing more is announced" in notes[0].text


def test_a_program_that_is_not_there_is_noted(tmp_path: Path) -> None:
    notes: list[Event] = []
    launch = Launch(tmp_path, dict(os.environ), Limits(60))
    told = Announcer(["/nowhere/tool"], launch, tmp_path / "announce.log", notes.append)
    told.begin(outlined(THREE), ())
    told.event(e.Noted(text="x"))
    told.end()
    assert ["could not be started" in note.text for note in notes if isinstance(note, e.Noted)] == [True]


def test_a_program_that_does_not_read_neither_stops_nor_slows_and_what_is_dropped_is_counted(tmp_path: Path) -> None:
    told, notes = announcer(tmp_path, "import time; time.sleep(600)", waiting=10)
    told.begin(outlined(THREE), ())
    began = time.monotonic()
    for _ in range(1000):
        told.event(e.Noted(text="x" * 1000))
    assert time.monotonic() - began < 1.0
    told.end()
    assert time.monotonic() - began < 15.0
    assert [note.text.partition(": ")[2].split()[1:] for note in notes if isinstance(note, e.Noted)][-1][:3] == [
        "events",
        "were",
        "dropped:",
    ]
