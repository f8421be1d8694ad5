"""Work that an agent does not leave in its worktree is not lost with its repository: kept, named, told to the next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.repository import command, git, has_reftable, make_repository, refs, tool

REFS = "refs/parallel-impl/fix-typos/attempts"
STATE = ".git/parallel-impl/fix-typos"
# wp-guide puts its work in the stash, and the next attempt takes it from there; wp-index leaves some on a branch
AGENT = """
case $1-$2 in
wp-guide-1) sed -i 's/^# Guid$/# Guide/' guide.md; git stash -q;;
wp-guide-2) git cherry-pick -n $(sed -n 's/.*see: git show //p' {prompt} | head -1);;
wp-index-*) git checkout -qb aside; echo aside >>index.md; git commit -qam aside
    git checkout -q -; echo done >>index.md;;
esac
"""


def test_the_next_attempt_takes_the_work_from_where_it_lay_and_cleanup_knows_what_is_contained(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    prompt = f"'{repo}/{STATE}/attempts/wp-guide/2/prompt.md'"
    done = tool(repo, "implement", "fix-typos", "--agent", command(tmp_path / "agent.sh", AGENT.format(prompt=prompt)))
    assert done.returncode == 0, done.stdout + done.stderr
    sides = [f"{REFS}/wp-guide/1.stash", f"{REFS}/wp-index/1.aside"]
    assert [ref for ref in refs(repo, REFS) if "." in ref.rpartition("/")[2]] == sides
    assert "+# Guide" in git(repo, "log", "--all", "-p", "--format=", sides[0])
    summary = (repo / STATE / "summary.md").read_text()
    assert f"stash@{{0}}: guide.md, kept on {sides[0]}" in summary
    assert f"branch aside: index.md, kept on {sides[1]}" in summary
    first = json.loads((repo / STATE / "attempts/wp-guide/1/result.json").read_bytes())
    assert (first["error_code"], first["no_changes"]) == ("NO_CHANGES", True)
    assert [one["paths"] for one in first["elsewhere"]] == [["guide.md"]]

    git(repo, "merge", "-q", "openspec/fix-typos")
    cleaned = tool(repo, "cleanup", "fix-typos", "--no-archive")
    assert cleaned.returncode == 1, cleaned.stdout + cleaned.stderr
    assert f"kept {sides[1]}" in cleaned.stdout
    assert refs(repo, "refs/parallel-impl") == [sides[1]]
    assert tool(repo, "cleanup", "fix-typos", "--no-archive", "--force").returncode == 0
    assert refs(repo, "refs/parallel-impl") == []


def test_what_cannot_be_kept_now_stays_where_it_is_and_the_next_start_keeps_it(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    if has_reftable(repo):
        pytest.skip("its one lock is for all refs: none can be kept from being written alone")
    lock = repo / ".git" / f"{REFS}/wp-guide/1.aside.lock"
    script = "git checkout -qb aside; echo aside >>guide.md; git commit -qam x; git checkout -q -\n"
    agent = command(tmp_path / "agent.sh", f"{script}mkdir -p '{lock.parent}'; touch '{lock}'\n")
    first = tool(repo, "implement", "fix-typos", "--agent", agent)
    assert first.returncode == 2, first.stdout + first.stderr
    assert str(lock) in first.stderr
    assert (tmp_path / "no-contracts.worktrees/fix-typos/wp-guide.git").is_dir()
    aborted = tool(repo, "implement", "fix-typos", "--abort")
    assert aborted.returncode == 0, aborted.stderr
    assert git(repo, "show", f"{REFS}/wp-guide/1.aside:guide.md").endswith("aside")
    assert not (tmp_path / "no-contracts.worktrees").exists()


def test_a_package_that_may_be_empty_is_not_accepted_while_its_work_lies_elsewhere(tmp_path: Path) -> None:
    repo = make_repository("no-contracts", tmp_path)
    plan = repo / "openspec/changes/fix-typos/work-packages.yaml"
    empty = "may_be_empty: true\n    retry_budget: 0\n    scope:"
    plan.write_text(plan.read_text().replace("scope:", empty).replace("grep -qx '# Guide' guide.md", "'true'"))
    git(repo, "commit", "-qam", "All may be empty")
    left = "[ $1 != wp-index ] || [ -e {0} ] || { touch {0}; echo s >>index.md; git stash -q; }\n"
    agent = command(tmp_path / "agent.sh", left.replace("{0}", str(tmp_path / "once")))
    done = tool(repo, "implement", "fix-typos", "--agent", agent)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "wp-index: NO_CHANGES" in done.stdout or "NO_CHANGES" in done.stderr
    assert f"git show {REFS}/wp-index/1.stash" in done.stderr
    again = tool(repo, "implement", "fix-typos", "--retry-failed")
    assert again.returncode == 1, again.stdout + again.stderr
    assert "Not landed: no package changed anything" in again.stderr
    assert refs(repo, "refs/heads") == ["refs/heads/main"]
