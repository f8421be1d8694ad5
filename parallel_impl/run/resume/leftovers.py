"""Everything that an earlier process of a run can have left, and what becomes of it, in the order in which it is found.

Before anything is read (`clear`; nothing of it is worth a line in the journal):
  processes                   ended: no two agents write for one package
  worktrees elsewhere         a repository that was moved: its worktrees are looked for, or a new folder is chosen
  TMPDIRs, scratch folders    removed; what cannot be is told, and passed over. TMPDIRs not with an attempt in flight
  checkouts for gates         removed, what is in them is on a ref
  lock files of git           removed where nobody but this run writes

When the journal is open (`settle`; as the plan stood then, so before an edit of it is taken in):
  repositories of packages    made to borrow from the repository where it is now
  attempts in flight          accepted when git says so; else what was done is saved on a ref, without costing a retry
  their TMPDIRs               removed: an agent may have made itself a worktree there
  accepted work               its ref is made again from the journal, its changes are read; what git knows nothing of
                              is done again

When the plan in force is known (`fail_spent`, `end_conversations`):
  a last attempt that failed  its package has failed, which the process was killed before it journalled
  private HOMEs of agents     removed where the package is over

Three more are found where that work is done: an abort that was killed half way (`abort.finish`), claims of a run that
had landed, and a branch that was moved before the journal had it (`land.land`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from parallel_impl.git import home as homes
from parallel_impl.git import layer, mounts, relocation
from parallel_impl.git.home import Home
from parallel_impl.git.remove import open_folders, try_remove
from parallel_impl.git.repo import Repo
from parallel_impl.record import events as e
from parallel_impl.record.journal import now
from parallel_impl.record.state import ENDED, LIVE, PackageState, State
from parallel_impl.run import ports, run_id
from parallel_impl.run.attempt import run_processes
from parallel_impl.run.launch import remove_temporary_folders
from parallel_impl.run.places import Places
from parallel_impl.run.resume import attempts
from parallel_impl.run.run import Run

LOCK_SECONDS = 1.0  # git holds the lock of a ref for milliseconds


@dataclass(frozen=True, slots=True)
class Cleared:
    """What is known when nothing of an earlier process is in the way: the run's id, and where its worktrees lie.

    `left` has a line for each thing that cannot be removed and is in nobody's way.
    """

    run_id: str
    home: Home
    left: tuple[str, ...] = ()


def clear(repo: Repo, places: Places, state: State, *, checkout: Path | None) -> Cleared:
    """End and remove what needs no journal. `checkout` is the user's worktree. UserError when a process stays."""
    if places.state.is_dir():
        open_folders(places.state)  # what an agent, a step or a gate closed
    found = run_id.ensure(places, state)
    run_processes.end(places, state, found)
    home = find_home(repo, places, state, checkout=checkout)
    in_flight = any(progress.state in LIVE for progress in state.packages.values())
    left = [*(() if in_flight else remove_temporary_folders(found)), *_left(places.trees)]
    if state.started:
        left += close(places, home.path, run=found if state.landed else "")
    for lock in _locks(places, state):
        lock.unlink(missing_ok=True)
    return Cleared(found, home, tuple(left))


def find_home(repo: Repo, places: Places, state: State, *, checkout: Path | None) -> Home:
    """The folder of the run's worktrees, wherever the repository is now."""
    return relocation.home(repo, places.change_id, state.home, checkout=checkout, gates=places.gate_checkouts)


def settle(run: Run) -> list[str]:
    """Take over what an earlier process of this run had accepted, and save what it had not.

    Returns the packages that only the journal calls accepted: `do_again` is for them.
    """
    workspace = run.workspace
    relocation.repair(workspace.home, workspace.repo, workspace.source.repository_name)
    unfounded = []
    for name in run.in_force.order.topological:
        progress = run.state.packages[name]
        if progress.state in LIVE:
            attempts.settle(run, name)
        if progress.commit:
            run.layers[name] = attempts.restore(run, name, progress.commit)
            if attempts.counts(run, name, progress.commit):
                attempts.put_on_ref(run, name, progress.commit)
            else:
                unfounded.append(name)
    for line in remove_temporary_folders(run.spec.run_id):
        run.note(line)
    return unfounded


def do_again(run: Run, names: Sequence[str]) -> None:
    """What the journal calls accepted and git does not is no work of this run."""
    for name in names:
        progress = run.state.packages[name]
        ref = run.workspace.places.attempt_ref(name, progress.attempts)
        why = f"{progress.commit[:12]}, which the journal calls accepted, is not on {ref} or not on the package's base"
        run.note(f"{why}: the package is done again", package=name)
    if names:
        run.record(e.PackagesRestarted(at=now(), packages=list(names)))


def end_conversations(run: Run) -> None:
    """Remove the private HOMEs of packages that are over, which the process did not live to do."""
    for home in run.workspace.places.client_homes.glob("*"):
        progress = run.state.packages.get(home.name)
        if progress is None or progress.state in ENDED:
            run.end_conversations(home.name)


def fail_spent(run: Run) -> None:
    """Journal what the killed process did not: packages whose last attempt failed and that have no retry left."""
    for name, progress in run.state.packages.items():
        if progress.state is PackageState.QUEUED:
            run.fail_if_spent(name)


def close(places: Places, home: Path, *, run: str = "") -> list[str]:
    """Remove the checkouts for gates, give back all ports, and remove the folders of worktrees that are empty then.

    `run` is the id of one that does not go on: the layers that serve it alone are removed. Returns a line for each that
    cannot be removed: the next one of its name is made in its place, it is moved aside.
    """
    ports.give_back(home)
    left = [
        line
        for name in places.gate_checkouts
        for line in _left(home / name, home / f"{name}.git", places.index(name), mounts.written_in(home, name))
    ]
    if run:
        layer.discard_own(mounts.store_of(home), run)
    mounts.remove_empty(home)
    homes.remove_empty(home)
    return left


def _left(*leftovers: Path) -> Iterator[str]:
    if why := try_remove(*leftovers):
        yield f"{why}; it is left"


def _locks(places: Places, state: State) -> Iterator[Path]:
    """Lock files of a git process of ours that was killed with us: nobody else writes these refs and indexes.

    The feature branch may be the user's too: its lock is ours only if it was made after the journal's last word, which
    was that everything is proven.
    """
    for folder in (places.common / places.refs, places.indexes):
        yield from folder.rglob("*.lock")
    branch = places.common / f"{places.branch_ref}.lock"
    if not state.proven or state.landed:
        return
    until = time.monotonic() + LOCK_SECONDS
    while _is_younger(branch, places.journal):
        if time.monotonic() > until:
            yield branch
            return
        time.sleep(0.01)


def _is_younger(lock: Path, journal: Path) -> bool:
    try:
        return lock.stat().st_mtime_ns >= journal.stat().st_mtime_ns
    except FileNotFoundError:
        return False  # the process that held it is done
