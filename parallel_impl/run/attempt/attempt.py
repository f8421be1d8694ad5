"""One attempt at a package, from its base to a published result. Runs in a worker thread, one call per attempt.

An attempt's failure is data: `run` returns an `Outcome` with a code, whatever went wrong in the package. What the agent
did is on the attempt's ref before anything judges it.
"""

from __future__ import annotations

import errno
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

from parallel_impl import environment, storage, text
from parallel_impl.agents import prompt
from parallel_impl.agents.agent import AgentJob, Worked
from parallel_impl.contracts import check as contracts
from parallel_impl.errors import Severity, UserError, count, printable
from parallel_impl.gates import setup, steps
from parallel_impl.gates.steps import StepResult, StepStatus, Verification
from parallel_impl.git import scope
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.edits import SetUpChanges
from parallel_impl.git.remove import open_folders, remove
from parallel_impl.git.repo import GitError
from parallel_impl.git.side_work import TakenTree
from parallel_impl.git.staging import Snapshot, Staging
from parallel_impl.git.traces import Traces
from parallel_impl.git.walk import CACHE_RULE
from parallel_impl.plan.model import Step, StepKind
from parallel_impl.processes.launch import Launch, Limits
from parallel_impl.processes.process import Reason
from parallel_impl.record import events as e
from parallel_impl.record.codes import FAILS_TOO, Failure
from parallel_impl.record.journal import now
from parallel_impl.record.result import dump
from parallel_impl.record.times import TimePhase
from parallel_impl.run import gate_runs, on_base, own_tests, stopwatch
from parallel_impl.run.attempt import (
    agent_limits,
    agent_report,
    attempt_record,
    configuration,
    emptiness,
    gate_steps,
    package_base,
    prompt_context,
    rescue,
    result,
    resume,
    take_work,
)
from parallel_impl.run.attempt.job import Attempt, Job, Kept, Outcome, Post
from parallel_impl.run.launch import equip, fresh_changes, make_ready
from parallel_impl.run.spec import RunSpec, Workspace, own_files
from parallel_impl.run.stopwatch import phase
from parallel_impl.storage import write_atomically
from parallel_impl.views.slot import ViewError

SHOWN = 20  # paths in a failure
AGENT_NICE = 5  # agents mostly wait for their models; what is measured by time limits comes first

RunAttempt = Callable[[RunSpec, Workspace, Launch, Job, Post], Outcome]


class _FailureError(Exception):
    """Ends the attempt; caught by `run` alone, which makes data of it."""

    def __init__(self, code: Failure, why: str) -> None:
        super().__init__(why)
        self.code, self.why = code, why


def run(spec: RunSpec, workspace: Workspace, launch: Launch, job: Job, post: Post) -> Outcome:
    """Do one attempt, whole. Every path and ref that it uses is a function of change, package and number.

    OSError when a disk is full: the failure of an attempt there has shown nothing about its work.
    """
    stopwatch.start(job.slot_wait)
    spec = replace(spec, slots=spec.slots.measured_by(job.slot_wait))
    attempt = Attempt(spec, workspace, launch, job, post, began=time.monotonic())
    died = workspace.count_deaths()
    storage.put_aside(attempt.files.folder, ".aside")  # an earlier agent may have made it: a FIFO for a log, say
    attempt.files.folder.mkdir(parents=True)
    try:
        _pass_stages(attempt)
    except _FailureError as failure:
        attempt.code, attempt.why = failure.code, printable(failure.why)
    except ViewError as failure:  # the machine's too: it is tried again, and ends the run when it happens often
        attempt.code, attempt.why, attempt.view_failed = Failure.INTERRUPTED, failure.problems[0].what, True
    except GitError as failure:
        attempt.code, attempt.why = Failure.GIT_FAILED, str(failure)
    except OSError as failure:
        if _is_machines(attempt, failure):
            raise  # not the package's: it costs no attempt
        attempt.code, attempt.why = Failure.IO_FAILED, printable(str(failure))
    _excuse_death(attempt, died)
    # whatever it looks like then: a signal to all of us ends git and set-up in odd ways
    if attempt.code and any(launch.stops):
        attempt.code = Failure.INTERRUPTED
    if attempt.code and attempt.code.costs_retry:
        storage.check_full(workspace.home, workspace.places.state, Path(tempfile.gettempdir()))
    return _publish(attempt)


