"""Nothing lands that no package was allowed to write: a moved feature branch, a forged journal, a planted object."""

from __future__ import annotations

import json
import subprocess
import zlib
from pathlib import Path

import pytest

from parallel_impl.git.repo import Repo
from tests.repository import FIXTURES, command, commit_all, git, make_repository, replay, tool
from tests.run.scene import commit

BRANCH = "openspec/fix-typos"
WORK = f"cp -R '{FIXTURES}/no-contracts/replay/'\"$1\"/1/. .\n"
STATE = ".git/parallel-impl/fix-typos"


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    return make_repository("no-contracts", tmp_path)


def implement(repo: Path, agent: str, *more: str) -> subprocess.CompletedProcess[str]:
    return tool(repo, "implement", "fix-typos", "--agent", agent, *more)


def somebodys(repo: Path, *paths: str) -> list[str]:
    """A commit for each path, each on the one before, on refs of their own, `refs/somebody/<n>` from 1."""
    found = []
    for path in paths:
        (repo / path).write_text("x\n")
        found.append(commit_all(repo, f"Somebody's {path}"))
        git(repo, "update-ref", f"refs/somebody/{len(found)}", found[-1])
    git(repo, "reset", "--quiet", "--hard", f"HEAD~{len(paths)}")
    return found


def test_what_an_agent_put_on_the_branch_lands_only_with_the_users_consent(repo: Path, tmp_path: Path) -> None:
    (evil,) = somebodys(repo, "EVIL.md")
    deed = f"git --git-dir='{repo}/.git' update-ref refs/heads/{BRANCH} refs/somebody/1\n"
    agent = command(tmp_path / "agent.sh", WORK + deed)
    first = implement(repo, agent)
    assert first.returncode == 1, first.stderr
    assert f"1 commit came with it: {evil[:12]} Somebody's EVIL.md\n  1 path differs: EVIL.md\n" in first.stderr
    assert git(repo, "rev-parse", BRANCH) == evil
    second = implement(repo, agent)
    assert second.returncode == 0, second.stderr
    last = second.stderr[second.stderr.index("Landed:") :]
    assert f"with your consent {BRANCH} is at {evil[:12]}; 1 commit came with it: {evil[:12]}" in last
    git(repo, "merge-base", "--is-ancestor", evil, BRANCH)


def test_a_plan_that_came_with_a_move_is_not_read_before_the_user_agreed(repo: Path, tmp_path: Path) -> None:
    agent = command(tmp_path / "agent.sh", f"[ -e {tmp_path}/go ] || exit 1\n{WORK}")
    assert implement(repo, agent).returncode == 1
    (tmp_path / "go").touch()
    git(repo, "switch", "--quiet", "-c", BRANCH)
    plan = repo / "openspec/changes/fix-typos/work-packages.yaml"
    plan.write_text(plan.read_text().replace("Correct the index.", "Correct all of the index."))
    commit_all(repo, "Another plan")
    git(repo, "switch", "--quiet", "main")
    asked = implement(repo, agent, "--retry-failed")
    assert (asked.returncode, "the plan was edited" in asked.stderr) == (1, False), asked.stderr
    assert "1 path differs: openspec/changes/fix-typos/work-packages.yaml" in asked.stderr
    agreed = implement(repo, agent, "--retry-failed")
    assert (agreed.returncode, "the plan was edited" in agreed.stderr) == (0, True), agreed.stderr


def test_each_move_while_gates_run_halts_and_is_no_tampering(repo: Path, tmp_path: Path) -> None:
    gate, count = tmp_path / "gate.sh", tmp_path / "n"
    gate.write_text(
        f"grep -q '# Guide' guide.md || exit 0\n"
        f"n=$(cat '{count}' 2>/dev/null || echo 0); [ $n -lt 2 ] || exit 0\n"
        f"n=$((n+1)); echo $n > '{count}'\n"
        f"git --git-dir='{repo}/.git' update-ref refs/heads/{BRANCH} refs/somebody/$n\n"
    )
    with (repo / "parallel-impl.toml").open("a") as file:
        file.write(f'gates.check = "sh {gate}"\n')
    commit_all(repo, "A gate")
    moves = somebodys(repo, "news1.md", "news2.md")
    for move in moves:
        halted = implement(repo, replay("no-contracts"))
        assert halted.returncode == 1, halted.stderr
        assert f"1 commit came with it: {move[:12]} Somebody's" in halted.stderr
        assert "the repository was changed under the run" not in halted.stderr
    landed = implement(repo, replay("no-contracts"))
    assert landed.returncode == 0, landed.stderr
    git(repo, "merge-base", "--is-ancestor", moves[-1], BRANCH)
    assert git(repo, "show", f"{BRANCH}:index.md") == "# Index\n\n- Guide"


