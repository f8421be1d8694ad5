"""The accepted work put together, proven and landed: candidate, gates on it, one compare-and-swap.

Only a proven candidate becomes the feature branch, and exactly that commit. Whatever stops this leaves the branch where
it was and all work on refs.
"""

from __future__ import annotations

import shlex

from parallel_impl.git import checked_out
from parallel_impl.git.repo import GitError
from parallel_impl.record import events as e
from parallel_impl.record.codes import Halt
from parallel_impl.record.journal import now
from parallel_impl.record.times import TimePhase
from parallel_impl.run import feature_branch
from parallel_impl.run.feature_branch import Move
from parallel_impl.run.gate_runs import BaseProof
from parallel_impl.run.land import assemble, ending, foreign, keeping, proof, ticking
from parallel_impl.run.land.ending import Ending
from parallel_impl.run.land.proof import Proof
from parallel_impl.run.run import Run
from parallel_impl.run.stopwatch import phase

MADE_AGAIN = "the same command makes it again and verifies again what was verified on it, no agent is paid for that"


class _HaltError(Exception):
    """Ends the landing; caught by `land` alone, which makes an ending of it."""

    def __init__(self, code: Halt, why: str, *, proven: Proof | None = None, commit: str = "") -> None:
        super().__init__(why)
        self.code, self.why, self.proven, self.commit = code, why, proven, commit


class _MovedError(Exception):
    """The feature branch is where nobody agreed to; caught by `land` alone."""

    def __init__(self, move: Move, *, proven: Proof | None = None, commit: str = "") -> None:
        super().__init__(move)
        self.move, self.proven, self.commit = move, proven, commit


@phase(TimePhase.LANDING)
def land(run: Run, base_proof: BaseProof, *, only: frozenset[str] | None) -> Ending:
    """Put everything together, prove it, land it. Returns how the run ended; never raises for a red gate."""
    if obstacle := assemble.find_obstacle(run, only):
        return ending.halt(run, *obstacle)
    try:
        _check_moved(run)
        candidate, tip = _put_together(run)
        if _is_taken(run, tip, candidate):
            return ending.taken(run, run.state.proven, tip, proof.remembered(run))
        _check_branch(run, candidate)
        tree = run.workspace.repo.tree(candidate)
        run.record(e.CandidateMade(at=now(), commit=candidate, tree=tree, tip=tip))
        proven = proof.prove(run, candidate, base_proof)
        if run.stop:
            return ending.interrupted(run)
        _accept(run, candidate, proven)
        old = _move(run, candidate, proven)
        return ending.landed(run, candidate, old, proven)
    except _MovedError as moved:
        return ending.branch_moved(run, moved.move, proven=moved.proven, commit=moved.commit)
    except _HaltError as halt:
        return ending.halt(run, halt.code, halt.why, proven=halt.proven, commit=halt.commit)


def _put_together(run: Run) -> tuple[str, str]:
    """The candidate, and where the branch was before; the tasks are ticked in it that are done in it.

    It is put on the commit of the branch that the run began with, or that the user agreed to, where it does not
    contain that. The pages of its packages are kept in it too, where that is wanted.
    """
    repo, places, state = run.workspace.repo, run.workspace.places, run.state
    tip, agreed = repo.ref(places.branch_ref) or "", state.tip or ""
    commit = assemble.assemble(run)
    if agreed and agreed != state.consented and not repo.is_ancestor(agreed, commit):
        raise _MovedError(feature_branch.describe(repo, places, agreed, agreed, run.spec.base), commit=commit)
    if agreed and not repo.share_history(agreed, commit):
        why = f"{places.branch} is at {agreed[:12]}, which shares no commit with the run's base"
        aside = f"git branch -m {places.branch} {places.branch.replace('/', '-')}-old"
        raise _HaltError(Halt.BRANCH_MOVED, f"{why}\nput it aside: {aside}", commit=commit)
    candidate, conflicts = assemble.merge_tip(run, commit, agreed)
    if conflicts:
        why = f"{places.branch} is at {agreed[:12]}, which the run did not start from, and both changed: "
        hint = f"\nmerge it there by hand (git merge {places.candidate_ref}), then give the same command again"
        raise _HaltError(Halt.BRANCH_MOVED, why + ", ".join(conflicts) + hint, commit=commit)
    return ticking.tick(run, keeping.keep(run, candidate), commit), tip


