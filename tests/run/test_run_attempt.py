"""One attempt whole, by a real agent in a real repository: which rule ends it, and what its programs see."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from parallel_impl import storage
from parallel_impl.agents.command import Command
from parallel_impl.config import Config, SetupCommand
from parallel_impl.git.surroundings import Surroundings
from parallel_impl.plan.model import Package, Step
from parallel_impl.record.codes import Failure
from parallel_impl.record.events import Noted
from parallel_impl.run.attempt import attempt
from parallel_impl.run.attempt.job import Job, Outcome, Post
from parallel_impl.run.run import Run
from parallel_impl.run.spec import Workspace
from tests.repository import git
from tests.run.scene import commit, in_force, make_repository, open_run, package

TOLD = "s3cret-value"
WRITES = "mkdir -p a; echo work > a/new"
COMMIT = "git -c user.name=a -c user.email=a@example.org commit -q"


@dataclass
class Desk:
    """A run of one package, `a`, which may write `a/`; its base has the file `a/old`."""

    run: Run
    notes: list[str] = field(default_factory=list)

    def attempt(self, agent: str, *steps: Step, **config: object) -> Outcome:
        """What comes of an attempt whose agent is this script for a shell."""
        spec = self.run.spec
        one = replace(self.run.in_force.plan.package("a"), steps=steps)
        shown = {"PATH": os.environ["PATH"]}
        settings: Config = replace(spec.config, **config)  # type: ignore[arg-type]
        spec = replace(
            spec,
            config=settings,
            setup=settings.setup or (),
            agents={"a": Command(("sh", "-c", agent))},
            environment=shown,
            agent_environment={**shown, "MY_TOKEN": TOLD},
        )
        launch = replace(self.run.launch, env=shown, mask=(TOLD.encode(),))
        return attempt.run(spec, self.run.workspace, launch, self.job(one), self.post)

    def job(self, one: Package) -> Job:
        return Job(one, 1, self.run.in_force)

    @property
    def post(self) -> Post:
        return lambda event: self.notes.append(event.text) if isinstance(event, Noted) else None

    @property
    def folder(self) -> Path:
        return self.run.workspace.places.attempt("a", 1)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    repo, empty = make_repository(tmp_path / "user.git")
    base = commit(repo, empty, {"a/old": "old\n"})
    run = open_run(repo, base, tmp_path / "home", package("a"))
    run.workspace = Workspace.open(repo, run.workspace.places, base, tmp_path / "home", checkout=None)
    return Desk(run)


def test_what_an_agent_does_in_its_scope_and_its_steps_accept_is_the_packages_work(desk: Desk) -> None:
    done = desk.attempt(WRITES, Step("there", command="grep work a/new"))
    assert (done.code, done.why) == (None, "")
    assert [change.path for change in done.changes] == ["a/new"]
    assert desk.run.workspace.repo.read(done.commit, "a/new") == b"work\n"


def test_work_outside_the_scope_fails_and_its_retry_starts_from_the_base(desk: Desk) -> None:
    done = desk.attempt(f"{WRITES}; mkdir b; echo x > b/x")
    assert done.code is Failure.SCOPE_VIOLATION
    assert "b/x" in done.why
    assert done.from_base


def test_a_file_over_the_limit_fails_the_attempt_and_the_limit_is_the_configured_one(desk: Desk) -> None:
    done = desk.attempt("head -c 300000 /dev/zero > a/large", max_blob_mb=0.2)
    assert done.code is Failure.SCOPE_VIOLATION
    assert "a/large: 0 MB, more than max_blob_mb (0.2)" in done.why


def test_an_attempt_without_a_change_is_no_work(desk: Desk) -> None:
    assert desk.attempt("true").code is Failure.NO_CHANGES


def test_steps_run_in_a_fresh_checkout_of_the_commit(desk: Desk) -> None:
    exclude = desk.run.workspace.repo.git_dir / "info/exclude"
    exclude.parent.mkdir(exist_ok=True)
    exclude.write_text("*.left\n")
    done = desk.attempt(f"{WRITES}; echo x > a/x.left", Step("alone", command="test ! -e a/x.left"))
    assert done.code is None


def test_a_step_that_changes_tracked_files_fails(desk: Desk) -> None:
    done = desk.attempt(WRITES, Step("edits", command="echo more >> a/old"))
    assert done.code is Failure.VERIFICATION_FAILED
    assert "a/old" in done.why


def test_set_up_and_steps_see_no_secret_and_agents_do(desk: Desk) -> None:
    unseen = 'test -z "${MY_TOKEN:-}"'
    agent = f'{WRITES}; test -n "$MY_TOKEN"'
    assert desk.attempt(agent, Step("blind", command=unseen), setup=(SetupCommand(unseen),)).code is None


def test_what_a_step_prints_is_masked_before_anybody_can_read_it(desk: Desk) -> None:
    log = desk.folder / "steps/1-says.log"
    waits = f"until grep -q end {log}; do sleep 0.02; done; ! grep {TOLD} {log}"
    assert desk.attempt(WRITES, Step("says", command=f"echo {TOLD}; seq 999; echo end; {waits}")).code is None
    assert b"***" in log.read_bytes()


def test_an_agent_has_its_time_limit(desk: Desk) -> None:
    short = replace(package("a"), timeout_minutes=0.02)  # type: ignore[arg-type]
    desk.run.in_force = in_force([short])
    assert desk.attempt(f"{WRITES}; sleep 6").code is Failure.TIMEOUT


def test_an_agent_that_makes_no_progress_is_ended(desk: Desk) -> None:
    assert desk.attempt(f"{WRITES}; sleep 8", silence_minutes=0.02).code is Failure.SILENT


def test_a_step_has_its_time_limit(desk: Desk) -> None:
    slow = Step("slow", command="sleep 6", timeout_minutes=0.02)  # type: ignore[arg-type]
    done = desk.attempt(WRITES, slow)
    assert done.code is Failure.VERIFICATION_FAILED
    assert "it took more than" in done.why


def test_an_agent_that_loses_its_git_ends_in_no_other_repository(desk: Desk) -> None:
    git(desk.run.workspace.home.parent, "init", "--quiet")
    agent = f"{WRITES}; rm -rf .git; git rev-parse --git-dir > a/found 2>/dev/null || true"
    done = desk.attempt(agent)
    assert desk.run.workspace.repo.read(done.commit, "a/found") == b""


def test_work_that_no_ref_has_is_kept_whole_with_its_worktree(desk: Desk) -> None:
    objects = desk.run.workspace.repo.git_dir / "objects"
    plant = (
        "import sys, zlib, pathlib; oid = sys.argv[1]; file = pathlib.Path(sys.argv[2], oid[:2], oid[2:]); "
        "file.parent.mkdir(exist_ok=True); file.write_bytes(zlib.compress(b'blob 5\\0evil\\n'))"
    )
    done = desk.attempt(f'{WRITES}; python3 -c "{plant}" "$(git hash-object a/new)" {objects}')
    assert done.code is Failure.GIT_FAILED
    (kept,) = desk.run.workspace.home.glob(".kept/a.1*/**/a/new")
    assert kept.read_text() == "work\n"
    assert any("kept whole" in note for note in desk.notes)


def test_what_an_agent_committed_elsewhere_is_looked_for_and_kept(desk: Desk) -> None:
    elsewhere = f"git checkout -q -b mine; echo y > a/mine; git add a/mine; {COMMIT} -m mine; git checkout -q -"
    done = desk.attempt(f"{elsewhere}; {WRITES}")
    assert done.code is None
    refs = desk.run.workspace.repo.refs(desk.run.workspace.places.attempt_refs)
    (side,) = (ref for ref in refs if ref.endswith("1.mine"))
    assert desk.run.workspace.repo.read(refs[side], "a/mine") == b"y\n"


def test_files_around_the_checkouts_are_no_evidence_and_cost_no_retry(desk: Desk) -> None:
    home = desk.run.workspace.home
    around = Surroundings(home, frozenset(desk.run.workspace.places.checkouts_of("a")), frozenset())
    desk.run.workspace = replace(desk.run.workspace, surroundings=around)
    done = desk.attempt(f"{WRITES}; touch {home}/conftest.py", Step("true", command="true"))
    assert done.code is Failure.FOREIGN_FILES
    assert not done.code.costs_retry


def test_a_failure_on_a_full_disk_shows_nothing_about_the_work(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage, "LEAST", 1 << 62)
    with pytest.raises(OSError, match="No space left"):
        desk.attempt(WRITES, Step("red", command="false"))


def test_a_worktree_that_cannot_be_staged_is_kept_whole(desk: Desk) -> None:
    done = desk.attempt(f"{WRITES}; mkfifo a/pipe")
    assert done.code is Failure.UNSTAGEABLE
    assert [*desk.run.workspace.home.glob(".kept/a.1*/**/a/new")]


def test_what_an_agent_does_with_git_reaches_no_repository_but_its_own(desk: Desk) -> None:
    repo = desk.run.workspace.repo
    before, config = repo.refs("refs/heads", "refs/tags"), (repo.git_dir / "config").read_bytes()
    done = desk.attempt(f"{WRITES}; git config core.hooksPath evil; git branch mine; git tag t; git gc -q --prune=now")
    assert repo.refs("refs/heads", "refs/tags") == before
    assert (repo.git_dir / "config").read_bytes() == config
    assert done.code is None
