"""When an attempt that changed nothing may be accepted: where the plan says so, and where the work is there already."""

from __future__ import annotations

from parallel_impl.git import earlier_work
from parallel_impl.git.repo import Repo
from parallel_impl.plan.model import StepKind
from parallel_impl.run.attempt.job import Attempt, Job

WHY = (
    "it changed nothing: do the work, within what you may change\n"
    "(a package that may end so says may_be_empty: true in the plan)"
)
ELSEWHERE = (
    "nothing is changed in its worktree, and only what lies there is taken:\n"
    "bring what belongs to the task into it, and leave it there"
)


def allowed(attempt: Attempt) -> bool:
    """Whether this attempt may be accepted without a change."""
    repo, change = attempt.workspace.repo, attempt.workspace.places.change_id
    return by_plan(attempt.job) or is_done(repo, attempt.base, change, attempt.package.id)


def by_plan(job: Job) -> bool:
    """Whether the plan lets it be empty: it says so, or the package only verifies what all the others did.

    Such a one depends on others, reaches all of them, and has a command step; the step has to pass anyway.
    """
    package, order = job.package, job.in_force.order
    if package.may_be_empty:
        return True
    others = [other.id for other in job.in_force.plan.packages if other.id != package.id]
    verifies = any(step.kind is StepKind.COMMAND for step in package.steps)
    return bool(package.depends_on) and verifies and all(order.reaches(package.id, other) for other in others)


def is_done(repo: Repo, base: str, change: str, package: str) -> bool:
    """Whether the history of `base` has the work of this package: an earlier run landed it."""
    return package in earlier_work.find(repo, base, change)
