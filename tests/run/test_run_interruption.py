"""What a signal does: before there is a run it ends the command, after that it only stops the run."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from parallel_impl.run.interruption import SIGNALS, Interruption


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    assert {number: signal.getsignal(number) for number in SIGNALS} == before


@pytest.mark.parametrize("number", SIGNALS)
def test_before_there_is_a_run_a_signal_is_an_interruption_whichever_it_is(number: signal.Signals) -> None:
    with Interruption() as interruption:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
        assert interruption.stop


@pytest.mark.parametrize("number", SIGNALS)
def test_while_a_run_executes_a_signal_only_stops_it(number: signal.Signals) -> None:
    with Interruption() as interruption:
        interruption.defer()
        assert not interruption.stop
        signal.raise_signal(number)
        assert interruption.stop


def test_the_second_signal_finds_the_default_again_and_ends_the_program() -> None:
    with Interruption() as interruption:
        interruption.defer()
        signal.raise_signal(signal.SIGTERM)
        assert [signal.getsignal(number) for number in SIGNALS] == [signal.SIG_DFL] * len(SIGNALS)


def test_a_hang_up_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    try:
        with Interruption() as interruption:
            interruption.defer()
            signal.raise_signal(signal.SIGHUP)
            assert not interruption.stop
    finally:
        signal.signal(signal.SIGHUP, before)
