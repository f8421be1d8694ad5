"""What the gates mean for the whole, for people."""

from __future__ import annotations

from pathlib import Path
from queue import SimpleQueue

import pytest

from parallel_impl.record import events as e
from parallel_impl.record.gate_row import GateRow
from parallel_impl.run.land import proof
from parallel_impl.run.land.proof import Proof
from tests.run.scene import Recorder, make_repository, open_run, package


def test_a_check_of_texts_proves_nothing_and_says_who_made_it() -> None:
    code, texts = GateRow("pytest", "passed"), GateRow("openspec", "passed", texts="openspec")
    assert Proof((code, texts), passed=True).headline == "proven by pytest; texts checked by openspec"
    own = GateRow("openspec", "passed", texts="this tool's own rules")
    assert (
        Proof((own,), passed=True).headline
        == "no gate ran on the whole tree; no test gate on the whole; texts checked by this tool's own rules"
    )
    assert Proof((code, texts), passed=True).by == ("pytest",)


class Awaited(Recorder):
    """A listener whose events another thread may wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.shown = SimpleQueue[e.Event]()

    def event(self, event: e.Event) -> None:
        self.shown.put(event)


def test_what_a_proof_tells_is_journalled_and_shown_while_it_is_at_work(tmp_path: Path) -> None:
    run = open_run(*make_repository(tmp_path / "user.git"), tmp_path / "home", package("wp-a"))
    run.listener = listener = Awaited()
    began = e.GateStarted(at=1.0, on="base", gate="unit")

    def look() -> e.Event:
        run.post(began)
        return listener.shown.get(timeout=60)

    assert proof._journalled(run, look) == began
    assert [one for one in run.journal.events() if not isinstance(one, e.TimesMeasured)][-1] == began


def test_a_proof_that_fails_ends_what_it_started(tmp_path: Path) -> None:
    run = open_run(*make_repository(tmp_path / "user.git"), tmp_path / "home", package("wp-a"))

    def fail() -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        proof._journalled(run, fail)
    assert run.stop
