"""The candidate: all accepted work put together in one commit, or why that cannot be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parallel_impl.errors import count
from parallel_impl.git import union
from parallel_impl.git.repo import Change
from parallel_impl.record.codes import Halt
from parallel_impl.record.state import PackageState, blocking
from parallel_impl.run.run import Run

SHOWN = 20


def find_obstacle(run: Run, only: frozenset[str] | None) -> tuple[Halt, str] | None:
    """The code and the words of what keeps the accepted work from being put together; None when nothing does."""
    if obstacle := find_clash(run):
        return obstacle
    packages = run.in_force.order.topological
    wanted = [name for name in packages if only is None or name in only]
    if blocked := blocking(run.state, wanted):
        return Halt.NOT_ALL_ACCEPTED, _describe_blocked(run, blocked)
    if only is not None:
        left = count(len(packages) - len(wanted), "package")
        why = f"{', '.join(wanted)} accepted; --only left out {left}: nothing lands until the command runs without it"
        return Halt.ONLY, why
    if not any(run.layers[name].changes for name in packages):
        return Halt.NO_CHANGES, _explain_nothing(run)
    return None


def _explain_nothing(run: Run) -> str:
    """What to do about a run in which all may be empty, and all are."""
    change_id, plan = run.workspace.places.change_id, run.workspace.places.plan_file
    done = f"where the base has all of it already: parallel-cleanup {change_id}"
    if run.spec.single:
        return f"{done}\nelse let it be done again: --restart {run.in_force.order.topological[0]}"
    return f"{done}\nelse let packages be done again, --restart PACKAGE, or correct {plan} and commit it"


def find_clash(run: Run) -> tuple[Halt, str] | None:
    """What of the accepted work does not stand in one tree; None where all of it does.

    It is known as soon as the second of two packages is accepted: nothing that is built on both can be right.
    """
    layers = [run.layers[name] for name in run.in_force.order.topological if name in run.layers]
    found = union.clashes(layers, run.in_force.order.ordered)
    if not found:
        return None
    first, second = found[0].packages
    listed = [str(clash) for clash in found[:SHOWN]]
    if len(found) > SHOWN:
        listed.append(f"and {len(found) - SHOWN} more")
    hint = f"let one of them build on the other ({second}: depends_on: [{first}]), or narrow its scope"
    return Halt.CLASH, "\n".join([*listed, f"{hint}; commit the plan and give the same command again"])


def assemble(run: Run) -> str:
    """The commit with all accepted work, on the candidate's ref."""
    workspace, places = run.workspace, run.workspace.places
    workspace.watch.expect_any(places.candidate_ref)
    commit = union.candidate(
        workspace.repo,
        run.spec.base,
        [run.layers[name] for name in run.in_force.order.topological],
        change_id=places.change_id,
        ref=places.candidate_ref,
        date=run.spec.date,
        identity=run.spec.identity,
        carried=_edited_plan(run),
    )
    workspace.watch.expect(places.candidate_ref, commit)
    return commit


def merge_tip(run: Run, commit: str, tip: str | None) -> tuple[str, list[str]]:
    """The candidate that the branch can move to, and the paths that conflict ("" then).

    It is `commit`, or its merge with a tip that it does not contain.
    """
    repo, places = run.workspace.repo, run.workspace.places
    if not tip or repo.is_ancestor(tip, commit):
        return commit, []
    if repo.is_ancestor(commit, tip):  # merged by hand
        run.workspace.set_ref(places.candidate_ref, tip)
        return tip, []
    tree, conflicts = repo.merge(tip, commit)
    if conflicts:
        return "", conflicts
    message = f"Merge the work packages of {places.change_id}\n\nChange-Id: {places.change_id}\n"
    merged = repo.commit_tree(tree, (tip, commit), message, date=run.spec.date, identity=run.spec.identity)
    run.workspace.set_ref(places.candidate_ref, merged)
    return merged, []


def add(run: Run, candidate: str, changes: Sequence[Change], message: str) -> str:
    """The candidate with one more commit, of the orchestrator's own; the ref of candidates leads to it."""
    workspace, ref = run.workspace, run.workspace.places.candidate_ref
    workspace.watch.expect_any(ref)
    commit = union.put(
        workspace.repo, candidate, changes, message, ref=ref, date=run.spec.date, identity=run.spec.identity
    )
    workspace.watch.expect(ref, commit)
    return commit


def _edited_plan(run: Run) -> list[Change]:
    """What an edit of the plan between two starts changed: it lands with the work that was done for it.

    Its tasks are carried with it, for they are ticked by the names that the new plan gives them.
    """
    if not run.state.revised:
        return []
    repo, places = run.workspace.repo, run.workspace.places
    carried = (places.plan_file, places.tasks_file)
    return [one for one in repo.changes(run.spec.base, run.state.plan_commit) if one.path in carried]


def _describe_blocked(run: Run, blocked: Mapping[str, PackageState]) -> str:
    lines = []
    for name, state in blocked.items():
        progress = run.state.packages[name]
        first, *more = (f"{progress.code}: {progress.why}" if progress.code else progress.why).split("\n")
        lines += [f"{name} {state}" + (f": {first}" if first else ""), *(f"  {line}" for line in more)]
    return "\n".join(lines)