def test_a_branch_that_is_being_rebased_is_not_moved_and_the_run_goes_on_after_it(repo: Path) -> None:
    git(repo, "switch", "--quiet", "-c", BRANCH)
    for name in ("one", "two"):
        (repo / f"{name}.md").touch()
        commit_all(repo, name)
    before = git(repo, "rev-parse", "HEAD")
    git(repo, "-c", "sequence.editor=sed -i '1s/^pick/edit/'", "rebase", "--quiet", "-i", "main")
    first = implement(repo, replay("no-contracts"))
    assert (first.returncode, git(repo, "rev-parse", BRANCH)) == (1, before), first.stderr
    assert f"{BRANCH} is being rebased in {repo}; everything is proven" in first.stderr
    git(repo, "-c", "core.editor=true", "rebase", "--continue")
    git(repo, "switch", "--quiet", "main")
    assert git(repo, "rev-parse", BRANCH) == before
    assert implement(repo, replay("no-contracts")).returncode == 0


def test_what_became_of_the_users_checkouts_is_reported_and_in_the_summary(repo: Path, tmp_path: Path) -> None:
    git(repo, "branch", "other")
    deed = f"touch '{repo}/conftest.py'; git --git-dir='{repo}/.git' symbolic-ref HEAD refs/heads/other\n"
    done = implement(repo, command(tmp_path / "agent.sh", WORK + deed))
    assert done.returncode == 0, done.stderr
    head = f"HEAD: of {repo} was refs/heads/main, is refs/heads/other"
    assert f"your checkouts are not as they were: {head}; files: conftest.py" in done.stdout
    assert done.stdout.count("your checkouts") == 1
    summary = json.loads((repo / STATE / "summary.json").read_text())
    assert summary["changed_by_others"] == [head, "files: conftest.py"]
    assert "- `files: conftest.py`" in (repo / STATE / "summary.md").read_text()


def test_what_a_forged_journal_calls_accepted_is_done_again(repo: Path) -> None:
    assert implement(repo, replay("no-contracts"), "--only", "wp-guide").returncode == 1
    evil = commit(Repo.discover(repo), git(repo, "rev-parse", "HEAD"), {"index.md": "evil\n", "EVIL.md": "x\n"})
    events = [
        {"event": "attempt-started", "package": "wp-index", "number": 1},
        {"event": "attempt-ended", "package": "wp-index", "number": 1, "commit": evil},
        {"event": "package-accepted", "package": "wp-index", "number": 1, "commit": evil},
    ]
    with (repo / STATE / "journal.jsonl").open("a") as journal:
        journal.writelines(json.dumps(event) + "\n" for event in events)
    done = implement(repo, command(repo.parent / "agent.sh", WORK))
    assert done.returncode == 0, done.stderr
    assert f"wp-index: {evil[:12]}, which the journal calls accepted, is not on " in done.stderr
    assert "EVIL.md" not in git(repo, "ls-tree", "-r", "--name-only", BRANCH).split()


def test_an_object_that_was_planted_under_the_name_of_the_work_is_never_landed(repo: Path, tmp_path: Path) -> None:
    wanted = Repo.discover(repo).blob_id((FIXTURES / "no-contracts/replay/wp-guide/1/guide.md").read_bytes())
    planted = repo / ".git/objects" / wanted[:2] / wanted[2:]
    other = tmp_path / "other"
    other.write_bytes(zlib.compress(b"blob 2\0x\n"))
    deed = f"[ -e {tmp_path}/go ] || {{ mkdir -p '{planted.parent}'; cp '{other}' '{planted}'; }}\n"
    agent = command(tmp_path / "agent.sh", WORK + deed)
    failed = implement(repo, agent)
    assert failed.returncode == 1, failed.stderr
    assert (
        f"somebody wrote other content under the name of this work; remove it and try again: {planted}" in failed.stderr
    )
    planted.unlink()
    (tmp_path / "go").touch()
    assert implement(repo, agent, "--retry-failed").returncode == 0
    assert git(repo, "fsck", "--no-dangling") == ""


def test_with_another_base_the_branch_is_asked_about_before_anything_lands_on_it(repo: Path) -> None:
    git(repo, "switch", "--quiet", "-c", BRANCH)
    (repo / "news.md").touch()
    tip = commit_all(repo, "News")
    git(repo, "switch", "--quiet", "main")
    asked = implement(repo, replay("no-contracts"), "--base", "main")
    assert (asked.returncode, git(repo, "rev-parse", BRANCH)) == (1, tip), asked.stderr
    assert f"{BRANCH} has 1 commit that the base" in asked.stderr
    assert f"{BRANCH} is at {tip[:12]}, which the run did not start from\n  1 commit came with it" in asked.stderr
    landed = implement(repo, "command: false")
    assert landed.returncode == 0, landed.stderr
    git(repo, "merge-base", "--is-ancestor", tip, BRANCH)
