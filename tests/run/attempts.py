"""Attempts that are fakes: what the tests of the loop run instead of agents."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from parallel_impl.processes.launch import Launch
from parallel_impl.record.result import CommitPlace, Commits, Result, ScopeCheck, VerificationRecord
from parallel_impl.run.attempt.job import Job, Outcome, Post
from parallel_impl.run.spec import RunSpec, Workspace

Act = Callable[[Job, Post], Outcome]


@dataclass
class Agents:
    """Runs an attempt by asking a function for its outcome; the packages in the order of their starts are kept."""

    act: Act
    started: list[str] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, _: RunSpec, __: Workspace, ___: Launch, job: Job, post: Post) -> Outcome:
        with self.guard:
            self.started.append(job.package.id)
            self.jobs.append(job)
        return self.act(job, post)


def result(job: Job, *modified: str) -> Result:
    """A result that the package may be accepted on, if that is what it may modify."""
    plan, package = job.in_force.plan, job.package
    return Result(
        feature_id=plan.feature_id,
        package_id=package.id,
        attempt=job.number,
        plan_revision=plan.revision,
        contracts_revision=plan.contracts.revision,
        status="completed",
        agent="fake",
        locks=package.locks,
        scope=package.scope,
        scope_check=ScopeCheck(passed=True, violations=()),
        files_modified=modified,
        files_ignored=(),
        no_changes=False,
        git=Commits(base=CommitPlace(), head=CommitPlace(ref="refs/x", commit="c" * 40)),
        verification=VerificationRecord(passed=True, steps=()),
        for_a_person=(),
        result_keys={},
        not_reported=(),
        seconds=0.0,
        setup_seconds=0.0,
        escalations=(),
    )


def passing(commit: str) -> Act:
    return lambda job, _: Outcome(result(job), commit=commit)
