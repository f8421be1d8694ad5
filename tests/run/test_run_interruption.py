"""What a signal does: before there is a run it ends the command, after that it only stops the run."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
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


@pytest.mark.parametrize("deferred", [True, False])
def test_a_signal_within_a_second_of_the_first_is_the_same_one(deferred: bool) -> None:
    at = iter([10.0, 10.001, 10.9])
    with Interruption(lambda: next(at)) as interruption:
        if deferred:
            interruption.defer()
        with contextlib.nullcontext() if deferred else pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)  # `timeout` sends it to the child, then to the group
        signal.raise_signal(signal.SIGINT)
        assert list(at) == []


@pytest.mark.parametrize("number", SIGNALS)
def test_the_second_signal_ends_the_program(number: signal.Signals) -> None:
    twice = f"""
import signal
from parallel_impl.run.interruption import Interruption
at = iter([10.0, 11.0])
with Interruption(lambda: next(at)) as interruption:
    interruption.defer()
    signal.raise_signal({int(number)})
    signal.raise_signal({int(number)})
"""
    assert subprocess.run([sys.executable, "-c", twice], check=False).returncode == -number


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_that_is_ignored_at_the_start_stays_so(number: signal.Signals) -> None:
    before = signal.signal(number, signal.SIG_IGN)  # nohup; `tool &` in a script
    try:
        with Interruption() as interruption:
            signal.raise_signal(number)
            for other in set(SIGNALS) - {number}:
                with pytest.raises(KeyboardInterrupt) if not interruption.stop else contextlib.nullcontext():
                    signal.raise_signal(other)
            signal.raise_signal(number)  # after the first of another kind too
            assert interruption.stop
    finally:
        signal.signal(number, before)
