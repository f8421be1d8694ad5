"""Everything that can be known before an agent is paid: input, repository, set-up, steps. Then the run is opened.

All problems are collected and reported at once. `prepare` gives a `Run` that is on disk, new or continued, and closes
what it opened; `try_out` does the same up to there, and starts nothing.
"""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from parallel_impl import environment
from parallel_impl.errors import Problem, Severity, UserError
from parallel_impl.git import carried, ignored_scope, surroundings
from parallel_impl.git import home as homes
from parallel_impl.git.mounts import Mounts
from parallel_impl.git.remove import try_remove
from parallel_impl.git.repo import Repo
from parallel_impl.git.suitability import check_repository
from parallel_impl.git.surroundings import Foreign, Surroundings
from parallel_impl.git.trees import Trees
from parallel_impl.plan import ids
from parallel_impl.processes.launch import Launch, Limits
from parallel_impl.record import events as e
from parallel_impl.record.journal import Journal, now
from parallel_impl.report.announce import Announcer
from parallel_impl.report.outline import outline
from parallel_impl.run import feature_branch, on_base, run_id, stopwatch
from parallel_impl.run.claims import change_lock, claims
from parallel_impl.run.feature_branch import Move
from parallel_impl.run.inspect import archive
from parallel_impl.run.land import acceptance
from parallel_impl.run.places import Places
from parallel_impl.run.resume import attempts, go_on, leftovers
from parallel_impl.run.run import Listeners, Run
from parallel_impl.run.spec import PlanEdit, PlanInForce, RunSpec, Workspace
from parallel_impl.run.start import (
    base_check,
    capabilities,
    configuration_edit,
    inputs,
    layer_room,
    mounting,
    plan_edit,
    prompt_size,
    run_spec,
    single,
    writable,
)
from parallel_impl.run.start.base_check import BaseCheck
from parallel_impl.run.start.capabilities import Capable
from parallel_impl.run.start.configuration_edit import ConfigurationEdit
from parallel_impl.run.start.inputs import Inputs
from parallel_impl.run.start.request import Request
from parallel_impl.views.view import Means


@contextmanager
def prepare(request: Request) -> Iterator[Run]:
    """A run that may be executed. UserError with every problem when input or repository are not usable."""
    with (
        _claimed(request) as (known, edits),
        _checked(request, known) as ready,
        closing(Journal(request.places.journal)) as journal,
        closing(request.repo),
    ):
        claims.confirm(request.places, request.hold, known.plan.packages, request.listener.say)
        run = Run(
            spec=ready.spec_on_base,
            workspace=ready.workspace,
            launch=ready.launch,
            stop=request.stop,
            in_force=ready.in_force,
            journal=journal,
            state=request.state,
            listener=request.listener,
            jobs=ready.jobs,
            fail_fast=request.options.fail_fast,
            base_checkout=ready.base.checkout,
        )
        _open(run, request, known, edits)
        journal.append(*ready.base.watched, sync=False)  # listeners have heard them
        try:
            yield run
        finally:
            run.listener.end()


def try_out(request: Request) -> None:
    """The dry run: everything but agents, and without the claims: it only reports what is in their way."""
    places, say = request.places, request.listener.say
    _warn_of_file_system(request)
    known, _ = _read_inputs(request, _find(request))
    packages = known.plan.packages
    say("\n".join(claims.beside(places.change_id, packages, claims.rivals(places, packages))))
    with _checked(request, known) as ready:
        plan = ready.in_force
        request.listener.begin(outline(plan.plan, plan.order, state=places.state, jobs=ready.jobs), ())
        lines = base_check.describe(ready.spec, ready.workspace, ready.in_force, ready.base)
        found = _try_on_base(request, ready)
        request.answer("\n".join([lines, *found]))


def _try_on_base(request: Request, ready: _Ready) -> list[str]:
    """What gates and steps do on the base, all of them. UserError where a gate is broken there."""
    spec, listener = ready.spec_on_base, request.listener
    work = on_base.BaseWork(spec, ready.workspace, ready.launch, checkout=ready.base.checkout)
    with on_base.running(work, ready.in_force, ready.in_force.order.index) as base:
        base.wait(math.inf, request.stop, say=listener.say, whole=True)
        news = on_base.describe_news(spec, ready.in_force.plan, base, red=True)
        base_check.report(
            [replace(one, what=environment.masked(one.what, ready.launch.mask)) for one in news], listener
        )
        base_check.report([Problem(line, severity=Severity.WARNING) for line in base.advice()], listener)
        if why := base.foreign() or base.broken(acceptance.of_not_proven(request.state.accepted_gates)):
            raise UserError(why)
        return [f"  gate {name} on the base: {one.state}" for name, one in base.gates.result().items()]


