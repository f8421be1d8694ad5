"""Whether a plan is older than what it was made from: its tasks, or files that it names. Pure.

A plan that names neither its commit nor the hash of its tasks is never stale.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from parallel_impl.errors import Problem, Severity
from parallel_impl.plan.globs.globs import folders_above, is_literal
from parallel_impl.plan.model import Plan
from parallel_impl.text import first_names

FEW = 3


def named_paths(plan: Plan) -> tuple[str, ...]:
    """The paths that a plan names literally, files and folders: those whose change makes it stale."""
    globs = (glob for package in plan.packages for glob in (*package.scope.write_allow, *package.creates))
    shared = (one.path for one in plan.shared_files)
    return tuple(sorted({path.removesuffix("/") for path in (*globs, *shared) if is_literal(path)}))


def changed_since(plan: Plan, paths: Iterable[str]) -> tuple[str, ...]:
    """Those of `paths` that the plan names, or that lie below a folder that it names."""
    named = frozenset(named_paths(plan))
    return tuple(path for path in paths if path in named or any(above in named for above in folders_above(path)))


def problems(plan: Plan, tasks_hash: str, changed: Collection[str] | None, *, redo: str) -> Iterator[Problem]:
    """Warnings for a plan that is stale.

    `tasks_hash` is that of the tasks now ("": there are none), `changed` what differs now of what it names (None: the
    commit of the plan is not here). `redo` is the command that makes the plan again.
    """
    if plan.tasks_hash and plan.tasks_hash != tasks_hash:
        what = "tasks.md has changed since the plan was made" if tasks_hash else "there is no tasks.md any more"
        fits = f'where the plan fits it still, write tasks_hash: "{tasks_hash}"; or ' if tasks_hash else ""
        hint = f"{fits}make it again: {redo}"
        yield Problem(what, plan.where("tasks_hash"), hint=hint, severity=Severity.WARNING)
    if not plan.base_commit:
        return
    where, short = plan.where("plan_base_commit"), plan.base_commit[:12]
    if changed is None:
        what = f"the commit that the plan was made on is not here: {short}"
        yield Problem(what, where, hint="what changed since cannot be told", severity=Severity.WARNING)
    elif changed:
        what = f"changed since the plan was made on {short}: {first_names(sorted(changed), FEW)}"
        hint = f"look at the plan again, or make it again: {redo}"
        yield Problem(what, where, hint=hint, severity=Severity.WARNING)
