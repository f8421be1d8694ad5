"""The accepted work put together, proven and landed: candidate, gates on it, one compare-and-swap.

Only a proven candidate becomes the feature branch, and exactly that commit. Whatever stops this leaves the branch where
it was and all work on refs.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from parallel_impl.contracts import check as contracts
from parallel_impl.errors import count
from parallel_impl.git import union
from parallel_impl.git.repo import Change, GitError
from parallel_impl.record import events as e
from parallel_impl.record import json_form
from parallel_impl.record.codes import Halt
from parallel_impl.record.journal import read
from parallel_impl.record.state import PackageState, blocking
from parallel_impl.report import markdown, summary
from parallel_impl.run.land import proof
from parallel_impl.run.land.proof import BaseProof, Proof
from parallel_impl.run.run import Ground, Run, now
from parallel_impl.storage import write_atomically

ROUNDS = 3  # the first try and, when the branch moved meanwhile, two more


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended: exit code, status for the summary, and the lines that are printed last."""

    exit_code: int
    status: str
    headline: str
    lines: tuple[str, ...]
    code: Halt | None = None
    commit: str = ""
    proof: Proof | None = None


def integrate(run: Run, base_proof: BaseProof, *, only: frozenset[str] | None) -> Ending:
    """Put everything together, prove it, land it. Returns how the run ended; never raises for a red gate."""
    ground = run.ground
    wanted = [name for name in ground.order.topological if only is None or name in only]
    if blocked := blocking(run.state, wanted):
        return halt(run, Halt.NOT_ALL_ACCEPTED, _blocked(run, dict(blocked)))
    if only is not None:
        left = count(len(ground.order.topological) - len(wanted), "package")
        why = f"{', '.join(wanted)} accepted; --only left out {left}: nothing lands until the command runs without it"
        return halt(run, Halt.ONLY, why)
    layers = [run.layers[name] for name in wanted]
    if found := union.clashes(layers):
        return halt(run, Halt.CLASH, "\n".join(str(clash) for clash in found))
    places = ground.places
    ground.watch.expect_any(places.candidate_ref)
    commit = union.candidate(
        ground.repo,
        ground.base,
        layers,
        change_id=places.change_id,
        ref=places.candidate_ref,
        date=ground.date,
        carried=_edited_plan(run),
    )
    ground.watch.expect(places.candidate_ref, commit)
    return _land(run, commit, base_proof)


def _edited_plan(run: Run) -> list[Change]:
    """What an edit of the plan between two starts changed: it lands with the work that was done for it."""
    ground, plan_file = run.ground, run.ground.places.plan_file
    if not run.state.revised:
        return []
    return [one for one in ground.repo.changes(ground.base, run.state.plan_commit) if one.path == plan_file]


def _land(run: Run, commit: str, base_proof: BaseProof) -> Ending:
    repo, places = run.ground.repo, run.ground.places
    for _ in range(ROUNDS):
        tip = repo.ref(places.branch_ref)
        if tip and repo.is_ancestor(commit, tip) and run.state.proven:
            return _landed(run, tip, tip, proof.remembered(run))  # moved before a crash, or by the user's own merge
        candidate, conflicts = _with_tip(run, commit, tip)
        if conflicts:
            why = (
                f"{places.branch} is at {(tip or '')[:12]}, which the run did not start from, "
                f"and both changed: {', '.join(conflicts)}"
            )
            return halt(run, Halt.BRANCH_MOVED, why)
        run.record(e.CandidateMade(at=now(), commit=candidate, tree=repo.tree(candidate), tip=tip or ""))
        proven = proof.prove(run, candidate, base_proof)
        if run.ground.stop:
            return interrupted(run)
        run.look_at_repository(files=True)  # gates run what agents wrote
        if run.state.tampering:
            return halt(run, Halt.REPOSITORY_CHANGED, "\n".join(run.state.tampering.what), commit=candidate)
        if not proven.passed:
            return halt(run, Halt.GATES_FAILED, proven.why, proof_=proven, commit=candidate)
        run.ground.set_ref(places.proven_ref, candidate)
        run.record(e.CandidateProven(at=now(), commit=candidate))
        if ending := _refused(run, candidate, proven):
            return ending
        run.ground.watch.expect(places.branch_ref, candidate)
        try:
            repo.update_ref(places.branch_ref, candidate, tip)
        except GitError as refused:
            if repo.ref(places.branch_ref) != tip:
                continue
            # it did not move, so this is no race but a refusal: a branch `openspec` was made meanwhile, say
            take = f"git update-ref {places.branch_ref} {places.proven_ref}"
            why = (
                f"git refuses to move {places.branch}: {refused.stderr}\neverything is proven; take it with:\n  {take}"
            )
            return halt(run, Halt.BRANCH_REFUSED, why, proof_=proven, commit=candidate)
        return _landed(run, candidate, tip or "", proven)
    return halt(run, Halt.BRANCH_MOVED, f"{places.branch} moved {ROUNDS} times while the candidate was proven")


def _with_tip(run: Run, commit: str, tip: str | None) -> tuple[str, list[str]]:
    """The candidate that the branch can move to: `commit`, or its merge with a tip that it does not contain."""
    repo, places = run.ground.repo, run.ground.places
    if not tip or repo.is_ancestor(tip, commit):
        return commit, []
    tree, conflicts = repo.merge(tip, commit)
    if conflicts:
        return "", conflicts
    message = f"Merge the work packages of {places.change_id}\n\nChange-Id: {places.change_id}\n"
    merged = repo.commit_tree(tree, (tip, commit), message, date=run.ground.date)
    run.ground.set_ref(places.candidate_ref, merged)
    return merged, []


