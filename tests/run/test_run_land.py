"""The accepted work put together and landed: what moves the feature branch, and what leaves it where it was."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from parallel_impl.gates.gate_report import GateReport, GateState
from parallel_impl.gates.quality import Gate
from parallel_impl.git.union import Layer
from parallel_impl.record import events as e
from parallel_impl.record.codes import Halt
from parallel_impl.record.journal import read
from parallel_impl.record.state import Progress
from parallel_impl.run import runner
from parallel_impl.run.gate_runs import BaseProof
from parallel_impl.run.land import assemble, land
from parallel_impl.run.land.ending import Ending
from parallel_impl.run.land.proof import Proof
from parallel_impl.run.run import Run
from tests.repository import git
from tests.run.scene import commit, heard, in_force, make_repository, move_branch, open_run, package


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A run of two packages without gates, both accepted: `a` wrote a/x, `b` wrote b/y."""
    repo, base = make_repository(tmp_path / "user.git")
    opened = open_run(repo, base, tmp_path / "home", package("a"), package("b", "a"))
    accept(opened, "a", {"a/x": "1\n"})
    accept(opened, "b", {"b/y": "2\n"})
    yield opened
    opened.journal.close()


def accept(run: Run, name: str, files: dict[str, str]) -> None:
    repo, base = run.workspace.repo, run.spec.base
    made = commit(repo, base, files)
    run.layers[name] = Layer(name, made, tuple(repo.changes(base, made)))
    run.record(
        e.AttemptStarted(at=2.0, package=name, number=1),
        e.AttemptEnded(at=3.0, package=name, number=1, commit=made, seconds=1.0),
        e.PackageAccepted(at=3.0, package=name, number=1, commit=made),
    )


def no_gates() -> BaseProof:
    done: BaseProof = Future()
    done.set_result({})
    return done


def finish(run: Run, only: frozenset[str] | None = None) -> Ending:
    return land.land(run, no_gates(), only=only)


def branch(run: Run) -> str | None:
    return run.workspace.repo.ref(run.workspace.places.branch_ref)


def test_the_branch_becomes_exactly_the_proven_candidate(run: Run) -> None:
    ended = finish(run)
    repo, places = run.workspace.repo, run.workspace.places
    assert (ended.exit_code, ended.status, ended.commit) == (0, "landed", branch(run))
    assert repo.ref(places.candidate_ref) == repo.ref(places.proven_ref) == branch(run)
    assert [entry.path for entry in repo.entries(ended.commit, recurse=True)] == ["a/x", "b/y"]
    kinds = [type(event).__name__ for event in heard(run) if not isinstance(event, e.TimesMeasured)]
    assert kinds[-6:] == ["CandidateMade", "GatesEnded", "GatesEnded", "CandidateProven", "CheckoutsMade", "Landed"]
    assert places.summary.is_file()  # before the event: what has landed is not looked at again


def test_a_package_that_was_not_accepted_halts_and_is_named_with_its_reason(run: Run) -> None:
    run.record(e.PackagesRestarted(at=4.0, packages=["b"]))
    run.layers.pop("b")
    ended = finish(run)
    assert (ended.exit_code, ended.code) == (1, Halt.NOT_ALL_ACCEPTED)
    assert "b queued" in ended.headline
    assert branch(run) is None


def test_only_never_lands(run: Run) -> None:
    ended = finish(run, only=frozenset({"a"}))
    assert (ended.code, branch(run)) == (Halt.ONLY, None)
    assert "--only left out 1 package" in ended.headline
    places = run.workspace.places
    assert ended.lines[-1] == f"  go on with all packages: parallel-implement {places.change_id}"


def test_what_nobody_changed_does_not_land_and_who_changed_nothing_is_counted(run: Run) -> None:
    run.layers["b"] = Layer("b", run.spec.base, ())
    assert "2 packages, each in its scope, 1 of them changed nothing; " in finish(run).headline
    run.layers["a"] = Layer("a", run.spec.base, ())
    ended = finish(run)
    assert (ended.exit_code, ended.code) == (1, Halt.NO_CHANGES)
    assert any("parallel-cleanup c1" in line for line in ended.lines)
    assert any("--restart PACKAGE" in line for line in ended.lines)


def test_work_that_cannot_stand_in_one_tree_halts_with_both_packages(run: Run) -> None:
    repo, base = run.workspace.repo, run.spec.base
    run.in_force = in_force([package("a"), package("b")])
    made = commit(repo, base, {"a/x/below": "1\n"})
    run.layers["b"] = Layer("b", made, tuple(repo.changes(base, made)))
    ended = finish(run)
    assert ended.code is Halt.CLASH
    assert "a and b clash" in ended.headline
    assert any("b: depends_on: [a]" in line for line in ended.lines)


