"""A plan that was edited between two starts of a run: what that means, reported before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from parallel_impl.errors import Problem
from parallel_impl.git.repo import Repo
from parallel_impl.plan import revision as revisions
from parallel_impl.record.state import PackageState, State
from parallel_impl.run.places import Places
from parallel_impl.run.resume import pinned
from parallel_impl.run.spec import PlanEdit
from parallel_impl.run.start import inputs
from parallel_impl.run.start.inputs import Inputs


def edit(repo: Repo, places: Places, state: State, known: Inputs, commit: str) -> PlanEdit:
    """How the plan in `known`, which `commit` holds, stands to the one that the run has so far."""
    before = pinned.read_plan(repo, places, state)
    return PlanEdit(before, commit, revisions.compare(before.plan, known.plan))


def numbered(known: Inputs, state: State, *, edited: bool) -> Inputs:
    """The inputs with the plan's revision number: an edit that did not raise it is the next one all the same."""
    if state.started is None:
        return known
    number = max(known.plan.revision, state.plan_revision + 1) if edited else state.plan_revision
    return replace(known, plan=replace(known.plan, revision=number))


def describe(change: PlanEdit, number: int, state: State) -> str:
    """What an edit means, for people, before anything runs."""
    found = change.revision
    done = {name for name, progress in state.packages.items() if progress.attempts}
    failed = {name for name, progress in state.packages.items() if progress.state is PackageState.FAILED}
    rows = (
        ("kept", [name for name in found.kept if name in done - failed]),
        ("failed, and stay so without --retry-failed", [name for name in found.kept if name in failed]),
        ("judged otherwise, so what was done is judged again first", [name for name in found.judged if name in done]),
        ("changed, done again", [name for name in found.changed if name in done and name not in found.judged]),
        ("done again, as they build on those", [name for name in found.below if name in done]),
        ("new", found.new),
        ("gone, their work stays on refs of attempts", found.gone),
    )
    lines = [f"the plan was edited since this run started; this is revision {number}:"]
    return "\n".join([*lines, *(f"  {what}: {', '.join(names)}" for what, names in rows if names)])


def problems(state: State, restart: Iterable[str], known: Inputs) -> Iterator[Problem]:
    """What is wrong with the packages that are to be done again."""
    for name in restart:
        if name not in known.order.index:
            near = inputs.nearest(name, known.order.topological)
            yield Problem(f"there is no package {name!r}", where="--restart", hint=near)
        elif state.started is None:
            yield Problem("there is no run yet in which anything could be done again", where="--restart")