def _refused(run: Run, candidate: str, proven: Proof) -> Ending | None:
    """A branch that a worktree has checked out is not moved: the user's next commit would delete the landed work."""
    places = run.ground.places
    for worktree in run.ground.repo.worktrees():
        if worktree.branch == places.branch_ref:
            take = f"git -C {shlex.quote(str(worktree.path))} merge --ff-only {places.proven_ref}"
            why = f"{places.branch} is checked out in {worktree.path}; everything is proven, take it with:\n  {take}"
            return halt(run, Halt.CHECKED_OUT, why, proof_=proven, commit=candidate)
    return None


def _landed(run: Run, commit: str, old: str, gates: Proof) -> Ending:
    places, packages = run.ground.places, count(len(run.ground.order.topological), "package")
    headline = f"{places.branch} is {commit[:12]}: {packages}, each in its scope; {gates.headline}"
    lines = (
        "",
        f"Landed: {headline}",
        f"  look:     git log --first-parent --oneline {places.branch}",
        f"  diff:     git diff {run.ground.base[:12]}...{places.branch}",
        f"  evidence: {places.summary}",
        f"  publish:  git push -u origin {places.branch}",
        f"  clean up: parallel-cleanup {places.change_id}",
    )
    ending = Ending(0, "landed", headline, lines, commit=commit, proof=gates)
    summarise(run, ending)  # before the event: what has landed is not looked at again, so its evidence must be there
    run.record(e.Landed(at=now(), commit=commit, branch=places.branch, old=old))
    return ending


def halt(run: Run, code: Halt, why: str, *, proof_: Proof | None = None, commit: str = "") -> Ending:
    """End without landing: nothing moves, everything is kept, and the user is told what to look at."""
    places = run.ground.places
    run.record(e.RunHalted(at=now(), code=code, why=why))
    headline = f"not landed: {code}: {why}"
    lines = [
        "",
        f"Not landed ({code}); {places.branch} is where it was, all work is kept.",
        *(f"  {line}" for line in why.split("\n")),
        f"  evidence: {places.summary}",
    ]
    if commit:
        lines.append(f"  look at the candidate: git log --first-parent {places.candidate_ref}")
    for name, progress in run.state.packages.items():
        if progress.state is PackageState.FAILED and progress.ended:
            number = progress.ended[-1].number
            lines.append(f"  {name}: logs in {places.attempt(name, number)}")
            if progress.ended[-1].commit:
                lines.append(f"  {name}: its work: git show {places.attempt_ref(name, number)}")
    if any(progress.state is PackageState.FAILED for progress in run.state.packages.values()):
        lines.append(f"  try what failed again: parallel-implement {places.change_id} --retry-failed")
    return Ending(1, "halted", headline, tuple(lines), code=code, commit=commit, proof=proof_)


def interrupted(run: Run) -> Ending:
    """What is said when a signal stopped the run."""
    places = run.ground.places
    line = f"Interrupted. Accepted work is kept; go on with: parallel-implement {places.change_id}"
    return Ending(130, "interrupted", "interrupted", ("", line), code=Halt.INTERRUPTED)


def _blocked(run: Run, blocked: dict[str, PackageState]) -> str:
    lines = []
    for name, state in blocked.items():
        progress = run.state.packages[name]
        first, *more = (f"{progress.code}: {progress.why}" if progress.code else progress.why).split("\n")
        lines += [f"{name} {state}" + (f": {first}" if first else ""), *(f"  {line}" for line in more)]
    return "\n".join(lines)


def summarise(run: Run, ending: Ending) -> None:
    """Write summary.md and summary.json beside the journal."""
    ground, places = run.ground, run.ground.places
    rows = ending.proof.rows if ending.proof else ()
    facts = summary.Facts(
        change_id=places.change_id,
        branch=places.branch,
        order=ground.order.topological,
        state=run.state,
        attempts=places.state / "attempts",
        status=ending.status,
        code=str(ending.code or ""),
        headline=ending.headline,
        commit=ending.commit,
        gates=rows,
        contracts=tuple(summary.ContractRow(*one) for one in _contracts(run, ending.commit)),
        switched_off=tuple(_switched_off(ground)),
        notes=tuple(ground.notes),
    )
    document = summary.build(facts, read(places.journal))
    write_atomically(places.summary_json, json_form.encode(document, indent=1))
    write_atomically(places.summary, markdown.render(document).encode())


def _switched_off(ground: Ground) -> Iterator[str]:
    yield from (f"gate {gate.name}" for gate in ground.gates if gate.off)
    if not ground.config.contain:
        yield "PID namespaces of agents (contain = false)"


def _contracts(run: Run, commit: str) -> Iterator[tuple[str, str]]:
    """Each contract of the plan, and what was checked about it in the tree that the run ended with."""
    ground = run.ground
    folder = ground.places.folder
    writers = {
        path: package.id for package in ground.plan.packages for path in contracts.made_by(ground.plan, package, folder)
    }
    for path in ground.plan.contracts.files:
        places = contracts.candidates(ground.plan, path, folder)
        there = any(ground.repo.read(commit or ground.base, place) is not None for place in places)
        writer = writers.get(path, "")
        if writer and writer not in run.state.accepted():
            yield path, f"to be written by {writer}, which was not accepted"
        elif there:
            yield path, f"valid, may be written by {writer}" if writer else "valid on the base, changed by no package"
        else:
            yield path, "missing"
