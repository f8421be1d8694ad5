"""What a killed run left: cleared before anything is read, and settled when the journal is open."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from parallel_impl.agents import spending
from parallel_impl.errors import UserError
from parallel_impl.git.checkout import Checkout, Source
from parallel_impl.git.repo import Repo
from parallel_impl.plan.model import Package
from parallel_impl.processes.procfs import boot_id, start_time
from parallel_impl.record import activity, json_form
from parallel_impl.record import events as e
from parallel_impl.record.activity import Usage
from parallel_impl.record.codes import Failure
from parallel_impl.record.journal import load_state
from parallel_impl.record.state import PackageState, State
from parallel_impl.run import run_id
from parallel_impl.run.attempt import attempt_record, run_processes, take_work
from parallel_impl.run.attempt.job import Job
from parallel_impl.run.places import Places
from parallel_impl.run.resume import leftovers
from parallel_impl.run.run import Run
from tests.run.scene import CHANGE, commit, heard, make_repository, open_run, package, with_retries

OTHER_RUN = secrets.token_hex(16)


@pytest.fixture(autouse=True)
def unmarked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mark that `run_id.ensure` puts on this process ends with the test."""
    monkeypatch.setenv("PARALLEL_IMPL_RUN", "")


@dataclass
class Killed:
    """A run whose process was killed while `a` was at work; `next` is what the next process finds."""

    repo: Repo
    base: str
    home: Path
    packages: tuple[Package, ...]

    def next(self) -> Run:
        return open_run(self.repo, self.base, self.home, *self.packages)

    @property
    def places(self) -> Places:
        return Places(self.repo.git_dir, CHANGE)

    def checkout(self, run: Run, name: str = "a") -> Checkout:
        source = Source.prepare(self.repo, self.base, self.home, indexes=self.places.indexes)
        assert run.workspace.home == self.home
        return source.open(name, self.base)


@pytest.fixture
def killed(tmp_path: Path) -> Killed:
    repo, base = make_repository(tmp_path / "user.git")
    scene = Killed(repo, base, tmp_path / "home", (package("a"), package("b", "a")))
    run = scene.next()
    run.record(e.AttemptStarted(at=2.0, package="a", number=1))
    run.journal.close()
    return scene


def ended(run: Run) -> e.AttemptEnded:
    return next(event for event in reversed(heard(run)) if isinstance(event, e.AttemptEnded))


def test_an_attempt_whose_agent_was_not_started_is_over_and_costs_no_retry(killed: Killed) -> None:
    run = killed.next()
    killed.checkout(run)
    leftovers.settle(run)
    assert (ended(run).code, ended(run).commit) == (Failure.INTERRUPTED, "")
    progress = run.state.packages["a"]
    assert (progress.state, progress.failures) == (PackageState.QUEUED, 0)
    assert list(killed.home.iterdir()) == []


def test_what_a_killed_agent_had_used_is_journalled(killed: Killed) -> None:
    told = (
        activity.Opened(session="s-1", model="large"),
        activity.Called(tool="bash", call="1"),
        activity.Used(usage=Usage(output=200, turns=1)),
        activity.Denied(tool="bash"),
        activity.Used(usage=Usage(output=50, turns=1)),
    )
    file = killed.places.attempt_files("a", 1).activity
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\n".join(map(activity.to_line, told)) + b'\n{"did": "us')
    run = killed.next()
    leftovers.settle(run)
    over = ended(run)
    assert (over.code, over.usage, over.model, over.session) == (
        Failure.INTERRUPTED, Usage(output=250, turns=2), "large", "s-1",
    )  # fmt: skip
    assert (over.calls, over.denied) == (1, 1)
    assert spending.of_run(run.state).usage.output == 250


def test_what_a_killed_agent_had_done_is_saved_on_its_attempts_ref(killed: Killed) -> None:
    run = killed.next()
    checkout = killed.checkout(run)
    job = Job(run.in_force.plan.package("a"), 1, run.in_force)
    before = take_work.stage(run.spec, run.workspace, checkout, job, base=killed.base).before(set_up=False)
    record = killed.places.attempt_files("a", 1).record
    record.parent.mkdir(parents=True)
    attempt_record.note(record, checkout, before)
    (checkout.path / "a").mkdir()
    (checkout.path / "a/half.py").write_text("half\n")
    leftovers.settle(run)
    saved = killed.repo.ref(killed.places.attempt_ref("a", 1))
    assert saved == ended(run).commit
    assert saved is not None
    assert killed.repo.read(saved, "a/half.py") == b"half\n"
    assert not checkout.path.exists()


def at_work(killed: Killed, run: Run, script: str) -> Checkout:
    """The killed agent had started, and done this in a worktree of a branch of its own."""
    source = Source.prepare(killed.repo, killed.base, killed.home, indexes=killed.places.indexes)
    checkout = source.open("a", killed.base, branch="openspec/c1--a")
    job = Job(run.in_force.plan.package("a"), 1, run.in_force)
    before = take_work.stage(run.spec, run.workspace, checkout, job, base=killed.base).before(set_up=False)
    record = killed.places.attempt_files("a", 1).record
    record.parent.mkdir(parents=True)
    attempt_record.note(record, checkout, before)
    subprocess.run(["sh", "-ec", script], cwd=checkout.path, check=True)
    return checkout


