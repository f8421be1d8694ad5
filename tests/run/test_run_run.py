"""A run in memory: what it records is on disk before anybody hears of it, and every listener hears it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from parallel_impl.record import events as e
from parallel_impl.record.journal import read
from parallel_impl.record.state import ImpossibleError
from parallel_impl.report.outline import Outline
from parallel_impl.run.run import Listeners, Run
from tests.run.scene import Recorder, make_repository, open_run, package


@pytest.fixture
def run(tmp_path: Path) -> Run:
    repo, base = make_repository(tmp_path / "user.git")
    return open_run(repo, base, tmp_path / "home", package("a"))


@dataclass
class Reader:
    """Reads the journal whenever it hears of an event."""

    journal: Path
    last: e.Event | None = None

    def event(self, event: e.Event) -> None:
        self.last = read(self.journal)[-1]
        assert self.last == event

    def begin(self, outline: Outline, earlier: Sequence[e.Event]) -> None:
        raise AssertionError(outline, earlier)

    def say(self, text: str) -> None:
        raise AssertionError(text)

    def end(self) -> None:
        raise AssertionError


def test_an_event_is_on_disk_before_it_is_heard_of(run: Run) -> None:
    reader = Reader(run.workspace.places.journal)
    run.listener = reader
    run.record(e.AttemptStarted(at=2.0, package="a", number=1))
    assert isinstance(reader.last, e.AttemptStarted)


def test_all_listeners_hear_the_same(run: Run) -> None:
    several = [Recorder(), Recorder()]
    run.listener = Listeners(several)
    run.note("moved", "a")
    run.listener.say("done")
    assert [len(one.events) for one in several] == [1, 1]
    assert several[0].events == several[1].events
    assert [one.said for one in several] == [["done"], ["done"]]


def test_a_note_is_in_the_state_once_however_often_it_is_made(run: Run) -> None:
    for _ in range(2):
        run.note("no PID namespaces here")
    run.note("kept", package="a")
    assert run.state.notes == ["no PID namespaces here", "a: kept"]
    assert sum(isinstance(event, e.Noted) for event in read(run.workspace.places.journal)) == 3


def test_what_cannot_follow_is_a_bug(run: Run) -> None:
    with pytest.raises(ImpossibleError):
        run.record(e.AttemptVerifying(at=2.0, package="a", number=1))


def test_a_change_by_others_is_recorded_with_what_was_running(run: Run) -> None:
    run.record(e.AttemptStarted(at=2.0, package="a", number=1))
    run.workspace.repo.set_ref("refs/heads/other", run.spec.base)
    run.look_at_repository()
    assert isinstance(run.listener, Recorder)
    changed = run.listener.events[-1]
    assert isinstance(changed, e.RepositoryChanged)
    assert (changed.running, changed.halts) == (["a"], False)
    run.look_at_repository()
    assert run.listener.events[-1] is changed  # once