def _excuse_death(attempt: Attempt, before: int) -> None:
    """Where the slot died meanwhile a failure has shown nothing: files may have been out of sight."""
    if attempt.code and not attempt.view_failed and attempt.workspace.count_deaths() != before:
        words = "the process that mounts views ended meanwhile"
        attempt.code, attempt.why, attempt.view_failed = Failure.INTERRUPTED, f"{words}: {attempt.why}", True


def _is_machines(attempt: Attempt, failure: OSError) -> bool:
    """Whether a full disk, say, is why; not what an agent or a step left closed, in folders that are open."""
    closed, named = failure.errno in (errno.EACCES, errno.EPERM), Path(str(failure.filename))
    reached = (attempt.workspace.home, attempt.workspace.places.attempts)
    theirs = any(named.is_relative_to(folder) and os.access(folder, os.W_OK | os.X_OK) for folder in reached)
    return storage.problem(failure) is not None and not (closed and theirs)


def _pass_stages(attempt: Attempt) -> None:
    """The stages of an attempt, in order; the first that fails ends it."""
    workspace, job, package = attempt.workspace, attempt.job, attempt.package
    attempt.base = package_base.make(attempt.spec, workspace, job.in_force.order, package.id, job.above)
    if job.kept:
        _take_again(attempt, job.kept)
        _judge(attempt)
        return
    start = job.previous.start if job.previous and job.previous.start else attempt.base
    checkout = workspace.open_checkout(package.id, start, branch=workspace.places.package_branch(package.id))
    try:
        _set_up(attempt, checkout, attempt.files.setup_log)
        _work(attempt, checkout)
        _judge(attempt)
    except BaseException as failure:
        _leave(attempt, checkout, failure)
        raise


def _judge(attempt: Attempt) -> None:
    """What is in the attempt's commit, from its scope to its steps."""
    package, number = attempt.package.id, attempt.job.number
    _check_scope(attempt)
    _check_changes(attempt)
    attempt.workspace.put_away(package, number, attempt.note)  # another agent may have its room now
    attempt.post(e.AttemptVerifying(at=now(), package=package, number=number))
    _check_contracts(attempt)
    _verify(attempt)


@phase(TimePhase.TAKING)
def _take_again(attempt: Attempt, kept: Kept) -> None:
    """The work of an earlier attempt as this one's, with what its agent reported about it."""
    taken = take_work.take_again(attempt.spec, attempt.workspace, attempt.job, kept.commit, base=attempt.base)
    attempt.work, attempt.commit = taken.work, taken.commit
    agent_report.take(attempt)


def _publish(attempt: Attempt) -> Outcome:
    """Write the result where everybody looks for it, and hand it back."""
    if not attempt.code and not attempt.work.changes and (lost := _in_scope_but_left_out(attempt)):
        attempt.note(f"it changed nothing that counts: {lost.strip()}")
    if attempt.code and attempt.code.costs_retry:
        attempt.why += _in_scope_but_left_out(attempt) + rescue.describe(attempt.elsewhere)
    seconds, secrets = time.monotonic() - attempt.began, attempt.launch.mask
    measured = stopwatch.running().times()
    attempt.why = environment.masked(attempt.why, secrets)
    published = result.result(attempt, seconds)
    write_atomically(attempt.files.result, text.masked(dump(published), secrets))
    storage.mask_files(attempt.files.folder, secrets, ours=attempt.files.ours)
    return Outcome(
        published,
        attempt.commit,
        attempt.work.changes,
        attempt.code,
        attempt.why,
        seconds,
        attempt.setup_seconds,
        attempt.job.slot_wait.seconds,
        seen=attempt.seen,
        view_failed=attempt.view_failed,
        private_home=attempt.private_home,
        tests=_own_tests(attempt),
        times=measured,
        whole=not attempt.work.not_taken and (bool(attempt.work.changes) or not attempt.elsewhere),
        layer=attempt.layer,
    )


def _own_tests(attempt: Attempt) -> str:
    """The digest of what passed in its steps."""
    if attempt.verification is None:
        return ""
    changed = (change.path for change in attempt.work.changes if change.status != "D")
    return own_tests.write(attempt.files, attempt.verification.steps, changed)


