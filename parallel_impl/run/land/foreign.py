"""What would land although no package was allowed to write it: the whole, looked at once more before it lands.

Each package's work was looked at when it was taken. This holds whatever happened since: a journal or a ref that was
written by somebody else, an object that was planted in the repository under the name of another one.
"""

from __future__ import annotations

from dataclasses import dataclass

from parallel_impl.errors import count, printable
from parallel_impl.git import object_names, scope
from parallel_impl.git.repo import GitError
from parallel_impl.record.codes import Halt
from parallel_impl.run.run import Run

PATHS = 20  # that are named


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a candidate may not land, for people, with what to do."""

    code: Halt
    why: str


def find(run: Run, candidate: str) -> Objection | None:
    """What of the candidate is no accepted package's to write, or is not what its name says; None when all is well."""
    return _objects(run, candidate) or _paths(run, candidate)


def own_paths(run: Run) -> frozenset[str]:
    """What the orchestrator itself writes in a candidate."""
    in_force, spec = run.in_force, run.spec
    packages = [package.id for package in in_force.plan.packages]
    edited = run.state.revised is not None
    return frozenset(run.workspace.places.own_paths(packages, kept=spec.config.keep_completed, edited=edited))


def _paths(run: Run, candidate: str) -> Objection | None:
    """The trees are compared: what the branch would have without this run's work, and what it is to become."""
    repo, trees, ours = run.workspace.repo, run.workspace.trees, own_paths(run)
    before, accepted = _without(run), [run.in_force.plan.package(name) for name in run.state.accepted()]
    changes = [change for change in repo.changes(before, candidate) if change.path not in ours]
    denied = (run.workspace.places.plan_file,)
    found = scope.beyond(trees, changes, [package.scope for package in accepted], base=before, denied=denied)
    if not found:
        return None
    lines = [f"  {violation}" for violation in found[:PATHS]]
    lines += [f"  and {len(found) - PATHS} more"] if len(found) > PATHS else []
    paths = {violation.path for violation in found}
    again = _again(run, [name for name, layer in run.layers.items() if paths & {one.path for one in layer.changes}])
    what = f"{count(len(paths), 'path')} that no accepted package may write"
    hint = [f"do the packages again that have them: {again}"] if again else []
    return Objection(Halt.OUT_OF_SCOPE, "\n".join([f"{what}:", *lines, *hint]))


def _again(run: Run, packages: list[str]) -> str:
    """The command that does these packages again; "" where there are none."""
    restart = " ".join(f"--restart {name}" for name in packages)
    return f"parallel-implement {run.workspace.places.change_id} {restart}" if packages else ""


def _without(run: Run) -> str:
    """The tree that the branch would have without this run's work: the base, merged with where the branch may be."""
    repo, base, agreed = run.workspace.repo, run.spec.base, run.state.tip or ""
    if not agreed or repo.is_ancestor(agreed, base):
        return base
    if repo.is_ancestor(base, agreed):
        return agreed
    tree, conflicts = repo.merge(agreed, base)
    return agreed if conflicts else tree


def _objects(run: Run, candidate: str) -> Objection | None:
    """git believes an object's name: one that was written by hand holds anything, and everybody gets that."""
    repo = run.workspace.repo
    try:
        wrong = object_names.misnamed(repo, candidate, known=[run.spec.base, *filter(None, [run.state.tip])])
    except GitError as error:
        return Objection(Halt.OBJECT_DAMAGED, str(error))
    if not wrong:
        return None
    shown = [f"  {repo.git_dir / 'objects' / one[:2] / one[2:]}" for one in wrong[:PATHS]]
    made = [name for name, layer in run.layers.items() if {*wrong} & {change.new for change in layer.changes}]
    why = f"other content lies under the name of {count(len(wrong), 'object')}; remove these files:"
    again = [f"then do the packages again that made them: {line}"] if (line := _again(run, made)) else []
    return Objection(Halt.OBJECT_DAMAGED, printable("\n".join([why, *shown, *again])))
