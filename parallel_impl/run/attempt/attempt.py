"""One attempt at a package, from its base to a published result. Runs in a worker thread, one call per attempt.

An attempt's failure is data: `run` returns an `Outcome` with a code, whatever went wrong in the package. What the agent
did is on the attempt's ref before anything judges it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parallel_impl import storage, text
from parallel_impl.agents import prompt
from parallel_impl.agents.agent import Job as AgentJob
from parallel_impl.errors import Severity, UserError, printable
from parallel_impl.gates import setup, steps
from parallel_impl.git import scope
from parallel_impl.git.checkout import Checkout
from parallel_impl.git.repo import Change, GitError
from parallel_impl.git.staging import Ignored, Snapshot, Staging, Violation, Work
from parallel_impl.git.traces import Traces
from parallel_impl.git.union import Layer
from parallel_impl.plan import contracts
from parallel_impl.plan.model import Package, StepKind
from parallel_impl.processes.launch import Launch, Limits
from parallel_impl.processes.process import Ended, Reason
from parallel_impl.record import events as e
from parallel_impl.record.result import dump
from parallel_impl.record.state import INTERRUPTED
from parallel_impl.run.attempt import attempt_record, package_base, prompt_context, result
from parallel_impl.run.run import Ground, now, short_folder
from parallel_impl.storage import write_atomically

AGENT_ENDED = {Reason.TIMEOUT: "TIMEOUT", Reason.SILENT: "SILENT", Reason.STOPPED: INTERRUPTED}
MENDABLE = ("VERIFICATION_FAILED", "CONTRACT_INVALID")  # a retry after these goes on from the failed attempt's work


@dataclass(frozen=True, slots=True)
class Previous:
    """The attempt that failed before this one; `start` is the commit that a retry goes on from ("": the base)."""

    number: int
    code: str
    why: str
    start: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """What one attempt is about. `above`: the dependencies' accepted work, transitively, in topological order."""

    package: Package
    number: int
    above: tuple[Layer, ...] = ()
    previous: Previous | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended; `code` is "" when its work may be accepted. `changes` are those of `commit`."""

    result: Mapping[str, Any]
    commit: str = ""
    changes: tuple[Change, ...] = ()
    code: str = ""
    why: str = ""
    seconds: float = 0.0
    setup_seconds: float = 0.0

    @property
    def from_base(self) -> bool:
        """Whether a retry starts from the package's base rather than from this attempt's work."""
        return self.code not in MENDABLE


@dataclass(slots=True)
class Attempt:
    """What an attempt has got so far; filled by the stages of `_Stages`, told by `run.attempt.result`."""

    ground: Ground
    job: Job
    base: str = ""
    commit: str = ""
    code: str = ""
    why: str = ""
    work: Work = field(default_factory=lambda: Work(""))
    outside: tuple[Violation, ...] = ()
    left_out: tuple[Ignored, ...] = ()
    verification: steps.Verification | None = None
    agent_started: bool = False
    began: float = 0.0
    setup_seconds: float = 0.0

    @property
    def folder(self) -> Path:
        return self.ground.places.attempt(self.job.package.id, self.job.number)

    @property
    def package(self) -> Package:
        return self.job.package


class _FailureError(Exception):
    """Ends the attempt; caught by `run` alone, which makes data of it."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code, self.why = code, why


def run(ground: Ground, job: Job, tell: Callable[[e.Event], None]) -> Outcome:
    """Do one attempt, whole. Every path and ref that it uses is a function of change, package and number.

    OSError when a disk is full: the failure of an attempt there has shown nothing about its work.
    """
    attempt = Attempt(ground, job, began=time.monotonic())
    attempt.folder.mkdir(parents=True, exist_ok=True)
    try:
        _do(attempt, tell)
    except _FailureError as failure:
        attempt.code, attempt.why = failure.code, printable(failure.why)
    except GitError as failure:
        attempt.code, attempt.why = "GIT_FAILED", str(failure)
    except OSError as failure:
        if storage.problem(failure):
            raise  # the machine's, not the package's: it costs no attempt
        attempt.code, attempt.why = "IO_FAILED", printable(str(failure))
    if attempt.code and ground.stop:  # whatever it looks like: a signal to all of us ends git and setup in odd ways
        attempt.code = INTERRUPTED
    if attempt.code and attempt.code != INTERRUPTED:
        storage.check_full(ground.home, ground.places.state, Path(tempfile.gettempdir()))
    seconds = time.monotonic() - attempt.began
    told = result.result(attempt, seconds)
    write_atomically(attempt.folder / "result.json", dump(told))
    return Outcome(
        told, attempt.commit, attempt.work.changes, attempt.code, attempt.why, seconds, attempt.setup_seconds
    )