def _in_scope_but_left_out(attempt: Attempt) -> str:
    """What an agent wrote where it may and what is not in its work: the next one must know why it is gone."""
    inside = (one for one in attempt.left_out if scope.lies_in(one.path, attempt.package.scope))
    found = [f"{one.path} ({one.rule})" for one in inside if one.rule != CACHE_RULE]
    if not found:
        return ""
    more = f"\n  and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "\n".join(["\nin its scope, but left out of its work:", *(f"  {one}" for one in found[:SHOWN])]) + more


def _set_up(attempt: Attempt, checkout: Checkout, log: Path, changes: SetUpChanges | None = None) -> None:
    with _equip(attempt, checkout) as launch:
        outcome = make_ready(
            attempt.spec,
            launch,
            checkout,
            log,
            tell=attempt.post,
            package=attempt.package.id,
            number=attempt.job.number,
            changes=changes,
        )
    attempt.setup_seconds += outcome.seconds
    if outcome.failure:
        code = Failure.INTERRUPTED if outcome.stopped else Failure.SETUP_FAILED
        raise _FailureError(code, f"{outcome.failure}{_why_own(checkout)}\nlog: {outcome.log}")


def _why_own(checkout: Checkout) -> str:
    """The path that made a set-up of its own necessary; "" where none did."""
    path = checkout.mounted.why if checkout.mounted else ""
    return printable(f"\nit has a set-up of its own because of {path}") if path else ""


@phase(TimePhase.TAKING)
def _work(attempt: Attempt, checkout: Checkout) -> None:
    """The agent in its worktree, and what it did as one commit on the attempt's ref, however the agent ended."""
    spec, workspace = attempt.spec, attempt.workspace
    staging = take_work.stage(spec, workspace, checkout, attempt.job, base=attempt.base)
    before = staging.before(set_up=bool(spec.setup))
    # its TMPDIR stays until it is known what lies there: it may have made itself a worktree in it
    with _equip(attempt, checkout, replace(attempt.launch, env=spec.agent_environment)) as launch:
        worked = _run_agent(attempt, checkout, before, launch)
        _take(attempt, checkout, staging, before, worked)
    if worked.code:
        first, _, more = worked.why.partition("\n")
        raise _FailureError(worked.code, f"{first}; log: {attempt.files.agent_log}\n{more}".rstrip())


def _take(attempt: Attempt, checkout: Checkout, staging: Staging, before: Snapshot, worked: Worked) -> None:
    """What the agent reported, what lies in its worktree, and what it left elsewhere."""
    spec, workspace = attempt.spec, attempt.workspace
    attempt.seen = worked.seen
    checkout.mount_again()
    agent_report.take(attempt)
    for note in worked.notes:
        attempt.note(note)
    if worked.ended.reason is Reason.EXITED and (left := worked.ended.survivors):
        attempt.note(f"its agent left {left} process{'es' * (left != 1)} running: ended")
    taken = take_work.take(spec, workspace, attempt.job, staging, before, base=attempt.base)
    attempt.work, attempt.commit = taken.work, taken.commit
    if attempt.work.unstageable:
        listed = "\n".join(f"  {violation}" for violation in attempt.work.unstageable)
        raise _FailureError(Failure.UNSTAGEABLE, f"the worktree cannot be taken:\n{listed}")
    workspace.trees.learn(attempt.commit, attempt.work.tree, attempt.base, attempt.work.changes)
    attempt.left_out = tuple(scope.spell_out(checkout.files, attempt.work.ignored, attempt.package.scope))
    _look_elsewhere(attempt, checkout, before)


def _look_elsewhere(attempt: Attempt, checkout: Checkout, before: Snapshot) -> None:
    """What its agent committed or stashed and did not leave in the worktree, before its repository goes."""
    changed = frozenset(change.path for change in attempt.work.changes)
    own = frozenset(own_files(attempt.spec, attempt.workspace.places, attempt.plan))
    attempt.elsewhere = rescue.save(
        attempt.spec,
        attempt.workspace,
        checkout,
        TakenTree(attempt.work.tree, changed, before.tree, own),
        package=attempt.package.id,
        number=attempt.job.number,
        note=attempt.note,
    )
    attempt.searched = True


