"""The loop: what it starts, in which order, and what it makes of an attempt's end. The attempts are fakes."""

from __future__ import annotations

import json
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from parallel_impl.git.mountpoints import Unmounted
from parallel_impl.git.mounts import Mounts
from parallel_impl.git.repo import Change, Repo
from parallel_impl.git.watch import Tamper, Watch
from parallel_impl.plan.model import Package
from parallel_impl.record import events as e
from parallel_impl.record.codes import Failure, Halt
from parallel_impl.record.journal import now, read
from parallel_impl.record.state import PackageState, fold
from parallel_impl.run import runner
from parallel_impl.run.admission import Admission
from parallel_impl.run.attempt.job import Job, Outcome, Post
from parallel_impl.run.run import Run
from parallel_impl.views.slot import Slot
from parallel_impl.views.trial import Ability
from parallel_impl.views.view import Means
from tests.run.attempts import Agents, passing, result
from tests.run.scene import Recorder, heard, make_repository, open_run, package


@dataclass
class Failing(Recorder):
    """Says when it hears what `--fail-fast` means now."""

    heard: threading.Event = field(default_factory=threading.Event)

    def say(self, text: str) -> None:
        super().say(text)
        self.heard.set()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Repo, str]:
    return make_repository(tmp_path_factory.mktemp("repository") / "user.git")