def test_a_clash_is_told_before_what_is_not_accepted_yet(run: Run) -> None:
    repo, base = run.workspace.repo, run.spec.base
    run.in_force = in_force([package("a"), package("b"), package("c", "a", "b")])
    run.state.packages["c"] = Progress(("a", "b"))
    made = commit(repo, base, {"a/x/below": "1\n"})
    run.layers["b"] = Layer("b", made, tuple(repo.changes(base, made)))
    assert finish(run).code is Halt.CLASH


def test_a_branch_that_moved_halts_and_is_merged_with_when_the_user_agreed(run: Run) -> None:
    repo = run.workspace.repo
    other = move_branch(run, commit(repo, run.spec.base, {"c/z": "3\n"}), consented=False)
    halted = finish(run)
    assert (halted.exit_code, halted.code, branch(run)) == (1, Halt.BRANCH_MOVED, other)
    assert f"1 commit came with it: {other[:12]} work\n1 path differs: c/z" in halted.headline
    assert run.state.asked == other
    run.record(e.RunContinued(at=4.0, agent="", jobs=1), e.BranchMoveAccepted(at=4.0, commit=other))
    ended = finish(run)
    assert (ended.exit_code, repo.is_ancestor(other, ended.commit)) == (0, True)
    assert [entry.path for entry in repo.entries(ended.commit, recurse=True)] == ["a/x", "b/y", "c/z"]


def test_a_base_that_lacks_what_the_branch_had_halts_too(run: Run) -> None:
    repo = run.workspace.repo
    other = move_branch(run, commit(repo, run.spec.base, {"c/z": "3\n"}), consented=False)
    run.state.tip = other  # it was there when the run began, with another `--base`
    assert (finish(run).code, run.state.asked) == (Halt.BRANCH_MOVED, other)


def test_a_branch_that_moves_while_gates_run_halts_with_everything_proven(run: Run) -> None:
    repo, places = run.workspace.repo, run.workspace.places
    candidate, tip = land._put_together(run)
    proof = Proof((), passed=True)
    land._accept(run, candidate, proof)
    other = move_branch(run, commit(repo, run.spec.base, {"EVIL.md": "x\n"}), consented=False)
    with pytest.raises(land._MovedError) as moved:
        land._move(run, candidate, proof)
    assert (tip, moved.value.move.paths, moved.value.commit) == ("", ("EVIL.md",), candidate)
    assert (branch(run), repo.ref(places.proven_ref)) == (other, candidate)
    run.look_at_repository()
    assert run.state.tampering is None  # the branch is the user's too


def test_a_candidate_that_was_taken_by_hand_is_no_move_and_lands(run: Run) -> None:
    candidate, _ = land._put_together(run)
    run.record(e.CandidateMade(at=4.0, commit=candidate, tree=""))
    move_branch(run, candidate, consented=False)
    ended = finish(run)
    assert (ended.exit_code, ended.commit, branch(run)) == (0, candidate, candidate)


def test_an_earlier_candidate_is_not_taken_for_this_one(run: Run) -> None:
    stale = commit(run.workspace.repo, run.spec.base, {"a/old": "1\n"})
    run.record(e.CandidateMade(at=4.0, commit=stale, tree=""))
    move_branch(run, stale, consented=False)
    assert (finish(run).code, run.state.asked) == (Halt.BRANCH_MOVED, stale)


def test_what_the_user_put_on_a_proven_commit_is_not_called_proven(run: Run) -> None:
    repo = run.workspace.repo
    candidate = assemble.assemble(run)
    run.record(e.CandidateProven(at=5.0, commit=candidate))
    tip = move_branch(run, commit(repo, candidate, {"broken": "x\n"}), consented=False)
    ended = finish(run)
    assert (ended.exit_code, ended.commit, branch(run)) == (0, candidate, tip)
    assert f"1 commit on top that this run has not proven, up to {tip[:12]}" in ended.headline
    assert run.state.landed and run.state.landed.commit == candidate


def test_a_commit_that_only_the_journal_calls_proven_does_not_land(run: Run) -> None:
    evil = commit(run.workspace.repo, run.spec.base, {"a/x": "1\n", "b/y": "2\n", "EVIL.md": "x\n"})
    run.record(e.CandidateProven(at=5.0, commit=evil))
    move_branch(run, evil, consented=False)
    assert finish(run).code is Halt.BRANCH_MOVED


def test_a_conflict_with_the_moved_branch_halts_and_names_the_paths(run: Run) -> None:
    repo, places = run.workspace.repo, run.workspace.places
    other = move_branch(run, commit(repo, run.spec.base, {"a/x": "other\n"}))
    ended = finish(run)
    assert (ended.code, branch(run)) == (Halt.BRANCH_MOVED, other)
    assert "both changed: a/x" in ended.headline
    assert any(f"git merge {places.candidate_ref}" in line for line in ended.lines)


