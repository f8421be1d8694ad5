"""What starts beside what is at work: limits of providers and budgets, through the loop. The attempts are fakes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from parallel_impl.agents import kinds
from parallel_impl.agents.agent import Agent, AgentJob, Worked
from parallel_impl.agents.client import Account, Client
from parallel_impl.agents.seen import Seen
from parallel_impl.config import Config, UsageLimits
from parallel_impl.git.repo import Repo
from parallel_impl.plan.model import Package
from parallel_impl.record import events as e
from parallel_impl.record.activity import Limited, Usage
from parallel_impl.record.codes import Failure, Halt
from parallel_impl.record.journal import now, read
from parallel_impl.record.result import AgentRecord
from parallel_impl.record.state import PackageState, RunState, fold
from parallel_impl.run import runner
from parallel_impl.run.attempt.job import Job, Outcome, Post, Working
from parallel_impl.run.inspect.run_status import RunStatus
from parallel_impl.run.run import Run
from tests.run.attempts import Agents, passing, result
from tests.run.scene import heard, make_repository, open_run, package


@dataclass(frozen=True)
class Named:
    """An agent of which only its name and its provider matter here."""

    name: str
    provider: str = ""
    most: int = 0
    starts_processes: bool = True

    @property
    def record(self) -> AgentRecord:
        return AgentRecord(name=self.name, kind=self.name)

    def work(self, job: AgentJob) -> Worked:
        raise NotImplementedError(job)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> tuple[Repo, str]:
    return make_repository(tmp_path_factory.mktemp("repository") / "user.git")


@pytest.fixture
def opened(repository: tuple[Repo, str], tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Opens a run of these packages; `by` are their agents."""
    runs: list[Run] = []

    def open_(*packages: Package, by: Mapping[str, Agent], jobs: int = 2, config: Config | None = None) -> Run:
        run = open_run(*repository, tmp_path, *packages, jobs=jobs)
        run.spec = replace(run.spec, agents=by, config=config or Config())
        runs.append(run)
        return run

    yield open_
    for run in runs:
        run.journal.close()
        run.workspace.places.journal.unlink(missing_ok=True)


def refused(job: Job, code: Failure, until: float = 0.0) -> Outcome:
    seen = Seen(limited=Limited(terminal=True, why="429", until=until, code=str(code)))
    return Outcome(result(job), code=code, why="API Error: 429", seen=seen)


CLAUDE, CODEX, GEMINI = Named("claude", "anthropic"), Named("codex", "openai"), Named("gemini", "google")


def test_a_limit_costs_no_retry_and_its_provider_starts_nothing_until_the_time_that_it_told(
    opened: Callable[..., Run],
) -> None:
    by = {"a": CLAUDE, "b": CLAUDE, "x": CODEX, "y": GEMINI}
    run = opened(package("a", retries=0), package("b", "x"), package("x"), package("y", "x"), by=by)
    until, begun = now() + 4.0, dict[tuple[str, int], float]()

    def act(job: Job, _: Post) -> Outcome:
        begun[job.package.id, job.number] = now()
        if (job.package.id, job.number) == ("a", 1):
            return refused(job, Failure.PROVIDER_LIMIT, until)
        return Outcome(result(job), commit=run.spec.base)

    assert runner.run_packages(run, run_attempt=Agents(act)) == ""
    assert {*list(begun)[:2]} == {("a", 1), ("x", 1)}
    assert list(begun)[2:] == [("y", 1), ("a", 2), ("b", 1)]  # the other providers went on meanwhile
    assert begun["a", 2] >= until
    assert run.state.packages["a"].failures == 0
    limited = [event for event in heard(run) if isinstance(event, e.ProviderLimited)]
    assert [(event.provider, event.code, event.until) for event in limited] == [("anthropic", "PROVIDER_LIMIT", until)]
    assert set(run.state.accepted()) == {"a", "b", "x", "y"}


def test_after_a_limit_one_agent_is_the_probe_and_the_others_start_when_it_works(opened: Callable[..., Run]) -> None:
    run = opened(*(package(name) for name in "abc"), by=dict.fromkeys("abc", CLAUDE), jobs=3)
    alone, works = threading.Event(), threading.Event()
    begun, at_probe = list[str](), list[list[str]]()

    def act(job: Job, post: Post) -> Outcome:
        begun.append(job.package.id)
        if job.package.id == "a" and job.number == 1:
            return refused(job, Failure.PROVIDER_LIMIT, now() + 0.2)
        if job.package.id == "a":
            alone.wait(1.3)  # longer than two starts of a provider lie apart: nothing else starts meanwhile
            at_probe.append(list(begun))
            post(Working("a", job.number, Seen(calls=1)))
            assert works.wait(20)  # and now it does, while the probe is still at work
        works.set()
        return Outcome(result(job), commit=run.spec.base)

    runner.run_packages(run, run_attempt=Agents(act))
    assert at_probe == [["a", "a"]]
    assert begun == ["a", "a", "b", "c"]