LEFT = "git checkout -q -b left; mkdir a; echo x >a/x; git add a; git commit -q -m x; git checkout -q openspec/c1--a"


def test_what_a_killed_agent_had_left_elsewhere_is_kept_beside_its_attempt(killed: Killed) -> None:
    run = killed.next()
    checkout = at_work(killed, run, LEFT)
    leftovers.settle(run)
    kept = killed.repo.ref(killed.places.side_ref("a", 1, "left"))
    assert kept is not None
    assert killed.repo.read(kept, "a/x") == b"x\n"
    assert not checkout.git_dir.exists()
    assert [note.partition(", kept on ")[0] for note in run.state.notes] == [
        "a: it left work elsewhere than in its worktree: branch left: a/x"
    ]
    run.workspace.watch.compare()
    assert run.workspace.watch.compare() == []  # it knows the ref


def test_a_ref_that_was_there_before_the_kill_is_named_once(killed: Killed) -> None:
    run = killed.next()
    side = killed.places.side_ref("a", 1, "left")
    at_work(killed, run, LEFT)
    killed.repo.set_ref(side, commit(killed.repo, killed.base, {"a/x": "x\n"}))
    run.note(f"kept on {killed.places.side_ref('a', 1, 'told')}")
    killed.repo.set_ref(killed.places.side_ref("a", 1, "told"), killed.base)
    leftovers.settle(run)
    kept = [note.partition("kept on ")[2].rpartition("/")[2] for note in run.state.notes]
    assert kept == ["1.told", "1.left", "1.left-2"]  # what is found now takes no place of another


def test_a_repository_that_cannot_be_looked_through_is_kept_whole_after_a_kill_too(killed: Killed) -> None:
    run = killed.next()
    checkout = at_work(killed, run, f"{LEFT}; mkfifo $(git rev-parse --git-common-dir)/objects/pack/x.idx")
    leftovers.settle(run)
    assert not checkout.git_dir.exists()
    assert (killed.home / ".kept/a.1.git/refs/heads/left").is_file()
    assert "cannot be looked through" in run.state.notes[0]


def test_a_worktree_whose_record_is_torn_is_kept_whole_and_noted(killed: Killed) -> None:
    run = killed.next()
    checkout = killed.checkout(run)
    (checkout.path / "work.py").write_text("precious\n")
    record = killed.places.attempt_files("a", 1).record
    record.parent.mkdir(parents=True)
    record.write_bytes(b'{"start"')
    leftovers.settle(run)
    kept = killed.home / ".kept/a.1"
    assert (kept / "work.py").read_text() == "precious\n"
    assert run.state.notes == [f"a: what attempt 1 left could not be staged and is kept whole: {kept}"]
    run.journal.close()
    assert load_state(killed.places.journal).notes == run.state.notes  # so a later summary has it too


def test_accepted_work_that_was_not_journalled_is_taken_over(killed: Killed) -> None:
    made = commit(killed.repo, killed.base, {"a/x": "1\n"})
    for ref in (killed.places.attempt_ref("a", 1), killed.places.package_ref("a")):
        killed.repo.set_ref(ref, made)
    first = killed.next()
    first.record(e.TestsKept(at=3.0, package="a", number=1, digest="d1"))
    first.journal.close()
    run = killed.next()
    leftovers.settle(run)
    assert run.state.accepted() == {"a": made}
    assert ended(run).tests == "d1"  # what passed in its own steps is asked for on the whole
    assert [change.path for change in run.layers["a"].changes] == ["a/x"]
    assert run.state.packages["b"].state is PackageState.QUEUED


def test_a_commit_that_this_run_did_not_register_is_not_taken_for_accepted(killed: Killed) -> None:
    stranger = commit(killed.repo, killed.base, {"a/x": "planted\n"})
    killed.repo.set_ref(killed.places.package_ref("a"), stranger)
    run = killed.next()
    leftovers.settle(run)
    assert run.state.accepted() == {}
    assert ended(run).code == Failure.INTERRUPTED


def test_the_ref_of_accepted_work_is_made_again_and_a_lost_commit_is_an_error(killed: Killed) -> None:
    made = commit(killed.repo, killed.base, {"a/x": "1\n"})
    killed.repo.set_ref(killed.places.attempt_ref("a", 1), made)
    run = killed.next()
    run.record(
        e.AttemptEnded(at=3.0, package="a", number=1, commit=made, seconds=1.0),
        e.PackageAccepted(at=3.0, package="a", number=1, commit=made),
    )
    leftovers.settle(run)
    assert killed.repo.ref(killed.places.package_ref("a")) == made
    (killed.repo.git_dir / "objects" / made[:2] / made[2:]).unlink()
    with pytest.raises(UserError, match="accepted commit"):
        leftovers.settle(run)