@phase(TimePhase.AGENT)
def _run_agent(attempt: Attempt, checkout: Checkout, before: Snapshot, launch: Launch) -> Worked:
    spec, job, files = attempt.spec, attempt.job, attempt.files
    collected = prompt_context.collect(attempt.workspace, spec, job, checkout.commit)
    write_atomically(files.prompt, prompt.render(collected).encode())
    going_on = resume.find(attempt, collected)
    attempt_record.note(files.record, checkout, before)
    attempt.agent_started = True
    inside = setup.environment_of(checkout.files, launch.env, checkout.view)
    told = {"PARALLEL_IMPL_RESULT_FILE": str(files.reported), "PARALLEL_IMPL_REPORT_FILE": str(files.report)}
    worked = attempt.agent.work(
        AgentJob(
            package_id=job.package.id,
            change_id=attempt.workspace.places.change_id,
            attempt=job.number,
            prompt_file=files.prompt,
            result_file=files.reported,
            log=files.agent_log,
            launch=replace(
                launch,
                cwd=checkout.path,
                env={**inside, **told},
                limits=Limits(agent_limits.seconds(job), silence_seconds=spec.config.silence_minutes * 60),
                stop=(*launch.stops, job.cutoff.stop),
                namespace=spec.namespace,
                nice=AGENT_NICE,
            ),
            started=lambda pid: attempt_record.note(files.record, checkout, before, pid=pid),
            home=attempt.workspace.places.client_home(job.package.id),
            activity=files.activity,
            raw=files.raw,
            write_allow=job.package.scope.write_allow,
            deny=job.package.scope.deny,
            may_be_empty=emptiness.by_plan(job),
            resume=going_on,
            budget=job.budget,
            heard=agent_limits.Teller(job, attempt.post).tell,
        )
    )
    _open_own_folders(attempt)
    return agent_limits.judge(job, worked, spec.config.silence_minutes)


def _open_own_folders(attempt: Attempt) -> None:
    """An agent or a step may close the folder that it was to write to: it is ours, and read from now on."""
    for folder in (attempt.files.folder, attempt.files.steps):
        if os.path.lexists(folder) and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            open_folders(folder)


def _equip(attempt: Attempt, checkout: Checkout, launch: Launch | None = None) -> AbstractContextManager[Launch]:
    spec, workspace, job = attempt.spec, attempt.workspace, attempt.job
    own = launch or attempt.launch
    return equip(own, spec, workspace, checkout, tell=attempt.post, package=job.package.id, attempt=job.number)


def _check_scope(attempt: Attempt) -> None:
    """Everything that changed is the package's to change, and can be taken."""
    workspace = attempt.workspace
    found = scope.violations(
        workspace.trees,
        attempt.work.changes,
        attempt.package.scope,
        base=attempt.base,
        denied=(workspace.places.plan_file,),
    )
    attempt.outside = (*attempt.work.too_big, *found, *configuration.violations(attempt))
    if attempt.outside:
        listed = "\n".join(f"  {violation}" for violation in attempt.outside)
        raise _FailureError(Failure.SCOPE_VIOLATION, f"{_what_is_wrong(attempt)}:\n{listed}")


def _what_is_wrong(attempt: Attempt) -> str:
    """The first line about refused paths: a link that leads out, or a file that is too big, lies in the scope."""
    refused, allowed = {one.path for one in attempt.outside}, attempt.package.scope
    if all(allowed.refusal(path) for path in refused):
        return f"{count(len(refused), 'path')} {'is' if len(refused) == 1 else 'are'} outside the scope"
    return f"{count(len(refused), 'path')} cannot be taken as {'it is' if len(refused) == 1 else 'they are'}"


def _check_changes(attempt: Attempt) -> None:
    """No change is no work, unless the package may be empty, and its work does not lie elsewhere."""
    if attempt.work.changes:
        return
    if attempt.elsewhere:
        raise _FailureError(Failure.NO_CHANGES, emptiness.ELSEWHERE)
    if not emptiness.allowed(attempt):
        raise _FailureError(Failure.NO_CHANGES, emptiness.WHY)


