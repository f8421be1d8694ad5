"""Attempts that were in flight when an earlier process of the run was killed, and accepted work that lies in git.

Git wins over the journal: a package's ref counts as accepted if this journal registered that attempt and the commit's
parent is this run's base for the package; what the journal calls accepted counts if the attempt's ref is at it and that
parent is right. What a crashed attempt had done is kept on its attempt's ref and costs no retry.
"""

from __future__ import annotations

import contextlib
import re
from functools import reduce

from parallel_impl import storage
from parallel_impl.agents.seen import Seen
from parallel_impl.errors import UserError
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.repo import GitError, Repo
from parallel_impl.git.side_work import TakenTree
from parallel_impl.git.union import Layer
from parallel_impl.git.watch import Watch
from parallel_impl.record import activity
from parallel_impl.record import events as e
from parallel_impl.record.codes import Failure
from parallel_impl.record.journal import now
from parallel_impl.run.attempt import attempt_record, package_base, rescue, take_work
from parallel_impl.run.attempt.attempt_record import DamagedError
from parallel_impl.run.attempt.job import Job
from parallel_impl.run.places import Places
from parallel_impl.run.run import Run
from parallel_impl.run.spec import own_files


def settle(run: Run, name: str) -> None:
    """An attempt that was in flight: accepted if git says so, else over, with what it had done on its ref."""
    number = run.state.packages[name].attempts
    commit = run.workspace.repo.ref(run.workspace.places.package_ref(name)) or ""
    if commit and counts(run, name, commit):
        _look_elsewhere(run, name, number, commit)
        _put_away(run, name, number)
        ended = _ended(run, name, number, commit)
        run.record(ended, e.PackageAccepted(at=now(), package=name, number=number, commit=commit))
        return
    saved = _save(run, name, number)
    _look_elsewhere(run, name, number, saved)
    _put_away(run, name, number)
    why = "the process that ran it was killed"
    run.record(_ended(run, name, number, saved, code=Failure.INTERRUPTED, why=why))


def put_on_ref(run: Run, name: str, commit: str) -> None:
    """Accepted work lies on the ref of its package, whatever became of that."""
    ref = run.workspace.places.package_ref(name)
    if run.workspace.repo.ref(ref) != commit:
        run.workspace.set_ref(ref, commit)


def counts(run: Run, name: str, commit: str) -> bool:
    """Whether the commit was made by the package's last attempt that the journal registered, and on its base.

    Else somebody wrote that into the journal.
    """
    number = run.state.packages[name].attempts
    registered = run.workspace.repo.ref(run.workspace.places.attempt_ref(name, number)) == commit
    return registered and _is_on_base(run, name, commit)


def restore(run: Run, name: str, commit: str) -> Layer:
    """The work of a package that the journal calls accepted. UserError when its commit is gone."""
    repo = run.workspace.repo
    parents = repo.parents(commit) if repo.resolve(commit) else ()
    if len(parents) != 1:
        raise UserError(
            f"the accepted commit {commit[:12]} of {name} is gone",
            where=str(repo.git_dir),
            hint="bring it back (git fsck --lost-found finds it), or clean up and start again",
        )
    return Layer(name, commit, tuple(repo.changes(parents[0], commit)))


def keep(repo: Repo, places: Places, ref: str, watch: Watch | None = None) -> None:
    """Delete a ref of accepted work whose commit is on the ref of its attempt; made there if it is not.

    The user may have deleted that one. A watch over the repository expects both.
    """
    commit = repo.ref(ref)
    if commit is None:
        return
    package = ref.removeprefix(f"{places.package_refs}/")
    made = {
        ref: oid for ref, oid in repo.refs(f"{places.attempt_refs}/{package}").items() if not places.is_side_ref(ref)
    }
    if commit not in made.values():
        number = 1 + max((int(name.rpartition("/")[2]) for name in made), default=0)
        attempt_ref = places.attempt_ref(package, number)
        if watch:
            watch.expect(attempt_ref, commit)
        repo.set_ref(attempt_ref, commit)
    if watch:
        watch.expect(ref, None)
    repo.delete_ref(ref, commit)


def count_made(repo: Repo, places: Places) -> dict[str, int]:
    """The highest number of an attempt that earlier runs of the change made at each package: theirs are taken."""
    made: dict[str, int] = {}
    names = [name.removeprefix(f"{places.attempt_refs}/") for name in repo.refs(places.attempt_refs)]
    names += [str(path.relative_to(places.attempts)) for path in places.attempts.glob("*/*")]
    for name in names:
        if found := re.fullmatch(r"(.+)/([0-9]+)(\..*)?", name):
            made[found[1]] = max(made.get(found[1], 0), int(found[2]))
    return made


