"""The candidate's tasks: ticked for its packages after a merge with the tip, the same commit whenever it is made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from parallel_impl.openspec import task_names
from parallel_impl.plan.model import Plan
from parallel_impl.record import events as e
from parallel_impl.run.land import assemble, land, ticking
from parallel_impl.run.run import Run
from tests.repository import git
from tests.run.scene import commit, in_force, make_repository, move_branch, open_run, package
from tests.run.test_run_land import accept, branch, no_gates

FILE = "openspec/changes/c1/tasks.md"
TASKS = "# Tasks\r\n## 1. A\r\n- [ ] 1.1 One\r\n- [ ] 1.2 Two\r\n## 2. B\n- [ ] 2.1 Three\n- [~] 2.2 Four"


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """A run of the package `a`, accepted, on a base with a task list; it has the tasks of section 1."""
    repo, empty = make_repository(tmp_path / "user.git")
    base = commit(repo, empty, {FILE: TASKS})
    opened = open_run(repo, base, tmp_path / "home", package("a"))
    opened.in_force = in_force([replace(package("a"), tasks=("1",))])
    accept(opened, "a", {"a/x": "1\n"})
    yield opened
    opened.journal.close()


def test_the_last_commit_ticks_the_tasks_of_accepted_packages_and_the_rest_is_listed(run: Run) -> None:
    ended = land.land(run, no_gates(), only=None)
    repo, places = run.workspace.repo, run.workspace.places
    assert (ended.exit_code, ended.commit) == (0, branch(run))
    content = repo.read(ended.commit, FILE)
    assert content == TASKS.replace("[ ] 1.", "[x] 1.").encode()
    (union,) = repo.parents(ended.commit)
    assert [change.path for change in repo.changes(union, ended.commit)] == [FILE]
    assert repo.ref(places.proven_ref) == ended.commit
    assert git(repo.git_dir, "log", "-1", "--format=%s%n%(trailers:key=Change-Id,valueonly)", ended.commit) == (
        "Tick the tasks of c1\nc1\n"
    )
    assert ticking.open_tasks(run, ended.commit) == ("2.1 Three", "2.2 Four")
    assert any("open:     2 tasks of tasks.md that no package names: 2.1 Three; 2.2 Four" in one for one in ended.lines)


def test_without_a_plan_what_only_the_tip_asks_for_stays_open(run: Run) -> None:
    run.spec, run.in_force = replace(run.spec, single=True), in_force([package("a")])
    repo = run.workspace.repo
    move_branch(run, commit(repo, run.spec.base, {FILE: TASKS + "\n- [ ] 2.3 New\n"}))
    ended = land.land(run, no_gates(), only=None)
    content = repo.read(ended.commit, FILE) or b""
    assert (content.count(b"[x]"), content.endswith(b"- [ ] 2.3 New\n")) == (3, True), content


def test_what_the_tip_did_to_the_list_stays(run: Run) -> None:
    repo = run.workspace.repo
    tip = move_branch(run, commit(repo, run.spec.base, {FILE: TASKS + "\n- [ ] 1.3 New of section 2\n"}))
    ended = land.land(run, no_gates(), only=None)
    content = repo.read(ended.commit, FILE) or b""
    assert repo.is_ancestor(tip, ended.commit)
    assert b"- [x] 1.1 One\r\n- [x] 1.2 Two\r\n" in content
    assert content.endswith(b"- [~] 2.2 Four\n- [ ] 1.3 New of section 2\n")


def test_what_the_tip_asks_for_under_the_number_of_a_task_that_is_done_stays_open(run: Run) -> None:
    repo = run.workspace.repo
    anew = TASKS.replace("1.2 Two", "1.3 Two").replace("1.1 One", "1.1 Not done\r\n- [ ] 1.2 One")
    move_branch(run, commit(repo, run.spec.base, {FILE: anew}))
    ended = land.land(run, no_gates(), only=None)
    assert ended.exit_code == 0
    content = repo.read(ended.commit, FILE) or b""
    assert b"- [ ] 1.1 Not done\r\n- [x] 1.2 One\r\n- [x] 1.3 Two\r\n" in content


def test_made_again_after_a_crash_it_is_the_same_commit_and_counts_as_landed(run: Run) -> None:
    first = ticking.tick(run, assemble.assemble(run))
    assert ticking.tick(run, assemble.assemble(run)) == first
    assert ticking.tick(run, first) == first  # nothing is left to tick
    run.record(e.CandidateProven(at=5.0, commit=first))
    run.workspace.set_ref(run.workspace.places.branch_ref, first)  # killed before it was journalled
    ended = land.land(run, no_gates(), only=None)
    assert (ended.exit_code, ended.commit, branch(run)) == (0, first, first)


def test_a_plan_without_tasks_ticks_nothing_and_is_told_the_line_to_write(run: Run) -> None:
    run.in_force = in_force([package("a")])
    union = assemble.assemble(run)
    assert ticking.tick(run, union) == union
    (problem,) = task_names.problems(TASKS.encode(), FILE, run.in_force.plan)
    assert problem.what == f"no package names its tasks, so no box of {FILE} will be ticked"
    assert problem.hint.endswith('tasks: ["1.1", "1.2"]')
    assert list(task_names.problems(TASKS.replace("[ ]", "[x]").encode(), FILE, Plan("c1", (package("a"),)))) == []


def test_an_edited_plan_carries_its_tasks(run: Run) -> None:
    repo, places = run.workspace.repo, run.workspace.places
    edited = commit(repo, run.spec.base, {FILE: TASKS + "\n- [ ] 2.3 New\n", places.plan_file: "plan\n"})
    run.record(
        e.PlanRevised(
            at=4.0,
            plan_blob="",
            commit=edited,
            plan_revision=2,
            contracts_revision=1,
            packages={"a": []},
            changed=[],
        )
    )
    run.in_force = in_force([replace(package("a"), tasks=("2.3",))], revision=2)
    made = ticking.tick(run, assemble.assemble(run))
    assert repo.read(made, FILE) == (TASKS + "\n- [x] 2.3 New\n").encode()


def test_a_tasks_file_that_is_a_link_is_left_alone(run: Run) -> None:
    repo = run.workspace.repo
    target = repo.write_blob(b"elsewhere.md")
    index = repo.git_dir / "test.index"
    repo.git("read-tree", run.spec.base, index=index)
    repo.git("update-index", "--index-info", input=f"120000 {target}\t{FILE}\n".encode(), index=index)
    tree = repo.git("write-tree", index=index).decode().strip()
    linked = repo.commit_tree(tree, [run.spec.base], "link", date=1_700_000_000)
    assert ticking.tick(run, linked) == linked


def test_a_run_without_a_plan_ticks_all(run: Run) -> None:
    run.spec, run.in_force = replace(run.spec, single=True), in_force([package("a")])
    made = ticking.tick(run, assemble.assemble(run))
    assert run.workspace.repo.read(made, FILE) == TASKS.replace("[ ]", "[x]").encode()
