"""The ledger is changed by one process at a time, also where its guard file was unlinked, and is never half written."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from parallel_impl.errors import UserError
from parallel_impl.plan.model import Locks, Package, Scope
from parallel_impl.run.claims import ledger
from parallel_impl.run.claims.ledger import RunClaims
from parallel_impl.run.claims.lock_file import FileIdentity
from parallel_impl.run.claims.process_identity import Owner
from tests.peer import peer

INSIDE = """
import sys
from pathlib import Path
from parallel_impl.run.claims import ledger
def change(entries):
    print("inside", flush=True)
    sys.stdin.readline()
    return entries
ledger.update(Path(sys.argv[1]), change)
print("left", flush=True)
"""
LOOK = """
import sys
from parallel_impl.run.claims import ledger
look = ledger._others
def others(*arguments):
    print("looks", flush=True)
    sys.stdin.readline()
    ledger._others = look
    return look(*arguments)
ledger._others = others
"""
COUNT = """
import sys
from msgspec.structs import replace
from pathlib import Path
from parallel_impl.run.claims import ledger
folder = Path(sys.argv[1])
def change(entries):
    owner = replace(entries["add-a"].owner, command=str(int(entries["add-a"].owner.command) + 1))
    return {**entries, "add-a": replace(entries["add-a"], owner=owner)}
for _ in range(25):
    ledger.update(folder, change)
    (folder / ledger.GUARD).unlink(missing_ok=True)
"""
PACKAGE = Package("wp-a", "", Scope(("src/b", "src/a"), deny=("src/a/x",)), locks=Locks(("l",), ("env:B", "env:A")))


def entry(command: str = "0") -> RunClaims:
    owner = Owner(7, 8, "boot", "host", "2026-01-01 00:00:00", command)
    return RunClaims.of(owner, FileIdentity(1, 2), (PACKAGE,))


def test_entries_come_back_as_they_were_written_in_canonical_order(tmp_path: Path) -> None:
    ledger.update(tmp_path, lambda _: {"add-b": entry(), "add-a": entry()})
    found = ledger.read(tmp_path)
    assert list(found) == ["add-a", "add-b"]
    assert (found["add-a"].owner, found["add-a"].lock) == (entry().owner, FileIdentity(1, 2))
    (package,) = found["add-a"].as_packages()
    assert (package.scope.write_allow, package.scope.deny) == (("src/a", "src/b"), ("src/a/x",))
    assert package.locks == Locks(("l",), ("env:A", "env:B"))


def test_an_empty_ledger_leaves_no_file(tmp_path: Path) -> None:
    ledger.update(tmp_path, lambda _: {"add-a": entry()})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["_claims.json", "_claims.lock"]
    ledger.update(tmp_path, lambda _: {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"format": 2, "runs": {}}',
        '{"format": 1, "runs": {"../x": {}}}',
        '{"format": 1, "runs": {"add-a": {"owner": {}, "lock": [1, 2], "packages": {}}}}',
    ],
)
def test_a_damaged_ledger_is_an_error_and_never_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "_claims.json").write_text(text)
    with pytest.raises(UserError, match="the ledger of claims is damaged"):
        ledger.read(tmp_path)
    with pytest.raises(UserError):
        ledger.update(tmp_path, lambda _: {})
    assert (tmp_path / "_claims.json").read_text() == text


@pytest.mark.parametrize("unlinked", [False, True])
def test_nobody_gets_in_while_another_is_inside_its_guard_unlinked_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, unlinked: bool
) -> None:
    monkeypatch.setattr(ledger, "PATIENCE", 0.3)
    with peer(INSIDE, tmp_path) as first:
        assert first.hears() == "inside"
        if unlinked:
            (tmp_path / ledger.GUARD).unlink()
        os.kill(first.pid, signal.SIGSTOP)  # for however long: there is no time after which it would be passed over
        with pytest.raises(UserError, match="is inside the ledger of claims"):
            ledger.update(tmp_path, lambda _: {"add-a": entry()})
        assert ledger.read(tmp_path) == {}
        os.kill(first.pid, signal.SIGCONT)
        first.go_on()
        # its guard is not the one in place any more, so it looks again before it leaves
        assert first.hears() == ("inside" if unlinked else "left")
        if unlinked:
            first.go_on()
            assert first.hears() == "left"
    ledger.update(tmp_path, lambda _: {"add-a": entry()})
    assert list(ledger.read(tmp_path)) == ["add-a"]


def test_of_two_that_came_in_by_different_guards_the_one_whose_guard_is_gone_does_not_wait(tmp_path: Path) -> None:
    with peer(LOOK + INSIDE, tmp_path) as first:
        assert first.hears() == "looks"
        (tmp_path / ledger.GUARD).unlink()
        with peer(LOOK + INSIDE, tmp_path) as second:
            assert second.hears() == "looks"  # each has left its mark now, and neither has looked for the other's
            for each in (first, second):
                each.go_on()
            for each in (second, first):
                assert each.hears() == "inside"
                each.go_on()
                assert each.hears() == "left"


@pytest.mark.parametrize("unlinked", [False, True])
def test_who_was_killed_inside_keeps_nobody_out_and_leaves_nothing(tmp_path: Path, *, unlinked: bool) -> None:
    with peer(INSIDE, tmp_path) as first:
        assert first.hears() == "inside"
        (tmp_path / "._claims.json.1.tmp").touch()
        if unlinked:
            (tmp_path / ledger.GUARD).unlink()
        first.kill()
        ledger.update(tmp_path, lambda _: {"add-a": entry()})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["_claims.json", "_claims.lock"]


def test_no_change_is_lost_between_processes_although_each_removes_the_guard_again_and_again(tmp_path: Path) -> None:
    ledger.update(tmp_path, lambda _: {"add-a": entry()})
    with peer(COUNT, tmp_path) as one, peer(COUNT, tmp_path) as two:
        assert (one.process.wait(60), two.process.wait(60)) == (0, 0)
    assert ledger.read(tmp_path)["add-a"].owner.command == "50"
