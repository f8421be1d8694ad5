"""A run that is given up: its work stays on refs of attempts, and the change is free, also after a crash half way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from parallel_impl.errors import UserError
from parallel_impl.git.repo import Repo
from parallel_impl.processes.launch import Stop
from parallel_impl.record import events as e
from parallel_impl.record.journal import load_state, read
from parallel_impl.record.state import State
from parallel_impl.run.places import Places
from parallel_impl.run.resume import abort, attempts
from tests.run.scene import CHANGE, Recorder, commit, make_repository, open_run, package

PLAN = """\
schema_version: 1
feature: {id: c1, title: t, plan_revision: 1}
contracts: {revision: 1, openapi: {primary: api.yaml, files: [api.yaml]}}
packages:
- package_id: a
  title: A
  task_type: implement
  description: d
  depends_on: []
  locks: {files: [], keys: []}
  scope: {write_allow: ["a/**"], read_allow: ["**"], deny: []}
  worktree: {name: a}
  timeout_minutes: 5
  retry_budget: 1
"""


@pytest.fixture(autouse=True)
def unmarked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARALLEL_IMPL_RUN", "")


@pytest.fixture
def places(tmp_path: Path) -> Iterator[Places]:
    """The places of a run of one package, which was killed when that was accepted."""
    repo, empty = make_repository(tmp_path / "user.git")
    base = commit(repo, empty, {f"openspec/changes/{CHANGE}/work-packages.yaml": PLAN})
    run = open_run(repo, base, tmp_path / "home", package("a"))
    made = commit(repo, base, {"a/x": "1\n"})
    run.record(
        e.AttemptStarted(at=2.0, package="a", number=1),
        e.AttemptEnded(at=3.0, package="a", number=1, commit=made, seconds=1.0),
        e.PackageAccepted(at=3.0, package="a", number=1, commit=made),
    )
    for ref in (run.workspace.places.package_ref("a"), run.workspace.places.attempt_ref("a", 1)):
        repo.set_ref(ref, made)
    run.journal.close()
    yield run.workspace.places


def give_up(places: Places) -> str:
    heard = Recorder()
    repo = Repo(places.common)
    abort.abort(repo, places, load_state(places.journal), heard, checkout=None, stop=Stop())
    return "\n".join(heard.said)


def test_accepted_work_stays_on_the_refs_of_its_attempts_and_the_journal_is_moved_aside(places: Places) -> None:
    assert "the accepted work of 1 package is kept" in give_up(places)
    repo = Repo(places.common)
    assert repo.refs(places.package_refs) == {}
    assert list(repo.refs(places.attempt_refs)) == [places.attempt_ref("a", 1)]
    assert not places.journal.exists()
    assert isinstance(read(places.last_journal)[-1], e.RunAborted)
    assert attempts.count_made(repo, places) == {"a": 1}  # the next run goes on counting


def test_there_is_nothing_to_abort_twice(places: Places) -> None:
    give_up(places)
    with pytest.raises(UserError, match="there is no run of c1 to abort"):
        give_up(places)


def test_an_abort_that_was_killed_half_way_is_finished_by_the_next_start(places: Places) -> None:
    repo, heard = Repo(places.common), Recorder()
    with places.journal.open("ab") as journal:
        journal.write(e.to_line(e.RunAborted(at=9.0)) + b"\n")
    places.client_home("a").mkdir(parents=True)
    assert abort.finish(repo, places, load_state(places.journal), heard)
    assert not places.journal.exists()
    assert repo.refs(places.package_refs) == {}
    assert not places.client_homes.exists()
    assert not abort.finish(repo, places, State(), heard)


def test_what_has_landed_cannot_be_given_up(places: Places) -> None:
    with places.journal.open("ab") as journal:
        journal.write(e.to_line(e.Landed(at=9.0, commit="c" * 40, branch="openspec/c1")) + b"\n")
    with pytest.raises(UserError, match="landed already"):
        give_up(places)
    assert places.journal.exists()


def test_accepted_work_whose_attempt_has_no_ref_gets_one(places: Places) -> None:
    repo = Repo(places.common)
    accepted = repo.ref(places.package_ref("a")) or ""
    repo.delete_ref(places.attempt_ref("a", 1), accepted)
    give_up(places)
    assert repo.refs(places.attempt_refs) == {places.attempt_ref("a", 1): accepted}


def test_work_that_lay_elsewhere_stays_on_its_ref_and_its_number_is_taken(places: Places) -> None:
    repo = Repo(places.common)
    accepted = repo.ref(places.package_ref("a")) or ""
    repo.delete_ref(places.attempt_ref("a", 1), accepted)
    side = places.side_ref("a", 7, "stash")
    repo.set_ref(side, accepted)
    assert attempts.count_made(repo, places) == {"a": 7}
    give_up(places)
    assert set(repo.refs(places.attempt_refs)) == {side, places.attempt_ref("a", 1)}
