"""A plan that was edited between two starts: its number, and what people read about it before anything runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from parallel_impl.config import Config
from parallel_impl.git.repo import Entry
from parallel_impl.plan import revision as revisions
from parallel_impl.plan.model import Package, Scope
from parallel_impl.record import events as e
from parallel_impl.record.codes import Failure
from parallel_impl.record.state import State, fold
from parallel_impl.run.spec import PlanEdit
from parallel_impl.run.start import plan_edit
from parallel_impl.run.start.inputs import Inputs
from tests.run.scene import first_event, in_force, package

BEFORE = (package("a"), package("b", "a"), package("c"), package("d"))


def inputs(*packages: Package, revision: int = 1) -> Inputs:
    plan = in_force(packages, revision)
    entry = Entry("100644", "blob", "f" * 40, "work-packages.yaml")
    return Inputs("b" * 40, "HEAD", plan.plan, plan.order, entry, Config(), (), (), 0, ())


@pytest.fixture
def state() -> State:
    """A run in which `a` and `b` were accepted, and `c` failed."""
    events: list[e.Event] = [first_event("b" * 40, BEFORE, Path("/home"))]
    for name in ("a", "b"):
        events += [
            e.AttemptStarted(package=name, number=1),
            e.AttemptEnded(package=name, number=1, commit="c" * 40, seconds=1.0),
            e.PackageAccepted(package=name, number=1, commit="c" * 40),
        ]
    events += [
        e.AttemptStarted(package="c", number=1),
        e.AttemptEnded(package="c", number=1, code=Failure.AGENT_FAILED, seconds=1.0),
        e.PackageFailed(package="c", code=Failure.AGENT_FAILED),
    ]
    return fold(events)


def test_an_edit_is_the_next_revision_also_where_the_file_does_not_say_so(state: State) -> None:
    assert plan_edit.numbered(inputs(*BEFORE), state, edited=True).plan.revision == 2
    assert plan_edit.numbered(inputs(*BEFORE, revision=7), state, edited=True).plan.revision == 7
    assert plan_edit.numbered(inputs(*BEFORE, revision=7), state, edited=False).plan.revision == 1
    assert plan_edit.numbered(inputs(*BEFORE, revision=7), State(), edited=False).plan.revision == 7


def test_people_read_what_is_kept_and_what_is_done_again(state: State) -> None:
    changed = replace(BEFORE[0], description="else")
    after = inputs(changed, *BEFORE[1:3], package("e"))
    edit = PlanEdit(in_force(BEFORE), "d" * 40, revisions.compare(in_force(BEFORE).plan, after.plan))
    assert plan_edit.describe(edit, 2, state).splitlines() == [
        "the plan was edited since this run started; this is revision 2:",
        "  failed, and stay so without --retry-failed: c",
        "  changed, done again: a",
        "  done again, as they build on those: b",
        "  new: e",
        "  gone, their work stays on refs of attempts: d",
    ]


def test_only_packages_of_a_run_can_be_done_again(state: State) -> None:
    assert list(plan_edit.problems(state, ["a"], inputs(*BEFORE))) == []
    unknown = next(plan_edit.problems(state, ["aa"], inputs(*BEFORE)))
    assert (unknown.what, unknown.where) == ("there is no package 'aa'", "--restart")
    early = next(plan_edit.problems(State(), ["a"], inputs(*BEFORE)))
    assert "no run yet" in early.what


def test_people_read_what_is_judged_again_without_an_agent(state: State) -> None:
    wider = replace(BEFORE[0], scope=Scope(("a/**", "more")))
    edit = PlanEdit(
        in_force(BEFORE), "d" * 40, revisions.compare(in_force(BEFORE).plan, in_force((wider, *BEFORE[1:])).plan)
    )
    lines = plan_edit.describe(edit, 2, state).splitlines()
    assert "  judged otherwise, so what was done is judged again first: a" in lines
    assert not any(line.startswith("  changed, done again") for line in lines)
