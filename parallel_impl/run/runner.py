"""The loop: starts packages whose dependencies are accepted, settles attempts that ended, then lands.

`execute` is the map of a run and can be read once from top to bottom. The main thread owns all state and decides;
workers run one attempt each and return an outcome.
"""

from __future__ import annotations

import math
import select
from collections.abc import Iterable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import add
from queue import Empty, SimpleQueue

from parallel_impl import environment
from parallel_impl.git.union import Layer
from parallel_impl.plan.order import longest_paths, start_order
from parallel_impl.record import events as e
from parallel_impl.record import result, result_check
from parallel_impl.record.activity import Usage
from parallel_impl.record.codes import Failure, Halt
from parallel_impl.record.journal import now
from parallel_impl.record.state import PackageState, Progress, most_live
from parallel_impl.record.times import TimePhase
from parallel_impl.run import on_base, size_watch
from parallel_impl.run.admission import Admission
from parallel_impl.run.attempt import attempt, kept_work
from parallel_impl.run.attempt.attempt import RunAttempt
from parallel_impl.run.attempt.job import Job, Outcome, Previous, Working
from parallel_impl.run.land import acceptance, assemble, ending, land
from parallel_impl.run.land.ending import Ending
from parallel_impl.run.on_base import OnBase
from parallel_impl.run.run import Run
from parallel_impl.run.size_watch import Grown
from parallel_impl.run.stopwatch import phase
from parallel_impl.storage import write_atomically


@dataclass(frozen=True, slots=True)
class Returned:
    """A worker is done with a job."""

    job: Job
    future: Future[Outcome]


MOST_FAILED_VIEWS, MOST_DEATHS = 3, 2
LOOK_SECONDS = 1.0  # for which the main thread sleeps in one piece

Message = Returned | Working | Grown | e.Event
Inbox = SimpleQueue[Message]


@phase(TimePhase.OTHER)
def execute(run: Run, *, only: frozenset[str] | None = None, run_attempt: RunAttempt = attempt.run) -> Ending:
    """Run all packages (or `only` these), put the accepted work together, prove it and land it.

    The run is on disk at every instant; the same call on the same journal goes on where it stopped.
    """
    if run.move:
        return ending.branch_moved(run, run.move)
    minutes = run.spec.config.base_minutes
    work = on_base.BaseWork(run.spec, run.workspace, run.launch, run.post, run.base_checkout, minutes)
    accepted = run.state.accepted()
    wanted = [name for name in run.state.packages if name not in accepted and (not only or name in only)]
    with on_base.running(work, run.in_force, wanted) as base:
        try:
            _wait_for_base(run, base)
            over = run_packages(run, only=only, run_attempt=run_attempt, base=base)
            run.look_at_repository()
            if run.state.tampering and not run.stop:
                return ending.tampered(run, run.state.tampering)
            if run.obstacle and not run.stop:
                return ending.halt(run, *_told(run, *run.obstacle))
            if run.state.paused and not run.stop:
                return ending.paused(run, run.state.paused)
            if over and not run.stop:
                return ending.over_limit(run, over)
            ended = None if run.stop else land.land(run, base.gates, only=only)
            if ended is None or ended.code is Halt.INTERRUPTED:  # a signal after that changes no verdict
                run.record(e.Interrupted(at=now(), by="a signal"))
                return ending.interrupted(run)
        except BaseException:
            run.stop.set()  # a bug here must not leave agents or gates running
            raise
    return ended


@phase(TimePhase.BASE)
def _wait_for_base(run: Run, base: OnBase) -> None:
    """Before the first agent of a run starts: what gates and steps do on the base, as far as that is known in time.

    A run that has had agents goes on at once: what they are paid for is known by now.
    """
    if any(progress.started for progress in run.state.packages.values()):
        return
    base.wait(
        run.spec.config.base_minutes,
        run.stop,
        meanwhile=run.record_posted,
        say=run.listener.say,
        accepted=acceptance.of_not_proven(run.state.accepted_gates),
    )


