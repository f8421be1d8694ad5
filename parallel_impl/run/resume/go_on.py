"""What a start of the command does to a run that exists: an edited plan, packages done anew, the run given up.

What is said to people is said before anything runs. Called by `run.start.preflight`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from parallel_impl.errors import Problem, UserError, count
from parallel_impl.git.repo import Repo
from parallel_impl.plan import order as ordering
from parallel_impl.plan import revision as revisions
from parallel_impl.plan.model import Plan
from parallel_impl.plan.order import Order
from parallel_impl.plan.reading import load
from parallel_impl.plan.revision import Revision
from parallel_impl.record import events as e
from parallel_impl.record.state import PackageState, State
from parallel_impl.run.places import Places
from parallel_impl.run.resume import attempts, leftovers
from parallel_impl.run.run import Run, now
from parallel_impl.run.start import inputs
from parallel_impl.run.start.inputs import Inputs


@dataclass(frozen=True, slots=True)
class Edit:
    """A plan that was edited between two starts: the old plan, the commit with the new one, and what that means."""

    plan: Plan
    order: Order
    commit: str
    revision: Revision


def edit(repo: Repo, places: Places, state: State, known: Inputs, commit: str) -> Edit:
    """How the plan in `known`, which `commit` holds, stands to the one that the run has so far."""
    content = repo.read(state.plan_commit, places.plan_file)
    plan, problems = load.load(content or b"", places.plan_file)
    if plan is None:
        hint = f"start anew after: parallel-implement {places.change_id} --abort"
        raise UserError([*problems, Problem("the plan of this run cannot be read any more", hint=hint)])
    return Edit(plan, ordering.of(plan), commit, revisions.compare(plan, known.plan))


def numbered(known: Inputs, state: State, *, edited: bool) -> Inputs:
    """The inputs with the plan's revision number: an edit that did not raise it is the next one all the same."""
    if state.started is None:
        return known
    number = max(known.plan.revision, state.plan_revision + 1) if edited else state.plan_revision
    return replace(known, plan=replace(known.plan, revision=number))


def describe(change: Edit, number: int, state: State) -> str:
    """What an edit means, for people, before anything runs."""
    found = change.revision
    done = {name for name, progress in state.packages.items() if progress.attempts}
    failed = {name for name, progress in state.packages.items() if progress.state is PackageState.FAILED}
    rows = (
        ("kept", [name for name in found.kept if name in done - failed]),
        ("failed, and stay so without --retry-failed", [name for name in found.kept if name in failed]),
        ("changed, done anew", [name for name in found.changed if name in done]),
        ("done anew, as they build on those", [name for name in found.below if name in done]),
        ("new", found.new),
        ("gone, their work stays on refs of attempts", found.gone),
    )
    lines = [f"the plan was edited since this run started; this is revision {number}:"]
    return "\n".join([*lines, *(f"  {what}: {', '.join(names)}" for what, names in rows if names)])


def problems(state: State, restart: Iterable[str], known: Inputs) -> Iterator[Problem]:
    """What is wrong with the packages that are to be done anew."""
    for name in restart:
        if name not in known.order.index:
            near = inputs.nearest(name, known.order.topological)
            yield Problem(f"there is no package {name!r}", where="--restart", hint=near)
        elif state.started is None:
            yield Problem("there is no run yet in which anything could be done anew", where="--restart")


def go_on(
    run: Run, change: Edit | None, *, agent: str, only: str, retry_failed: bool, restart: tuple[str, ...]
) -> None:
    """Settle what an earlier process left, as the plan stood then; then take in what the user asked for now."""
    ready = run.ground
    if change:
        run.ground = replace(ready, plan=change.plan, order=change.order)
    attempts.settle_leftovers(run)
    run.ground = ready
    for file in (ready.places.summary, ready.places.summary_json):
        file.unlink(missing_ok=True)  # of what is over now; all that they said is in the journal
    run.record(
        e.RunContinued(
            at=now(),
            agent=agent,
            jobs=run.jobs,
            only=only,
            home=str(ready.home),
            run_id=ready.run_id,
            place=leftovers.place(ready.places),
        )
    )
    if change:
        _revise(run, change)
    failed = [name for name, one in run.state.packages.items() if one.state is PackageState.FAILED]
    if retry_failed and failed:
        run.record(e.FailedRetried(at=now(), packages=failed))
    elif retry_failed:
        run.listener.say("--retry-failed: nothing had failed")
    if restart:
        run.record(e.PackagesRestarted(at=now(), packages=list(restart)))
        again = [name for name in run.state.with_descendants(restart) if name not in restart]
        run.listener.say(
            f"done anew: {', '.join(restart)}" + (f"; and what builds on it: {', '.join(again)}" if again else "")
        )
    _forget_outdated(run)