def test_a_quota_pauses_the_run_at_once_and_what_is_live_finishes_and_is_accepted(opened: Callable[..., Run]) -> None:
    run = opened(package("a"), package("b"), package("c"), package("d", "b"), by={"a": CLAUDE, "b": CODEX, "c": CODEX})
    both = threading.Barrier(2, timeout=20)
    paused = threading.Event()

    def act(job: Job, post: Post) -> Outcome:
        both.wait()
        if job.package.id == "a":
            return refused(job, Failure.PROVIDER_QUOTA)
        while not run.state.paused:
            paused.wait(0.01)
        return Outcome(result(job), commit=run.spec.base)

    agents = Agents(act)
    ended = runner.execute(run, run_attempt=agents)
    assert sorted(agents.started) == ["a", "b"]
    assert (set(run.state.accepted()), run.state.packages["a"].state) == ({"b"}, PackageState.QUEUED)
    assert (ended.exit_code, ended.status, ended.code) == (1, "paused", Halt.PAUSED)
    assert "\n".join(ended.lines).splitlines()[1:4] == [
        "Paused by anthropic; all work is kept.",
        "  PROVIDER_QUOTA: API Error: 429",
        "  go on with: parallel-implement c1",
    ]
    again = fold(read(run.workspace.places.journal))
    assert (again.run, again.live()) == (RunState.PAUSED, [])
    assert again.paused is not None
    assert again.paused.by == "anthropic"


@pytest.mark.parametrize(
    ("kind", "account", "expected"),
    [
        ("claude", Account("WORK_KEY", "k"), "correct the key of claude: export WORK_KEY=…"),
        ("claude", Account(seen=True), "log in again: claude auth login"),
        ("gemini", Account(), "log in again: start gemini once and log in there"),
    ],
)
def test_a_wrong_key_or_log_in_is_to_be_corrected_before_the_same_command(
    kind: str, account: Account, expected: str, opened: Callable[..., Run], tmp_path: Path
) -> None:
    agent = kinds.parse(kind, tmp_path)
    assert isinstance(agent, Client)
    run = opened(package("a"), by={"a": replace(agent, account=account)})
    ended = runner.execute(run, run_attempt=Agents(lambda job, _: refused(job, Failure.PROVIDER_AUTH)))
    line = f"  {expected}; then go on with: parallel-implement c1"
    assert line in ended.lines
    again = fold(read(run.workspace.places.journal))
    assert RunStatus(run.workspace.places, again).pause_lines[1] == line


def test_a_longer_wait_than_the_configured_one_pauses_until_then(opened: Callable[..., Run]) -> None:
    run = opened(package("a"), by={"a": CLAUDE}, config=Config(provider_wait_minutes=1))
    until = float(int(now()) + 3600)
    agents = Agents(lambda job, _: refused(job, Failure.PROVIDER_LIMIT, until))
    ended = runner.execute(run, run_attempt=agents)
    assert agents.started == ["a"]
    assert (ended.exit_code, run.state.paused is not None and run.state.paused.until) == (1, until)
    assert ended.lines[1].startswith("Paused by anthropic until 20")
    assert "  go on then with: parallel-implement c1" in ended.lines


def test_a_signal_ends_a_run_that_waits_for_a_provider(opened: Callable[..., Run]) -> None:
    run = opened(package("a"), by={"a": CLAUDE})

    def act(job: Job, _: Post) -> Outcome:
        threading.Timer(0.3, run.stop.set).start()
        return refused(job, Failure.PROVIDER_LIMIT, now() + 600)

    began = time.monotonic()
    ended = runner.execute(run, run_attempt=Agents(act))
    assert (ended.exit_code, time.monotonic() - began < 100) == (130, True)


def test_no_more_of_an_agent_work_at_once_than_its_table_says(opened: Callable[..., Run]) -> None:
    run = opened(
        *(package(name) for name in "abx"), by={**dict.fromkeys("ab", Named("one", most=1)), "x": CODEX}, jobs=3
    )
    here, together = set[str](), list[set[str]]()
    guard, met = threading.Lock(), threading.Event()

    def act(job: Job, _: Post) -> Outcome:
        with guard:
            here.add(job.package.id)
            together.append(set(here))
        if job.package.id == "x":
            met.set()
        assert met.wait(20)  # the first of them and the other agent are at work together
        with guard:
            here.discard(job.package.id)
        return Outcome(result(job), commit=run.spec.base)

    runner.run_packages(run, run_attempt=Agents(act))
    assert set(run.state.accepted()) == set("abx")
    assert not any({"a", "b"} <= each for each in together)