@pytest.fixture
def opened(repository: tuple[Repo, str], tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Opens a run of these packages in a repository that all tests share; its journal is this test's."""
    runs: list[Run] = []

    def open_(*packages: Package, jobs: int = 2) -> Run:
        runs.append(open_run(*repository, tmp_path, *packages, jobs=jobs))
        return runs[-1]

    yield open_
    for run in runs:
        run.journal.close()
        run.workspace.places.journal.unlink(missing_ok=True)


def test_a_package_starts_when_all_that_it_depends_on_is_accepted(opened: Callable[..., Run]) -> None:
    run = opened(package("c", "a", "b"), package("b", "a"), package("a"))
    agents = Agents(passing(run.spec.base))
    runner.run_packages(run, run_attempt=agents)
    assert agents.started == ["a", "b", "c"]
    assert [layer.package for layer in agents.jobs[2].above] == ["a", "b"]
    assert run.state.accepted() == dict.fromkeys("cba", run.spec.base)
    refs = run.workspace.repo.refs(run.workspace.places.package_refs)
    assert set(refs.values()) == {run.spec.base}
    assert len(refs) == 3


def test_which_tests_passed_in_its_steps_is_journalled_before_a_package_is_accepted(
    opened: Callable[..., Run],
) -> None:
    run = opened(package("a"))
    runner.run_packages(run, run_attempt=Agents(lambda job, _: replace(passing(run.spec.base)(job, _), tests="d1")))
    kinds = [type(event) for event in heard(run) if not isinstance(event, e.RunStarted | e.AttemptVerifying)]
    assert kinds == [e.AttemptStarted, e.TestsKept, e.AttemptEnded, e.PackageAccepted]
    assert run.state.packages["a"].tests == {1: "d1"}


def test_what_is_ready_starts_by_priority_then_by_the_longest_way_below_it(opened: Callable[..., Run]) -> None:
    urgent, short, long = package("z", priority=1), package("a"), package("b")
    run = opened(short, long, package("below", "b"), urgent, jobs=1)
    agents = Agents(passing(run.spec.base))
    runner.run_packages(run, run_attempt=agents)
    assert agents.started[:2] == ["z", "b"]


def test_the_longest_way_is_measured_by_weight(opened: Callable[..., Run]) -> None:
    light, heavy = package("a"), replace(package("b"), weight=2.5)
    run = opened(light, package("below", "a"), heavy, jobs=1)
    agents = Agents(passing(run.spec.base))
    runner.run_packages(run, run_attempt=agents)
    assert agents.started[:2] == ["b", "a"]


def test_no_more_attempts_run_at_once_than_there_are_jobs(opened: Callable[..., Run]) -> None:
    run = opened(*(package(f"p{n}") for n in range(6)), jobs=2)
    here, most, both = list[str](), list[int](), threading.Barrier(2, timeout=20)

    def act(job: Job, _: Post) -> Outcome:
        here.append(job.package.id)
        both.wait()  # two are there, and no third comes
        most.append(len(here))
        both.wait()
        here.remove(job.package.id)
        return Outcome(result(job), commit=run.spec.base)

    runner.run_packages(run, run_attempt=Agents(act))
    assert set(most) == {2}
    assert len(most) == 6


def test_an_attempt_is_in_the_journal_before_it_starts(opened: Callable[..., Run]) -> None:
    run = opened(package("a"))
    seen: list[e.Event] = []

    def act(job: Job, _: Post) -> Outcome:
        seen.extend(read(run.workspace.places.journal))
        return Outcome(result(job), commit=run.spec.base)

    runner.run_packages(run, run_attempt=Agents(act))
    assert isinstance(seen[-1], e.AttemptStarted)


def test_a_failed_attempt_is_tried_again_as_often_as_the_plan_says_and_goes_on_from_its_work(
    opened: Callable[..., Run],
) -> None:
    run = opened(package("a", retries=2))
    agents = Agents(
        lambda job, _: Outcome(result(job), "c" * 40, code=Failure.VERIFICATION_FAILED, why=f"no {job.number}")
    )
    runner.run_packages(run, run_attempt=agents)
    assert [job.number for job in agents.jobs] == [1, 2, 3]
    assert agents.jobs[0].previous is None
    last = agents.jobs[2].previous
    assert last is not None
    assert (last.number, last.code, last.why, last.start) == (2, "VERIFICATION_FAILED", "no 2", "c" * 40)
    assert run.state.packages["a"].state is PackageState.FAILED


def test_a_retry_after_a_scope_violation_starts_from_the_base(opened: Callable[..., Run]) -> None:
    run = opened(package("a"))
    agents = Agents(lambda job, _: Outcome(result(job), "c" * 40, code=Failure.SCOPE_VIOLATION, why="outside"))
    runner.run_packages(run, run_attempt=agents)
    last = agents.jobs[1].previous
    assert last is not None
    assert last.start == ""


def test_nothing_below_a_failure_starts_and_what_is_beside_it_goes_on(opened: Callable[..., Run]) -> None:
    run = opened(package("a", retries=0), package("b", "a"), package("c", "b"), package("d"))

    def act(job: Job, _: Post) -> Outcome:
        code = Failure.AGENT_FAILED if job.package.id == "a" else None
        return Outcome(result(job), commit=run.spec.base, code=code)

    agents = Agents(act)
    runner.run_packages(run, run_attempt=agents)
    assert sorted(agents.started) == ["a", "d"]
    states = {name: str(progress.state) for name, progress in run.state.packages.items()}
    assert states == {"a": "failed", "b": "cancelled", "c": "cancelled", "d": "accepted"}


def test_fail_fast_starts_nothing_after_the_first_failure_and_lets_what_is_at_work_end(
    opened: Callable[..., Run],
) -> None:
    run = opened(package("a", retries=0), package("b"), package("c"), package("d", "b"), jobs=2)
    run.fail_fast, both, failed = True, threading.Barrier(2, timeout=20), threading.Event()
    run.listener = listener = Failing(heard=failed)

    def act(job: Job, _: Post) -> Outcome:
        both.wait()
        if job.package.id == "b":
            assert failed.wait(timeout=20)  # until the run knows of it
        code = Failure.AGENT_FAILED if job.package.id == "a" else None
        return Outcome(result(job), commit=run.spec.base, code=code)

    agents = Agents(act)
    runner.run_packages(run, run_attempt=agents)

    assert sorted(agents.started) == ["a", "b"]
    states = {name: str(progress.state) for name, progress in run.state.packages.items()}
    assert states == {"a": "failed", "b": "accepted", "c": "queued", "d": "queued"}
    assert listener.said == ["--fail-fast: a failed, so nothing more starts; at work until its end: b"]

    run.fail_fast = False  # the same command without it goes on
    runner.run_packages(run, run_attempt=Agents(passing(run.spec.base)))
    assert [str(progress.state) for progress in run.state.packages.values()] == ["failed", *["accepted"] * 3]


def test_what_failed_in_an_earlier_start_holds_nothing_up(opened: Callable[..., Run]) -> None:
    run = opened(package("a", retries=0), package("b"), jobs=1)
    agents = Agents(lambda job, _: Outcome(result(job), code=Failure.AGENT_FAILED))
    runner.run_packages(run, only=frozenset({"a"}), run_attempt=agents)
    run.fail_fast = True

    runner.run_packages(run, run_attempt=Agents(passing(run.spec.base)))

    assert str(run.state.packages["b"].state) == "accepted"


def test_only_the_wanted_packages_start(opened: Callable[..., Run]) -> None:
    run = opened(package("a"), package("b", "a"), package("c"))
    agents = Agents(passing(run.spec.base))
    runner.run_packages(run, only=frozenset({"a"}), run_attempt=agents)
    assert agents.started == ["a"]
    assert run.state.packages["b"].state is PackageState.QUEUED


def test_a_signal_starts_nothing_more_and_waits_for_what_runs(opened: Callable[..., Run]) -> None:
    run = opened(package("a"), package("b", "a"), package("c"), jobs=1)

    def act(job: Job, _: Post) -> Outcome:
        run.stop.set()
        return Outcome(result(job), code=Failure.INTERRUPTED, why="stopped")

    agents = Agents(act)
    runner.run_packages(run, run_attempt=agents)
    assert len(agents.started) == 1
    assert run.state.live() == []
    stopped = run.state.packages[agents.started[0]]
    assert (stopped.state, stopped.failures) == (PackageState.QUEUED, 0)  # it costs no retry


def test_what_a_worker_raises_ends_the_others_and_is_not_journalled_as_its_end(opened: Callable[..., Run]) -> None:
    run = opened(package("a"), package("b"))
    both = threading.Barrier(2, timeout=20)

    def act(job: Job, post: Post) -> Outcome:
        both.wait()
        if job.package.id == "a":
            raise OSError(28, "No space left on device", "/somewhere")
        while not run.stop:
            threading.Event().wait(0.001)
        post(e.Noted(at=now(), text="its worktree is kept", package="b"))
        return Outcome(result(job), code=Failure.INTERRUPTED)

    with pytest.raises(OSError, match="No space left"):
        runner.run_packages(run, run_attempt=Agents(act))
    assert run.stop
    again = fold(read(run.workspace.places.journal))
    assert again.live() == ["a", "b"]  # the next start settles them
    assert again.notes == ["b: its worktree is kept"]  # a note of a worker that was still at work is not lost


def test_a_bug_in_a_worker_is_raised_too(opened: Callable[..., Run]) -> None:
    run = opened(package("a"))

    def act(_: Job, __: Post) -> Outcome:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        runner.run_packages(run, run_attempt=Agents(act))
    assert run.stop


def test_what_a_worker_posts_is_journalled_before_its_end(opened: Callable[..., Run]) -> None:
    run = opened(package("a"))

    def act(job: Job, post: Post) -> Outcome:
        post(e.AttemptVerifying(at=now(), package="a", number=job.number))
        post(e.Noted(at=now(), text="moved to .kept", package="a"))
        return Outcome(result(job), commit=run.spec.base)

    runner.run_packages(run, run_attempt=Agents(act))
    kinds = [type(event).__name__ for event in heard(run)]
    assert kinds[-5:] == ["AttemptStarted", "AttemptVerifying", "Noted", "AttemptEnded", "PackageAccepted"]
    assert run.state.notes == ["a: moved to .kept"]


def test_nothing_is_accepted_on_a_result_that_does_not_hold(opened: Callable[..., Run]) -> None:
    run = opened(package("a", retries=0))
    agents = Agents(lambda job, _: Outcome(result(job, "b/x"), commit=run.spec.base))
    runner.run_packages(run, run_attempt=agents)
    progress = run.state.packages["a"]
    assert (progress.state, progress.code) == (PackageState.FAILED, "RESULT_INVALID")
    file = run.workspace.places.attempt_files("a", 1).result
    assert json.loads(file.read_bytes())["error_code"] == "RESULT_INVALID"
    assert run.layers == {}


def test_a_change_of_the_repository_that_halts_starts_nothing_more(opened: Callable[..., Run]) -> None:
    run = opened(package("a"), package("b", "a"))

    def act(job: Job, _: Post) -> Outcome:
        run.workspace.repo.set_ref(f"{run.workspace.places.refs}/planted", run.spec.base)
        return Outcome(result(job), commit=run.spec.base)

    agents = Agents(act)
    try:
        runner.run_packages(run, run_attempt=agents)
    finally:
        run.workspace.repo.delete_ref(f"{run.workspace.places.refs}/planted", run.spec.base)
    assert agents.started == ["a"]
    assert run.state.tampering is not None
    assert run.state.tampering.running == ["a"]


def test_a_signal_that_another_thread_got_stops_the_run_while_agents_work(opened: Callable[..., Run]) -> None:
    run, woken = opened(package("a")), list[bool]()
    passed = passing(run.spec.base)

    def attempt(*given: Any) -> Outcome:
        _wait_until_it_sleeps(threading.main_thread())
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)  # which wakes this thread and no other
        woken.append(bool(select.select([run.stop], [], [], 20)[0]))
        return Agents(passed)(*given)

    before = signal.signal(signal.SIGUSR1, lambda *_: run.stop.set())
    try:
        runner.run_packages(run, run_attempt=attempt)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert woken == [True]


