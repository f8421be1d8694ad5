"""The accepted work put together, proven and landed: candidate, gates on it, one compare-and-swap.

Only a proven candidate becomes the feature branch, and exactly that commit. Whatever stops this leaves the branch where
it was and all work on refs.
"""

from __future__ import annotations

import shlex

from parallel_impl.git.repo import GitError
from parallel_impl.record import events as e
from parallel_impl.record.codes import Halt
from parallel_impl.record.journal import now
from parallel_impl.run.gate_runs import BaseProof
from parallel_impl.run.land import assemble, ending, keeping, proof, ticking
from parallel_impl.run.land.ending import Ending
from parallel_impl.run.land.proof import Proof
from parallel_impl.run.run import Run

ROUNDS = 3  # the first try and, when the branch moved meanwhile, two more


class _HaltError(Exception):
    """Ends the landing; caught by `land` alone, which makes an ending of it."""

    def __init__(self, code: Halt, why: str, *, proven: Proof | None = None, commit: str = "") -> None:
        super().__init__(why)
        self.code, self.why, self.proven, self.commit = code, why, proven, commit


def land(run: Run, base_proof: BaseProof, *, only: frozenset[str] | None) -> Ending:
    """Put everything together, prove it, land it. Returns how the run ended; never raises for a red gate."""
    if obstacle := assemble.find_obstacle(run, only):
        return ending.halt(run, *obstacle)
    commit, branch_ref = assemble.assemble(run), run.workspace.places.branch_ref
    try:
        for _ in range(ROUNDS):
            tip = run.workspace.repo.ref(branch_ref)
            if tip and tip == run.state.proven:
                return ending.landed(run, tip, tip, proof.remembered(run))
            candidate = _put_on(run, commit, tip)
            proven = proof.prove(run, candidate, base_proof)
            if run.stop:
                return ending.interrupted(run)
            _accept(run, candidate, proven)
            if _move(run, candidate, tip, proven):
                return ending.landed(run, candidate, tip or "", proven)
        branch = run.workspace.places.branch
        raise _HaltError(Halt.BRANCH_MOVED, f"{branch} moved {ROUNDS} times while the whole was checked")
    except _HaltError as halt:
        return ending.halt(run, halt.code, halt.why, proven=halt.proven, commit=halt.commit)


def _put_on(run: Run, commit: str, tip: str | None) -> str:
    """The candidate that the branch can move to from `tip`, with the tasks ticked that are done in it.

    The pages of its packages are kept in it too, where that is wanted.
    """
    candidate, conflicts = assemble.merge_tip(run, commit, tip)
    if conflicts:
        branch = run.workspace.places.branch
        why = f"{branch} is at {(tip or '')[:12]}, which the run did not start from, and both changed: "
        raise _HaltError(Halt.BRANCH_MOVED, why + ", ".join(conflicts))
    candidate = ticking.tick(run, keeping.keep(run, candidate), commit)
    tree = run.workspace.repo.tree(candidate)
    run.record(e.CandidateMade(at=now(), commit=candidate, tree=tree, tip=tip or ""))
    return candidate


def _accept(run: Run, candidate: str, proven: Proof) -> None:
    """The gates passed, and what they ran (agents wrote it) left the repository alone."""
    run.look_at_repository(files=True)
    if run.state.tampering:
        code = ending.tampering_code(run.state.tampering)
        raise _HaltError(code, "\n".join(run.state.tampering.what), commit=candidate)
    if changed := run.workspace.changed_layers():
        raise _HaltError(Halt.LAYER_CHANGED, "\n".join(changed), proven=proven, commit=candidate)
    if proven.foreign:
        raise _HaltError(Halt.FOREIGN_FILES, proven.foreign, proven=proven, commit=candidate)
    if not proven.passed:
        raise _HaltError(Halt.GATES_FAILED, proven.why, proven=proven, commit=candidate)
    run.workspace.set_ref(run.workspace.places.proven_ref, candidate)
    run.record(e.CandidateProven(at=now(), commit=candidate, by=proven.by))


def _move(run: Run, candidate: str, tip: str | None, proven: Proof) -> bool:
    """Move the feature branch from `tip` to the candidate; whether that is done, for it may have moved meanwhile."""
    repo, places = run.workspace.repo, run.workspace.places
    _check_not_checked_out(run, candidate, proven)
    run.workspace.watch.expect(places.branch_ref, candidate)
    try:
        repo.update_ref(places.branch_ref, candidate, tip)
    except GitError as refused:
        if repo.ref(places.branch_ref) != tip:
            return False
        # it did not move, so this is no race but a refusal: a branch `openspec` was made meanwhile, say
        take = f"git update-ref {places.branch_ref} {places.proven_ref}"
        why = f"git refuses to move {places.branch}: {refused.stderr}\neverything is proven; take it with:\n  {take}"
        raise _HaltError(Halt.BRANCH_REFUSED, why, proven=proven, commit=candidate) from None
    return True


def _check_not_checked_out(run: Run, candidate: str, proven: Proof) -> None:
    """A branch that a worktree has checked out is not moved: the user's next commit would delete the landed work."""
    places = run.workspace.places
    for worktree in run.workspace.repo.worktrees():
        if worktree.branch == places.branch_ref:
            take = f"git -C {shlex.quote(str(worktree.path))} merge --ff-only {places.proven_ref}"
            why = f"{places.branch} is checked out in {worktree.path}; everything is proven, take it with:\n  {take}"
            raise _HaltError(Halt.CHECKED_OUT, why, proven=proven, commit=candidate)