def test_a_package_that_used_up_its_limit_gets_no_further_try(opened: Callable[..., Run]) -> None:
    config = Config(limits=UsageLimits(package={"dollars": 1.0}))
    run = opened(package("a", retries=5), by={"a": CODEX}, config=config)
    seen = Seen(usage=Usage(dollars=0.6))
    agents = Agents(lambda job, _: Outcome(result(job), code=Failure.AGENT_FAILED, why="no", seen=seen))
    runner.run_packages(run, run_attempt=agents)
    assert [round(job.budget.dollars, 2) for job in agents.jobs] == [1.0, 0.4]  # what is left of it
    failed = run.state.packages["a"]
    assert (failed.state, failed.code) == (PackageState.FAILED, "BUDGET_EXCEEDED")
    assert failed.why == "$1.20 of $1.00 used; its last attempt: AGENT_FAILED: no"


def test_finished_work_is_accepted_whatever_it_used(opened: Callable[..., Run]) -> None:
    config = Config(limits=UsageLimits(package={"dollars": 1.0}, run={"dollars": 1.0}))
    run = opened(package("a"), by={"a": CODEX}, config=config)
    agents = Agents(lambda job, _: Outcome(result(job), run.spec.base, seen=Seen(usage=Usage(dollars=9.0))))
    assert runner.run_packages(run, run_attempt=agents) == ""
    assert set(run.state.accepted()) == {"a"}


def test_a_run_that_used_up_its_limit_starts_nothing_and_stops_the_agents_at_work(opened: Callable[..., Run]) -> None:
    config = Config(limits=UsageLimits(run={"tokens": 100}))
    run = opened(*(package(name, retries=0) for name in "abc"), by={}, config=config)
    both = threading.Barrier(2, timeout=20)

    def act(job: Job, post: Post) -> Outcome:
        both.wait()
        post(Working(job.package.id, job.number, Seen(usage=Usage(output=60))))
        while not job.cutoff.stop:
            time.sleep(0.01)
        return Outcome(result(job), code=job.cutoff.code, why=job.cutoff.why, seen=Seen(usage=Usage(output=60)))

    agents = Agents(act)
    ended = runner.execute(run, run_attempt=agents)
    assert sorted(agents.started) == ["a", "b"]
    assert (ended.exit_code, ended.code) == (1, Halt.BUDGET_EXCEEDED)
    assert "limits.run: 120 of 100 tokens used" in ended.headline
    assert run.state.packages["a"].failures == 0
    assert run.state.packages["a"].state is PackageState.QUEUED


def test_the_minutes_of_a_run_are_over_while_agents_are_silent(opened: Callable[..., Run]) -> None:
    run = opened(package("a"), by={}, config=Config(limits=UsageLimits(run={"minutes": 0.005})))

    def act(job: Job, _: Post) -> Outcome:
        while not job.cutoff.stop:
            time.sleep(0.01)
        return Outcome(result(job), code=job.cutoff.code, why=job.cutoff.why, seconds=0.3)

    assert "0.0 of 0.005 minutes used" in runner.run_packages(run, run_attempt=Agents(act))


def test_minutes_in_which_an_attempt_waits_for_a_slot_are_not_counted(opened: Callable[..., Run]) -> None:
    limits = UsageLimits(run={"minutes": 0.005}, package={"minutes": 0.005})
    run = opened(package("a", retries=1), by={}, config=Config(limits=limits))

    def act(job: Job, _: Post) -> Outcome:
        job.slot_wait.change(waiting=1)
        time.sleep(0.4)
        code, failed = job.cutoff.code, Failure.VERIFICATION_FAILED if job.number == 1 else None
        return Outcome(result(job), run.spec.base, code=code or failed, seconds=0.41, waited_seconds=0.4)

    assert runner.run_packages(run, run_attempt=Agents(act)) == ""
    assert [one.code for one in run.state.packages["a"].ended] == ["VERIFICATION_FAILED", ""]


def test_the_limit_of_a_run_counts_what_earlier_starts_used(opened: Callable[..., Run]) -> None:
    config = Config(limits=UsageLimits(run={"tokens": 100}))
    run = opened(package("a", retries=3), package("b", "a"), by={}, config=config)
    seen = Seen(usage=Usage(output=100))
    runner.run_packages(run, run_attempt=Agents(lambda job, _: Outcome(result(job), run.spec.base, seen=seen)))
    run.record(e.RunContinued(at=now(), agent="fake", jobs=2))
    agents = Agents(passing(run.spec.base))
    assert runner.run_packages(run, run_attempt=agents) == "100 of 100 tokens used"
    assert agents.started == []