def _wait_until_it_sleeps(thread: threading.Thread) -> None:
    """Until the kernel has not switched to it for a while: one that waits for the interpreter is woken every 5 ms."""
    status, before = Path(f"/proc/self/task/{thread.native_id}/status"), ""
    while (switches := status.read_text().rpartition("voluntary_ctxt_switches")[0]) != before:
        before = switches
        time.sleep(0.2)


def test_what_nobody_asked_for_is_not_cancelled_by_a_failure_above_it(opened: Callable[..., Run]) -> None:
    run = opened(replace(package("a"), retry_budget=0), package("b", "a"), package("c", "b"))

    def act(job: Job, _: Post) -> Outcome:
        return Outcome(result(job, "elsewhere"))

    runner.run_packages(run, only=frozenset("ab"), run_attempt=Agents(act))
    states = {name: progress.state for name, progress in run.state.packages.items()}
    assert states["b"] is PackageState.CANCELLED
    assert states["c"] not in (PackageState.CANCELLED, PackageState.FAILED)


def test_nothing_starts_on_work_that_does_not_stand_in_one_tree_in_a_later_start_neither(
    opened: Callable[..., Run],
) -> None:
    run = opened(package("a"), package("b"), package("both", "a", "b"))
    paths = {"a": "p/q", "b": "p/q/r"}

    def act(job: Job, _: Post) -> Outcome:
        changes = (Change("000000", "100644", "0" * 40, "1" * 40, "A", paths[job.package.id]),)
        return Outcome(result(job), commit=run.spec.base, changes=changes)

    agents = Agents(act)
    for _start in range(2):
        run.obstacle = None
        runner.run_packages(run, run_attempt=agents)
        assert run.obstacle is not None
        assert run.obstacle[0] is Halt.CLASH
    assert sorted(agents.started) == ["a", "b"]