def test_a_merge_by_hand_lands_as_it_is(run: Run) -> None:
    repo, base = run.workspace.repo, run.spec.base
    union = assemble.assemble(run)
    merged = repo.commit_tree(
        repo.tree(union), [commit(repo, base, {"a/x": "other\n"}), union], "by hand", date=1_700_000_000
    )
    move_branch(run, merged)
    assert finish(run).commit == merged


def test_work_that_no_accepted_package_may_write_does_not_land(run: Run) -> None:
    repo, base = run.workspace.repo, run.spec.base
    made = commit(repo, base, {"b/y": "2\n", "EVIL.md": "x\n"})  # as a journal says that was written by somebody else
    run.layers["b"] = Layer("b", made, tuple(repo.changes(base, made)))
    ended = finish(run)
    assert (ended.code, branch(run)) == (Halt.OUT_OF_SCOPE, None)
    assert "EVIL.md: in the scope of no accepted package" in ended.headline
    assert any("parallel-implement c1 --restart b" in line for line in ended.lines)


def test_an_object_that_is_not_what_its_name_says_does_not_land(run: Run) -> None:
    repo = run.workspace.repo
    (entry,) = repo.entries(run.layers["a"].commit, "a/x")
    file = repo.git_dir / "objects" / entry.oid[:2] / entry.oid[2:]
    file.chmod(0o644)
    file.write_bytes(zlib.compress(b"blob 2\x009\n"))
    ended = finish(run)
    assert (ended.code, branch(run)) == (Halt.OBJECT_DAMAGED, None)
    assert str(file) in ended.headline
    assert any("parallel-implement c1 --restart a" in line for line in ended.lines)


def test_a_branch_that_is_checked_out_is_not_moved(run: Run, tmp_path: Path) -> None:
    repo, places = run.workspace.repo, run.workspace.places
    repo.set_ref(places.branch_ref, run.spec.base)
    git(repo.git_dir, "worktree", "add", "--quiet", str(tmp_path / "wt"), places.branch)
    ended = finish(run)
    assert (ended.code, branch(run)) == (Halt.CHECKED_OUT, run.spec.base)
    assert repo.ref(places.proven_ref) == ended.commit
    assert any(f"merge --ff-only {places.proven_ref}" in line for line in ended.lines)


def test_a_branch_that_git_refuses_to_make_halts_with_the_line_to_type(run: Run) -> None:
    repo = run.workspace.repo
    repo.set_ref("refs/heads/openspec", run.spec.base)  # leaves no room for openspec/c1
    ended = finish(run)
    assert ended.code is Halt.BRANCH_REFUSED
    assert any("git update-ref refs/heads/openspec/c1" in line for line in ended.lines)


def test_a_branch_that_was_moved_before_the_crash_counts_as_landed(run: Run) -> None:
    candidate = assemble.assemble(run)
    run.record(e.CandidateProven(at=5.0, commit=candidate))
    run.workspace.set_ref(run.workspace.places.branch_ref, candidate)
    ended = finish(run)
    assert (ended.exit_code, ended.commit) == (0, candidate)
    assert isinstance(read(run.workspace.places.journal)[-1], e.Landed)


def test_a_signal_while_gates_run_ends_without_a_verdict(run: Run) -> None:
    run.stop.set()
    ended = finish(run)
    assert (ended.exit_code, ended.code, branch(run)) == (130, Halt.INTERRUPTED, None)


def test_a_red_gate_lands_nothing_and_leaves_the_candidate_where_it_can_be_looked_at(run: Run) -> None:
    run.spec = replace(run.spec, gates=(Gate("whole", "test ! -e b/y"),))
    run.launch = replace(run.launch, env={"PATH": os.environ["PATH"]})
    before: BaseProof = Future()
    before.set_result({"whole": GateReport("whole", GateState.GREEN, 0)})
    ended = land.land(run, before, only=None)
    repo, places = run.workspace.repo, run.workspace.places
    assert (ended.exit_code, ended.code, branch(run)) == (1, Halt.GATES_FAILED, None)
    assert (repo.ref(places.candidate_ref), repo.ref(places.proven_ref)) == (ended.commit, None)


def test_a_candidate_that_is_on_the_branch_already_is_proven_before_it_counts(run: Run) -> None:
    candidate, _ = land._put_together(run)
    run.record(e.CandidateMade(at=4.0, commit=candidate, tree=""))
    move_branch(run, candidate, consented=False)
    finish(run)
    assert [event.commit for event in heard(run) if isinstance(event, e.CandidateProven)] == [candidate]


def test_the_repository_is_compared_before_anything_is_put_together(run: Run) -> None:
    repo, places = run.workspace.repo, run.workspace.places
    repo.set_ref(f"{places.refs}/planted", run.spec.base)
    ended = runner.execute(run)
    assert (ended.code, repo.ref(places.candidate_ref)) == (Halt.REPOSITORY_CHANGED, None)
