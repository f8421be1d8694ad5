"""One pull request for one branch, however often and however badly it goes; against a forge on the loopback."""

from __future__ import annotations

import itertools
import shutil
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from parallel_impl.errors import UserError
from parallel_impl.forge import connection, github, marker
from parallel_impl.forge.address import recognise
from parallel_impl.forge.body import Written
from parallel_impl.forge.checks import Checks, ChecksVerdict, wait
from parallel_impl.forge.forge import Forge, ForgeError
from parallel_impl.forge.pull_request import WantedPull, Way, open_pull_request
from tests.forge.github import LoopbackGitHub
from tests.forge.server import Trouble
from tests.repository import git

NAME, FORK = "acme/demo", "me/demo"
BRANCH = "openspec/add-a"
RATE = {"message": "API rate limit exceeded for user"}


@cache
def seeded(folder: Path) -> tuple[Path, str, str]:
    """A bare repository with a base and a branch, to be copied; and the commits of both."""
    bare = folder / "seed.git"
    git(folder, "init", "--quiet", "--bare", "-b", "main", str(bare))
    git(bare, "config", "http.receivepack", "true")
    tree = git(bare, "hash-object", "-w", "-t", "tree", "/dev/null")
    base = git(bare, "commit-tree", tree, "-m", "base")
    head = git(bare, "commit-tree", tree, "-p", base, "-m", "head")
    git(bare, "update-ref", "refs/heads/main", base)
    git(bare, "update-ref", f"refs/heads/{BRANCH}", head)
    return bare, base, head


def seed(hub: LoopbackGitHub, tmp_path: Path, *names: str) -> tuple[str, str]:
    """Repositories with a base and a branch; the commits of both."""
    shared = tmp_path.parent / "seed"
    shared.mkdir(exist_ok=True)
    bare, base, head = seeded(shared)
    for name in names or (NAME,):
        shutil.copytree(bare, hub.bare(name))
    return base, head


def connect(hub: LoopbackGitHub, name: str = NAME, target: str = "") -> Forge:
    return connection.connect(recognise(hub.url(name), "github"), target, hub.environment)


def wanted(commit: str, text: str = "BODY", comments: tuple[str, ...] = (), run: str = "r1") -> WantedPull:
    return WantedPull("add-a", run, BRANCH, commit, "main", "Orders", lambda _room: Written(text, comments))


def nothing() -> None:
    """The branch is on the forge already."""


def test_it_is_opened_once_then_renewed_between_its_marks_alone(hub: LoopbackGitHub, tmp_path: Path) -> None:
    _, commit = seed(hub, tmp_path)
    forge = connect(hub)
    first = replace(wanted(commit), draft=True, labels=("agents",), reviewers=("ada", "acme/team"), template="# Why")
    opened = open_pull_request(forge, first, nothing)
    pull = hub.pulls[0]
    assert (opened.way, opened.pull.number, opened.pull.draft) == (Way.OPENED, 1, True)
    assert pull["body"] == f"# Why\n\n{marker.wrapped('BODY', 'add-a', 'r1')}"
    assert (pull["labels"], pull["reviewers"]) == (["agents"], ["ada", "team"])
    pull["body"] = "a person's\r\n" + pull["body"]
    pull["labels"].clear()
    again = open_pull_request(forge, replace(wanted(commit, "NEW", run="r2"), complete=1, labels=("agents",)), nothing)
    assert (again.way, len(hub.pulls)) == (Way.UPDATED, 1)
    assert pull["body"] == f"a person's\n# Why\n\n{marker.wrapped('NEW', 'add-a', 'r2')}"
    assert pull["labels"] == []  # a person took it back
    writes = len(hub.calls) - len(hub.asked("GET"))
    last = open_pull_request(forge, replace(wanted(commit, "NEW", run="r2"), complete=1), nothing)
    assert last.way is Way.UNCHANGED
    assert len(hub.calls) - len(hub.asked("GET")) == writes


def test_a_pull_request_without_our_mark_is_never_edited_nor_its_branch_pushed(
    hub: LoopbackGitHub, tmp_path: Path
) -> None:
    _, commit = seed(hub, tmp_path)
    forge = connect(hub)
    forge.open(BRANCH, "main", "Mine", "my own words", draft=False)
    with pytest.raises(ForgeError, match="was not opened for add-a by this tool"):
        open_pull_request(forge, wanted(commit), lambda: pytest.fail("pushed"))
    assert hub.pulls[0]["body"] == "my own words"
    assert hub.asked("PATCH") == []


