"""`--abort`: a run is given up. Its work is kept on refs of attempts, and the change is free for a new run."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from parallel_impl import config
from parallel_impl.errors import UserError, count
from parallel_impl.git.remove import try_remove
from parallel_impl.git.repo import Repo
from parallel_impl.processes.launch import Launch, Limits, Stop
from parallel_impl.record import events as e
from parallel_impl.record.journal import Journal, now
from parallel_impl.record.state import RunState, State
from parallel_impl.run.claims import claims
from parallel_impl.run.places import Places
from parallel_impl.run.resume import attempts, leftovers, pinned
from parallel_impl.run.resume.leftovers import Cleared
from parallel_impl.run.run import Listener, Run
from parallel_impl.run.spec import RunSpec, Workspace


def abort(repo: Repo, places: Places, state: State, listener: Listener, *, checkout: Path | None, stop: Stop) -> None:
    """End what the run left, save its work, and free the change. UserError when there is nothing to abort.

    `checkout` is the user's worktree.
    """
    if state.started is None:
        if not claims.release(places):
            raise UserError(f"there is no run of {places.change_id} to abort", where=str(places.state))
        listener.say(f"aborted already; the claims of {places.change_id} are given up")
        return
    places = replace(places, part=state.started.part)
    cleared = leftovers.clear(repo, places, state, checkout=checkout)
    for line in cleared.left:
        listener.say(line)
    if state.landed:
        claims.release(places)
        what = f"{state.landed.branch} landed already: {state.landed.commit[:12]}"
        raise UserError(what, hint=f"start again after: parallel-cleanup {places.change_id}")
    with claims.release_at_end(places, listener.say):
        try:
            with closing(Journal(places.journal)) as journal:
                run = _open(repo, places, state, cleared, journal, listener=listener, checkout=checkout, stop=stop)
                leftovers.settle(run)
                run.record(e.RunAborted(at=now()))
            listener.say(_move_aside(repo, places))
        finally:
            for line in leftovers.close(places, cleared.home.path, run=cleared.run_id):
                listener.say(line)


def finish(repo: Repo, places: Places, state: State, listener: Listener) -> bool:
    """Finish an abort whose process ended before all of it was moved aside; whether there was one."""
    if state.run is not RunState.ABORTED:
        return False
    listener.say(_move_aside(repo, places))
    claims.release(places)
    return True


def _open(
    repo: Repo,
    places: Places,
    state: State,
    cleared: Cleared,
    journal: Journal,
    *,
    listener: Listener,
    checkout: Path | None,
    stop: Stop,
) -> Run:
    """The run as far as its work is to be saved: nothing of it starts any more."""
    started, home = state.started, cleared.home.path
    if started is None:
        raise ValueError("a run that never started leaves no work")
    pinned.check_base(repo, places, started)
    settings = config.read(repo.read(started.base, config.FILE), repo.read(started.base, "pyproject.toml"))
    return Run(
        spec=RunSpec(
            started.base,
            started.base_from,
            started.date,
            cleared.run_id,
            settings,
            agent_spec=state.agent,
            identity=replace(pinned.identity(started), signoff=settings.signoff),
        ),
        workspace=Workspace.open(
            repo, places, started.base, home, checkout=checkout, repository_name=started.repository_name
        ),
        launch=Launch(home, {}, Limits(0), stop=stop),
        stop=stop,
        in_force=pinned.read_plan(repo, places, state),
        journal=journal,
        state=state,
        listener=listener,
    )


def _move_aside(repo: Repo, places: Places) -> str:
    """Remove private HOMEs, move accepted work to refs of attempts, and the journal aside; what to say about it.

    Done again after a crash it ends the same.
    """
    why = try_remove(places.client_homes)
    refs = repo.refs(places.package_refs)
    for ref in refs:
        attempts.keep(repo, places, ref)
    for file, aside in places.aside().items():
        if file.exists():
            file.rename(aside)
    kept = f"the accepted work of {count(len(refs), 'package')} is" if refs else "all work is"
    return (
        f"aborted; {kept} kept on {places.attempt_refs}/\n"
        f"  start again: parallel-implement {places.change_id}\n"
        f"  clean up:    parallel-cleanup {places.change_id}" + (f"\n  {why}; it is left" if why else "")
    )
