"""A run goes on: what an earlier process left is settled, then what the user asked for now is taken in."""

from __future__ import annotations

from dataclasses import replace

from parallel_impl.record import events as e
from parallel_impl.record.state import PackageState
from parallel_impl.run.resume import abort, attempts, leftovers
from parallel_impl.run.run import Run, now
from parallel_impl.run.start.plan_edit import Edit


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
        abort.to_attempts(ground.repo, ground.places, ref)