@pytest.mark.parametrize("where", ["no ref", "another commit", "another base"])
def test_what_only_the_journal_calls_accepted_is_done_again(where: str, killed: Killed) -> None:
    honest, other = (commit(killed.repo, killed.base, {"a/x": text}) for text in ("1\n", "2\n"))
    made = commit(killed.repo, other, {"a/x": "1\n"}) if where == "another base" else honest
    run = killed.next()
    if where != "no ref":
        killed.repo.set_ref(killed.places.attempt_ref("a", 1), other if where == "another commit" else made)
    run.record(
        e.AttemptEnded(at=3.0, package="a", number=1, commit=made),
        e.PackageAccepted(at=3.0, package="a", number=1, commit=made),
    )
    leftovers.do_again(run, leftovers.settle(run))
    assert run.state.accepted() == {}
    assert killed.repo.ref(killed.places.package_ref("a")) is None
    assert f"a: {made[:12]}, which the journal calls accepted, is not on " in run.state.notes[-1]


@pytest.mark.parametrize(("retries", "state"), [(0, PackageState.FAILED), (1, PackageState.QUEUED)])
def test_a_package_has_failed_when_its_process_did_not_live_to_say_so(
    retries: int, state: PackageState, killed: Killed
) -> None:
    run = killed.next()
    run.record(e.AttemptEnded(at=3.0, package="a", number=1, code=Failure.VERIFICATION_FAILED, seconds=1.0))
    with_retries(run, retries)
    leftovers.settle(run)
    leftovers.fail_spent(run)
    assert run.state.packages["a"].state is state


def test_settling_again_after_a_crash_in_between_changes_nothing(killed: Killed) -> None:
    run = killed.next()
    killed.checkout(run)
    leftovers.settle(run)
    known = killed.places.journal.read_bytes()
    leftovers.settle(run)
    assert killed.places.journal.read_bytes() == known


# -- before anything is read


def test_scratch_folders_and_locks_of_ours_are_removed_and_nothing_else(killed: Killed) -> None:
    state = load_state(killed.places.journal)
    temporary = Path(tempfile.mkdtemp(prefix=f"pi-{state.run_id[:8]}-"))
    other = Path(tempfile.mkdtemp(prefix="pi-00000000-"))
    gate = leftovers.find_home(killed.repo, killed.places, state, checkout=None).path / "base.gate"
    ours = killed.repo.git_dir / f"{killed.places.package_ref('a')}.lock"
    branch = killed.repo.git_dir / f"{killed.places.branch_ref}.lock"  # the user's, as nothing is proven
    for file in (killed.places.trees / "x/y", gate / "file", ours, branch):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    cleared = leftovers.clear(killed.repo, killed.places, state, checkout=None)
    assert cleared.run_id == state.run_id == os.environ["PARALLEL_IMPL_RUN"]
    assert [path for path in (temporary, killed.places.trees, gate, ours) if path.exists()] == []
    assert branch.exists()
    assert other.exists()
    other.rmdir()


def test_an_id_is_kept_beside_the_journal_until_that_has_it(tmp_path: Path) -> None:
    repo, _ = make_repository(tmp_path / "user.git")
    places = Places(repo.git_dir, CHANGE)
    found = run_id.ensure(places, State())
    assert run_id.ensure(places, State()) == found == places.run_id.read_text()


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], env={"PARALLEL_IMPL_RUN": OTHER_RUN}
    )
    yield process
    process.kill()
    process.wait()


def test_processes_are_found_by_the_id_of_the_run_and_ended(killed: Killed, child: subprocess.Popen[bytes]) -> None:
    run_processes.end(killed.places, State(), "d" * 32)
    assert child.poll() is None  # another run's
    run_processes.end(killed.places, State(), OTHER_RUN)
    assert child.wait(timeout=10) < 0


def test_a_recorded_agent_is_ended_and_in_a_copy_of_the_repository_it_is_not(
    killed: Killed, child: subprocess.Popen[bytes]
) -> None:
    record = killed.places.attempt_files("a", 1).record
    record.parent.mkdir(parents=True)
    noted = attempt_record.AttemptRecord(
        start=killed.base, tree="", pid=child.pid, start_time=start_time(child.pid), boot_id=boot_id()
    )
    record.write_bytes(json_form.encode(noted))
    state = load_state(killed.places.journal)
    run_processes.end(killed.places, state, "d" * 32)
    assert child.poll() is None
    run_processes.end(killed.places, state, state.run_id)
    assert child.wait(timeout=10) < 0


def test_a_private_home_stays_for_the_retry_and_goes_when_its_package_is_over(killed: Killed) -> None:
    made = commit(killed.repo, killed.base, {"a/x": "1\n"})
    for name in ("a", "b", "gone"):
        killed.places.client_home(name).mkdir(parents=True)
    for ref in (killed.places.attempt_ref("a", 1), killed.places.package_ref("a")):
        killed.repo.set_ref(ref, made)
    run = killed.next()
    leftovers.settle(run)
    leftovers.end_conversations(run)
    assert [home.name for home in killed.places.client_homes.iterdir()] == ["b"]
