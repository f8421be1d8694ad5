"""The loop: starts packages whose dependencies are accepted, settles attempts that ended, then integrates.

`execute` is the map of a run and can be read once from top to bottom. The main thread owns all state and decides;
workers run one attempt each and return an outcome.
"""

from __future__ import annotations

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from parallel_impl.git.repo import Repo
from parallel_impl.git.union import Layer
from parallel_impl.plan.order import longest_paths, start_order
from parallel_impl.processes.orphans import adopt_orphans
from parallel_impl.record import events as e
from parallel_impl.record import result
from parallel_impl.record.state import PackageState
from parallel_impl.run.attempt import attempt
from parallel_impl.run.attempt.attempt import Job, Outcome, Previous
from parallel_impl.run.interruption import Interruption
from parallel_impl.run.land import land, proof
from parallel_impl.run.land.land import Ending
from parallel_impl.run.run import Listener, Run, now
from parallel_impl.run.start import preflight
from parallel_impl.run.start.request import Options
from parallel_impl.storage import write_atomically


@dataclass(frozen=True, slots=True)
class Returned:
    """A worker is done with a job."""

    job: Job
    future: Future[Outcome]


Inbox = SimpleQueue[Returned | e.Event]


def implement(repo: Repo, folder: Path, options: Options, listener: Listener) -> int:
    """The command: preflight, then the run (or what a dry run says). Returns the exit code.

    UserError when the input or the repository is not usable; nothing has been started then. KeyboardInterrupt when a
    signal came before there was a run to stop.
    """
    adopt_orphans()
    with Interruption() as interruption:
        with preflight.prepare(repo, folder, options, listener, interruption.stop) as run:
            if run is None:
                return 0
            interruption.defer()
            ending = execute(run, only=preflight.wanted(run, options))
            if not run.state.landed:
                land.summarise(run, ending)
        for line in (*ending.lines, *(f"  note: {note}" for note in run.ground.notes)):
            listener.say(line)
    return ending.exit_code


def execute(run: Run, *, only: frozenset[str] | None = None) -> Ending:
    """Run all packages (or `only` these), put the accepted work together, prove it and land it.

    The run is on disk at every instant; the same call on the same journal goes on where it stopped.
    """
    inbox: Inbox = SimpleQueue()
    with (
        ThreadPoolExecutor(run.jobs, "attempt") as workers,
        proof.on_base(run) as base_proof,
    ):
        try:
            _loop(run, workers, inbox, only)
            run.look_at_repository(files=True)
            if run.state.tampering and not run.ground.stop:
                return land.halt(run, "REPOSITORY_CHANGED", "\n".join(run.state.tampering.what))
            ending = None if run.ground.stop else land.integrate(run, base_proof, only=only)
            if ending is None or ending.exit_code == land.INTERRUPTED:  # a signal after that changes no verdict
                run.record(e.Interrupted(at=now(), by="a signal"))
                return land.interrupted(run)
        except BaseException:
            run.ground.stop.set()  # a bug here must not leave agents running
            raise
    return ending


def _loop(run: Run, workers: Executor, inbox: Inbox, only: frozenset[str] | None) -> None:
    """Until nothing is live and nothing may start, or a signal stopped the run and all workers came back."""
    order = _start_order(run)
    for name, progress in run.state.packages.items():
        if progress.state is PackageState.QUEUED:
            _give_up_if_spent(run, name)  # a crash between the end of its last attempt and this verdict
    while True:
        _cancel_doomed(run)
        if not run.ground.stop:
            _start(run, workers, inbox, run.state.startable(order, jobs=run.jobs, only=only))
        if not run.state.live():
            return
        message = inbox.get()
        if isinstance(message, Returned):
            _settle(run, message.job, message.future.result())
            run.look_at_repository(message.job.package.id)
        else:
            run.record(message, sync=False)  # how far an attempt is: nothing relies on it


def _start_order(run: Run) -> list[str]:
    """All packages in the order in which they start when they are ready: priority, longest path, id."""
    above = run.ground.order.depends_on
    priority = {package.id: package.priority for package in run.ground.plan.packages}
    return start_order(above, priority, longest_paths(above))


def _start(run: Run, workers: Executor, inbox: Inbox, names: list[str]) -> None:
    """Journal the attempts, then hand them to workers."""
    if not names:
        return
    jobs = [_job(run, name) for name in names]
    run.record(*(e.AttemptStarted(at=now(), package=job.package.id, number=job.number) for job in jobs))
    for job in jobs:
        future = workers.submit(attempt.run, run.ground, job, inbox.put)
        future.add_done_callback(lambda done, job=job: inbox.put(Returned(job, done)))  # type: ignore[misc]


def _job(run: Run, name: str) -> Job:
    progress = run.state.packages[name]
    previous = None
    if last := progress.last_failure:
        previous = Previous(last.number, last.code, last.why, "" if last.from_base else last.commit)
    above = tuple(run.layers[other] for other in run.ground.order.dependencies(name))
    return Job(run.ground.plan.package(name), progress.attempts + 1, above, previous)


def _settle(run: Run, job: Job, outcome: Outcome) -> None:
    """Accept the work of an attempt, or keep its failure; nothing is accepted on a result that does not hold."""
    package, code, why = job.package, outcome.code, outcome.why
    if not code:
        plan = run.ground.plan
        expected = result.Expected(plan.feature_id, plan.revision, plan.contracts.revision, package)
        if wrong := result.problems(outcome.result, expected):
            code, why = "RESULT_INVALID", "; ".join(wrong)
            told = {**outcome.result, "status": "failed", "error_code": code, "error": why}
            file = run.ground.places.attempt(package.id, job.number) / "result.json"
            write_atomically(file, result.dump(told))
    ended = e.AttemptEnded(
        at=now(),
        package=package.id,
        number=job.number,
        commit=outcome.commit,
        code=code,
        why=why,
        seconds=round(outcome.seconds, 3),
        setup_seconds=round(outcome.setup_seconds, 3),
        from_base=outcome.from_base,
    )
    if not code:
        run.ground.set_ref(run.ground.places.package_ref(package.id), outcome.commit)
        run.layers[package.id] = Layer(package.id, outcome.commit, outcome.changes)
        accepted = e.PackageAccepted(at=now(), package=package.id, number=job.number, commit=outcome.commit)
        run.record(ended, accepted)
    else:
        run.record(ended)
        _give_up_if_spent(run, package.id)


def _give_up_if_spent(run: Run, name: str) -> None:
    """A package whose last attempt failed and that has no retry left has failed."""
    progress = run.state.packages[name]
    budget = run.ground.plan.package(name).retry_budget
    if not progress.may_retry(budget):
        run.record(e.PackageFailed(at=now(), package=name, code=progress.code, why=progress.why))


def _cancel_doomed(run: Run) -> None:
    doomed = run.state.doomed()
    if doomed:
        run.record(*(e.PackageCancelled(at=now(), package=name, because=above) for name, above in doomed))
