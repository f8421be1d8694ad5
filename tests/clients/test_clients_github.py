"""What GitHub is asked, judged by GitHub's own description of its REST interface, between us and the loopback.

`prism` holds each request to the description (`@octokit/openapi`), sends it on, and reports what does not fit.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from github import GithubException

from parallel_impl.forge import connection
from parallel_impl.forge.address import recognise
from parallel_impl.forge.body import Written
from parallel_impl.forge.checks import ChecksVerdict, wait
from parallel_impl.forge.github import GitHub
from parallel_impl.forge.pull_request import WantedPull, Way, open_pull_request
from tests.clients.scene import INSTALLED
from tests.forge.github import LoopbackGitHub
from tests.repository import git

pytestmark = pytest.mark.clients
NAME, BRANCH = "acme/demo", "openspec/add-a"
PRISM = INSTALLED / "bin/prism"
DESCRIPTION = INSTALLED / "prism/node_modules/@octokit/openapi/generated/api.github.com.json"
REPO = "/repos/{owner}/{repo}"
PATHS = (
    REPO,
    f"{REPO}/pulls",
    f"{REPO}/pulls/{{pull_number}}",
    f"{REPO}/pulls/{{pull_number}}/requested_reviewers",
    f"{REPO}/issues/{{issue_number}}/comments",
    f"{REPO}/issues/comments/{{comment_id}}",
    f"{REPO}/issues/{{issue_number}}/labels",
    f"{REPO}/rules/branches/{{branch}}",
    f"{REPO}/commits/{{ref}}",
    f"{REPO}/commits/{{ref}}/check-runs",
    f"{REPO}/commits/{{ref}}/status",
)


def slimmed(description: dict[str, Any]) -> dict[str, Any]:
    """The description of our paths alone, with what they refer to: prism needs 18 s and 0.5 GB for all of it."""
    description["paths"] = {path: description["paths"][path] for path in PATHS}
    for other in ("webhooks", "x-webhooks"):
        description.pop(other, None)
    kept: dict[str, dict[str, Any]] = {}
    left: list[Any] = [description["paths"]]
    while left:
        one = left.pop()
        if isinstance(one, list):
            left += one
        elif isinstance(one, dict):
            left += one.values()
            if isinstance(target := one.get("$ref"), str):
                _, _, kind, name = target.split("/", 3)
                if name not in kept.setdefault(kind, {}):
                    kept[kind][name] = description["components"][kind][name]
                    left.append(kept[kind][name])
    description["components"] = kept
    return description


class Judge:
    """A running prism, and what it printed."""

    def __init__(self, folder: Path, behind: str) -> None:
        description = folder / "github.json"
        description.write_text(json.dumps(slimmed(json.loads(DESCRIPTION.read_text()))))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.log = folder / "prism.log"
        node = f"{INSTALLED / 'bin'}:/usr/bin:/bin"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [PRISM, "proxy", "--port", str(self.port), "--host", "127.0.0.1", description, behind],
                env={"PATH": node, "HOME": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def wait(self) -> None:
        """Until it listens."""
        for _ in range(1200):
            assert self.process.poll() is None, self.log.read_text()
            if "listening" in self.log.read_text():
                return
            threading.Event().wait(0.05)
        raise AssertionError(self.log.read_text())

    @property
    def violations(self) -> list[str]:
        """What was wrong with requests."""
        text = re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text())
        return [line for line in text.split("\n") if "Violation: request" in line]

    @property
    def judged(self) -> int:
        """How many requests came by."""
        return self.log.read_text().count("Request received")


@pytest.fixture
def judge(tmp_path: Path) -> Iterator[tuple[LoopbackGitHub, Judge]]:
    if not PRISM.exists() or not DESCRIPTION.exists():
        pytest.skip("prism is not installed: make clients")
    with running(tmp_path) as found:
        yield found


@contextmanager
def running(folder: Path) -> Iterator[tuple[LoopbackGitHub, Judge]]:
    with LoopbackGitHub(folder).running() as hub:
        judge = Judge(folder, hub.plain)
        try:
            judge.wait()
            hub.judge = f"http://127.0.0.1:{judge.port}"
            yield hub, judge
        finally:
            judge.process.terminate()
            judge.process.wait(20)


def seed(hub: LoopbackGitHub, folder: Path) -> str:
    work = folder / "work"
    git(folder, "init", "--quiet", "-b", "main", str(work))
    git(work, "commit", "--quiet", "--allow-empty", "-m", "base")
    bare = hub.add_repository(NAME)
    git(work, "push", "--quiet", str(bare), "main")
    git(work, "commit", "--quiet", "--allow-empty", "-m", "head")
    git(work, "push", "--quiet", str(bare), f"HEAD:refs/heads/{BRANCH}")
    return git(work, "rev-parse", "HEAD")


def test_every_request_is_one_that_github_describes(judge: tuple[LoopbackGitHub, Judge], tmp_path: Path) -> None:
    hub, prism = judge
    commit = seed(hub, tmp_path)
    forge = connection.connect(recognise(hub.url(NAME), "github"), "", hub.environment)
    wanted = WantedPull(
        "add-a", "r1", BRANCH, commit, "main", "Orders", lambda _room: Written("BODY", ("two", "three")),
        draft=True, labels=("agents",), reviewers=("ada", "acme/team"),
    )  # fmt: skip
    assert open_pull_request(forge, wanted, lambda: None).way is Way.OPENED
    shorter = replace(wanted, run_id="r2", write=lambda _room: Written("NEW", ("TWO",)))
    assert open_pull_request(forge, shorter, lambda: None).way is Way.UPDATED
    assert len(hub.comments) == 1
    hub.require("unit")
    hub.answer_check(commit, "unit", "success")
    checks = wait(forge, commit, "main", minutes=1, pause=lambda _seconds: True)
    assert checks.verdict is ChecksVerdict.PASSED
    hub.merge(1, "squash")
    assert open_pull_request(forge, wanted, lambda: None).way is Way.MERGED
    assert prism.judged >= 15, prism.log.read_text()
    assert prism.violations == [], prism.log.read_text()


def test_the_judge_reports_a_request_that_github_does_not_describe(
    judge: tuple[LoopbackGitHub, Judge], tmp_path: Path
) -> None:
    hub, prism = judge
    seed(hub, tmp_path)
    forge = connection.connect(recognise(hub.url(NAME), "github"), "", hub.environment)
    assert isinstance(forge, GitHub)
    with pytest.raises(GithubException):
        forge._ask("POST", "/pulls", {"head": BRANCH, "base": 7})
    assert prism.violations