def test_an_attempt_is_given_the_work_that_it_builds_on_in_topological_order(opened: Callable[..., Run]) -> None:
    run = opened(package("z"), package("m", "z"), package("a", "m"), package("last", "a", "z"))
    agents = Agents(passing(run.spec.base))
    runner.run_packages(run, run_attempt=agents)
    assert [[layer.package for layer in job.above] for job in agents.jobs] == [[], ["z"], ["z", "m"], ["z", "m", "a"]]


def test_what_ended_together_is_settled_before_one_look_at_the_repository(
    opened: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, looks = opened(package("a"), package("b")), list[list[str]]()
    compare = Watch.compare

    def look(self: Watch, *, seldom: bool = False) -> list[Tamper]:
        looks.append([*run.state.accepted()])
        return compare(self, seldom=seldom)

    monkeypatch.setattr(Watch, "compare", look)
    inbox: runner.Inbox = SimpleQueue()
    with ThreadPoolExecutor(2) as workers:
        loop = runner.Loop(run, workers, inbox, Admission(run), None, Agents(passing(run.spec.base)))
        names, _ = loop.admission.choose(["a", "b"], now())
        runner._start(loop, [loop.admission.admit(runner._job(loop, name), now()) for name in names])
    runner._take_in(loop, [inbox.get() for _ in range(inbox.qsize())])
    assert looks == [["a", "b"]]


def test_no_attempt_alive_is_accepted_once_something_left_its_view_and_none_costs_a_retry(
    opened: Callable[..., Run], tmp_path: Path
) -> None:
    run = opened(package("a", retries=0), package("b", retries=0), package("c", "a"))
    place = run.workspace
    mounts = Mounts(place.repo, place.trees, Slot(), Ability(Means.EACH), place.home, tmp_path / "_checkout/x")
    run.workspace = replace(place, source=replace(place.source, mounts=mounts))
    both = threading.Barrier(2, timeout=20)

    def act(job: Job, _: Post) -> Outcome:
        both.wait()
        if job.package.id == "b":
            mounts.unmounted.append(Unmounted("/below was used", ("a", "b.verify")))
        both.wait()
        code = Failure.VERIFICATION_FAILED if job.package.id == "b" else None
        return Outcome(result(job), commit=run.spec.base, code=code)

    runner.run_packages(run, run_attempt=Agents(act))
    ended = {event.package: event.code for event in heard(run) if isinstance(event, e.AttemptEnded)}
    assert ended == {"a": Failure.VIEW_UNMOUNTED, "b": Failure.VIEW_UNMOUNTED}
    assert {name: one.state for name, one in run.state.packages.items()} == {
        "a": PackageState.QUEUED,
        "b": PackageState.QUEUED,
        "c": PackageState.PLANNED,
    }
    assert run.obstacle
    assert run.obstacle[0] is Halt.VIEW_UNMOUNTED
    assert run.obstacle[1].splitlines()[:2] == ["/below was used", "it was one of: a, b"]
    written = json.loads(run.workspace.places.attempt_files("a", 1).result.read_text())
    assert written["status"] == "failed"
