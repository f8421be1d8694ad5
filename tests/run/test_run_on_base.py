"""What steps do on the base: in time, in turn with other heavy work, and believed only in clean surroundings."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import pytest

from parallel_impl.gates.gate_report import GateState
from parallel_impl.gates.quality import Gate
from parallel_impl.gates.steps import StepStatus
from parallel_impl.git.surroundings import Surroundings
from parallel_impl.plan.model import Package, Step
from parallel_impl.processes import slots
from parallel_impl.record import events as e
from parallel_impl.run import on_base
from parallel_impl.run.on_base import BaseWork
from parallel_impl.run.places import STEPS_CHECKOUT
from parallel_impl.run.run import Run
from tests.run.scene import make_repository, open_run, package

Open = Callable[..., tuple[Run, BaseWork, SimpleQueue[e.Event]]]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """A run of one package for each of these steps, in a home that is empty, and what it works with on the base."""

    def open_(*steps: Step, minutes: float = 10) -> tuple[Run, BaseWork, SimpleQueue[e.Event]]:
        packages = [with_step(f"wp-{number}", step) for number, step in enumerate(steps)]
        home = tmp_path / "home"
        home.mkdir()
        run, told = open_run(*make_repository(tmp_path / "user.git"), home, *packages), SimpleQueue[e.Event]()
        run.spec = replace(run.spec, slots=slots.own(1, 2))
        around = Surroundings(home, frozenset({STEPS_CHECKOUT}), frozenset())
        run.workspace = replace(run.workspace, surroundings=around)
        launch = replace(run.launch, env={"PATH": os.environ["PATH"]})
        return run, BaseWork(run.spec, run.workspace, launch, told.put, minutes=minutes), told

    return open_


def with_step(name: str, step: Step) -> Package:
    return replace(package(name), steps=(step,))


def events(told: SimpleQueue[e.Event]) -> list[e.Event]:
    return [told.get() for _ in range(told.qsize())]


def test_a_step_that_hangs_is_ended_in_time_and_only_what_excuses_failures_runs_on(opened: Open) -> None:
    hangs, later, old = (
        Step("hangs", command="sleep 600"),
        Step("later", command="true"),
        Step("old", command="true", old_failures=True),
    )
    run, work, _ = opened(hangs, later, old, minutes=0.01)
    with on_base.running(work, run.in_force, run.in_force.order.index) as base:
        base.trying.result(timeout=60)
        assert [base.steps.known(one) for one in (hangs, later)] == [None, None]
        assert (known := base.steps.known(old))
        assert known.status is StepStatus.PASSED
        (told,) = on_base.describe_news(run.spec, run.in_force.plan, base, red=False)
    assert told.what == "not finished in time on the base: step 'hangs' of wp-0, step 'later' of wp-1"
    with run.spec.slots.take(alone=True) as share:
        assert not share.beside  # its slot is free


def test_what_ran_beside_foreign_files_shows_nothing(opened: Open) -> None:
    forges, later = Step("forges", command="touch ../conftest.py"), Step("later", command="true")
    run, work, _ = opened(forges, later)
    with on_base.running(work, run.in_force, run.in_force.order.index) as base:
        base.trying.result(timeout=60)
        assert [base.steps.known(one) for one in (forges, later)] == [None, None]
        assert f"rm {run.workspace.home}/conftest.py" in base.foreign()
        assert list(on_base.describe_news(run.spec, run.in_force.plan, base, red=True)) == []


def test_the_wait_for_a_slot_and_the_step_are_told(opened: Open) -> None:
    run, work, told = opened(Step("unit", command="true"))
    with run.spec.slots.take(), on_base.running(work, run.in_force, run.in_force.order.index) as base:
        waits = next(one for one in iter(partial(told.get, timeout=60), None) if isinstance(one, e.SlotAwaited))
        assert (waits.what, waits.on, waits.package) == ("unit", "base", "wp-0")
        assert not base.done()


def test_gates_on_the_base_end_with_the_run(opened: Open) -> None:
    run, work, told = opened()
    spec, workspace = replace(run.spec, gates=(Gate("slow", "sleep 4"),)), replace(run.workspace, surroundings=None)
    with on_base.running(replace(work, spec=spec, workspace=workspace), run.in_force, ()) as base:
        pass
    assert base.gates.result()["slow"].state is not GateState.GREEN
    ends = [one.state for one in events(told) if isinstance(one, e.GateEnded)]
    assert ends in (["stopped"], [])  # it was not broken; or it had not begun