def _revise(run: Run, change: Edit) -> None:
    ground, places = run.ground, run.ground.places
    ground.set_ref(places.plan_ref(ground.plan.revision), change.commit)
    run.record(
        e.PlanRevised(
            at=now(),
            plan_blob=ground.repo.entries(change.commit, places.plan_file)[0].oid,
            commit=change.commit,
            plan_revision=ground.plan.revision,
            contracts_revision=ground.plan.contracts.revision,
            packages={package.id: list(package.depends_on) for package in ground.plan.packages},
            changed=list(change.revision.changed),
        )
    )


def _forget_outdated(run: Run) -> None:
    """What is accepted no more leaves the refs of accepted work; it stays on the ref of its attempt."""
    ground, accepted = run.ground, run.state.accepted()
    for name in [name for name in run.layers if name not in accepted]:
        del run.layers[name]
    keep = {ground.places.package_ref(name) for name in accepted}
    for ref in set(ground.repo.refs(ground.places.package_refs)) - keep:
        ground.watch.expect(ref, None)
        _to_attempts(ground.repo, ground.places, ref)


def abort(run: Run) -> None:
    """Give the run up: end what it left, save its work, and free the change for a new run."""
    attempts.settle_leftovers(run)
    run.record(e.RunAborted(at=now()))


def finish_abort(repo: Repo, places: Places) -> str:
    """Move what an aborted run had accepted to refs of attempts, and its journal aside; what to tell about it.

    Done again after a crash it ends the same.
    """
    refs = repo.refs(places.package_refs)
    for ref in refs:
        _to_attempts(repo, places, ref)
    number = places.next_earlier_number()
    for file in (places.summary, places.summary_json):
        if file.exists():
            file.rename(file.with_stem(f"{file.stem}.{number}"))
    if places.gates.exists():
        places.gates.rename(places.state / f"gates.{number}")
    places.journal.rename(places.state / f"journal.{number}.jsonl")
    kept = f"the accepted work of {count(len(refs), 'package')} is" if refs else "all work is"
    return (
        f"aborted; {kept} kept on {places.attempt_refs}/\n"
        f"  start anew: parallel-implement {places.change_id}\n"
        f"  clean up:   parallel-cleanup {places.change_id}"
    )


def _to_attempts(repo: Repo, places: Places, ref: str) -> None:
    """Delete a ref of accepted work whose commit is on the ref of its attempt; made there if it is not."""
    commit = repo.ref(ref)
    if commit is None:
        return
    package = ref.removeprefix(f"{places.package_refs}/")
    attempts = repo.refs(f"{places.attempt_refs}/{package}")
    if commit not in attempts.values():
        number = 1 + max((int(name.rpartition("/")[2]) for name in attempts), default=0)
        repo.set_ref(places.attempt_ref(package, number), commit)
    repo.delete_ref(ref, commit)


def attempts_made(repo: Repo, places: Places) -> dict[str, int]:
    """The highest number of an attempt that earlier runs of the change made at each package: theirs are taken."""
    made: dict[str, int] = {}
    names = [name.removeprefix(f"{places.attempt_refs}/") for name in repo.refs(places.attempt_refs)]
    names += [str(path.relative_to(places.state / "attempts")) for path in places.state.glob("attempts/*/*")]
    for name in names:
        if found := re.fullmatch(r"(.+)/([0-9]+)", name):
            made[found[1]] = max(made.get(found[1], 0), int(found[2]))
    return made