@phase(TimePhase.VERIFICATION)
def _check_contracts(attempt: Attempt) -> None:
    """The contracts that this package writes exist and are valid now."""
    repo, folder = attempt.workspace.repo, attempt.workspace.places.folder
    outputs = contracts.made_by(attempt.plan, attempt.package, folder)
    problems = contracts.check(
        attempt.plan,
        lambda path: repo.read(attempt.commit, path),
        folder=folder,
        openapi_seconds=attempt.spec.config.openapi_seconds,
        only=outputs,
    )
    errors = [str(problem) for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        raise _FailureError(Failure.CONTRACT_INVALID, "\n".join(errors))


@phase(TimePhase.VERIFICATION)
def _verify(attempt: Attempt) -> None:
    """The package's steps pass in a fresh checkout of the attempt's commit, never in the folder the agent left."""
    package, by_gates = attempt.package, attempt.spec.single
    if not (gate_steps.runs_any(attempt) if by_gates else any(step.kind is StepKind.COMMAND for step in package.steps)):
        attempt.verification = steps.not_run(package)
        return
    attempt.verification = _verify_in_checkout(attempt, gate_steps.run if by_gates else _run_steps)
    if (red := attempt.verification.red_beside) and not any(attempt.launch.stops):
        _verify_alone(attempt, red)
    if attempt.verification.stopped:
        raise _FailureError(Failure.INTERRUPTED, "the run was stopped during verification")
    if attempt.verification.passed:
        return
    if why := _cannot_start(attempt, attempt.verification):
        raise _FailureError(Failure.STEP_CANNOT_START, why)
    raise _FailureError(Failure.VERIFICATION_FAILED, _beside_base(attempt, attempt.verification))


def _old_failures(attempt: Attempt, step: Step) -> tuple[str, ...]:
    """The tests of a step that fail on the base, each of two times; waits until that is known."""
    before = _on_base(attempt, step)
    return before.excused if before else ()


@phase(TimePhase.BASE)
def _on_base(attempt: Attempt, step: Step) -> StepResult | None:
    """What a step does on the base, waited for; None where it did not run there."""
    trying = attempt.job.on_base.steps.result(step) if attempt.job.on_base else None
    try:
        return gate_runs.wait_for(trying, attempt.launch.stops) if trying else None
    except CancelledError:
        return None


def _beside_base(attempt: Attempt, verification: Verification) -> str:
    """Why the steps failed, and which of the tests that did so fail on the base too, as far as that is known by now."""
    failed = next((one for one in verification.steps if one.status is StepStatus.FAILED), None)
    step = next((one for one in attempt.package.steps if failed and one.name == failed.name), None)
    before = attempt.job.on_base.steps.known(step) if step and attempt.job.on_base else None
    if not (failed and step and before) or step.old_failures:
        return verification.why
    too = tuple(one for one in failed.failing if one in before.failing)
    if not too:
        return verification.why
    first, *log = verification.why.split("\n")
    told = f"{FAILS_TOO}{steps.listed(too)}; `old_failures: allowed` on its step in the plan excuses what fails twice"
    return "\n".join([first, printable(told), *log])


def _cannot_start(attempt: Attempt, verification: Verification) -> str:
    """Why the step that failed cannot start whatever an agent does, and the line to write; "" where that is not so."""
    failed = verification.unstarted
    if failed is None:
        return ""
    step = next(one for one in attempt.package.steps if one.name == failed.name)
    before = _on_base(attempt, step)
    if before is None or before.cannot_start != failed.cannot_start:
        return ""
    hint = on_base.correction(attempt.spec, failed.cannot_start)
    return f"step {step.name!r} cannot start, on the base neither: {failed.cannot_start}\n{hint}; log: {failed.log}"


def _prepare_verification(attempt: Attempt, checkout: Checkout) -> None:
    changes = fresh_changes(attempt.spec, attempt.workspace, checkout)
    _set_up(attempt, checkout, attempt.files.verify_setup_log, changes)


def _check_surroundings(attempt: Attempt, checkout: Checkout) -> None:
    """Nothing lies around the checkout that its steps could read and no commit has; else they prove nothing."""
    if found := attempt.workspace.foreign(checkout, usual=attempt.spec.beside):
        why = "\n".join(("its steps prove nothing:", *map(str, found)))
        raise _FailureError(Failure.FOREIGN_FILES, why)


def _verify_in_checkout(attempt: Attempt, run: Callable[[Attempt, Launch, Checkout], Verification]) -> Verification:
    name = attempt.workspace.places.verify_checkout(attempt.package.id)
    checkout = attempt.workspace.open_checkout(name, attempt.commit)
    try:
        _prepare_verification(attempt, checkout)
        mounted = checkout.mounted
        attempt.layer = mounted.layer.name if mounted and mounted.layer else ""
        _check_surroundings(attempt, checkout)
        with _equip(attempt, checkout) as launch:
            found = run(attempt, launch, checkout)
            _open_own_folders(attempt)
        _check_surroundings(attempt, checkout)
        return found
    finally:
        attempt.workspace.put_away(name, attempt.job.number, attempt.note)


def _verify_alone(attempt: Attempt, red: str) -> None:
    """A step failed while other heavy work of ours ran: all of them once more, alone, and only that counts.

    In a checkout of its own: a step that passes only on what its first run left has not passed. The logs of the first
    verification are kept.
    """
    first, files = attempt.verification, attempt.files
    assert first is not None  # noqa: S101  (the caller has it)
    remove(files.steps_beside)
    files.steps.rename(files.steps_beside)
    attempt.verification = _verify_in_checkout(attempt, partial(_run_steps, alone=True)).after(first)
    if attempt.verification.passed:
        attempt.note(f"step {red!r} was red under load, beside other heavy work, and passed alone")


def _run_steps(attempt: Attempt, launch: Launch, checkout: Checkout, *, alone: bool = False) -> Verification:
    traces = Traces(attempt.workspace.trees, checkout, set_up=bool(attempt.spec.setup))
    return steps.run_steps(
        attempt.package,
        checkout=checkout.files,
        view=checkout.view,
        folder=attempt.files.folder,
        env=launch.env,
        changed=traces.changed,
        before={},  # nothing has run since `traces` was made
        files_modified=len(attempt.work.changes),
        made={change.path for change in attempt.work.changes},
        started=lambda step, place: attempt.post(_step_started(attempt, step, place)),
        ended=lambda step: _tell_ended(attempt, step),
        old=lambda step: _old_failures(attempt, step),
        slot=lambda step: attempt.spec.slots.take(
            launch.stops, alone=alone, waits=lambda: attempt.post(_slot_awaited(attempt, step))
        ),
        stop=launch.stop,
        mask=launch.mask,
    )


def _step_started(attempt: Attempt, step: Step, place: int) -> e.StepStarted:
    package, number, all_steps = attempt.package.id, attempt.job.number, len(attempt.package.steps)
    return e.StepStarted(at=now(), package=package, number=number, step=step.name, place=place, steps=all_steps)


def _tell_ended(attempt: Attempt, step: StepResult) -> None:
    attempt.post(_step_ended(attempt, step))
    if step.excused:
        attempt.note(f"step {step.name!r} fails as on the base, which its plan allows: {steps.listed(step.excused)}")


def _slot_awaited(attempt: Attempt, step: Step) -> e.SlotAwaited:
    return e.SlotAwaited(at=now(), what=step.name, package=attempt.package.id, number=attempt.job.number)


def _step_ended(attempt: Attempt, step: StepResult) -> e.StepEnded:
    package, number, passed = attempt.package.id, attempt.job.number, step.status is StepStatus.PASSED
    seconds = round(step.seconds, 3)
    return e.StepEnded(at=now(), package=package, number=number, step=step.name, passed=passed, seconds=seconds)


def _leave(attempt: Attempt, checkout: Checkout, failure: BaseException) -> None:
    """After a failure: what an agent did and no ref has is never removed with its worktree.

    It is kept whole; or it stays where it is when the run itself ends by this (a full disk, a lock of git in the
    way): then the attempt is not journalled as over, and the next start takes it.
    """
    of_view = isinstance(failure, ViewError)
    is_machines = isinstance(failure, OSError) and _is_machines(attempt, failure)
    ends_run = is_machines or (isinstance(failure, UserError) and not of_view)
    untaken = attempt.agent_started and not (attempt.commit and attempt.searched)
    if untaken and ends_run:
        return
    if attempt.work.unstageable or untaken:
        attempt.note(f"its worktree could not be taken and is kept whole: {checkout.keep(attempt.job.number)}")
    else:
        attempt.workspace.put_away(attempt.package.id, attempt.job.number, attempt.note)