def _take_in_base(run: Run, base: OnBase | None) -> None:
    """What has become known about the base: a gate that is broken there, or foreign files, start nothing more."""
    if base is None:
        return
    base.done()
    shown = partial(environment.masked, secrets=run.launch.mask)
    for problem in on_base.describe_news(run.spec, run.in_force.plan, base, red=False):
        run.listener.say(shown(str(problem)))
    for told in map(shown, base.advice()):
        if told not in run.state.notes:
            run.note(told)
    if not run.obstacle and (why := base.foreign()):
        run.obstacle = (Halt.FOREIGN_FILES, shown(why))
    _look_below_views(run)
    if not run.obstacle and (why := base.broken(acceptance.of_not_proven(run.state.accepted_gates))):
        run.obstacle = (Halt.GATE_BROKEN, shown(why))


@phase(TimePhase.PACKAGES)
def run_packages(
    run: Run,
    *,
    only: frozenset[str] | None = None,
    run_attempt: RunAttempt = attempt.run,
    base: OnBase | None = None,
) -> str:
    """Until nothing is live and nothing may start, or a signal stopped the run and all workers came back.

    Returns which limit of the run keeps a package from starting, for people; "" when none does. What a worker raises
    ends the others, and is raised here: its package is not journalled as over.
    """
    inbox: Inbox = SimpleQueue()
    try:
        with ThreadPoolExecutor(most_live(run.jobs), "attempt") as workers:
            try:
                admission = Admission(run)
                with size_watch.watching(run, lambda: admission.at_work, inbox.put):
                    return _loop(Loop(run, workers, inbox, admission, only, run_attempt, base))
            except BaseException:
                run.stop.set()
                raise
    finally:
        _record_notes(run, inbox)


@dataclass(frozen=True, slots=True)
class Loop:
    """What the loop works with. `only`: the packages that are wanted (None: all)."""

    run: Run
    workers: Executor
    inbox: Inbox
    admission: Admission
    only: frozenset[str] | None
    run_attempt: RunAttempt
    base: OnBase | None = None


def _loop(loop: Loop) -> str:
    run, admission = loop.run, loop.admission
    run.state.start_in(_start_order(run))
    for layer in run.layers.values():
        run.occupied.add(layer)
    _look_for_clash(run)  # an earlier start may have ended by it
    failed, held = _failed(run), False
    while True:
        run.record_posted()
        _take_in_base(run, loop.base)
        _cancel_doomed(run, loop.only)
        if run.fail_fast and not held and (new := _failed(run) - failed):
            held = True
            _tell_held(run, min(new))
        again = math.inf
        if not run.stop:
            names, again = admission.choose(_ready(loop, held=held), now())
            jobs = [admission.admit(_job(loop, name), now()) for name in names]
            _start(loop, jobs)
        if not run.state.live() and again == math.inf:
            return admission.over_run(now()) if any(_ready(loop, held=held)) else ""
        if message := _wait(run, loop.inbox, again):  # else it is time to look again
            _take_in(loop, [message, *(loop.inbox.get() for _ in range(loop.inbox.qsize()))])


def _ready(loop: Loop, *, held: bool) -> Iterable[str]:
    """What may start, unless the run is held or has met an obstacle."""
    return () if held or loop.run.obstacle else loop.run.state.ready(only=loop.only)


def _take_in(loop: Loop, messages: Sequence[Message]) -> None:
    """What workers told: what ended together is settled together, before a look at the user's repository."""
    run, admission, ended = loop.run, loop.admission, list[str]()
    for message in messages:
        match message:
            case Working():
                admission.hear(message.package, message.seen, now())
            case Grown():
                admission.grow(message.package, message.why)
            case Returned():
                _settle(run, admission, message.job, message.future.result())
                ended.append(message.job.package.id)
            case _:
                # how far an attempt is: nothing relies on it
                run.record(message, sync=not isinstance(message, e.AttemptVerifying | e.Watched))
    if ended:
        run.look_at_repository(*ended)


def _wait(run: Run, inbox: Inbox, until: float) -> Message | None:
    """The next message of a worker; None at the time `until`, after a signal, and when nothing came for a while.

    The kernel may give a signal to any thread, which wakes no other; its handler runs when this one does.
    """
    seconds = min(max(until - now(), 0.0), LOOK_SECONDS)
    if not run.state.live():
        select.select([run.stop], [], [], seconds)
        return None
    try:
        return inbox.get(timeout=seconds)
    except Empty:
        return None


def _record_notes(run: Run, inbox: Inbox) -> None:
    """What workers noted after the loop had broken off: a worktree that was kept whole, say."""
    while not inbox.empty():
        if isinstance(message := inbox.get(), e.Noted):
            run.record(message)


