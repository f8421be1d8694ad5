"""Which claims count: those of living runs, for however long, and of halted ones; nobody else's."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from parallel_impl.errors import UserError
from parallel_impl.plan.model import Package, Scope
from parallel_impl.processes import procfs
from parallel_impl.record import events as e
from parallel_impl.record.journal import Journal
from parallel_impl.run import run_id
from parallel_impl.run.claims import change_lock, claims, ledger
from parallel_impl.run.claims.claims import Standing
from parallel_impl.run.places import Places
from tests.peer import peer

HOLD = """
import sys
from pathlib import Path
from parallel_impl.plan.model import Package, Scope
from parallel_impl.run.claims import claims, change_lock
from parallel_impl.run.places import Places
places = Places(Path(sys.argv[1]), "add-a")
packages = [Package("wp-a", "", Scope(("src/**",)))]
with change_lock.hold(places) as hold, claims.hold(places, hold, packages, wait=False, say=print):
    print("claimed", flush=True)
    sys.stdin.readline()
"""
OURS = [Package("wp-b", "", Scope(("src/b.py", "docs/**")))]
STARTED = e.RunStarted(
    run_id="0",
    change_id="add-a",
    base="0",
    base_from="HEAD",
    plan_blob="0",
    plan_revision=1,
    contracts_revision=1,
    packages={},
    home="/nowhere",
    date=0,
    agent="",
    jobs=1,
)
HALTED = e.RunHalted(code="GATES_FAILED", why="red")
PAUSED = e.RunPaused(by="openai", why="quota")


@pytest.fixture
def common(tmp_path: Path) -> Path:
    return tmp_path / "common"


def take(common: Path, packages: Sequence[Package] = OURS) -> list[str]:
    """Claim for `add-b` and give it back; what was said. UserError when it is refused."""
    said: list[str] = []
    places = Places(common, "add-b")
    with change_lock.hold(places) as hold, claims.hold(places, hold, packages, wait=False, say=said.append):
        pass
    return said


def killed(common: Path) -> Places:
    """The claims of `add-a`, whose process was killed."""
    with peer(HOLD, common) as first:
        assert first.hears() == "claimed"
        first.kill()
    return Places(common, "add-a")


def rewrite(places: Places, **changes: object) -> None:
    """Change what the ledger says of the owner of a run's claims."""
    entry = ledger.read(places.locks)[places.change_id]
    owner = replace(entry.owner, **changes)
    ledger.update(places.locks, lambda entries: {**entries, "add-a": replace(entry, owner=owner)})


def standing(common: Path) -> Standing:
    (run,) = [run for run in claims.active(common) if run.change_id == "add-a"]
    return run.standing


TAKEN_OVER = ["the claims of add-a are taken over: the process that held them is gone, and it did not halt"]


def test_a_living_run_is_in_the_way_with_everything_that_conflicts(common: Path) -> None:
    with peer(HOLD, common) as first:
        assert first.hears() == "claimed"
        with pytest.raises(UserError) as refused:
            take(common)
        assert "add-b cannot run beside add-a: PARTIAL: 1 of 2 claims conflict" in str(refused.value)
        assert f"held by process {first.pid} on " in str(refused.value)
        assert list(ledger.read(common / "parallel-impl/.locks")) == ["add-a"]
        assert take(common, [Package("wp-b", "", Scope(("docs/**",)))]) == []
        first.go_on()
        assert first.hears() == ""
    assert take(common) == []


def test_a_killed_run_is_taken_over_and_that_is_said(common: Path) -> None:
    killed(common)
    assert standing(common) is Standing.DEAD
    assert take(common) == TAKEN_OVER
    assert claims.active(common) == []


def test_claims_of_a_killed_run_that_nobody_wants_are_left_alone(common: Path) -> None:
    killed(common)
    assert take(common, [Package("wp-b", "", Scope(("docs/**",)))]) == []
    assert standing(common) is Standing.DEAD


def test_a_run_whose_lock_file_was_unlinked_lives_as_long_as_its_process(common: Path) -> None:
    with peer(HOLD, common) as first:
        assert first.hears() == "claimed"
        (common / "parallel-impl/.locks/add-a.lock").unlink()
        assert standing(common) is Standing.LIVE
        (common / "parallel-impl/.locks/add-a.lock").touch()
        assert standing(common) is Standing.LIVE
        first.kill()
        assert standing(common) is Standing.DEAD


@pytest.mark.parametrize("changes", [{"start_time": 1}, {"boot_id": "another start of the machine"}])
def test_a_recycled_pid_is_not_mistaken_for_a_living_run(common: Path, changes: dict[str, object]) -> None:
    places = killed(common)
    rewrite(places, pid=os.getpid(), **changes)
    (places.locks / "add-a.lock").unlink()
    assert standing(common) is Standing.DEAD
    assert take(common) == TAKEN_OVER


