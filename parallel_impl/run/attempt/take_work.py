"""Taking what an agent did: staged, committed on the package's base, on the attempt's ref, and whole there."""

from __future__ import annotations

import time
from dataclasses import dataclass

from parallel_impl.git import object_names
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.repo import GitError, Repo
from parallel_impl.git.staging import REFUSED, Snapshot, Staging, Work, too_big
from parallel_impl.run.attempt.job import Job
from parallel_impl.run.spec import RunSpec, Workspace, own_files
from parallel_impl.text import shorten

LONGEST_TRAILER = 1000  # characters
PAUSES = (0.2, 1.0)  # seconds before another try, while somebody prunes the repository
TRAILERS = """\
Work-Package: {package}
Change-Id: {change}
Run: {run}
Attempt: {number}
Agent: {agent}
Plan-Revision: {plan}
Contracts-Revision: {contracts}
"""


@dataclass(frozen=True, slots=True)
class Taken:
    """What an agent did, and the commit with it; "" when its worktree cannot be staged."""

    work: Work
    commit: str = ""


def stage(spec: RunSpec, workspace: Workspace, checkout: Checkout, job: Job, *, base: str) -> Staging:
    """The staging of an agent's worktree; `base` is its package's."""
    return Staging(
        workspace.trees,
        checkout,
        base=base,
        left_out=own_files(spec, workspace.places, job.in_force.plan),
        max_blob_mb=spec.config.max_blob_mb,
        scope=job.package.scope,
    )


def take(spec: RunSpec, workspace: Workspace, job: Job, staging: Staging, before: Snapshot, *, base: str) -> Taken:
    """Commit what changed since `before`, and put the commit on the attempt's ref.

    Objects can vanish between staging and the ref, when a `prune --expire=now` runs in the user's repository (1-2
    of 60 were seen; also the blobs before the tree, and the commit itself): then it is staged again, three times at
    most. GitError when objects are missing after that; then the attempt has no ref.
    """
    for pause in (*PAUSES, None):
        commit = ""
        try:
            work = staging.after(before)
            if not work.unstageable:
                commit = _commit(spec, workspace, job, work, base)
                _check_objects(workspace.repo, commit, base)
                return Taken(work, commit)
            if pause is None or not any(violation.why.startswith(REFUSED) for violation in work.unstageable):
                return Taken(work)
        except GitError:
            if commit:  # a ref to a commit that lacks objects would fail every gc of the user's
                workspace.delete_ref(workspace.places.attempt_ref(job.package.id, job.number), commit)
            if pause is None:
                raise
        time.sleep(pause)
    raise AssertionError("the last try returns or raises")


def take_again(spec: RunSpec, workspace: Workspace, job: Job, kept: str, *, base: str) -> Taken:
    """The work of an earlier attempt's commit `kept` as this attempt's, on the package's base as it is now."""
    repo, changes = workspace.repo, tuple(workspace.repo.changes(base, kept))
    large = too_big(workspace.trees, changes, base=base, limit_mb=spec.config.max_blob_mb)
    work = Work(repo.tree(kept), changes, too_big=tuple(large))
    return Taken(work, _commit(spec, workspace, job, work, base))


def _check_objects(repo: Repo, commit: str, base: str) -> None:
    """Everything that is new in the commit is there, and is what was staged. GitError where it is not."""
    if missing := repo.missing(commit, known=base):
        raise GitError(("rev-list", "--missing=print", commit), 1, f"objects vanish: {missing[:3]}".encode())
    if wrong := object_names.misnamed(repo, commit, known=[base]):
        files = ", ".join(str(repo.git_dir / "objects" / name[:2] / name[2:]) for name in wrong[:3])
        why = f"somebody wrote other content under the name of this work; remove it and try again: {files}"
        raise GitError(("cat-file", "--batch"), 1, why.encode(errors="surrogateescape"))


def _commit(spec: RunSpec, workspace: Workspace, job: Job, work: Work, base: str) -> str:
    message = describe(spec, workspace, job, changed=bool(work.changes))
    commit = workspace.repo.commit_tree(work.tree, [base], message, date=spec.date, identity=spec.identity)
    workspace.set_ref(workspace.places.attempt_ref(job.package.id, job.number), commit)
    return commit


def describe(spec: RunSpec, workspace: Workspace, job: Job, *, changed: bool) -> str:
    """The commit's message: the package's title, and trailers that say where it comes from."""
    package, plan, agent = job.package, job.in_force.plan, job.done_by(spec)
    subject = " ".join((package.title or package.description).split())[:72] or package.id
    named = ", ".join(" ".join(name.split()) for name in package.tasks)
    tasks = f"Tasks: {shorten(named, LONGEST_TRAILER)}\n" if named else ""
    trailers = tasks + TRAILERS.format(
        package=package.id,
        change=workspace.places.change_id,
        run=spec.run_id,
        number=job.number,
        agent=" ".join(f"{agent.name} {agent.model}".split()),
        plan=plan.revision,
        contracts=plan.contracts.revision,
    )
    return f"{package.id}: {subject}\n\n{'' if changed else 'No changes.' + chr(10) * 2}{trailers}"
