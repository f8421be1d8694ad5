"""A merged change is archived in one commit on the base's tip: what is merged, what is refused, and what is left alone.

`openspec` is a small program on PATH that moves the folder and answers as the real one does; the real one is driven by
tests/clients.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from parallel_impl.errors import UserError
from parallel_impl.git import merged
from parallel_impl.git.repo import Repo
from parallel_impl.record.journal import Journal
from parallel_impl.run.inspect import archive
from parallel_impl.run.inspect.archive import ArchiveOptions, ArchiveReport
from parallel_impl.run.places import Places
from tests.repository import commit_all, git, init, tool, users_side
from tests.run.scene import first_event, package

NAME = "2026-01-02-c1"
OPENSPEC = f"""#!/bin/sh
set -eu
[ "$1" != --version ] || {{ echo 1.6.0; exit 0; }}
test "$1 $2 $3 $4" = "archive c1 -y --json"
mkdir -p openspec/changes/archive openspec/specs/store
mv openspec/changes/c1 openspec/changes/archive/{NAME}
cp openspec/changes/archive/{NAME}/specs/store/spec.md openspec/specs/store/spec.md
echo '{{"archive": {{"change": "c1", "archivedAs": "{NAME}"}}}}'
"""
BRANCH = "refs/heads/archive/c1"
Folder = tuple[Path, Mapping[str, str]]


@pytest.fixture
def place(tmp_path: Path) -> Folder:
    """A repository whose feature branch has one commit of work with the task ticked, and `openspec` on PATH."""
    repo, program = tmp_path / "repo", tmp_path / "bin/openspec"
    program.parent.mkdir()
    program.write_text(OPENSPEC)
    program.chmod(0o755)
    change = repo / "openspec/changes/c1"
    (change / "specs/store").mkdir(parents=True)
    init(repo)
    (change / "specs/store/spec.md").write_text("## ADDED Requirements\r\n")
    (change / "tasks.md").write_text("- [ ] 1.1 One\n- [ ] 1.2 Two\n")
    (change / "run.sh").write_text("true\n")
    (change / "run.sh").chmod(0o755)
    (change / "link.md").symlink_to("../../../a.txt")
    commit_all(repo, "base")
    git(repo, "switch", "--quiet", "-c", "openspec/c1")
    (repo / "a.txt").write_text("work\n")
    (change / "tasks.md").write_text("- [x] 1.1 One\n- [x] 1.2 Two\n")
    commit_all(repo, "work")
    git(repo, "switch", "--quiet", "main")
    return repo, {**os.environ, "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}


def call(place: Folder, *, on: str = "", with_open: bool = False, dry_run: bool = False) -> ArchiveReport:
    folder, env = place
    options = ArchiveOptions(on, with_open_tasks=with_open, dry_run=dry_run)
    return archive.archive(Repo.discover(folder), folder, "c1", options, env)


def squash(folder: Path) -> None:
    git(folder, "merge", "--quiet", "--squash", "openspec/c1")
    commit_all(folder, "squashed")
    (folder / "a.txt").write_text("edited later\n")
    commit_all(folder, "later")


def paths(folder: Path, commit: str) -> list[str]:
    return git(folder, "ls-tree", "-r", "--name-only", commit).split("\n")


def test_a_squashed_change_is_archived_on_a_new_branch_and_nothing_else_moves(place: Folder) -> None:
    folder, _ = place
    squash(folder)
    before = users_side(folder)
    report = call(place)
    assert not report.refused
    assert report.lines[0] == f"archived c1 as {NAME}: one commit on main, on the branch archive/c1"
    assert "git merge --ff-only archive/c1   # on main" in report.lines[1]
    assert git(folder, "rev-parse", f"{BRANCH}^") == git(folder, "rev-parse", "main")
    found = f"openspec/changes/archive/{NAME}"
    assert paths(folder, BRANCH) == [
        "a.txt",
        f"{found}/link.md",
        f"{found}/run.sh",
        f"{found}/specs/store/spec.md",
        f"{found}/tasks.md",
        "openspec/specs/store/spec.md",
    ]
    modes = {line.split("\t")[1]: line[:6] for line in git(folder, "ls-tree", "-r", BRANCH).split("\n")}
    assert (modes[f"{found}/link.md"], modes[f"{found}/run.sh"]) == ("120000", "100755")
    after = users_side(folder)
    ours = {path for path in after.keys() - before.keys() if "archive/c1" not in path}
    assert {path: content for path, content in after.items() if path in before} == before
    assert ours - {".git/reftable"} == set()
    assert call(place).lines[0] == "archived on the branch archive/c1 already"


def test_a_change_that_is_not_merged_is_not_archived(place: Folder) -> None:
    report = call(place)
    assert (report.lines, report.unmerged) == (["not archived: openspec/c1 is not merged into main yet"], True)
    assert git(place[0], "for-each-ref", "refs/heads/archive", "refs/parallel-impl") == ""
    git(place[0], "branch", "-D", "openspec/c1")
    assert call(place).lines == []  # nothing tells that it landed


def test_open_tasks_are_refused_and_become_a_follow_up_list_where_that_is_wanted(place: Folder) -> None:
    folder, _ = place
    squash(folder)
    (folder / "openspec/changes/c1/tasks.md").write_text("- [x] 1.1 One\n- [ ] 1.2 Two\n")
    commit_all(folder, "open again")
    refused = call(place)
    assert refused.refused
    assert refused.lines[:2] == ["not archived: 1 task of c1 still open:", "  - 1.2 Two"]
    assert refused.lines[-1].endswith("parallel-cleanup c1 --with-open-tasks")
    assert not call(place, with_open=True).refused
    text = git(folder, "show", f"{BRANCH}:openspec/changes/archive/{NAME}/follow-up.md")
    assert text.endswith("was archived while these tasks were open:\n\n- [ ] 1.2 Two")


def test_a_local_branch_is_moved_only_where_it_is_checked_out_nowhere(place: Folder) -> None:
    folder, _ = place
    squash(folder)
    with pytest.raises(UserError, match="main is checked out in"):
        call(place, on="main")
    git(folder, "branch", "other", "main~2")
    with pytest.raises(UserError, match="does not hold openspec/c1 yet"):
        call(place, on="other")
    git(folder, "switch", "--quiet", "--detach")
    tip = git(folder, "rev-parse", "main")
    assert call(place, on="main").lines[0] == f"archived c1 as {NAME}: one commit on main"
    assert git(folder, "rev-parse", "main^") == tip
    assert git(folder, "for-each-ref", BRANCH, "refs/parallel-impl") == ""


def test_a_branch_that_is_checked_out_meanwhile_is_not_moved_under_its_worktree(place: Folder, tmp_path: Path) -> None:
    folder, env = place
    squash(folder)
    git(folder, "switch", "--quiet", "--detach")
    tip = git(folder, "rev-parse", "main")
    program = Path(env["PATH"].split(os.pathsep)[0]) / "openspec"
    program.write_text(f"{OPENSPEC}git -C '{folder}' worktree add --quiet '{tmp_path / 'other'}' main >&2\n")
    with pytest.raises(UserError, match="main is checked out in"):
        call(place, on="main")
    assert git(folder, "rev-parse", "main") == tip
    assert git(folder, "for-each-ref", "refs/parallel-impl") == ""


def test_the_base_of_the_remote_is_fetched_by_url_and_no_branch_of_the_users_moves(
    place: Folder, tmp_path: Path
) -> None:
    folder, _ = place
    git(tmp_path, "clone", "--quiet", "--bare", str(folder), "origin.git")
    git(folder, "remote", "add", "origin", str(tmp_path / "origin.git"))
    assert call(place).lines == ["not archived: openspec/c1 is not merged into origin/main yet"]
    git(folder, "switch", "--quiet", "--detach", "openspec/c1")
    git(folder, "branch", "--force", "main", "openspec/c1")
    unpushed = call(place)
    assert unpushed.unmerged
    assert "is merged into main here, but not into origin/main yet" in unpushed.lines[0]
    assert unpushed.lines[1] == "  push main first: git push origin main"
    git(tmp_path, "clone", "--quiet", "origin.git", "other")
    git(tmp_path / "other", "merge", "--quiet", "--ff-only", "origin/openspec/c1")
    git(tmp_path / "other", "push", "--quiet", "origin", "main")
    assert call(place, dry_run=True).lines == ["would archive c1 on origin/main"]
    before = git(folder, "for-each-ref")
    report = call(place)
    assert report.lines[1] == "  publish: git push origin archive/c1   # then merge it into main"
    made = git(folder, "for-each-ref", BRANCH)
    assert sorted(git(folder, "for-each-ref").split("\n")) == sorted([*before.split("\n"), made])
    assert git(folder, "rev-parse", f"{BRANCH}^") == git(tmp_path / "other", "rev-parse", "main")


def test_without_the_program_the_line_that_installs_it_is_told_and_cleaning_up_goes_on(place: Folder) -> None:
    folder, env = place
    squash(folder)
    report = call((folder, {**env, "PATH": os.defpath}))
    assert report.lines[0].startswith("not archived: openspec is not installed: npm install -g @fission-ai/openspec")
    assert call((folder, {**env, "PATH": os.defpath}), dry_run=True).lines == report.lines
    assert not report.refused


def test_what_the_program_says_of_its_failure_is_told(place: Folder) -> None:
    folder, env = place
    squash(folder)
    broken = Path(env["PATH"].split(os.pathsep)[0]) / "openspec"
    broken.write_text('#!/bin/sh\necho \'{"status": [{"code": "conflict", "message": "header is gone"}]}\'; exit 1\n')
    report = call(place)
    assert report.refused
    assert report.lines[0] == "not archived: openspec archive: exit 1: header is gone"
    assert git(folder, "for-each-ref", BRANCH, "refs/parallel-impl") == ""


def test_an_archived_change_answers_the_command_that_would_run_it(place: Folder) -> None:
    folder, _ = place
    squash(folder)
    call(place)
    git(folder, "merge", "--quiet", "--ff-only", "archive/c1")
    done = tool(folder, "implement", "c1")
    assert (done.returncode, done.stderr) == (0, f"c1 is archived as openspec/changes/archive/{NAME}\n")
    assert not (folder / ".git/parallel-impl").exists()
    assert call(place).lines[0] == f"c1 is archived on main as openspec/changes/archive/{NAME}"


def test_a_merge_is_found_as_it_is_squashed_and_rebased_and_a_part_of_it_is_none(place: Folder) -> None:
    folder, _ = place
    repo, landed = Repo.discover(folder), git(folder, "rev-parse", "openspec/c1")
    assert not merged.holds(repo, git(folder, "rev-parse", "main"), landed)
    (folder / "a.txt").write_text("work\n")
    half = commit_all(folder, "a part")
    assert not merged.holds(repo, half, landed)
    squash(folder)
    assert merged.holds(repo, git(folder, "rev-parse", "main"), landed)
    git(folder, "switch", "--quiet", "--orphan", "alone")
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "alone")
    assert not merged.holds(repo, git(folder, "rev-parse", "HEAD"), landed)


def test_a_change_whose_next_run_is_not_over_is_not_archived(place: Folder) -> None:
    folder, _ = place
    squash(folder)
    places = Places(folder / ".git", "c1")
    with closing(Journal(places.journal)) as journal:
        journal.append(first_event(git(folder, "rev-parse", "main"), [package("a")], folder))
    assert call(place).lines == []
    git(folder, "update-ref", places.proven_ref, "openspec/c1")  # its work was taken by hand
    assert call(place).lines[0].startswith("archived c1 as ")


def test_what_a_killed_process_left_is_in_nobodys_way(place: Folder) -> None:
    folder, _ = place
    squash(folder)
    half = git(folder, "commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "half")
    git(folder, "update-ref", "refs/parallel-impl/c1/archive", half)  # made, and not yet on its branch
    assert call(place, dry_run=True).lines == ["would archive c1 on main"]
    git(folder, "update-ref", "refs/parallel-impl/c1/archive", half)
    assert call(place).lines[0].startswith("archived c1 as ")
    assert git(folder, "for-each-ref", "refs/parallel-impl") == ""


def test_the_merged_branch_is_named_with_the_line_that_deletes_it_unless_it_is_still_needed(place: Folder) -> None:
    folder, env = place
    squash(folder)
    line = "openspec/c1 is merged into main; to delete it: git branch -D openspec/c1"
    assert line not in call((folder, {**env, "PATH": os.defpath})).lines  # what landed is found by it
    assert call(place).lines[-1] == line
    git(folder, "merge", "--quiet", "--ff-only", "archive/c1")
    assert call(place).lines[-1] == line
    git(folder, "switch", "--quiet", "openspec/c1")
    assert line not in call(place).lines