def test_after_a_closed_one_a_new_one_is_opened(hub: LoopbackGitHub, tmp_path: Path) -> None:
    _, commit = seed(hub, tmp_path)
    forge = connect(hub)
    open_pull_request(forge, wanted(commit), nothing)
    hub.close(1)
    assert open_pull_request(forge, wanted(commit), nothing).pull.number == 2


@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
def test_a_merged_one_is_reported_and_its_branch_does_not_come_back(
    how: str, hub: LoopbackGitHub, tmp_path: Path
) -> None:
    _, commit = seed(hub, tmp_path)
    forge = connect(hub)
    open_pull_request(forge, wanted(commit), nothing)
    merge = hub.merge(1, how)
    found = open_pull_request(forge, wanted(commit), lambda: pytest.fail("pushed"))
    assert (found.way, found.pull.merge, found.pull.head) == (Way.MERGED, merge, commit)
    later = open_pull_request(forge, wanted("f" * 40, run="r2"), nothing)  # another run has more to bring
    assert later.way is Way.OPENED


def test_a_fork_brings_its_branch_to_the_repository_that_it_was_made_from(hub: LoopbackGitHub, tmp_path: Path) -> None:
    _, commit = seed(hub, tmp_path, NAME, FORK)
    hub.parents[FORK] = NAME
    opened = open_pull_request(connect(hub, FORK), wanted(commit), nothing)
    assert opened.pull.url == f"https://{hub.host}/{NAME}/pull/1"
    assert hub.asked("POST", f"/repos/{NAME}/pulls")[0].body["head"] == f"me:{BRANCH}"
    assert open_pull_request(connect(hub, FORK), wanted(commit), nothing).way is Way.UNCHANGED
    own = open_pull_request(connect(hub, FORK, FORK), wanted(commit), nothing)
    assert own.pull.url == f"https://{hub.host}/{FORK}/pull/2"


def test_a_forge_without_drafts_gets_an_ordinary_one_and_it_is_reported(hub: LoopbackGitHub, tmp_path: Path) -> None:
    _, commit = seed(hub, tmp_path)
    hub.drafts = False
    opened = open_pull_request(connect(hub), replace(wanted(commit), draft=True), nothing)
    assert opened.remarks == ("this forge has no drafts here: the pull request is an ordinary one",)


def test_a_reviewer_that_nobody_knows_is_reported_and_stops_nothing(hub: LoopbackGitHub, tmp_path: Path) -> None:
    _, commit = seed(hub, tmp_path)
    opened = open_pull_request(connect(hub), replace(wanted(commit), reviewers=("nobody",)), nothing)
    assert opened.way is Way.OPENED
    assert "reviewers nobody:" in opened.remarks[0]


def test_the_rest_of_a_long_body_is_one_comment_each_however_often(hub: LoopbackGitHub, tmp_path: Path) -> None:
    _, commit = seed(hub, tmp_path)
    forge = connect(hub)
    open_pull_request(forge, wanted(commit, comments=("two", "three")), nothing)
    forge.add_comment(1, "a person's word")
    open_pull_request(forge, wanted(commit, comments=("TWO",), run="r2"), nothing)
    assert [one["body"] for one in hub.comments] == [marker.wrapped("TWO", "add-a", "r2", 2), "a person's word"]


EFFECTS = (
    Trouble("POST", ".*/pulls", cut="after"),
    Trouble("POST", ".*/pulls", cut="before"),
    Trouble("PATCH", ".*/pulls/1", cut="after"),
    Trouble("POST", ".*/comments", cut="after"),
    Trouble("POST", ".*/comments", cut="before"),
    Trouble("POST", ".*/labels", cut="after"),
    Trouble("POST", ".*/requested_reviewers", cut="after"),
    Trouble("POST", ".*/pulls", 502, {"message": "Bad gateway"}),
)


@pytest.mark.parametrize("trouble", EFFECTS, ids=str)
def test_a_lost_answer_leaves_nothing_twice_when_it_is_tried_again(
    trouble: Trouble, hub: LoopbackGitHub, tmp_path: Path
) -> None:
    _, commit = seed(hub, tmp_path)
    forge = connect(hub)
    full = replace(wanted(commit, "OLD", ("two",)), labels=("agents",), reviewers=("ada",))
    if trouble.method == "PATCH":
        open_pull_request(forge, full, nothing)
    full = replace(full, write=lambda _room: Written("BODY", ("two",)))
    hub.troubles.append(trouble)
    with pytest.raises(ForgeError) as error:
        open_pull_request(forge, full, nothing)
    assert error.value.again
    open_pull_request(forge, full, nothing)
    pull = hub.pulls[0]
    assert (len(hub.pulls), pull["body"]) == (1, marker.wrapped("BODY", "add-a", "r1"))
    assert [one["body"] for one in hub.comments] == [marker.wrapped("two", "add-a", "r1", 2)]
    assert (pull["labels"], pull["reviewers"]) == (["agents"], ["ada"])