def _do(attempt: Attempt, tell: Callable[[e.Event], None]) -> None:
    """The stages of an attempt, in order; the first that fails ends it."""
    ground, job, package = attempt.ground, attempt.job, attempt.package
    attempt.base = package_base.lay(ground, package.id, job.above)
    start = job.previous.start if job.previous and job.previous.start else attempt.base
    checkout = ground.source.open(package.id, start, branch=ground.places.package_branch(package.id))
    try:
        _make_ready(attempt, checkout, "setup.log")
        _work(attempt, checkout)
        _check_scope(attempt)
        tell(e.AttemptVerifying(at=now(), package=package.id, number=job.number))
        _check_contracts(attempt)
        _verify(attempt)
    except BaseException as failure:
        _leave(attempt, checkout, failure)
        raise
    put_away(ground, checkout, job.number)


def _make_ready(attempt: Attempt, checkout: Checkout, log: str) -> None:
    ground = attempt.ground
    with short_folder(ground.run_id) as temporary:
        outcome = setup.make_ready(
            checkout.path,
            ground.setup,
            env={**ground.environment, **_variables(attempt), "TMPDIR": temporary},
            log=attempt.folder / log,
            caches=ground.caches,
            stop=ground.stop,
            mask=ground.mask,
        )
    attempt.setup_seconds += outcome.seconds
    if outcome.failure:
        raise _FailureError(
            INTERRUPTED if outcome.stopped else "SETUP_FAILED", f"{outcome.failure}\nlog: {outcome.log}"
        )


def _work(attempt: Attempt, checkout: Checkout) -> None:
    """The agent in its worktree, and what it did as one commit on the attempt's ref, however the agent ended."""
    ground, package = attempt.ground, attempt.package
    taking = Staging(
        ground.trees,
        checkout,
        base=attempt.base,
        left_out=(ground.places.tasks_file,),
        max_blob_mb=ground.config.max_blob_mb,
    )
    before = taking.before(set_up=bool(ground.setup))
    ended = _run_agent(attempt, checkout, before)
    if ended.reason is Reason.EXITED and (left := ended.survivors):
        ground.note(f"{package.id}: its agent left {left} process{'es' * (left != 1)} running: ended")
    result.take(attempt, taking, before)
    if attempt.work.unstageable:
        listed = "\n".join(f"  {violation}" for violation in attempt.work.unstageable)
        raise _FailureError("UNSTAGEABLE", f"the worktree cannot be taken:\n{listed}")
    attempt.left_out = tuple(scope.spell_out(checkout.path, attempt.work.ignored, package.scope))
    if not ended.clean:
        code = AGENT_ENDED.get(ended.reason, "AGENT_FAILED")
        tail = text.tail(attempt.folder / "agent.log")
        raise _FailureError(code, f"the agent: {ended}; log: {attempt.folder / 'agent.log'}\n{tail}".rstrip())


def _run_agent(attempt: Attempt, checkout: Checkout, before: Snapshot) -> Ended:
    ground, job, package = attempt.ground, attempt.job, attempt.package
    if ground.agent is None:
        raise ValueError("a run that executes has an agent")
    prompt_file, result_file = attempt.folder / "prompt.md", attempt.folder / "reported.json"
    previous = job.previous
    told = f"{previous.code}: {previous.why}" if previous else ""
    continues = bool(previous and previous.start)
    collected = prompt_context.collect(ground, package, checkout.commit, job.above, previous=told, continues=continues)
    write_atomically(prompt_file, prompt.render(collected).encode())
    environment = setup.environment_of(checkout.path, ground.agent_environment) | _variables(attempt)
    silence = ground.config.silence_minutes * 60
    attempt_record.note(attempt.folder, checkout, before)
    attempt.agent_started = True
    with short_folder(ground.run_id) as temporary:
        launch = Launch(
            checkout.path,
            {**environment, "PARALLEL_IMPL_RESULT_FILE": str(result_file), "TMPDIR": temporary},
            Limits(package.timeout_minutes * 60, silence_seconds=silence),
            stop=ground.stop,
            mask=ground.mask,
            namespace=ground.namespace,
        )
        return ground.agent.work(
            AgentJob(
                package_id=package.id,
                change_id=ground.places.change_id,
                attempt=job.number,
                prompt_file=prompt_file,
                result_file=result_file,
                log=attempt.folder / "agent.log",
                launch=launch,
                started=lambda pid: attempt_record.note(attempt.folder, checkout, before, pid=pid),
            )
        )


