"""What an earlier process of the same run left: attempts in flight, and accepted work that was not journalled.

Git wins over the journal: a package's ref counts as accepted if this journal registered that attempt and the commit's
parent is this run's base for the package. What a crashed attempt had done is kept on its attempt's ref and costs no
retry.
"""

from __future__ import annotations

import contextlib

from parallel_impl.errors import UserError
from parallel_impl.git import relocation
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.repo import GitError
from parallel_impl.git.staging import Staging
from parallel_impl.git.union import Layer
from parallel_impl.processes import orphans, procfs
from parallel_impl.record import events as e
from parallel_impl.record.state import INTERRUPTED, LIVE, State
from parallel_impl.run.attempt import attempt_record, package_base, result
from parallel_impl.run.attempt.attempt import Attempt, Job, put_away
from parallel_impl.run.attempt.attempt_record import DamagedError
from parallel_impl.run.places import Places
from parallel_impl.run.run import Run, now

PATIENCE = 5.0


def settle_leftovers(run: Run) -> None:
    """Take over what an earlier process of this run had accepted, and save what it had not."""
    relocation.mend(run.ground.home, run.ground.repo)
    for name in run.ground.order.topological:
        progress = run.state.packages[name]
        if progress.state in LIVE:
            _settle(run, name)
        if progress.commit:
            run.layers[name] = _layer(run, name, progress.commit)


def _settle(run: Run, name: str) -> None:
    """An attempt that was in flight: accepted if git says so, else over, with what it had done on its ref."""
    number = run.state.packages[name].attempts
    commit = run.ground.repo.ref(run.ground.places.package_ref(name)) or ""
    if commit and _is_ours(run, name, commit):
        _put_away(run, name, number)
        ended = e.AttemptEnded(at=now(), package=name, number=number, commit=commit)
        run.record(ended, e.PackageAccepted(at=now(), package=name, number=number, commit=commit))
        return
    saved = _save(run, name, number)
    _put_away(run, name, number)
    why = "the process that ran it was killed"
    run.record(e.AttemptEnded(at=now(), package=name, number=number, commit=saved, code=INTERRUPTED, why=why))


def _put_away(run: Run, name: str, number: int) -> None:
    """Remove the checkouts of the attempt: before it is journalled as over, for then nobody looks for them again."""
    for place in (name, f"{name}.verify"):
        put_away(run.ground, run.ground.source.place(place), number)


def _is_ours(run: Run, name: str, commit: str) -> bool:
    """Whether the commit was made by the attempt that the journal registered, on the base that this run gives it."""
    number = run.state.packages[name].attempts
    registered = run.ground.repo.ref(run.ground.places.attempt_ref(name, number)) == commit
    return registered and run.ground.repo.parents(commit) == (package_base.of(run.ground, name, run.layers),)


def _save(run: Run, name: str, number: int) -> str:
    """The commit with what a crashed attempt had done; "" when its agent had not been started, or nothing is left.

    A worktree that cannot be staged is kept whole.
    """
    ground = run.ground
    if known := ground.repo.ref(ground.places.attempt_ref(name, number)):
        return known
    try:
        noted = attempt_record.read(ground.places.attempt(name, number))
    except DamagedError:  # so the agent had been started, but nothing tells its work from what was there before
        return _keep(run, name, number, ground.source.place(name))
    checkout = ground.source.found(name, noted.start if noted else "")
    if noted is None:
        return ""
    if checkout is None:
        ground.note(f"{name}: what attempt {number} had done is gone: its worktree is not in {ground.home} any more")
        return ""
    saved = Attempt(ground, Job(ground.plan.package(name), number), base=package_base.of(ground, name, run.layers))
    limit = ground.config.max_blob_mb
    taking = Staging(ground.trees, checkout, base=saved.base, left_out=(ground.places.tasks_file,), max_blob_mb=limit)
    try:
        result.take(saved, taking, noted.snapshot)
    except GitError:
        return _keep(run, name, number, checkout)
    return _keep(run, name, number, checkout) if saved.work.unstageable else saved.commit


def _keep(run: Run, name: str, number: int, checkout: Checkout) -> str:
    run.ground.note(
        f"{name}: what attempt {number} left could not be staged and is kept whole: {checkout.keep(number)}"
    )
    return ""


def _layer(run: Run, name: str, commit: str) -> Layer:
    repo = run.ground.repo
    parents = repo.parents(commit) if repo.resolve(commit) else ()
    if len(parents) != 1:
        raise UserError(
            f"the accepted commit {commit[:12]} of {name} is gone",
            where=str(repo.git_dir),
            hint="bring it back (git fsck --lost-found finds it), or clean up and start anew",
        )
    if repo.ref(run.ground.places.package_ref(name)) != commit:
        run.ground.set_ref(run.ground.places.package_ref(name), commit)
    return Layer(name, commit, tuple(repo.changes(parents[0], commit)))


def end_processes(places: Places, state: State, run_id: str) -> None:
    """End what carries this run's random id, and the noted agents: two agents must never write for one package."""
    if alive := orphans.end_all(lambda: _left_alive(places, state, run_id), patience=PATIENCE):
        raise UserError(f"processes of this run cannot be ended: {alive}", hint="end them, then start again")


def _left_alive(places: Places, state: State, run_id: str) -> list[int]:
    found = procfs.with_variable("PARALLEL_IMPL_RUN", run_id)
    for name, progress in state.packages.items():
        if (
            progress.state in LIVE and run_id == state.run_id
        ):  # not in a copy of the repository: they are the original's
            with contextlib.suppress(DamagedError):  # after a power cut: then no process of it lives
                noted = attempt_record.read(places.attempt(name, progress.attempts))
                if noted and attempt_record.lives(noted) and noted.pid not in found:
                    found.append(noted.pid)
    return found
