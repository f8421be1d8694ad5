"""What the journal pins for a run that goes on: its base, and the plan in force."""

from __future__ import annotations

from dataclasses import replace

from parallel_impl.errors import Problem, UserError
from parallel_impl.git.identity import OURS, Identity, parse
from parallel_impl.git.repo import GitError, Repo
from parallel_impl.plan import order as ordering
from parallel_impl.plan.reading import load
from parallel_impl.record.events import RunStarted
from parallel_impl.record.state import State
from parallel_impl.run.places import Places
from parallel_impl.run.spec import PlanInForce


def check_base(repo: Repo, places: Places, started: RunStarted) -> None:
    """UserError when the commit that the run started on is gone."""
    if repo.resolve(started.base) is None:
        raise UserError(f"the base of this run, {started.base[:12]}, is gone", where=str(places.journal))


def identity(started: RunStarted) -> Identity:
    """Who commits in this run, so that a commit made again is the same; ours where the journal has nobody."""
    author, committer = parse(started.author), parse(started.committer)
    return Identity(author, committer) if author and committer else OURS


def read_plan(repo: Repo, places: Places, state: State) -> PlanInForce:
    """The plan that the run has so far, under its number there. UserError when it cannot be read any more."""
    plan, problems = load.load(_content(repo, places, state), places.plan_file)
    if plan is None:
        hint = f"clean up and start again: parallel-cleanup {places.change_id}"
        raise UserError([*problems, Problem("the plan of this run cannot be read any more", hint=hint)])
    return PlanInForce(replace(plan, revision=state.plan_revision), ordering.of(plan))


def _content(repo: Repo, places: Places, state: State) -> bytes:
    """The plan's text; empty where its commit or, of a plan that was made, its blob is gone."""
    if not state.single:
        return repo.read(state.plan_commit, places.plan_file) or b""
    try:
        return repo.git("cat-file", "blob", state.plan_blob)
    except GitError:
        return b""
