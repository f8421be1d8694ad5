"""What an earlier process of the same run left: attempts in flight, and accepted work that was not journalled.

Git wins over the journal: a package's ref counts as accepted if this journal registered that attempt and the
commit's parent is this run's base for the package. Called by `run.preflight` before the run goes on.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from parallel_impl.errors import UserError
from parallel_impl.git.union import Layer
from parallel_impl.record import events as e
from parallel_impl.record.state import LIVE
from parallel_impl.run import foundation
from parallel_impl.run.execution import Run, now

PATIENCE = 5.0


def settle_leftovers(run: Run) -> None:
    """End processes that an earlier process of this run left, and take over what it had accepted."""
    _end_processes(run)
    for name in run.ground.order.topological:
        progress = run.state.packages[name]
        commit = run.ground.repo.ref(run.ground.places.package_ref(name))
        if progress.state in LIVE and commit and _is_ours(run, name, commit):
            number = progress.attempts
            ended = e.AttemptEnded(at=now(), package=name, number=number, commit=commit)
            run.record(ended, e.PackageAccepted(at=now(), package=name, number=number, commit=commit))
        if progress.commit:
            run.layers[name] = _layer(run, name, progress.commit)


def _is_ours(run: Run, name: str, commit: str) -> bool:
    """Whether the commit was made by the attempt that the journal registered, on the base that this run gives it."""
    number = run.state.packages[name].attempts
    registered = run.ground.repo.ref(run.ground.places.attempt_ref(name, number)) == commit
    return registered and run.ground.repo.parents(commit) == (foundation.of(run.ground, name, run.layers),)


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


def _end_processes(run: Run) -> None:
    """End every process that carries this run's random id: two agents must never write for one package."""
    until = time.monotonic() + PATIENCE
    while found := _marked(run.ground.run_id):
        number = signal.SIGTERM if time.monotonic() < until else signal.SIGKILL
        for pid in found:
            _send(pid, number)
        if time.monotonic() > until + PATIENCE:
            raise UserError(f"processes of this run cannot be ended: {found}", hint="end them, then start again")
        time.sleep(0.05)


def _marked(run_id: str) -> list[int]:
    wanted = f"PARALLEL_IMPL_RUN={run_id}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            variables = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # another user's, or gone
        if wanted in variables and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
