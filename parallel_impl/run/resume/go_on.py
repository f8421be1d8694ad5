"""A run goes on: what an earlier process left is settled, then what the user asks for now is taken in."""

from __future__ import annotations

import msgspec

from parallel_impl.record import events as e
from parallel_impl.record.journal import now
from parallel_impl.record.state import PackageState
from parallel_impl.run import run_id
from parallel_impl.run.resume import attempts, leftovers, reopened
from parallel_impl.run.run import Run
from parallel_impl.run.spec import PlanEdit


def go_on(
    run: Run,
    edit: PlanEdit | None,
    *,
    only: str,
    retry_failed: bool,
    restart: tuple[str, ...],
    configured: e.ConfigurationRevised | None = None,
) -> None:
    """Settle what an earlier process left, as the plan stood then; then take in what the user asks for now.

    `configured` is an edit of the configuration, which has yet to tell what depends on it.
    """
    places, in_force = run.workspace.places, run.in_force
    if edit:
        run.in_force = edit.before
    unfounded = leftovers.settle(run)
    run.in_force = in_force
    for file in (places.summary, places.summary_json):
        file.unlink(missing_ok=True)  # of what is over now; all that they said is in the journal
    paused = run.state.paused
    run.record(
        e.RunContinued(
            at=now(),
            agent=run.spec.agent_spec,
            jobs=run.jobs,
            only=only,
            home=str(run.workspace.home),
            run_id=run.spec.run_id,
            place=run_id.place(places),
            agent_from=run.spec.agent_from,
        )
    )
    leftovers.do_again(run, unfounded)
    if changed := run.look_at_layers():
        run.note(f"{changed}; what was verified on it is verified again")
    if paused:
        run.record(e.RunResumed(at=now(), by=paused.by))
    if edit:
        _revise(run, edit)
    if retry_failed:
        _retry_failed(run)
    if restart:
        _restart(run, restart)
    if configured:
        _configure(run, configured)
    _forget_outdated(run)
    leftovers.fail_spent(run)
    leftovers.end_conversations(run)


def _revise(run: Run, edit: PlanEdit) -> None:
    workspace, plan = run.workspace, run.in_force.plan
    workspace.set_ref(workspace.places.plan_ref(plan.revision), edit.commit)
    run.record(
        e.PlanRevised(
            at=now(),
            plan_blob=workspace.repo.entries(edit.commit, workspace.places.plan_file)[0].oid,
            commit=edit.commit,
            plan_revision=plan.revision,
            contracts_revision=plan.contracts.revision,
            packages={package.id: list(package.depends_on) for package in plan.packages},
            changed=list(edit.revision.changed),
            judged=list(edit.revision.judged),
        )
    )


def _configure(run: Run, edit: e.ConfigurationRevised) -> None:
    keys, state, say = edit.keys, run.state, run.listener.say
    again, judged = reopened.tried_again(state, keys), reopened.judged_again(state, keys)
    run.record(msgspec.structs.replace(edit, at=now(), again=again, judged=judged))
    run.note(f"configuration revised as in {edit.commit[:12]}: {', '.join(keys)}")
    if judged:
        say(f"judged again, as their work may be right with that: {', '.join(judged)}")
    if again:
        say(f"tried again, as they may have failed by that: {', '.join(again)}")


def _retry_failed(run: Run) -> None:
    failed = [name for name, progress in run.state.packages.items() if progress.state is PackageState.FAILED]
    if failed:
        run.record(e.FailedRetried(at=now(), packages=failed))
    else:
        run.listener.say("--retry-failed: nothing had failed")


def _restart(run: Run, names: tuple[str, ...]) -> None:
    run.record(e.PackagesRestarted(at=now(), packages=list(names)))
    below = [name for name in run.state.with_descendants(names) if name not in names]
    run.listener.say(
        f"done again: {', '.join(names)}" + (f"; and what builds on it: {', '.join(below)}" if below else "")
    )


def _forget_outdated(run: Run) -> None:
    """What is accepted no more leaves the refs of accepted work; it stays on the ref of its attempt."""
    workspace, accepted = run.workspace, run.state.accepted()
    for name in [name for name in run.layers if name not in accepted]:
        del run.layers[name]
    keep = {workspace.places.package_ref(name) for name in accepted}
    for ref in set(workspace.repo.refs(workspace.places.package_refs)) - keep:
        attempts.keep(workspace.repo, workspace.places, ref, workspace.watch)
