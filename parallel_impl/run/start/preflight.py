"""Everything that can be known before an agent is paid: input, repository, set-up, steps. Then the run is opened.

All problems are collected and said at once. `prepare` is the door of the run room: it gives a `Run` that is on disk,
new or continued, and closes what it opened.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from parallel_impl.errors import Problem, Severity, UserError
from parallel_impl.git import home as homes
from parallel_impl.git import relocation
from parallel_impl.git.remove import remove
from parallel_impl.git.repo import Repo
from parallel_impl.git.suitability import check_repository
from parallel_impl.git.trees import Trees
from parallel_impl.plan import ids
from parallel_impl.processes.launch import Stop
from parallel_impl.record import events as e
from parallel_impl.record.journal import Journal, read
from parallel_impl.record.state import RunState, State, fold
from parallel_impl.run.claims import change_lock, claims
from parallel_impl.run.places import Places
from parallel_impl.run.resume import abort, attempts, go_on, leftovers
from parallel_impl.run.run import Ground, Listener, Run, now
from parallel_impl.run.start import base_check, inputs, plan_edit, run_spec, writable
from parallel_impl.run.start.inputs import Inputs
from parallel_impl.run.start.plan_edit import Edit
from parallel_impl.run.start.request import Options, Request


@contextmanager
def prepare(repo: Repo, folder: Path, options: Options, listener: Listener, stop: Stop) -> Iterator[Run | None]:
    """A run that may be executed; None when there is nothing more to do (landed already, a dry run, an abort).

    UserError with every problem when the input or the repository is not usable; nothing is left then.
    """
    ids.check(options.change_id)
    places = Places(repo.git_dir, options.change_id)
    writable.check_repository(places)
    with change_lock.held(places) as hold:
        state = fold(read(places.journal))
        if state.run is RunState.ABORTED:  # and the process ended before all of it was moved aside
            listener.say(abort.finish_abort(repo, places))
            claims.release(places)
            if options.abort:
                yield None
                return
            state = State()
        elif options.abort and not state.started:
            if not claims.release(places):
                raise UserError(f"there is no run of {places.change_id} to abort", where=str(places.state))
            listener.say(f"aborted already; the claims of {places.change_id} are given up")
            yield None
            return
        run_id = leftovers.run_id(places, state)
        attempts.end_processes(places, state, run_id)
        home = relocation.home(repo, places.change_id, state.home, checkout=repo.top(folder))
        leftovers.clear(places, state, run_id, home.path)
        if state.landed:
            claims.release(places)  # its process may have been killed before it could
            _say_landed(state.landed, places, options, listener)
            yield None
            return
        request = Request(repo, folder, options, listener, places, state, hold, run_id, stop, home)
        try:
            with _claimed(request) as (known, edit), _opened(request, known, edit) as run:
                yield run
        finally:
            if (
                not places.last_journal.exists() and not places.attempts.exists()
            ):  # nothing was started: nothing is left
                if anchored := repo.ref(places.base_ref):
                    repo.delete_ref(places.base_ref, anchored)
                remove(places.state)
                change_lock.forget(places)


@contextmanager
def _claimed(request: Request) -> Iterator[tuple[Inputs, Edit | None]]:
    """The inputs, with everything that their plan claims held to the end; a dry run only says what is in the way."""
    places, options, say = request.places, request.options, request.listener.say
    for warning in claims.check_file_system(places):
        say(str(warning))
    while True:
        found = _find(request)
        known, edit = _read_inputs(request, found)
        packages = known.plan.packages
        if options.abort:
            with claims.given_up(places, say):
                yield known, edit
            return
        if options.dry_run:
            say("\n".join(claims.describe(places.change_id, packages, claims.rivals(places, packages))))
            yield known, edit
            return
        with claims.held(places, request.hold, packages, wait=options.wait, say=say) as waited:
            if not waited or _find(request) == found:
                yield known, edit
                return
        say("the base or the plan changed meanwhile: all is read again")


@contextmanager
def _opened(request: Request, known: Inputs, edit: Edit | None) -> Iterator[Run | None]:
    places, options = request.places, request.options
    ground = run_spec.lay(request, known)
    jobs = options.jobs or known.config.jobs
    try:
        if options.abort:
            _abort(request, ground)
            yield None
            return
        writable.check_home(ground.home)
        homes.check_space(ground.home, known.tree_bytes, jobs=jobs)
        rehearsed = base_check.rehearse(ground, request.listener)
        if options.dry_run:
            request.listener.say(base_check.describe(ground, rehearsed))
            yield None
            return
        journal = Journal(places.journal)
        try:
            claims.confirm(places, request.hold, known.plan.packages, request.listener.say)
            ready = replace(ground, gates=rehearsed.gates)
            run = Run(ready, journal, request.state, request.listener, jobs, rehearsed.checkout)
            _start(run, options, known, edit)
            yield run
        finally:
            journal.close()
    finally:
        leftovers.close(places, ground.home)


def wanted(run: Run, options: Options) -> frozenset[str] | None:
    """The packages that `--only` asks for, with what they depend on; None for all."""
    if not options.only:
        return None
    return frozenset((options.only, *run.ground.order.dependencies(options.only)))


def _say_landed(landed: e.Landed, places: Places, options: Options, listener: Listener) -> None:
    what = f"{landed.branch} landed already: {landed.commit[:12]}"
    if options.abort or options.restart:
        raise UserError(what, hint=f"start anew after: parallel-cleanup {places.change_id}")
    listener.say(f"{what}; see {places.summary}")


def _abort(request: Request, ground: Ground) -> None:
    journal = Journal(request.places.journal)
    try:
        abort.abort(Run(ground, journal, request.state, request.listener, jobs=1))
    finally:
        journal.close()
    request.listener.say(abort.finish_abort(request.repo, request.places))


def _find(request: Request) -> tuple[str, str, str]:
    """The base, where it came from, and the commit with an edited plan ("" when there is none)."""
    repo, places, options, state = request.repo, request.places, request.options, request.state
    commit, came_from = inputs.find_base(repo, request.folder, places, options.base, state)
    edited = "" if options.abort else inputs.find_edited_plan(repo, request.folder, places, state)
    return commit, came_from, edited


def _read_inputs(request: Request, found: tuple[str, str, str]) -> tuple[Inputs, Edit | None]:
    """Plan, configuration and repository, checked as a whole; warnings are said, errors are raised together."""
    repo, places, options, state = request.repo, request.places, request.options, request.state
    commit, came_from, edited = found
    inputs.anchor(repo, places, commit)
    known = inputs.load(repo, places, commit, came_from, request.folder, plan_from=edited or state.plan_commit)
    known = plan_edit.numbered(known, state, edited=bool(edited))
    if options.abort:
        return known, None  # what has become unusable must not keep anybody from giving the run up
    problems = [*known.problems, *check_repository(Trees(repo, places.trees), commit)]
    problems += inputs.branch_problems(repo, places)
    if options.only and options.only not in known.order.index:
        near = inputs.nearest(options.only, known.order.topological)
        problems.append(Problem(f"there is no package {options.only!r}", where="--only", hint=near))
    problems += plan_edit.problems(state, options.restart, known)
    for problem in problems:
        if problem.severity is not Severity.ERROR:
            request.listener.say(str(problem))
    errors = [problem for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        raise UserError(errors)
    if not edited:
        return known, None
    edit = plan_edit.edit(repo, places, state, known, edited)
    request.listener.say(plan_edit.describe(edit, known.plan.revision, state))
    return known, edit


def _start(run: Run, options: Options, known: Inputs, edit: Edit | None) -> None:
    """Anchor the base and write the first event, or say that the run goes on."""
    ground = run.ground
    if run.state.started:
        go_on.go_on(
            run,
            edit,
            agent=ground.agent_spec,
            only=options.only,
            retry_failed=options.retry_failed,
            restart=options.restart,
        )
        ground.places.run_id.unlink(missing_ok=True)  # the journal has it
        return
    run.record(
        e.RunStarted(
            at=now(),
            run_id=ground.run_id,
            change_id=ground.places.change_id,
            base=ground.base,
            base_from=ground.base_from,
            plan_blob=known.plan_entry.oid,
            plan_revision=known.plan.revision,
            contracts_revision=known.plan.contracts.revision,
            packages={package.id: list(package.depends_on) for package in known.plan.packages},
            home=str(ground.home),
            date=ground.date,
            agent=ground.agent_spec,
            jobs=run.jobs,
            only=options.only,
            attempts=abort.attempts_made(ground.repo, ground.places),
            place=leftovers.place(ground.places),
        )
    )
    ground.places.run_id.unlink()  # the journal has it