@pytest.mark.parametrize(
    ("events", "kept"),
    [
        ([], False),
        ([STARTED], False),
        ([STARTED, e.Interrupted(by="a signal")], False),
        ([STARTED, HALTED], True),
        ([STARTED, HALTED, e.RunContinued(agent="", jobs=1)], False),
        ([STARTED, PAUSED], True),
        ([STARTED, PAUSED, e.RunContinued(agent="", jobs=1)], False),
        ([STARTED, HALTED, e.Landed(commit="0", branch="openspec/add-a")], False),
    ],
)
def test_of_runs_that_are_not_alive_only_halted_and_paused_ones_keep_their_claims(
    common: Path, events: list[e.Event], *, kept: bool
) -> None:
    places = killed(common)
    journal = Journal(places.journal)
    journal.append(*events)
    journal.close()
    if kept:
        with pytest.raises(UserError, match="`parallel-implement add-a --abort` or `parallel-cleanup add-a` gives"):
            take(common)
        assert standing(common) is (Standing.PAUSED if PAUSED in events else Standing.HALTED)
    else:
        assert take(common) == TAKEN_OVER


@pytest.mark.parametrize("line", ["no json\n", '{"event": "unheard-of"}\n', '{"event": "package-accepted"}\n'])
def test_a_journal_that_cannot_be_read_keeps_the_claims_and_that_is_said(common: Path, line: str) -> None:
    places = killed(common)
    places.journal.parent.mkdir(parents=True)
    places.journal.write_text(line)
    with pytest.raises(UserError, match="add-a: its journal cannot be read, so its claims are kept"):
        take(common)
    assert claims.release(places)
    assert not claims.release(places)
    assert take(common) == []


def test_a_run_of_another_machine_counts_as_alive_on_a_network_file_system_only(
    common: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = killed(common)
    rewrite(places, host="elsewhere", boot_id="of another machine")
    assert standing(common) is Standing.DEAD
    assert list(claims.check_file_system(places)) == []
    mounts = tmp_path / "mountinfo"
    mounts.write_text("22 1 0:40 / / rw shared:1 - nfs4 server:/ rw\n")
    monkeypatch.setattr(procfs, "MOUNTS", mounts)
    assert standing(common) is Standing.LIVE
    assert [str(problem.severity) for problem in claims.check_file_system(places)] == ["warning"]
    with pytest.raises(UserError, match="on elsewhere since"):
        take(common)


def test_a_living_run_that_somebody_removed_from_the_ledger_excludes_everything(common: Path) -> None:
    journal = Journal(Places(common, "add-a").journal)
    with pytest.raises(UserError, match="add-a is alive, but somebody removed its claims from the ledger"):
        take(common, [Package("wp-b", "", Scope(("docs/**",)))])
    journal.close()
    assert take(common) == []


def test_claims_are_one_entry_that_is_there_as_a_whole_or_not_at_all(common: Path) -> None:
    packages = [Package(f"wp-{n}", "", Scope((f"lib/{n}",))) for n in range(20)]
    places = Places(common, "add-b")
    with change_lock.hold(places) as hold:
        with claims.hold(places, hold, packages, wait=False, say=print) as waited:
            assert not waited
            assert len(ledger.read(places.locks)["add-b"].packages) == 20
        assert ledger.read(places.locks) == {}


def test_a_run_that_waits_for_another_one_holds_nothing_meanwhile(common: Path) -> None:
    ours, said, listed = Places(common, "add-b"), list[str](), list[list[str]]()
    halted = Journal(ours.journal)
    halted.append(replace(STARTED, change_id="add-b"), HALTED)
    halted.close()
    other = [Package("wp-b", "", Scope(("docs/**",)))]
    with change_lock.hold(ours) as hold, claims.hold(ours, hold, other, wait=False, say=said.append):
        pass
    assert list(ledger.read(ours.locks)) == ["add-b"]  # it halted, so they stay
    with peer(HOLD, common) as first:
        assert first.hears() == "claimed"

        def say(text: str) -> None:
            said.append(text)
            if "waits" in text and not listed:
                listed.append(list(ledger.read(ours.locks)))
                first.go_on()
                first.process.wait()  # it has ended before anybody looks whether it does

        with change_lock.hold(ours) as hold, claims.hold(ours, hold, OURS, wait=True, say=say) as waited:
            assert waited
            assert list(ledger.read(ours.locks)) == ["add-b"]
    assert said[0] == "the earlier claims of add-b are given up while it waits"
    assert listed == [["add-a"]]


def test_processes_of_a_dead_run_end_before_its_claims_are_taken_over(common: Path) -> None:
    dead, mark = killed(common), secrets.token_hex(16)
    journal = Journal(dead.journal)
    journal.append(replace(STARTED, run_id=mark, place=run_id.place(dead)))
    journal.close()
    left = subprocess.Popen(["sleep", "60"], env={"PARALLEL_IMPL_RUN": mark})
    try:
        assert take(common) == TAKEN_OVER
        assert left.wait(timeout=0.5) < 0
    finally:
        left.kill()
        left.wait()