def _check_scope(attempt: Attempt) -> None:
    """Everything that changed is the package's to change, and can be taken."""
    ground = attempt.ground
    found = scope.violations(
        ground.trees,
        attempt.work.changes,
        attempt.package.scope,
        base=attempt.base,
        denied=(ground.places.plan_file,),
    )
    attempt.outside = (*attempt.work.too_big, *found)
    if attempt.outside:
        listed = "\n".join(f"  {violation}" for violation in attempt.outside)
        count = len(attempt.outside)
        raise _FailureError("SCOPE_VIOLATION", f"{count} path{'s' * (count != 1)} may not be changed so:\n{listed}")


def _check_contracts(attempt: Attempt) -> None:
    """The contracts that this package writes exist and are valid now."""
    ground = attempt.ground
    outputs = contracts.made_by(ground.plan, attempt.package, ground.places.folder)
    problems = contracts.check(
        ground.plan,
        lambda path: ground.repo.read(attempt.commit, path),
        folder=ground.places.folder,
        openapi_seconds=ground.config.openapi_seconds,
        only=outputs,
    )
    errors = [str(problem) for problem in problems if problem.severity is Severity.ERROR]
    if errors:
        raise _FailureError("CONTRACT_INVALID", "\n".join(errors))


def _verify(attempt: Attempt) -> None:
    """The package's steps pass in a fresh checkout of the attempt's commit, never in the folder the agent left."""
    ground, package = attempt.ground, attempt.package
    if not any(step.kind is StepKind.COMMAND for step in package.steps):
        attempt.verification = steps.not_run(package)
        return
    checkout = ground.source.open(f"{package.id}.verify", attempt.commit)
    try:
        _make_ready(attempt, checkout, "verify-setup.log")
        traces = Traces(ground.trees, checkout, set_up=bool(ground.setup))
        with short_folder(ground.run_id) as temporary:
            attempt.verification = steps.run_steps(
                package,
                checkout=checkout.path,
                folder=attempt.folder,
                env={**ground.environment, **_variables(attempt), "TMPDIR": temporary},
                changed=traces.changed,
                files_modified=len(attempt.work.changes),
                stop=ground.stop,
                mask=ground.mask,
            )
    finally:
        put_away(ground, checkout, attempt.job.number)
    if attempt.verification.stopped:
        raise _FailureError(INTERRUPTED, "the run was stopped during verification")
    if not attempt.verification.passed:
        raise _FailureError("VERIFICATION_FAILED", attempt.verification.why)


def _leave(attempt: Attempt, checkout: Checkout, failure: BaseException) -> None:
    """After a failure: what an agent did and no ref has is never removed with its worktree.

    It is kept whole; or it stays where it is when the run itself ends by this (a full disk, a lock of git in the
    way): then the attempt is not journalled as over, and the next start takes it.
    """
    ends_run = isinstance(failure, UserError) or (isinstance(failure, OSError) and storage.problem(failure))
    untaken = attempt.agent_started and not attempt.commit
    if untaken and ends_run:
        return
    if attempt.work.unstageable or untaken:
        kept = checkout.keep(attempt.job.number)
        attempt.ground.note(f"{attempt.package.id}: its worktree could not be taken and is kept whole: {kept}")
    else:
        put_away(attempt.ground, checkout, attempt.job.number)


def put_away(ground: Ground, checkout: Checkout, number: int) -> None:
    """Remove a checkout; what cannot be removed (files of root, of a container) goes to `.kept` and is named."""
    try:
        checkout.remove()
    except OSError as error:
        ground.note(f"{error}; moved to {checkout.keep(number)}")


def _variables(attempt: Attempt) -> dict[str, str]:
    return attempt.ground.variables(attempt.package.id, attempt.job.number)
