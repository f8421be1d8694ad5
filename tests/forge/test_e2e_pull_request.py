"""From a run to a merged pull request by the real command line, on a GitHub of the loopback and where there is none."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from parallel_impl.record.events import BranchPushed, ChecksAnswered, Landed, Merged, PullRequestOpened
from parallel_impl.record.journal import read
from parallel_impl.report.event_line import describe
from tests.forge.github import LoopbackGitHub
from tests.forge.server import Trouble
from tests.repository import git, make_repository, refs, replay, start, tool, users_side

NAME, CHANGE = "acme/demo", "add-note"
BRANCH = f"openspec/{CHANGE}"
SETTINGS = 'setup = []\ngates.openspec = false\nforge = "github"\nlabels = ["agents"]\nreviewers = ["ada"]\n'
SECRET = "s3cret-of-the-agent"  # noqa: S105 - planted, to be found nowhere


class Scene:
    """A user's repository with a remote on the forge."""

    def __init__(self, hub: LoopbackGitHub, repo: Path) -> None:
        self.hub, self.repo = hub, repo
        bare = hub.add_repository(NAME)
        git(repo, "push", "--quiet", str(bare), "main")
        git(repo, "remote", "add", "origin", hub.url(NAME))

    @property
    def environment(self) -> dict[str, str]:
        return self.hub.environment | {"AGENT_KEY": SECRET}

    @property
    def state(self) -> Path:
        return self.repo / ".git/parallel-impl" / CHANGE

    def tool(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return tool(self.repo, *arguments, env=self.environment | more)

    def implement(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return self.tool("implement", CHANGE, "--agent", replay("one-note"), *arguments, **more)

    def events(self, kind: type) -> list[object]:
        return [event for event in read(self.state / "journal.jsonl") if isinstance(event, kind)]

    @property
    def tip(self) -> str:
        return git(self.repo, "rev-parse", BRANCH)


def make(folder: Path, settings: str = SETTINGS) -> Path:
    """The user's repository, without a remote yet."""
    repo = make_repository("one-note", folder)
    (repo / "parallel-impl.toml").write_text(settings)
    (repo / ".github").mkdir()
    (repo / ".github/PULL_REQUEST_TEMPLATE.md").write_text("## Summary\n\n## Checklist\n\n- [ ] read\n")
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "-m", "Settings")
    return repo


@pytest.fixture
def scene(hub: LoopbackGitHub, tmp_path: Path) -> Scene:
    return Scene(hub, make(tmp_path))


@pytest.fixture(scope="module")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a landed run, to be copied: a run takes longer than all that is tested of it here."""
    repo = make(tmp_path_factory.mktemp("landed"))
    assert tool(repo, "implement", CHANGE, "--agent", replay("one-note")).returncode == 0
    return repo


@pytest.fixture
def landed(run_once: Path, hub: LoopbackGitHub, tmp_path: Path) -> Scene:
    return Scene(hub, shutil.copytree(run_once, tmp_path / "user", symlinks=True))


def test_a_run_lands_opens_is_renewed_merged_by_squash_and_cleaned_up(scene: Scene) -> None:
    hub, before = scene.hub, users_side(scene.repo)
    done = scene.implement("--pr")
    assert done.returncode == 0, done.stderr
    assert f"pull request opened: https://{hub.host}/{NAME}/pull/1" in done.stderr
    pull = hub.pulls[0]
    assert (pull["title"], pull["base"], pull["draft"]) == (f"A note that says what is right ({CHANGE})", "main", False)
    assert (pull["labels"], pull["reviewers"]) == (["agents"], ["ada"])
    assert pull["body"].startswith(f"## Summary\n\n<!-- parallel-impl {CHANGE} ")
    assert pull["body"].endswith("## Checklist\n\n- [ ] read")
    for words in ("Nobody knows what is right.", "`note.txt`", "not fenced", "## Risk: ordinary"):
        assert words in pull["body"]
    assert "## Open tasks" not in pull["body"]  # the run ticked the only one
    assert hub.tip(NAME, BRANCH) == scene.tip
    assert users_side(scene.repo) == before

    hub.pulls[0]["body"] = f"My words.\n\n{pull['body']}"
    again = scene.tool("pr", CHANGE)
    assert (again.returncode, len(hub.pulls)) == (0, 1)
    assert "pull request up to date" in again.stderr
    assert hub.pulls[0]["body"].startswith("My words.")

    kept = scene.tool("cleanup", CHANGE, "--dry-run")
    assert f"{BRANCH} on origin" not in kept.stdout  # it is not merged
    hub.merge(1, "squash")
    merged = scene.tool("pr", CHANGE)
    assert (merged.returncode, len(scene.events(Merged))) == (0, 1)
    cleaned = scene.tool("cleanup", CHANGE)
    assert cleaned.returncode == 0, cleaned.stdout
    assert f"removed {BRANCH} on origin: https://{hub.host}/{NAME}/pull/1 is merged" in cleaned.stdout
    assert hub.tip(NAME, BRANCH) == ""
    assert not scene.state.exists()
    assert refs(scene.repo, "refs/parallel-impl") == []


def test_what_was_accepted_by_name_makes_the_pull_request_a_draft_and_is_told_in_it(
    hub: LoopbackGitHub, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    flaky = f"gates.check = '[ ! -e note.txt ] || [ -e {seen} ] || {{ touch {seen}; exit 1; }}'\n"
    scene = Scene(hub, make(tmp_path, SETTINGS + flaky))
    done = scene.implement("--pr", "--accept", "check:flaky")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "check: accepted by name: flaky: exit 1, and 0 when it ran again" in done.stderr
    (pull,) = hub.pulls
    assert pull["draft"]
    assert "accepted by name: check: flaky: exit 1, and 0 when it ran again" in pull["body"]
    assert "| check | accepted |" in pull["body"]
    (row,) = [one for one in json.loads((scene.state / "summary.json").read_bytes())["gates"] if one["name"] == "check"]
    assert row["accepted"] == ["flaky: exit 1, and 0 when it ran again"]


def test_cleanup_keeps_a_remote_branch_that_has_more_than_was_merged(landed: Scene) -> None:
    hub = landed.hub
    assert landed.tool("pr", CHANGE).returncode == 0
    hub.merge(1, "rebase")
    bare = hub.bare(NAME)
    more = git(bare, "commit-tree", f"{landed.tip}^{{tree}}", "-p", landed.tip, "-m", "more")
    git(bare, "update-ref", f"refs/heads/{BRANCH}", more)
    done = landed.tool("cleanup", CHANGE)
    assert (done.returncode, hub.tip(NAME, BRANCH)) == (1, more)
    assert f"kept {BRANCH} on origin: it is {more[:12]}" in done.stdout


def test_cleanup_goes_by_tree_and_patch_where_the_forge_cannot_be_asked(landed: Scene) -> None:
    assert landed.tool("pr", CHANGE).returncode == 0
    done = tool(landed.repo, "cleanup", CHANGE, env={"PATH": os.environ["PATH"]})
    assert done.returncode == 1
    assert f"note: https://{landed.hub.host}/{NAME}/pull/1 could not be asked for: " in done.stdout
    assert f"kept {landed.state}: https://{landed.hub.host}/{NAME}/pull/1 is not known as merged" in done.stdout
    assert landed.hub.tip(NAME, BRANCH) == landed.tip
    landed.hub.merge(1, "squash")
    assert landed.tool("cleanup", CHANGE).returncode == 0
    assert (landed.hub.tip(NAME, BRANCH), landed.state.exists()) == ("", False)


@pytest.mark.parametrize(
    ("became", "options", "code"),
    [("open", (), 1), ("open", ("--dry-run",), 1), ("open", ("--force",), 0), ("closed", ("--no-archive",), 0)],
)
def test_cleanup_keeps_the_state_while_a_pull_request_may_still_be_merged(
    became: str, options: tuple[str, ...], code: int, landed: Scene
) -> None:
    assert landed.tool("pr", CHANGE).returncode == 0
    landed.hub.pulls[0]["state"] = became
    done = landed.tool("cleanup", CHANGE, *options)
    assert (done.returncode, landed.state.exists()) == (code, bool(code)), done.stdout
    assert landed.hub.tip(NAME, BRANCH) == landed.tip
    if code:  # what is kept is enough to bring the pull request up to date
        git(landed.repo, "gc", "--quiet", "--prune=now")
        assert landed.tool("pr", CHANGE).returncode == 0


def test_a_pull_request_that_people_gave_another_base_is_the_same_one(landed: Scene) -> None:
    assert landed.tool("pr", CHANGE).returncode == 0
    git(landed.hub.bare(NAME), "branch", "develop", "main")
    landed.hub.pulls[0]["base"] = "develop"
    again = landed.tool("pr", CHANGE)
    assert (again.returncode, len(landed.hub.pulls)) == (0, 1), again.stderr
    assert f"pull request up to date: https://{landed.hub.host}/{NAME}/pull/1" in again.stderr


@pytest.mark.parametrize(
    ("settings", "option", "opened"),
    [("", (), 0), ("pr = true\n", (), 1), ("pr = true\n", ("--no-pr",), 0)],
)
def test_a_pull_request_is_opened_by_the_option_or_else_by_the_key(
    settings: str, option: tuple[str, ...], opened: int, hub: LoopbackGitHub, tmp_path: Path
) -> None:
    scene = Scene(hub, make(tmp_path, settings + SETTINGS))
    assert scene.implement(*option).returncode == 0
    assert len(hub.pulls) == opened


def test_no_failure_of_the_forge_undoes_a_landing_and_the_line_that_tries_again_is_printed(scene: Scene) -> None:
    scene.hub.troubles.append(Trouble("POST", ".*/pulls", 422, {"message": "Validation Failed"}))
    done = scene.implement("--pr")
    assert done.returncode == 0
    assert "Validation Failed" in done.stderr
    assert f"the landing stays; try again: parallel-impl pr {CHANGE}" in done.stderr
    assert scene.hub.pulls == scene.events(PullRequestOpened) == []
    assert scene.tool("pr", CHANGE).returncode == 0
    assert len(scene.hub.pulls) == 1


def test_the_first_signal_ends_a_publishing_that_waits_and_the_landing_stays(scene: Scene, tmp_path: Path) -> None:
    held, log = threading.Event(), tmp_path / "told"
    scene.hub.troubles.append(Trouble("POST", ".*/pulls", held=held))
    with log.open("wb") as output:
        typed = ("implement", CHANGE, "--agent", replay("one-note"), "--pr")
        running = start(scene.repo, *typed, env=scene.environment, output=output.fileno())
        while not scene.hub.asked("POST", ".*/pulls"):
            assert running.poll() is None, log.read_text()
            held.wait(0.02)
        running.send_signal(signal.SIGINT)
        try:
            assert running.wait(timeout=60) == 0, log.read_text()
        finally:
            held.set()
            running.kill()
    told = log.read_text()
    assert "no pull request: interrupted" in told
    assert f"the landing stays; try again: parallel-impl pr {CHANGE}" in told
    assert scene.events(Landed)
    assert scene.tool("pr", CHANGE).returncode == 0  # the forge had opened it when its answer was lost
    assert len(scene.hub.pulls) == 1


def test_a_pull_request_of_somebody_elses_is_left_alone(landed: Scene) -> None:
    hub = landed.hub
    git(landed.repo, "push", "--quiet", str(hub.bare(NAME)), BRANCH)
    hub.pulls.append(
        {"number": 1, "target": NAME, "source": NAME, "branch": BRANCH, "base": "main", "title": "t", "body": "mine",
         "draft": False, "state": "open", "merged_at": None, "labels": [], "reviewers": []}
    )  # fmt: skip
    done = landed.tool("pr", CHANGE)
    assert (done.returncode, hub.pulls[0]["body"]) == (1, "mine")
    assert "was not opened for add-note by this tool" in done.stderr


def test_a_diverged_remote_is_reported_and_left(landed: Scene) -> None:
    bare = landed.hub.bare(NAME)
    other = git(bare, "commit-tree", "main^{tree}", "-m", "other")
    git(bare, "update-ref", f"refs/heads/{BRANCH}", other)
    done = landed.tool("pr", CHANGE)
    assert (done.returncode, landed.hub.tip(NAME, BRANCH)) == (1, other)
    assert f"git fetch origin {BRANCH}" in done.stderr
    assert landed.hub.pulls == []


def test_a_remote_that_has_more_than_was_proven_is_left_and_reported(landed: Scene) -> None:
    more = git(landed.repo, "commit-tree", f"{landed.tip}^{{tree}}", "-p", landed.tip, "-m", "more")
    git(landed.repo, "push", "--quiet", str(landed.hub.bare(NAME)), f"{more}:refs/heads/{BRANCH}")
    done = landed.tool("pr", CHANGE)
    assert (done.returncode, landed.hub.tip(NAME, BRANCH)) == (0, more)
    assert f"note: {BRANCH} is {more[:12]} on origin: more than {landed.tip[:12]}, not proven" in done.stderr


def test_git_asks_the_users_own_program_for_the_password(landed: Scene, tmp_path: Path) -> None:
    landed.hub.password = "hunter2-of-git"  # noqa: S105
    ask = tmp_path / "askpass"
    ask.write_text('#!/bin/sh\ncase "$1" in Username*) echo git ;; *) echo hunter2-of-git ;; esac\n')
    ask.chmod(0o755)
    refused = landed.tool("pr", CHANGE)
    assert refused.returncode == 1
    done = landed.tool("pr", CHANGE, GIT_ASKPASS=str(ask))
    assert done.returncode == 0, done.stderr
    assert landed.hub.tip(NAME, BRANCH) == landed.tip


def test_checks_are_awaited_and_kept_as_evidence(landed: Scene) -> None:
    hub = landed.hub
    hub.require("unit")
    none = landed.tool("pr", CHANGE, "--wait", "--minutes", "0.01")
    assert none.returncode == 1
    assert "unit: required, and did not answer" in none.stderr
    hub.answer_check(landed.tip, "unit", None)
    asked = threading.Event()

    def answer() -> None:
        while not hub.asked("GET", f".*/{landed.tip}/status")[1:]:
            asked.wait(0.02)
        hub.runs[landed.tip][0].update(status="completed", conclusion="success")

    worker = threading.Thread(target=answer)
    worker.start()
    done = landed.tool("pr", CHANGE, "--wait", "--minutes", "1")
    worker.join()
    assert done.returncode == 0, done.stderr
    kept = json.loads((landed.state / "checks.json").read_text())
    assert (kept["verdict"], kept["required"], kept["answers"][0]["name"]) == ("passed", ["unit"], "unit")
    assert [one.verdict for one in landed.events(ChecksAnswered)] == ["unanswered", "passed"]  # type: ignore[attr-defined]


def test_a_secret_of_an_agent_stands_in_no_body(landed: Scene) -> None:
    hub, summary = landed.hub, landed.state / "summary.json"
    told = json.loads(summary.read_text())
    told["notes"] = [f"the agent printed {SECRET}, and {hub.environment['GH_TOKEN']}; thanks @ada, closes #1"]
    summary.write_text(json.dumps(told))
    assert landed.tool("pr", CHANGE).returncode == 0
    body = hub.pulls[0]["body"]
    assert "the agent printed \\*\\*\\*, and \\*\\*\\*; thanks @&#8203;ada, closes #&#8203;1" in body
    assert SECRET not in body


def test_the_template_is_that_of_the_base_for_agents_may_have_written_another(landed: Scene) -> None:
    summary, template = landed.state / "summary.json", landed.repo / ".github/PULL_REQUEST_TEMPLATE.md"
    template.write_text("## What\n\n@everybody\n")
    git(landed.repo, "commit", "--quiet", "--all", "-m", "Another template, which the landed commit does not have")
    told = json.loads(summary.read_text()) | {"base": git(landed.repo, "rev-parse", "HEAD")}
    summary.write_text(json.dumps(told))
    assert landed.tool("pr", CHANGE).returncode == 0
    assert landed.hub.pulls[0]["body"].startswith("## What\n\n@everybody\n\n<!-- parallel-impl ")


def test_where_no_forge_can_be_asked_the_body_lies_in_a_file_and_the_rest_is_printed(tmp_path: Path) -> None:
    repo, bare = make_repository("one-note", tmp_path), tmp_path / "plain.git"
    git(tmp_path, "init", "--quiet", "--bare", "-b", "main", str(bare))
    git(repo, "remote", "add", "origin", str(bare))
    git(repo, "push", "--quiet", "origin", "main")
    before = users_side(repo)
    done = tool(repo, "implement", CHANGE, "--agent", replay("one-note"), "--pr")
    assert done.returncode == 0, done.stderr
    assert git(bare, "rev-parse", BRANCH) == git(repo, "rev-parse", BRANCH)
    body = repo / f".git/parallel-impl/{CHANGE}/pull-request.md"
    assert "## What changed" in body.read_text()
    assert f"git request-pull origin/main {bare} {BRANCH}" in done.stderr
    assert users_side(repo) == before
    waited = tool(repo, "pr", CHANGE, "--wait")
    assert waited.returncode == 1
    assert "checks cannot be asked for here" in waited.stderr


def test_what_has_not_landed_has_no_pull_request(tmp_path: Path) -> None:
    repo = make_repository("one-note", tmp_path)
    done = tool(repo, "pr", CHANGE)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"parallel-implement {CHANGE}" in done.stderr


def test_each_event_of_a_publication_has_a_line() -> None:
    assert (
        describe(BranchPushed(remote="https://x/y", branch="b", commit="c" * 40))
        == f"pushed: b is {'c' * 12} on https://x/y"
    )
    assert describe(PullRequestOpened(url="u", number=1, draft=True)) == "draft pull request: u"
    assert describe(ChecksAnswered(commit="c" * 40, verdict="passed", checks={})) == f"checks of {'c' * 12}: passed"
    assert describe(Merged(url="u", number=1, head="h")) == "merged: u"