def test_what_changes_nothing_is_asked_again_after_a_failure_of_the_server(hub: LoopbackGitHub, tmp_path: Path) -> None:
    _, commit = seed(hub, tmp_path)
    forge = connect(hub)
    hub.troubles += [Trouble("GET", ".*/pulls", 503), Trouble("GET", ".*/pulls", cut="before")]
    assert open_pull_request(forge, wanted(commit), nothing).way is Way.OPENED


REFUSALS = (
    (Trouble("POST", ".*/pulls", 401, {"message": "Bad credentials"}), "the token is not valid"),
    (Trouble("POST", ".*/pulls", 403, {"message": "Resource not accessible"}), "the token may not do this"),
    (Trouble("POST", ".*/pulls", 403, RATE, {"x-ratelimit-remaining": "0"}), "a rate limit: wait"),
    (Trouble("POST", ".*/pulls", 404, {"message": "Not Found"}), "may not see it"),
    (
        Trouble("POST", ".*/pulls", 422, {"message": "x", "errors": [{"message": "No commits between"}]}),
        "No commits",
    ),
    (Trouble("POST", ".*/pulls", 500, {"message": "oops"}), "the forge has a problem"),
    (Trouble("POST", ".*/pulls", 200, {"login": "here"}), "an answer that cannot be read"),
)


def test_a_refusal_says_what_it_was_and_what_to_do(hub: LoopbackGitHub, tmp_path: Path) -> None:
    _, commit = seed(hub, tmp_path)
    forge = connect(hub)
    for trouble, told in REFUSALS:
        hub.troubles.append(trouble)
        with pytest.raises(ForgeError, match=told):
            open_pull_request(forge, wanted(commit), nothing)
    assert hub.pulls == []