def is_archived(request: Request) -> bool:
    """Whether the change lies below `changes/archive/` in what is checked out, or in the typed base; told then.

    A feature branch that is still there holds the change as it was before, so it is not asked.
    """
    repo, options, places = request.repo, request.options, request.places
    commit = repo.resolve(options.base) if options.base else repo.head(request.folder)
    name = archive.archived_as(repo, commit, places.change_id, places.part) if commit else ""
    if not name or request.state.started:
        return False
    request.listener.say(f"{places.change_id} is archived as {ids.changes(places.part)}/archive/{name}")
    return True


@dataclass(frozen=True, slots=True)
class InputEdits:
    """What was edited since a run started; `plan` is None where the plan was not."""

    plan: PlanEdit | None
    configuration: ConfigurationEdit


@dataclass(frozen=True, slots=True)
class _Ready:
    """What a run can be opened with."""

    spec: RunSpec
    workspace: Workspace
    launch: Launch
    in_force: PlanInForce
    base: BaseCheck
    jobs: int

    @property
    def spec_on_base(self) -> RunSpec:
        """The spec, with what was seen on the base."""
        return replace(
            self.spec,
            gates=self.base.gates,
            set_up_changes=self.base.set_up_changes,
            beside=self.base.beside,
            notes=(*self.spec.notes, *self.base.notes),
        )


@contextmanager
def leaving_nothing(repo: Repo, places: Places) -> Iterator[None]:
    """Remove what was made for a run that never started, or for a question about one that there never was."""
    try:
        yield
    finally:
        if not places.last_journal.exists() and not places.attempts.exists():
            for ref, commit in repo.refs(places.base_ref, places.carried_refs, places.plan_refs).items():
                repo.delete_ref(ref, commit)
            try_remove(places.state)  # what stays is in nobody's way
            change_lock.forget(places)


@contextmanager
def _claimed(request: Request) -> Iterator[tuple[Inputs, InputEdits]]:
    """The inputs, with everything that their plan claims held to the end."""
    places, options, say = request.places, request.options, request.listener.say
    _warn_of_file_system(request)
    while True:
        found = _find(request)
        known, edits = _read_inputs(request, found)
        with claims.hold(places, request.hold, known.plan.packages, wait=options.wait, say=say) as waited:
            if not waited or _find(request) == found:
                yield known, edits
                return
        say("the base or the plan changed meanwhile: all is read again")


@contextmanager
def _checked(request: Request, known: Inputs) -> Iterator[_Ready]:
    """What the run is made from, proven on the base; its checkouts for gates are removed at the end."""
    spec, home = run_spec.specify(request, known), request.home.path
    spec = replace(spec, slots=spec.slots.measured_by(stopwatch.running().wait))
    carried.anchor(request.repo, spec.carried, request.places.carried_refs)
    workspace = Workspace.open(
        request.repo,
        request.places,
        known.base,
        home,
        checkout=request.checkout,
        identity=spec.identity,
        carried=spec.carried,
        environment=environment.for_filters(request.inherited, pass_env=spec.config.pass_env),
        repository_name=_repository_name(request),
        surroundings=_surroundings(request, known, home),
    )
    base_check.report([_foreign(one) for one in workspace.foreign()], request.listener)
    given = (request.inherited, *(table.env for table in spec.config.agents.values()))
    mask = tuple(value for env in given for value in environment.secret_values(env, spec.secret_names))
    # whatever starts something sets its own limits
    launch = Launch(home, spec.environment, Limits(math.inf), stop=request.stop, mask=mask)
    in_force = PlanInForce(known.plan, known.order)
    try:
        writable.check_home(home)
        base_check.report(list(prompt_size.problems(spec, workspace, in_force)), request.listener)
        name, inherited = _repository_name(request), request.inherited
        with mounting.mounted(spec, workspace, repository_name=name, inherited=inherited) as mounted:
            request.listener.say(mounted.line)
            mounts, workspace = mounted.workspace.source.mounts, mounted.workspace
            capable = _capable(request, known, mounts)
            lacking = (*capable.lacking, *mounted.lacking)
            notes = (*spec.notes, *lacking, *mounted.notes)
            spec = replace(spec, checkouts=mounted.line, notes=notes, lacking=lacking)
            with layer_room.needed(mounts, known.tree_bytes, spec.config):
                checked = base_check.check(spec, workspace, launch, in_force, request.listener)
            base_check.report(list(layer_room.problems(mounts, spec.config)), request.listener)
            base_check.report(single.unverified(spec, checked.gates), request.listener)
            yield _Ready(spec, workspace, launch, in_force, checked, capable.jobs)
    finally:
        for line in leftovers.close(request.places, home):
            request.listener.say(line)