def _start_order(run: Run) -> list[str]:
    """All packages in the order in which they start when they are ready: priority, longest path by weight, id."""
    above = run.in_force.order.depends_on
    packages = run.in_force.plan.packages
    priority = {package.id: package.priority for package in packages}
    return start_order(above, priority, longest_paths(above, {package.id: package.weight for package in packages}))


def _start(loop: Loop, jobs: list[Job]) -> None:
    """Journal the attempts, then hand them to workers."""
    if not jobs:
        return
    run, inbox = loop.run, loop.inbox
    run.record(*(_started(run, job) for job in jobs))
    for job in jobs:
        future = loop.workers.submit(loop.run_attempt, run.spec, run.workspace, run.launch, job, inbox.put)
        future.add_done_callback(lambda done, job=job: inbox.put(Returned(job, done)))  # type: ignore[misc]


def _started(run: Run, job: Job) -> e.AttemptStarted:
    agent = job.done_by(run.spec)
    return e.AttemptStarted(
        at=now(),
        package=job.package.id,
        number=job.number,
        agent=agent.name,
        version=agent.version,
        model=agent.model,
        judges=job.kept.number if job.kept else 0,
    )


def _previous(progress: Progress, last: e.AttemptEnded) -> Previous:
    began = progress.started.get(last.number)
    spent = (one.usage for one in progress.ended if last.session and one.session == last.session)
    return Previous(
        number=last.number,
        code=last.code,
        why=last.why,
        start="" if last.from_base else last.commit,
        agent=began.agent if began else "",
        model=began.model if began else "",
        session=last.session,
        private_home=last.private_home,
        spent=reduce(add, spent, Usage()),
    )


def _job(loop: Loop, name: str) -> Job:
    run = loop.run
    progress, in_force = run.state.packages[name], run.in_force
    previous = _previous(progress, last) if (last := progress.last_failure) else None
    above = tuple(run.layers[other] for other in in_force.order.dependencies(name))
    package, number = in_force.plan.package(name), progress.attempts + 1
    kept = kept_work.find(run, name, above)
    return Job(
        package, number, in_force, above, previous, on_base=loop.base, known_reports=run.known_reports, kept=kept
    )


def _settle(run: Run, admission: Admission, job: Job, outcome: Outcome) -> None:
    """Accept the work of an attempt, or keep its failure, and take in what it means for others.

    Nothing is accepted on a result that does not hold.
    """
    package, code, why = job.package, admission.judge(job.package.id, outcome), outcome.why
    if (code is None or code.costs_retry) and (left := _look_below_views(run)):
        code, why = Failure.VIEW_UNMOUNTED, left
        _write_failed(run, job, outcome, code, why)
    if code and code.costs_retry and (left := _look_at_layers(run)):
        code, why = Failure.INTERRUPTED, left
        _write_failed(run, job, outcome, code, why)
    if code is None and (wrong := _problems(run, job, outcome)):
        code, why = Failure.RESULT_INVALID, wrong
    ended = e.AttemptEnded(
        at=now(),
        package=package.id,
        number=job.number,
        commit=outcome.commit,
        code=str(code or ""),
        why=why,
        seconds=round(outcome.seconds, 3),
        setup_seconds=round(outcome.setup_seconds, 3),
        waited_seconds=round(outcome.waited_seconds, 3),
        from_base=outcome.from_base,
        agent=job.done_by(run.spec).name,
        model=outcome.seen.model,
        session=outcome.seen.session,
        private_home=outcome.private_home,
        usage=outcome.seen.usage,
        denied=len(outcome.seen.denied),
        retries=outcome.seen.retries,
        calls=outcome.seen.calls,
        tests=outcome.tests,
        whole=outcome.whole,
        times=outcome.times,
        layer=outcome.layer,
    )
    if code:
        run.record(ended)
        run.obstacle = run.obstacle or _find_obstacle(run, job, code, why)
        run.fail_if_spent(package.id)
    else:
        if outcome.tests:
            run.record(e.TestsKept(at=now(), package=package.id, number=job.number, digest=outcome.tests))
        run.workspace.set_ref(run.workspace.places.package_ref(package.id), outcome.commit)
        layer = run.layers[package.id] = Layer(package.id, outcome.commit, outcome.changes)
        run.record(ended, e.PackageAccepted(at=now(), package=package.id, number=job.number, commit=outcome.commit))
        run.end_conversations(package.id)
        if run.occupied.add(layer):
            _look_for_clash(run)
    _count_failed_views(run, outcome)
    run.record(*admission.end(package.id, replace(outcome, code=code, why=why), now()))


