"""The command `parallel-implement`, as one page: give a run up, try one out, or execute it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from parallel_impl.errors import UserError
from parallel_impl.git.repo import Repo
from parallel_impl.plan import ids
from parallel_impl.processes.orphans import adopt_orphans
from parallel_impl.processes.procfs import forbid_tracing
from parallel_impl.record import journal
from parallel_impl.record.events import Event, Landed
from parallel_impl.record.journal import load_state
from parallel_impl.record.state import State
from parallel_impl.record.times import TimePhase
from parallel_impl.report import profile, summary
from parallel_impl.report.progress import ProgressFile
from parallel_impl.run import notify, runner, stopwatch
from parallel_impl.run.claims import change_lock, claims
from parallel_impl.run.inspect import cleanup
from parallel_impl.run.interruption import Interruption
from parallel_impl.run.land import ending
from parallel_impl.run.land.ending import Ending
from parallel_impl.run.places import Places
from parallel_impl.run.publish import publish
from parallel_impl.run.resume import abort, leftovers, pinned
from parallel_impl.run.run import Listener, Listeners, Run
from parallel_impl.run.start import earlier_landing, part, preflight, writable
from parallel_impl.run.start.request import Answer, Options, Request
from parallel_impl.text import did_you_mean

NOTHING = Ending(0, "", "", ())  # no run was wanted, or none came of it


def implement(
    repo: Repo,
    folder: Path,
    options: Options,
    listeners: Sequence[Listener],
    *,
    dropped: Mapping[str, str] | None = None,
    answer: Answer = print,
) -> int:
    """What was typed in `folder`, done; returns the exit code.

    `dropped` are variables that this process was started with and that git must not see as they are; `answer` takes
    what a dry run was asked for.

    UserError when the input or the repository is not usable; nothing has been started then. KeyboardInterrupt when a
    signal came before there was a run to stop.
    """
    stopwatch.start(first=TimePhase.PREFLIGHT)
    ids.check(options.change_id)
    _check_abort_alone(options)
    adopt_orphans()
    forbid_tracing()  # its environment has every secret, and steps are code that agents wrote
    listener = Listeners([*listeners, *([] if options.dry_run else [ProgressFile()])])
    inherited = {**os.environ, **(dropped or {})}
    with Interruption() as interruption:
        ended = _work(repo, folder, options, listener, inherited, interruption=interruption, answer=answer)
        listener.end()
        for line in ended.lines:
            listener.say(line)
    if ended.status == "landed":
        asked = publish.Asked(repo, folder, options.change_id, inherited)
        _publish(asked, listener, wanted=options.pr, stopped=bool(interruption.stop))
    return ended.exit_code


def _publish(asked: publish.Asked, listener: Listener, *, wanted: bool | None, stopped: bool) -> None:
    """The pull request of a run that landed; `stopped`: a signal came while it ended, so nothing is begun any more.

    The first signal ends the publishing, whatever it waits for: no loop looks at a stop here. The landing stays.
    """
    try:
        with Interruption():
            publish.after_landing(asked, listener, wanted=wanted, stopped=stopped)
    except KeyboardInterrupt:
        publish.tell_failed(asked, listener, "interrupted")


def _work(
    repo: Repo,
    folder: Path,
    options: Options,
    listener: Listener,
    inherited: Mapping[str, str],
    *,
    interruption: Interruption,
    answer: Answer,
) -> Ending:
    """What is done while nobody else works on the change."""
    places = Places(repo.git_dir, options.change_id)
    writable.check_repository(places)
    with change_lock.hold(places) as hold, preflight.leaving_nothing(repo, places):
        state = load_state(places.journal)
        if abort.finish(repo, places, state, listener):
            if options.abort:
                return NOTHING
            state = State()
        if options.abort:
            abort.abort(repo, places, state, listener, checkout=repo.top(folder), stop=interruption.stop)
            return NOTHING
        pinned.check_whole(repo, places, state)
        checkout = repo.top(folder)
        cleared = leftovers.clear(repo, places, state, checkout=checkout)
        for line in cleared.left:
            listener.say(line)
        places = part.locate(repo, folder, places, state, base=options.base)
        if state.landed:
            _check_unused(repo, state, options, listener)
            if options.restart or options.again:
                raise _landed_already(state.landed, cleanup.is_whole(repo, folder, places, state), places)
            times = _profile(journal.read(places.journal), wanted=options.profile)
            return replace(_report_landed(repo, folder, state.landed, places, listener), lines=times)
        request = Request(
            repo=repo,
            folder=folder,
            checkout=checkout,
            options=options,
            listener=listener,
            stop=interruption.stop,
            places=places,
            hold=hold,
            state=state,
            run_id=cleared.run_id,
            home=cleared.home,
            inherited=inherited,
            answer=answer,
        )
        if preflight.is_archived(request) or earlier_landing.is_there(request):
            return NOTHING
        if options.dry_run:
            preflight.try_out(request)
            return NOTHING
        return _execute(request, interruption)


def _execute(request: Request, interruption: Interruption) -> Ending:
    with preflight.prepare(request) as run:
        interruption.defer()
        ended = runner.execute(run, only=_wanted(run, request.options.only))
        run.listener.end()
        run.record_posted()
        pointer = () if run.state.landed else ending.summarise(run, ended)
        notes = [f"  note: {note}" for note in run.state.notes]
        failed = tuple(notify.notify(run, ended.headline, request.checkout or request.folder, request.inherited))
        times = _profile(run.journal.events(), wanted=request.options.profile)
    return replace(ended, lines=(*ended.lines, *notes, *failed, *pointer, *times))


def _profile(happened: Sequence[Event], *, wanted: bool) -> tuple[str, ...]:
    """The lines of `--profile`."""
    if not wanted:
        return ()
    set_up = summary.describe_set_up(happened)
    told = set_up if set_up.startswith("set-up") or not set_up else f"set-up: {set_up}"
    return ("", *filter(None, [told]), *profile.table(profile.measure(happened)))


def _wanted(run: Run, only: str) -> frozenset[str] | None:
    """The packages that `--only` asks for, with what they depend on; None for all."""
    return frozenset((only, *run.in_force.order.dependencies(only))) if only else None


def _landed_already(landed: Landed, is_whole: bool, places: Places) -> UserError:
    """What has landed is done again by a run of its own, once nothing of this one is left."""
    hint = f"start again after: parallel-cleanup {places.change_id}"
    if not is_whole:
        hint += " --force   (it removes what failed tries left, too, which no branch has: see it with --dry-run)"
    return UserError(f"{landed.branch} landed already: {landed.commit[:12]}", hint=hint)


def _check_abort_alone(options: Options) -> None:
    """UserError where a run is to be given up and something else is asked of it: one of them is not meant."""
    others = {
        "--dry-run": options.dry_run,
        "--only": options.only,
        "--retry-failed": options.retry_failed,
        "--restart": options.restart,
        "--again": options.again,
        "--accept": options.accept,
    }
    if options.abort and (typed := [name for name, given in others.items() if given]):
        what = f"--abort gives the run up and does nothing else, so it does not go with {', '.join(typed)}"
        raise UserError(what, where="--abort", hint="leave one of them away; nothing was done")


def _report_landed(repo: Repo, folder: Path, landed: Landed, places: Places, listener: Listener) -> Ending:
    claims.release(places)  # its process may have been killed before it could
    what = f"{landed.branch} landed already: {landed.commit[:12]}"
    listener.event(landed)
    listener.say(f"{what}; see {places.summary}")
    if lost := _is_gone(repo, folder, landed, places):
        listener.say(lost)
    return Ending(0, "landed", what, ())


def _is_gone(repo: Repo, folder: Path, landed: Landed, places: Places) -> str:
    """That the feature branch has not any more what landed on it, and the line that brings it back; "" where it has.

    Also where what is checked out has it: merged branches are deleted.
    """
    if repo.resolve(landed.commit) is None:
        return f"{landed.commit[:12]} is not in this repository any more"
    tip = repo.ref(places.branch_ref)
    if any(commit and repo.is_ancestor(landed.commit, commit) for commit in (tip, repo.head(folder))):
        return ""
    if tip:
        return f"{landed.branch} is at {tip[:12]} now, without it; see: git log {tip[:12]}..{landed.commit[:12]}"
    return f"{landed.branch} is gone since; to have it again: git branch {landed.branch} {landed.commit[:12]}"


def _check_unused(repo: Repo, state: State, options: Options, listener: Listener) -> None:
    """Options of a run that is over: what names nothing is an error all the same, the rest is told."""
    if options.only and options.only not in state.packages:
        hint = did_you_mean(options.only, state.packages) or f"known: {', '.join([*state.packages][:10])}"
        raise UserError(f"there is no package {options.only!r}", where="--only", hint=hint)
    if options.base and repo.resolve(options.base) is None:
        raise UserError(f"{options.base!r} names no commit", where="--base", hint="see: git log --oneline --all")
    typed = {
        "--agent": options.agent,
        "--jobs": options.jobs,
        "--base": options.base,
        "--only": options.only,
        "--retry-failed": options.retry_failed,
        "--accept": options.accept,
    }
    if unused := [name for name, given in typed.items() if given]:
        listener.say(f"without effect, as all has landed: {', '.join(unused)}")
