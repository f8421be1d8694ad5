"""Work of an earlier attempt that is judged again before an agent is paid for the same.

An attempt whose agent ended well keeps its work on its ref. Where only what judges it was edited, or where nothing was
found out about it (the run was stopped, set-up failed, a step could not start), scope, changes and steps decide first.
"""

from __future__ import annotations

from collections.abc import Sequence

from parallel_impl.git.repo import Repo
from parallel_impl.git.union import Layer
from parallel_impl.record.events import AttemptEnded
from parallel_impl.record.result import AgentRecord
from parallel_impl.record.state import Progress
from parallel_impl.report.summary import read_result
from parallel_impl.run.attempt import package_base
from parallel_impl.run.attempt.job import Kept
from parallel_impl.run.run import Run


def find(run: Run, package: str, above: Sequence[Layer]) -> Kept | None:
    """What of the package is judged again; None where an agent has to work.

    It was done on the tree that the package starts from now: the work of its dependencies, `above`, is the same.
    """
    progress, places = run.state.packages[package], run.workspace.places
    if not (asked := progress.to_judge):
        return None
    base = run.workspace.repo.tree(package_base.make(run.spec, run.workspace, run.in_force.order, package, above))
    ended = next((one for one in asked if _started_from(run.workspace.repo, one.commit) == base), None)
    if ended is None:
        return None
    number = progress.done_in(ended.number)
    result = read_result(places.attempt(package, number))
    agent = result.agent if result and isinstance(result.agent, AgentRecord) else _agent(progress, ended)
    return Kept(number, ended.commit, agent, result.files_ignored if result else ())


def _started_from(repo: Repo, commit: str) -> str:
    """The tree that the work of an attempt was done on; "" where its commit is gone."""
    parents = repo.parents(commit) if repo.resolve(commit) else ()
    return repo.tree(parents[0]) if len(parents) == 1 else ""


def _agent(progress: Progress, ended: AttemptEnded) -> AgentRecord:
    began = progress.started.get(ended.number)
    if began is None:
        return AgentRecord(name=ended.agent, kind="", model=ended.model)
    return AgentRecord(name=began.agent, kind="", version=began.version, model=ended.model or began.model)
