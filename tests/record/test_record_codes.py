"""What a failure costs, and where the next attempt starts; words of other versions among them."""

from __future__ import annotations

import pytest

from parallel_impl.record import events as e
from parallel_impl.record.codes import Failure, Halt, costs_retry, describe_halt
from parallel_impl.record.state import fold

STARTED = e.RunStarted(
    run_id="r", change_id="c", base="0", base_from="HEAD", plan_blob="1", plan_revision=1, contracts_revision=1,
    packages={"a": []}, home="/h", date=1, agent="none", jobs=1,
)  # fmt: skip


@pytest.mark.parametrize("code", list(Failure))
def test_what_shows_nothing_about_the_work_costs_no_retry(code: Failure) -> None:
    free = (
        Failure.INTERRUPTED,
        Failure.STEP_CANNOT_START,
        Failure.FOREIGN_FILES,
        Failure.VIEW_UNMOUNTED,
        Failure.PROVIDER_LIMIT,
        Failure.PROVIDER_QUOTA,
        Failure.PROVIDER_AUTH,
    )
    assert code.costs_retry is (code not in free)
    assert code.by_provider is code.startswith("PROVIDER_")
    assert costs_retry(str(code)) is code.costs_retry


@pytest.mark.parametrize("code", list(Failure))
def test_only_work_that_can_be_repaired_is_gone_on_from(code: Failure) -> None:
    repaired = (Failure.VERIFICATION_FAILED, Failure.CONTRACT_INVALID, Failure.STEP_CANNOT_START)
    assert code.from_base is (code not in repaired)


@pytest.mark.parametrize(("code", "costs"), [("", False), ("OF_ANOTHER_VERSION", True), ("timeout", True)])
def test_a_word_that_is_not_known_costs_a_retry(code: str, *, costs: bool) -> None:
    assert costs_retry(code) is costs


def test_a_journal_with_a_word_that_is_not_known_folds_and_goes_on_from_what_the_event_says() -> None:
    what = b'"package":"a","number":1,"commit":"k","code":"OF_ANOTHER_VERSION","from_base":false'
    line = b'{"event":"attempt-ended",' + what + b"}"
    state = fold([STARTED, e.AttemptStarted(package="a", number=1), e.from_line(line)])
    assert state.packages["a"].failures == 1
    assert state.packages["a"].code == "OF_ANOTHER_VERSION"
    last = state.packages["a"].last_failure
    assert last is not None
    assert (last.commit, last.from_base) == ("k", False)


@pytest.mark.parametrize("code", [*Failure, *Halt])
def test_a_code_is_its_own_word_in_events(code: Failure | Halt) -> None:
    assert code == code.name
    assert f'"code":"{code.name}"'.encode() in e.to_line(e.RunHalted(code=code, why=""))


@pytest.mark.parametrize("code", list(Halt))
def test_every_reason_not_to_land_has_words(code: Halt) -> None:
    assert describe_halt(code) not in ("", code)


def test_a_reason_of_another_version_is_shown_as_it_is() -> None:
    assert describe_halt("OF_ANOTHER_VERSION") == "OF_ANOTHER_VERSION"