def _ended(run: Run, name: str, number: int, commit: str, *, code: str = "", why: str = "") -> e.AttemptEnded:
    """That an attempt is over, with what its agent had used by then: limits count that too."""
    began, seen = run.state.packages[name].started.get(number), Seen()
    with contextlib.suppress(OSError, ValueError):
        lines = storage.read(run.workspace.places.attempt_files(name, number).activity).splitlines(keepends=True)
        seen = reduce(Seen.after, activity.read(lines), seen)
    return e.AttemptEnded(
        at=now(),
        package=name,
        number=number,
        commit=commit,
        code=code,
        why=why,
        agent=began.agent if began else "",
        model=seen.model,
        session=seen.session,
        usage=seen.usage,
        denied=len(seen.denied),
        retries=seen.retries,
        calls=seen.calls,
        tests=run.state.packages[name].tests.get(number, ""),
    )


def _put_away(run: Run, name: str, number: int) -> None:
    """Remove the checkouts of the attempt: before it is journalled as over, for then nobody looks for them again."""
    for checkout in run.workspace.places.checkouts_of(name):
        run.workspace.put_away(checkout, number, run.note)


def _is_on_base(run: Run, name: str, commit: str) -> bool:
    """Whether the commit was made on the base that this run gives the package.

    That may have been made of the same commits in another order, by an earlier revision of the plan.
    """
    repo, base = run.workspace.repo, _base(run, name)
    parents = repo.parents(commit)
    if len(parents) != 1 or parents == (base,):
        return parents == (base,)
    (own,) = parents
    return repo.tree(own) == repo.tree(base) and sorted(repo.parents(own)) == sorted(repo.parents(base))


def _base(run: Run, name: str) -> str:
    order = run.in_force.order
    above = [run.layers[other] for other in order.dependencies(name)]
    return package_base.make(run.spec, run.workspace, order, name, above)


def _save(run: Run, name: str, number: int) -> str:
    """The commit with what a crashed attempt had done; "" when its agent had not been started, or nothing is left.

    A worktree that cannot be staged is kept whole.
    """
    spec, workspace = run.spec, run.workspace
    if known := workspace.repo.ref(workspace.places.attempt_ref(name, number)):
        return known
    try:
        noted = attempt_record.read(workspace.places.attempt_files(name, number).record)
    except DamagedError:  # so the agent had been started, but nothing tells its work from what was there before
        return _keep(run, name, number, workspace.source.place(name))
    if noted is None:
        return ""
    checkout = workspace.source.found(name, noted.start, noted.view)
    if checkout is None:
        why = f"what attempt {number} had done is gone: its worktree is not in {workspace.home} any more"
        run.note(why, package=name)
        return ""
    base, job = _base(run, name), Job(run.in_force.plan.package(name), number, run.in_force)
    staging = take_work.stage(spec, workspace, checkout, job, base=base)
    try:
        commit = take_work.take(spec, workspace, job, staging, noted.snapshot, base=base).commit
    except GitError:
        commit = ""
    return commit or _keep(run, name, number, checkout)


def _look_elsewhere(run: Run, name: str, number: int, commit: str) -> None:
    """Keep what the agent did not leave in its worktree, and name what was kept before the process was killed."""
    repo, places, trees = run.workspace.repo, run.workspace.places, run.workspace.trees
    for ref in places.side_refs_of(name, number, repo.refs(places.attempt_refs)):
        if not any(ref in note for note in run.state.notes):
            run.note(f"it left work elsewhere than in its worktree, kept on {ref}", package=name)
    base = _base(run, name)
    try:
        noted = attempt_record.read(places.attempt_files(name, number).record)
    except DamagedError:
        noted = None
    taken = TakenTree(
        trees.id(commit or base),
        frozenset(change.path for change in repo.changes(base, commit)) if commit else frozenset(),
        noted.tree if noted and noted.tree else trees.id(base),
        frozenset(own_files(run.spec, places, run.in_force.plan)),
    )
    rescue.save(
        run.spec,
        run.workspace,
        run.workspace.source.place(name),
        taken,
        package=name,
        number=number,
        note=lambda text: run.note(text, package=name),
    )


def _keep(run: Run, name: str, number: int, checkout: Checkout) -> str:
    kept = checkout.keep(number)
    run.note(f"what attempt {number} left could not be staged and is kept whole: {kept}", package=name)
    return ""
