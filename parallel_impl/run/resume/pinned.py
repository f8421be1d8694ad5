"""What the journal pins for a run that goes on: its base, and the plan in force."""

from __future__ import annotations

from dataclasses import replace

from parallel_impl.errors import Problem, UserError, count
from parallel_impl.git.identity import OURS, Identity, parse
from parallel_impl.git.repo import GitError, Repo
from parallel_impl.plan import order as ordering
from parallel_impl.plan.reading import load
from parallel_impl.record.events import RunStarted
from parallel_impl.record.journal import damage
from parallel_impl.record.state import State
from parallel_impl.run.places import Places
from parallel_impl.run.spec import PlanInForce


def check_whole(repo: Repo, places: Places, state: State) -> None:
    """UserError when the journal lacks attempts that this run made: their refs would be written again.

    A journal that was cut at the end of a line looks whole.
    """
    prefix, known = f"{places.attempt_refs}/", state.packages | state.removed
    for ref, commit in repo.refs(places.attempt_refs).items():
        package, _, number = ref.removeprefix(prefix).rpartition("/")
        made = known[package].attempts if package in known else 0
        if number.isdecimal() and int(number) > made and _is_of(repo, commit, state.run_id, int(number)):
            what = f"{package} has {count(made, 'attempt')} in it, and attempt {number} is on {ref}"
            raise damage(places.journal, what)


def _is_of(repo: Repo, commit: str, run_id: str, number: int) -> bool:
    """Whether the commit was made by this attempt of this run, as its trailers say."""
    said = repo.text("log", "--no-walk", "--format=%(trailers:unfold)", "--end-of-options", commit).split("\n")
    return f"Run: {run_id}" in said and f"Attempt: {number}" in said


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
