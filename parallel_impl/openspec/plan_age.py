"""Whether a plan is older than the commit that it is to be carried out on, in its tasks or in what it names."""

from __future__ import annotations

from collections.abc import Iterator

from parallel_impl.errors import Problem
from parallel_impl.git.repo import Repo
from parallel_impl.openspec import tasks
from parallel_impl.plan import stale
from parallel_impl.plan.model import Plan


def problems(repo: Repo, plan: Plan, commit: str, content: bytes | None) -> Iterator[Problem]:
    """Warnings for a plan that is stale; `content` is that of tasks.md now (None where there is none)."""
    tasks_hash = "" if content is None else tasks.tasks_hash(tasks.read(content))
    redo = f"parallel-plan {plan.feature_id} --fresh --write"
    yield from stale.problems(plan, tasks_hash, _changed(repo, plan, commit), redo=redo)


def _changed(repo: Repo, plan: Plan, commit: str) -> tuple[str, ...] | None:
    """What the plan names and `commit` has in another form than the plan's own one; None where that is not here."""
    if not plan.base_commit:
        return ()
    if repo.resolve(plan.base_commit) is None:
        return None
    return stale.changed_since(plan, (change.path for change in repo.changes(plan.base_commit, commit)))