def _find_obstacle(run: Run, job: Job, code: Failure, why: str) -> tuple[Halt, str] | None:
    """What another attempt would meet again, since it costs no retry; None where that is not so."""
    package = job.package.id
    if code is Failure.STEP_CANNOT_START and not job.kept:
        return Halt.STEP_CANNOT_START, f"{package}: {why}"
    if code is Failure.FOREIGN_FILES:
        again = f"parallel-implement {run.workspace.places.change_id} --restart {package}"
        return Halt.FOREIGN_FILES, f"{package}: {why}\nwhere its own steps or set-up make that, do it again: {again}"
    return None


def _count_failed_views(run: Run, outcome: Outcome) -> None:
    """An attempt whose view failed is made again, and costs nothing: but not for ever."""
    mounts, why = run.workspace.source.mounts, outcome.why
    run.views_failed = run.views_failed + 1 if outcome.view_failed else 0
    died = mounts is not None and run.workspace.count_deaths() >= MOST_DEATHS
    if mounts and died:
        why = f"the process that mounts views has ended {MOST_DEATHS} times; its last lines:\n{mounts.slot.last_lines}"
    if (run.views_failed >= MOST_FAILED_VIEWS or died) and not run.obstacle:
        run.obstacle = (Halt.VIEW_FAILED, f'{why}\nwithout views it goes by checkouts = "each"')


def _look_for_clash(run: Run) -> None:
    """Accepted work that does not stand in one tree starts nothing more: an agent would be given a part of it."""
    run.obstacle = run.obstacle or assemble.find_clash(run)


def _problems(run: Run, job: Job, outcome: Outcome) -> str:
    """Why the package cannot be accepted on this result, which says so itself then; "" when it can."""
    plan = job.in_force.plan
    expected = result_check.Expected(plan.feature_id, plan.revision, plan.contracts.revision, job.package)
    wrong = "; ".join(result_check.problems(outcome.result, expected))
    if wrong:
        _write_failed(run, job, outcome, Failure.RESULT_INVALID, wrong)
    return wrong


def _write_failed(run: Run, job: Job, outcome: Outcome, code: Failure, why: str) -> None:
    """The attempt's result says that it failed, for what its worker could not know."""
    files = run.workspace.places.attempt_files(job.package.id, job.number)
    write_atomically(files.result, result.dump(outcome.result.failed(code, why)))


def _look_below_views(run: Run) -> str:
    """Why nothing more starts, where something that ran in this start left its view; "" when nothing did."""
    found = run.look_below_views()
    if found and not run.obstacle:
        run.obstacle = (Halt.VIEW_UNMOUNTED, f"{found}\nthe same command does again what ran meanwhile")
    return found


def _told(run: Run, halt: Halt, why: str) -> tuple[Halt, str]:
    """An obstacle; that prepared checkouts were changed is journalled when no attempt is alive any more."""
    if halt is Halt.LAYER_CHANGED and (changed := run.look_at_layers()):
        return halt, f"{changed}\n{land.MADE_AGAIN}"
    return halt, why


def _look_at_layers(run: Run) -> str:
    """Why a failure has shown nothing, where a prepared checkout was changed in this start; "" when none was."""
    if not run.obstacle and (changed := run.changed_layers()):
        run.obstacle = (Halt.LAYER_CHANGED, "\n".join(changed.values()))
    halt, told = run.obstacle or (None, "")
    return told if halt is Halt.LAYER_CHANGED else ""


def _failed(run: Run) -> frozenset[str]:
    return frozenset(run.state.at(PackageState.FAILED))


def _tell_held(run: Run, failed: str) -> None:
    """Report what `--fail-fast` means now."""
    live = run.state.live()
    rest = f"; at work until its end: {', '.join(live)}" if live else ""
    run.listener.say(f"--fail-fast: {failed} failed, so nothing more starts{rest}")


def _cancel_doomed(run: Run, only: frozenset[str] | None) -> None:
    """What can never start is over; packages that nobody asked for wait on, for a run that wants them."""
    doomed = [(name, above) for name, above in run.state.doomed() if only is None or name in only]
    if doomed:
        run.record(*(e.PackageCancelled(at=now(), package=name, because=above) for name, above in doomed))
