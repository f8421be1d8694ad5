"""A merge request on GitLab, by python-gitlab, against one on the loopback."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from parallel_impl.forge import connection, marker
from parallel_impl.forge.address import recognise
from parallel_impl.forge.body import Written
from parallel_impl.forge.checks import ChecksVerdict, wait
from parallel_impl.forge.forge import Forge, ForgeError
from parallel_impl.forge.pull_request import WantedPull, Way, open_pull_request
from tests.forge.gitlab import LoopbackGitLab
from tests.forge.server import Trouble
from tests.repository import git

NAME, FORK, BRANCH = "group/sub/demo", "me/demo", "openspec/add-a"


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[LoopbackGitLab]:
    with LoopbackGitLab(tmp_path).running() as forge:
        yield forge


def seed(lab: LoopbackGitLab, name: str = NAME) -> str:
    bare = lab.add_project(name)
    tree = git(bare, "hash-object", "-w", "-t", "tree", "/dev/null")
    commit = git(bare, "commit-tree", tree, "-m", "head")
    for branch in ("main", BRANCH):
        git(bare, "update-ref", f"refs/heads/{branch}", commit)
    return commit


def connect(lab: LoopbackGitLab, name: str = NAME) -> Forge:
    return connection.connect(recognise(lab.url(name), "gitlab"), "", lab.environment)


def wanted(commit: str, text: str = "BODY", *comments: str) -> WantedPull:
    return WantedPull("add-a", "r1", BRANCH, commit, "main", "Orders", lambda _room: Written(text, comments))


def test_it_is_opened_renewed_found_again_and_reported_when_it_is_merged(lab: LoopbackGitLab) -> None:
    commit, forge = seed(lab), connect(lab)
    assert forge.default_base == "main"
    first = replace(wanted(commit, "BODY", "two", "three"), draft=True, labels=("a", "b"), reviewers=("ada",))
    opened = open_pull_request(forge, first, lambda: None)
    request = lab.requests[0]
    assert (opened.way, opened.pull.draft, request["title"]) == (Way.OPENED, True, "Draft: Orders")
    assert (request["labels"], request["reviewer_ids"]) == (["a", "b"], [7])
    assert request["description"] == marker.wrapped("BODY", "add-a", "r1")
    again = open_pull_request(forge, replace(wanted(commit, "NEW", "TWO"), draft=True), lambda: None)
    assert (again.way, len(lab.requests)) == (Way.UPDATED, 1)
    assert [one["body"] for one in request["all_notes"]] == [marker.wrapped("TWO", "add-a", "r1", 2)]
    request.update(state="merged", squash_commit_sha="f" * 40)
    merged = open_pull_request(forge, wanted(commit), lambda: pytest.fail("pushed"))
    assert (merged.way, merged.pull.merge, forge.get(1).state) == (Way.MERGED, "f" * 40, "merged")


def test_a_fork_brings_its_branch_to_the_project_that_it_was_made_from(lab: LoopbackGitLab) -> None:
    seed(lab)
    commit = seed(lab, FORK)
    lab.parents[FORK] = NAME
    opened = open_pull_request(connect(lab, FORK), wanted(commit), lambda: None)
    assert opened.pull.url == f"https://{lab.host}/{NAME}/-/merge_requests/1"
    assert open_pull_request(connect(lab, FORK), wanted(commit), lambda: None).way is Way.UNCHANGED


def test_a_reviewer_that_nobody_knows_is_reported(lab: LoopbackGitLab) -> None:
    commit = seed(lab)
    opened = open_pull_request(connect(lab), replace(wanted(commit), reviewers=("nobody",)), lambda: None)
    assert "no user nobody" in opened.remarks[0]


def test_a_lost_answer_leaves_nothing_twice(lab: LoopbackGitLab) -> None:
    commit, forge = seed(lab), connect(lab)
    lab.troubles.append(Trouble("POST", ".*/merge_requests", cut="after"))
    with pytest.raises(ForgeError, match="no answer"):
        open_pull_request(forge, wanted(commit), lambda: None)
    assert open_pull_request(forge, wanted(commit), lambda: None).way is Way.UNCHANGED
    assert len(lab.requests) == 1
    assert forge.open(BRANCH, "main", "Again", "x", draft=False) is None


@pytest.mark.parametrize(
    ("status", "told", "again"),
    [(401, "GITLAB_TOKEN", False), (403, "the scope `api`", False), (404, "may not see it", False), (503, "503", True)],
)
def test_a_refusal_says_what_to_do(status: int, told: str, again: bool, lab: LoopbackGitLab) -> None:
    seed(lab)
    lab.troubles.append(Trouble("GET", "/projects/[^/]*", status, {"message": "so"}))
    with pytest.raises(ForgeError, match=told) as error:
        connect(lab)
    assert error.value.again is again


def test_jobs_count_as_gitlab_counts_them(lab: LoopbackGitLab) -> None:
    commit, forge = seed(lab), connect(lab)
    names = {"unit": ("success", False), "lint": ("failed", True), "deploy": ("manual", True)}
    jobs = [{"name": name, "status": said, "allow_failure": may} for name, (said, may) in names.items()]
    lab.statuses[commit] = jobs
    found = wait(forge, commit, "main", minutes=1, pause=lambda _seconds: True)
    assert (found.verdict, found.required) == (ChecksVerdict.PASSED, None)
    jobs.append({"name": "e2e", "status": "running"})
    assert wait(forge, commit, "main", minutes=1, pause=lambda _seconds: True).verdict is ChecksVerdict.UNANSWERED
    jobs[-1] = {"name": "approve", "status": "manual", "allow_failure": False}  # its pipeline waits for a person
    assert wait(forge, commit, "main", minutes=1, pause=lambda _seconds: True).verdict is ChecksVerdict.UNANSWERED
    jobs[0]["status"] = "failed"
    assert wait(forge, commit, "main", minutes=1, pause=lambda _seconds: True).verdict is ChecksVerdict.FAILED