def test_a_forge_that_does_not_answer_in_time_is_given_up(
    hub: LoopbackGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, commit = seed(hub, tmp_path)
    monkeypatch.setattr(github, "TIMEOUT", 1)
    forge, held = connect(hub), threading.Event()
    hub.troubles.append(Trouble("POST", ".*/pulls", held=held))
    with pytest.raises(ForgeError, match="no answer"):
        open_pull_request(forge, wanted(commit), nothing)
    held.set()


def test_without_a_token_nothing_is_asked_and_the_line_is_printed(hub: LoopbackGitHub, tmp_path: Path) -> None:
    seed(hub, tmp_path)
    environment = {name: value for name, value in hub.environment.items() if name != "GH_TOKEN"}
    with pytest.raises(UserError, match=rf"no token for {hub.host}.*(?s:.*)gh auth login -h"):
        connection.connect(recognise(hub.url(NAME), "github"), "", environment | {"PATH": str(tmp_path)})
    assert hub.calls == []


def test_without_the_library_for_gitlab_the_line_that_installs_it_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gitlab", None)
    with pytest.raises(ForgeError, match=r"not installed\n *pip install 'parallel-implement\[gitlab\]'"):
        connection.connect(recognise("https://gitlab.com/a/b"), "", {"GITLAB_TOKEN": "x"})


def test_the_token_of_gh_is_used_where_no_variable_has_one(hub: LoopbackGitHub, tmp_path: Path) -> None:
    seed(hub, tmp_path)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/gh"
    program.write_text(f'#!/bin/sh\n[ "$*" = "auth token -h {hub.host}" ] && echo {hub.environment["GH_TOKEN"]}\n')
    program.chmod(0o755)
    environment = {name: value for name, value in hub.environment.items() if name != "GH_TOKEN"}
    found = connection.connect(
        recognise(hub.url(NAME), "github"), "", environment | {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin"}
    )
    assert found.default_base == "main"


def ticking(step: float = 1.0) -> Callable[[], float]:
    seconds = itertools.count()
    return lambda: next(seconds) * step


def waited(hub: LoopbackGitHub, commit: str, minutes: float = 1, *, then: Callable[[], object] = nothing) -> Checks:
    """Wait on a clock that goes on by a second with each look; `then` happens in the first pause."""
    pauses = iter([then])

    def pause(_seconds: float) -> bool:
        next(pauses, nothing)()
        return False

    return wait(connect(hub), commit, "main", minutes=minutes, pause=pause, clock=ticking(20))


def test_the_required_checks_decide_and_others_do_not(hub: LoopbackGitHub, tmp_path: Path) -> None:
    _, commit = seed(hub, tmp_path)
    hub.require("unit", "legacy")
    hub.answer_check(commit, "flaky-extra", "failure")
    hub.answer_check(commit, "unit", "success")
    legacy = {"context": "legacy", "state": "success", "target_url": None, "id": 1, "url": "x"}

    found = waited(hub, commit, then=lambda: hub.statuses.update({commit: [legacy]}))
    assert (found.verdict, found.required) == (ChecksVerdict.PASSED, ("unit", "legacy"))


CONCLUSIONS = {
    "success": ChecksVerdict.PASSED,
    "neutral": ChecksVerdict.PASSED,
    "skipped": ChecksVerdict.PASSED,
    "failure": ChecksVerdict.FAILED,
    "cancelled": ChecksVerdict.FAILED,
    "timed_out": ChecksVerdict.FAILED,
    None: ChecksVerdict.UNANSWERED,
}


def test_a_check_counts_as_the_forge_counts_it(hub: LoopbackGitHub, tmp_path: Path) -> None:
    _, commit = seed(hub, tmp_path)
    found = {}
    for conclusion in CONCLUSIONS:
        hub.require(f"unit {conclusion}")
        hub.answer_check(commit, f"unit {conclusion}", conclusion)
        found[conclusion] = waited(hub, commit).verdict
    assert found == CONCLUSIONS


def test_without_any_answer_nothing_has_passed(hub: LoopbackGitHub, tmp_path: Path) -> None:
    _, commit = seed(hub, tmp_path)
    assert waited(hub, commit).verdict is ChecksVerdict.UNANSWERED
    hub.require("unit")
    hub.answer_check(commit, "other", "success")
    found = waited(hub, commit)
    assert found.verdict is ChecksVerdict.UNANSWERED
    assert "unit: required, and did not answer" in found.lines


def test_where_the_rules_cannot_be_read_all_checks_count_and_it_is_reported(
    hub: LoopbackGitHub, tmp_path: Path
) -> None:
    _, commit = seed(hub, tmp_path)
    hub.rules = None
    hub.answer_check(commit, "unit", "success")
    found = waited(hub, commit)
    assert (found.verdict, found.required) == (ChecksVerdict.PASSED, None)
    assert "which are required cannot be read: all that there are count" in found.lines


def test_where_nothing_is_required_a_check_that_comes_later_counts_too(hub: LoopbackGitHub, tmp_path: Path) -> None:
    _, commit = seed(hub, tmp_path)
    hub.answer_check(commit, "build", "success")
    found = waited(hub, commit, then=lambda: hub.answer_check(commit, "deploy", "failure"))
    assert found.verdict is ChecksVerdict.FAILED


def test_no_required_check_and_no_status_is_lost_on_a_later_page(hub: LoopbackGitHub, tmp_path: Path) -> None:
    _, commit = seed(hub, tmp_path)
    hub.require("unit")
    hub.rules = [{"type": "deletion", "ruleset_id": 1}] * 205 + (hub.rules or [])
    hub.answer_check(commit, "other", "success")
    assert waited(hub, commit).required == ("unit",)
    said = [*["success"] * 101, "failure"]
    hub.rules = []
    hub.statuses[commit] = [
        {"context": f"s{number}", "state": state, "target_url": None} for number, state in enumerate(said)
    ]
    assert waited(hub, commit).verdict is ChecksVerdict.FAILED


def test_a_base_branch_is_asked_for_by_its_whole_name(hub: LoopbackGitHub, tmp_path: Path) -> None:
    seed(hub, tmp_path)
    connect(hub).required_checks("release/1.0#2?x")
    assert hub.calls[-1].path.endswith("/rules/branches/release%2F1.0%232%3Fx")


def test_trouble_of_the_server_is_waited_out_and_a_refusal_is_not(hub: LoopbackGitHub, tmp_path: Path) -> None:
    _, commit = seed(hub, tmp_path)
    hub.answer_check(commit, "unit", "success")
    hub.troubles += [Trouble("GET", ".*/check-runs", 429, RATE, {"x-ratelimit-remaining": "0"})]
    assert waited(hub, commit).verdict is ChecksVerdict.PASSED
    hub.troubles += [Trouble("GET", ".*/check-runs", 401, {"message": "Bad credentials"})]
    with pytest.raises(ForgeError, match="not valid"):
        waited(hub, commit)