def _capable(request: Request, known: Inputs, mounts: Mounts | None) -> Capable:
    """How many jobs there may be; what is lacking for more is printed."""
    shared = mounts is not None and mounts.ability.means is Means.OVERLAY
    home, jobs = request.home.path, request.options.jobs or known.config.jobs
    capable = capabilities.check(request.places.locks, home, known.tree_bytes, jobs=jobs, shared=shared)
    for lack in capable.lacking:
        request.listener.say(str(Problem(lack, severity=Severity.WARNING)))
    return capable


def _surroundings(request: Request, known: Inputs, home: Path) -> Surroundings:
    """The folders around the checkouts as they should be: tool configuration above them counts since the first start.

    Folders that an earlier run left in the home are its worktrees.
    """
    state, places = request.state, request.places
    packages = {*known.order.index, *state.packages, *state.removed}
    names = {*places.gate_checkouts, *(name for package in packages for name in places.checkouts_of(package))}
    names |= surroundings.folders_in(home)
    above = state.started.above if state.started and state.home == state.started.home else None
    there = surroundings.configuration_above(home) if above is None else frozenset(above)
    return Surroundings(home, frozenset(names), there)


def _foreign(one: Foreign) -> Problem:
    what, _, line = str(one).partition("\n")
    return Problem(what, hint=line.strip())


def _repository_name(request: Request) -> str:
    """The name of the worktrees' folders: as the journal has it, a run keeps its places wherever its repository is."""
    if started := request.state.started:
        return started.repository_name
    return homes.repository_name(request.repo, request.checkout)


def _warn_of_file_system(request: Request) -> None:
    for warning in claims.check_file_system(request.places):
        request.listener.say(str(warning))


def _find(request: Request) -> tuple[str, str, str]:
    """The base, where it came from, and the commit with an edited plan ("" when there is none)."""
    repo, folder, places, state = request.repo, request.folder, request.places, request.state
    commit, came_from = inputs.find_base(repo, folder, places, request.options.base, state)
    if state.single:
        single.check_unplanned(repo, places, state, inputs.find_current(repo, folder, places, state))
        return commit, came_from, ""
    return commit, came_from, inputs.find_edited_plan(repo, folder, places, state)


def _read_inputs(request: Request, found: tuple[str, str, str]) -> tuple[Inputs, InputEdits]:
    """Plan, configuration and repository, checked as a whole; warnings are printed, errors are raised together."""
    repo, places, options, state = request.repo, request.places, request.options, request.state
    (commit, came_from, edited), began = found, time.monotonic()
    inputs.anchor(repo, places, commit)
    made = single.pin(request, commit, came_from)
    plan_from = edited or state.plan_commit
    current = inputs.find_current(repo, request.folder, places, state)
    configured = configuration_edit.find(repo, state, commit, current)
    older = current if current and not state.single and inputs.is_older_plan(repo, places, state, current) else ""
    known = inputs.load(
        repo,
        places,
        commit,
        came_from,
        request.folder,
        configured=configured,
        plan_from=plan_from,
        older=older,
        made=made,
    )
    known = plan_edit.numbered(known, state, edited=bool(edited))
    trees = Trees(repo, places.trees)
    problems = [*known.problems, *check_repository(trees, commit), *ignored_scope.check(trees, commit, known.plan)]
    problems += inputs.branch_problems(repo, places, commit)
    if not state.started:
        problems += inputs.behind_upstream(repo, request.folder, commit, came_from)
        problems += inputs.beside_branch(repo, places, commit)
    if options.only and options.only not in known.order.index:
        near = inputs.nearest(options.only, known.order.topological)
        problems.append(Problem(f"there is no package {options.only!r}", where="--only", hint=near))
    problems += plan_edit.problems(state, options.restart, known)
    wanted = [acceptance.read(word) for word in options.accept]
    refused = (acceptance.problem(one, state.gate_rows, [gate.name for gate in known.gates]) for one in wanted)
    problems += [one for one in refused if one]
    base_check.report(problems, request.listener)
    tip = commit if came_from == places.branch else repo.ref(places.branch_ref) or ""
    known = replace(known, seconds=time.monotonic() - began, tip=tip)
    if not edited:
        return known, InputEdits(None, configured)
    edit = plan_edit.edit(repo, places, state, known, edited)
    request.listener.say(plan_edit.describe(edit, known.plan.revision, state))
    return known, InputEdits(edit, configured)