def _is_taken(run: Run, tip: str, candidate: str) -> bool:
    """Whether the branch has what is proven already, and that is the work that is accepted."""
    repo, state = run.workspace.repo, run.state
    if not feature_branch.is_taken(repo, state, tip):
        return False
    ours = foreign.own_paths(run)  # which another version of this tool may write otherwise
    return all(change.path in ours for change in repo.changes(state.proven, candidate))


def _check_moved(run: Run, candidate: str = "", proven: Proof | None = None) -> None:
    """Nobody moved the branch since the run began, or the user agreed to where it is."""
    if move := feature_branch.find_move(run.workspace.repo, run.workspace.places, run.state, run.spec.base):
        raise _MovedError(move, proven=proven, commit=candidate)


def _check_branch(run: Run, candidate: str, proven: Proof | None = None) -> str:
    """The branch is where it may be, or at a commit that the candidate contains; returns that commit."""
    repo, places, state, base = run.workspace.repo, run.workspace.places, run.state, run.spec.base
    _check_moved(run, candidate, proven)
    tip = repo.ref(places.branch_ref) or ""
    if tip and tip != candidate and not repo.is_ancestor(tip, candidate):  # an earlier candidate of this run, say
        raise _MovedError(feature_branch.describe(repo, places, tip, state.tip, base), proven=proven, commit=candidate)
    return tip


def _accept(run: Run, candidate: str, proven: Proof) -> None:
    """The gates passed, what they ran (agents wrote it) left the repository alone, and all of it may land."""
    run.look_at_repository()
    run.look_at_checkouts()
    if run.state.tampering:
        code = ending.tampering_code(run.state.tampering)
        raise _HaltError(code, "\n".join(run.state.tampering.what), commit=candidate)
    if left := run.look_below_views():
        again = "the same command proves the whole again"
        raise _HaltError(Halt.VIEW_UNMOUNTED, f"{left}\n{again}", proven=proven, commit=candidate)
    if changed := run.look_at_layers():
        raise _HaltError(Halt.LAYER_CHANGED, f"{changed}\n{MADE_AGAIN}", proven=proven, commit=candidate)
    if found := foreign.find(run, candidate):
        raise _HaltError(found.code, found.why, commit=candidate)
    if proven.foreign:
        raise _HaltError(Halt.FOREIGN_FILES, proven.foreign, proven=proven, commit=candidate)
    if not proven.passed:
        raise _HaltError(Halt.GATES_FAILED, proven.why, proven=proven, commit=candidate)
    run.workspace.set_ref(run.workspace.places.proven_ref, candidate)
    run.record(e.CandidateProven(at=now(), commit=candidate, by=proven.by))


def _move(run: Run, candidate: str, proven: Proof) -> str:
    """Move the feature branch to the candidate; returns where it was."""
    repo, places = run.workspace.repo, run.workspace.places
    tip = _check_branch(run, candidate, proven)
    _check_not_checked_out(run, candidate, proven)
    run.workspace.watch.expect(places.branch_ref, candidate)
    try:
        repo.update_ref(places.branch_ref, candidate, tip or None)
    except GitError as refused:
        if (repo.ref(places.branch_ref) or "") != tip:
            _check_branch(run, candidate, proven)
        # it did not move, so this is no race but a refusal: a branch `openspec` was made meanwhile, say
        take = f"git update-ref {places.branch_ref} {places.proven_ref}"
        why = f"git refuses to move {places.branch}: {refused.stderr}\neverything is proven; take it with:\n  {take}"
        raise _HaltError(Halt.BRANCH_REFUSED, why, proven=proven, commit=candidate) from None
    return tip


def _check_not_checked_out(run: Run, candidate: str, proven: Proof) -> None:
    """A branch that a worktree uses is not moved: the user's next commit there would delete the landed work."""
    places = run.workspace.places
    for use in checked_out.uses(run.workspace.repo, places.branch_ref):
        folder = shlex.quote(str(use.worktree))
        if use.verb == checked_out.CHECKED_OUT:
            what = f"take it with:\n  git -C {folder} merge --ff-only {places.proven_ref}"
        else:
            again = f"parallel-implement {places.change_id}"
            what = f"end that (git -C {folder} status shows how), then give the same command again: {again}"
        if not use.worktree.is_dir():
            remove = f"git -C {shlex.quote(str(places.common))} worktree remove -f -f {folder}"
            what = f"which is locked and not there: bring it back, or forget it, and give the same command:\n  {remove}"
        why = f"{places.branch} is {use.verb} in {use.worktree}; everything is proven, {what}"
        raise _HaltError(Halt.CHECKED_OUT, why, proven=proven, commit=candidate)
