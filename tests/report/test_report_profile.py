"""Where the time of a run went, of events whose times can be added up by hand."""

from __future__ import annotations

from parallel_impl.record import events as e
from parallel_impl.record import times as phases
from parallel_impl.record.times import TimePhase, Times, TimeSpent
from parallel_impl.report import profile
from parallel_impl.report.profile import RunTimes, measure, rows, table
from tests.report.scene import started

STARTED = started({"wp-a": [], "wp-b": []})
AGAIN = e.RunContinued(at=100.0, agent="x", jobs=2)


def ended(package: str, **spent: TimeSpent) -> e.AttemptEnded:
    return e.AttemptEnded(package=package, number=1, times=Times(**spent))


def of_run(cpu: float = 0.0, **spent: TimeSpent) -> e.TimesMeasured:
    return e.TimesMeasured(on="run", times=Times(**spent), cpu_seconds=cpu)


def test_every_phase_is_a_field_and_has_a_name() -> None:
    assert {phase.value for phase in TimePhase} == set(Times.__struct_fields__)
    assert profile.NAMES.keys() == set(TimePhase)


def test_the_clock_is_the_main_threads_and_the_work_is_what_ran_side_by_side() -> None:
    found = measure([
        STARTED,
        e.TimesMeasured(on="base", times=Times(gates=TimeSpent(4.0, 3.0))),
        ended("wp-a", agent=TimeSpent(10.0, 1.0), slot=TimeSpent(2.0)),
        ended("wp-b", agent=TimeSpent(9.0, 0.5), set_up=TimeSpent(3.0, 2.0)),
        of_run(packages=TimeSpent(12.0, 0.2), set_up=TimeSpent(1.0, 1.0), landing=TimeSpent(0.5, 0.1), cpu=7.8),
    ])  # fmt: skip
    assert found.clock == Times(packages=TimeSpent(12.0, 0.2), set_up=TimeSpent(1.0, 1.0), landing=TimeSpent(0.5, 0.1))
    assert found.work == Times(
        gates=TimeSpent(4.0, 3.0),
        agent=TimeSpent(19.0, 1.5),
        slot=TimeSpent(2.0),
        set_up=TimeSpent(4.0, 3.0),
        landing=TimeSpent(0.5, 0.1),
        other=TimeSpent(0.0, 0.2),  # the loop's, which waited
    )
    assert (found.clock.total.seconds, found.work.total) == (13.5, TimeSpent(29.5, 7.8))


def test_what_an_attempt_waits_for_the_base_is_its_time() -> None:
    found = measure([STARTED, ended("wp-a", base=TimeSpent(5.0)), of_run(base=TimeSpent(7.0))])
    assert (found.work.base, found.clock.base) == (TimeSpent(5.0), TimeSpent(7.0))


def test_starts_and_attempts_that_were_killed_are_counted_as_unknown() -> None:
    killed = [STARTED, ended("wp-a", agent=TimeSpent(1.0, 0.5))]
    second = [AGAIN, ended("wp-b"), of_run(packages=TimeSpent(2.0), cpu=1.0)]
    found = measure([*killed, *second])
    assert (found.unknown_starts, found.unknown_attempts) == (1, 1)
    assert found.clock == Times(packages=TimeSpent(2.0))
    assert found.work == Times(agent=TimeSpent(1.0, 0.5), other=TimeSpent(0.0, 1.0))  # of its own start only
    assert table(found)[-1] == "not known: the times of 1 start and 1 attempt (killed, or of an earlier version)"


def test_of_a_run_that_never_started_nothing_is_known() -> None:
    assert measure([]) == RunTimes()


def test_the_longest_comes_first_and_what_shows_nothing_is_left_out() -> None:
    times = Times(agent=TimeSpent(1.0), gates=TimeSpent(3.0), slot=TimeSpent(0.001), other=TimeSpent(0.0, 0.5))
    assert [phase for phase, _ in rows(times, 8)] == [TimePhase.GATES, TimePhase.AGENT, TimePhase.OTHER]


def test_a_table_has_twelve_lines_at_most_and_loses_nothing() -> None:
    every = {phase: TimeSpent(float(number), 0.5) for number, phase in enumerate(TimePhase, 1)}
    found = RunTimes(clock=phases.of(every), work=phases.of(every), unknown_starts=1)
    lines = table(found)
    assert len(lines) == 12
    assert lines[0] == (
        "time by the run's clock: 91.00 s: other 41.00, gates 12.00, verification 11.00, taking the work 10.00, "
        "agent 9.00, waiting for a slot 8.00"
    )
    assert [line.split()[-2:] for line in lines[2:5]] == [["28.00", "3.00"], ["12.00", "0.50"], ["11.00", "0.50"]]
    assert lines[10].split() == ["in", "all", "91.00", "6.50"]
    assert sum(float(line.split()[-2]) for line in lines[2:10]) == 91.0