def _open(run: Run, request: Request, known: Inputs, edits: InputEdits) -> None:
    """Write the first event, or take in what is asked of a run that goes on."""
    options, places, plan = request.options, request.places, run.in_force
    outlined = outline(plan.plan, plan.order, state=places.state, jobs=run.jobs)
    if command := run.spec.config.announce:
        launch = replace(run.launch, cwd=request.checkout or request.folder)
        announcer = Announcer(shlex.split(command), launch, places.announce_log, run.post)
        run.listener = Listeners([run.listener, announcer])
    run.listener.begin(outlined, run.journal.events())
    if run.state.started:
        run.move = _find_move(run)
        again, restart = (False, ()) if run.move else (options.retry_failed, options.restart)
        configured = edits.configuration.event
        go_on.go_on(run, edits.plan, only=options.only, retry_failed=again, restart=restart, configured=configured)
        _agree_to_branch(run)
    else:
        if options.retry_failed:
            request.listener.say(
                "--retry-failed: there is no run yet, so nothing to try again; this one starts as usual"
            )
        run.record(_first_event(run, options.only, known))
    for wanted in map(acceptance.read, options.accept):
        kinds = {kind: tuple(ids) for kind, ids in acceptance.accept(wanted, run.state.gate_rows).items()}
        run.record(e.GateAccepted(at=now(), gate=wanted.gate, kinds=kinds))
    for note in run.spec.notes:
        run.note(note)
    places.run_id.unlink(missing_ok=True)  # the journal has it
    places.handoff.unlink(missing_ok=True)  # the run goes on


def _find_move(run: Run) -> Move | None:
    """How somebody moved the feature branch, so that nothing starts: not where this very start is the consent to it."""
    repo, places, state = run.workspace.repo, run.workspace.places, run.state
    move = feature_branch.find_move(repo, places, state, run.spec.base)
    return None if move and move.tip == state.asked else move


def _agree_to_branch(run: Run) -> None:
    """Where the branch is as the last halt named it, the same command again is the user's consent to that."""
    repo, places, state = run.workspace.repo, run.workspace.places, run.state
    tip = repo.ref(places.branch_ref) or ""
    if run.move or tip != state.asked:
        return
    move = feature_branch.describe(repo, places, tip, state.tip, run.spec.base)
    run.record(e.BranchMoveAccepted(at=now(), commit=tip))
    run.note("; ".join([f"with your consent {places.branch} is at {tip[:12] or 'no commit'}", *move.details()]))


def _first_event(run: Run, only: str, known: Inputs) -> e.RunStarted:
    spec, places, plan = run.spec, run.workspace.places, run.in_force.plan
    return e.RunStarted(
        at=now(),
        run_id=spec.run_id,
        change_id=places.change_id,
        base=spec.base,
        base_from=spec.base_from,
        plan_blob=known.plan_entry.oid,
        plan_revision=plan.revision,
        contracts_revision=plan.contracts.revision,
        packages={package.id: list(package.depends_on) for package in plan.packages},
        home=str(run.workspace.home),
        date=spec.date,
        agent=spec.agent_spec,
        jobs=run.jobs,
        only=only,
        attempts=attempts.count_made(run.workspace.repo, places),
        place=run_id.place(places),
        agent_from=spec.agent_from,
        author=str(spec.identity.author),
        committer=str(spec.identity.committer),
        carried=spec.carried,
        repository_name=run.workspace.source.repository_name,
        part=places.part,
        single=spec.single,
        plan_seconds=round(known.seconds, 3),
        above=sorted(run.workspace.surroundings.above) if run.workspace.surroundings else None,
        tip=known.tip,
    )
