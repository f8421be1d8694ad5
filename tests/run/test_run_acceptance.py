"""What `--accept` makes of a verdict: it covers what was listed, and nothing else."""

from __future__ import annotations

import msgspec
import pytest

from parallel_impl.gates.verdict import GateVerdict, VerdictStatus
from parallel_impl.record.gate_row import GateRow
from parallel_impl.run.land import acceptance
from parallel_impl.run.land.acceptance import WantedGate

FLAKY = GateRow("pytest", "flaky", flaky=("t::a: failed, then passed",), gone=("t::b is gone, its file is unchanged",))


def verdict(status: VerdictStatus, **lists: tuple[str, ...]) -> GateVerdict:
    return GateVerdict("pytest", status, **lists)  # type: ignore[arg-type]


def test_all_that_was_listed_is_accepted_and_named() -> None:
    accepted = acceptance.of_row(FLAKY)
    again = verdict(VerdictStatus.FLAKY, flaky=("t::a: failed, then passed",), gone=FLAKY.gone)
    judged = acceptance.judge(again, accepted)
    assert (judged.status, judged.blocks) == (VerdictStatus.ACCEPTED, False)
    assert judged.accepted == ("flaky: t::a", "gone: t::b is gone, its file is unchanged")


@pytest.mark.parametrize(
    "later",
    [
        verdict(VerdictStatus.FLAKY, flaky=("t::c: failed, then passed",)),
        verdict(VerdictStatus.FLAKY, flaky=("t::a: failed, then passed", "t::c: failed, then passed")),
        verdict(VerdictStatus.GONE, gone=("t::c is gone",)),
        verdict(VerdictStatus.NOT_PROVEN),
        verdict(VerdictStatus.FAILED, new_failures=("t::a",)),
    ],
)
def test_what_is_new_in_a_later_verdict_blocks_again(later: GateVerdict) -> None:
    assert acceptance.judge(later, acceptance.of_row(FLAKY)) is later


def test_flaky_can_be_accepted_before_it_was_seen_and_nothing_else() -> None:
    accepted = acceptance.accept(acceptance.read("pytest:flaky"), ())
    assert not acceptance.judge(verdict(VerdictStatus.FLAKY, flaky=("t::a: x",)), accepted).blocks
    assert acceptance.judge(verdict(VerdictStatus.GONE, gone=("t::a is gone",)), accepted).blocks
    assert acceptance.judge(verdict(VerdictStatus.FLAKY, flaky=("t::a: x",), gone=("t::b is gone",)), accepted).blocks


def test_a_gate_that_is_not_proven_is_accepted_with_the_failures_that_it_listed() -> None:
    row = GateRow("make", "not proven", why="exit 1", new_failures=("t::a: AssertionError",))
    accepted = acceptance.of_row(row)
    same = verdict(VerdictStatus.NOT_PROVEN, new_failures=("t::a: another reason",))
    assert not acceptance.judge(same, accepted).blocks
    assert acceptance.judge(verdict(VerdictStatus.NOT_PROVEN, new_failures=("t::a", "t::b")), accepted).blocks


def test_a_gate_that_is_not_proven_and_lists_nothing_is_accepted_for_its_reason_whatever_its_numbers() -> None:
    accepted = acceptance.of_row(GateRow("make", "not proven", why="red on the base too (exit 2): 14 lines"))
    same = GateVerdict("make", VerdictStatus.NOT_PROVEN, why="red on the base too (exit 1): 9 lines")
    judged = acceptance.judge(same, accepted)
    assert (judged.status, judged.accepted) == ("accepted", (f"not proven: {same.why}",))
    other = GateVerdict("make", VerdictStatus.NOT_PROVEN, why="pytest was interrupted")
    assert acceptance.judge(other, accepted) is other
    assert acceptance.judge(verdict(VerdictStatus.NOT_PROVEN, new_failures=("t::a",)), accepted).blocks


def test_a_command_that_is_flaky_as_a_whole_is_accepted_and_told_by_its_reason() -> None:
    accepted = acceptance.accept(acceptance.read("make:flaky"), ())
    judged = acceptance.judge(GateVerdict("make", VerdictStatus.FLAKY, why="exit 1, and 0 again"), accepted)
    assert judged.accepted == ("flaky: exit 1, and 0 again",)


def test_what_holds_a_secret_is_accepted_as_it_is_shown() -> None:
    accepted = acceptance.of_row(GateRow("make", "flaky", flaky=("t::***: failed, then passed",)))
    again = verdict(VerdictStatus.FLAKY, flaky=("t::hunter2: failed, then passed",))
    assert acceptance.judge(again, accepted) is again
    assert not acceptance.judge(again, accepted, lambda text: text.replace("hunter2", "***")).blocks


@pytest.mark.parametrize(
    ("word", "rows", "what"),
    [
        ("pytest", (), "has no verdict in this run yet"),
        ("pytst", (), "there is no gate 'pytst'"),
        ("pytest", (GateRow("pytest", "failed", new_failures=("t::a",)),), "is never accepted: t::a"),
        ("pytest", (GateRow("pytest", "passed"),), "there is nothing to accept"),
    ],
)
def test_what_cannot_be_accepted_is_refused(word: str, rows: tuple[GateRow, ...], what: str) -> None:
    problem = acceptance.problem(acceptance.read(word), rows, ["pytest", "mypy"])
    assert problem
    assert what in problem.what


def test_a_gate_may_have_a_colon_in_its_name() -> None:
    assert acceptance.read("npm:test") == WantedGate("npm:test")
    assert acceptance.read("npm:test:flaky") == WantedGate("npm:test", flaky=True)


def test_what_the_base_judges_otherwise_is_accepted_by_itself() -> None:
    passed, differs = GateVerdict("check", VerdictStatus.PASSED), ("exit 1, and 0 by the changed judge",)
    doubted = msgspec.structs.replace(passed, status=VerdictStatus.NOT_PROVEN, differs=differs)
    accepted = acceptance.accept(WantedGate("check"), [GateRow("check", "not proven", differs=differs)])

    judged = acceptance.judge_divergence(passed, doubted, accepted)

    assert judged.status == "accepted"
    assert judged.accepted == ("differs: exit 1, and 0 by the changed judge",)
    assert acceptance.judge_divergence(passed, doubted, {}) == doubted
    more = msgspec.structs.replace(doubted, differs=(*differs, "t::a"))
    assert acceptance.judge_divergence(passed, more, accepted) == more


def test_an_accepted_divergence_accepts_no_exit_code_that_nobody_explained() -> None:
    differs = ("exit 1, and 0 by the changed judge",)
    accepted = acceptance.accept(WantedGate("check"), [GateRow("check", "not proven", differs=differs)])
    own = GateVerdict("check", VerdictStatus.NOT_PROVEN, why="exit 2 is not explained")

    assert acceptance.judge(own, accepted) == own
    doubted = msgspec.structs.replace(own, differs=differs)
    assert acceptance.judge_divergence(own, doubted, accepted).status == "not proven"
