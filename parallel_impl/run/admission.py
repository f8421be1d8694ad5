"""Which of the ready packages may start now: by jobs, by what providers allow, and by what is left of the limits.

The main thread asks; what it does about an answer (a pause of the run) is in the journal.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from parallel_impl.agents import readiness, spending
from parallel_impl.agents.client import Client
from parallel_impl.agents.seen import Seen
from parallel_impl.agents.spending import Spent, budget
from parallel_impl.processes.slots import SlotWait
from parallel_impl.record import events as e
from parallel_impl.record.codes import Failure
from parallel_impl.run.attempt.job import Cutoff, Job, Outcome
from parallel_impl.run.run import Run
from parallel_impl.run.throttle import Terms, Throttle

LEAST_SPREAD = 0.5  # of a wait of our own; see Throttle.refuse


@dataclass(slots=True)
class _Live:
    """An attempt that a worker has."""

    cutoff: Cutoff
    since: float
    by_run: bool  # a limit of the run is nearer than its package's own
    slot_wait: SlotWait
    seen: Seen = field(default_factory=Seen)


class Admission:
    """What is at work in this start of the command, and what may start beside it. Times are seconds since 1970."""

    def __init__(self, run: Run) -> None:
        self._run = run
        settings = run.spec.config
        suspects = [run.state.resumed] if run.state.resumed else []
        self._throttle = Throttle(settings.provider_wait_minutes * 60, suspects)
        self._package, self._whole = budget(settings.limits.package), budget(settings.limits.run)
        self._live: dict[str, _Live] = {}
        self._ended = spending.of_run(run.state)
        self._over = ""

    def choose(self, ready: Iterable[str], now: float) -> tuple[list[str], float]:
        """Which of these start now, in their order, and when to look again: at infinity something must end first."""
        self.cut_over(now)
        if self._over:
            return [], math.inf
        chosen, again = list[str](), math.inf
        room = self._run.state.room(self._run.jobs)
        for name in ready:
            if len(chosen) == room:
                break
            terms = self.terms(name)
            earliest = self._throttle.earliest(terms, now)
            if earliest <= now:
                self._throttle.start(name, terms, now)
                chosen.append(name)
            else:
                again = min(again, earliest)
        return chosen, min(again, self._deadline(now, len(self._live) + len(chosen)))

    def admit(self, job: Job, now: float) -> Job:
        """The job as it is handed to a worker: with what is left for its agent."""
        name = job.package.id
        mine = spending.left(self._package, spending.of_package(self._run.state.packages[name]))
        narrow = spending.narrower(mine, spending.left(self._whole, self._spent(now)))
        self._live[name] = _Live(job.cutoff, now, by_run=narrow != mine, slot_wait=job.slot_wait)
        return replace(job, budget=narrow)

    def hear(self, package: str, seen: Seen, now: float) -> None:
        """What a live agent has done until now."""
        if not (live := self._live.get(package)):
            return
        live.seen = seen
        if seen.calls or seen.said:
            self._throttle.work(package)
        self.cut_over(now)

    def judge(self, package: str, outcome: Outcome) -> Failure | None:
        """The code of an attempt: that its agent reached a limit of the run is no failure of its package."""
        live, code = self._live[package], outcome.code
        if code is not Failure.BUDGET_EXCEEDED or live.cutoff.code or not live.by_run:
            return code
        spent = spending.of_package(self._run.state.packages[package])
        spent += Spent.seen(outcome.seen, outcome.seconds - outcome.waited_seconds)
        if spending.used_up(self._package, spent):
            return code
        self._over = outcome.why
        return Failure.INTERRUPTED

    def grow(self, package: str, why: str) -> None:
        """The files of a package, or ("") of the run, are over their limit."""
        if not package:
            self._over = why
            self.cut_over(0.0)
        elif live := self._live.get(package):
            live.cutoff.cut(Failure.BUDGET_EXCEEDED, f"limits.package: {why}")

    @property
    def at_work(self) -> list[str]:
        """The packages that workers have."""
        return list(self._live)

    def end(self, package: str, outcome: Outcome, now: float) -> list[e.Event]:
        """An attempt is over, and journalled as such; what follows from it for the others."""
        del self._live[package]
        self._ended += Spent.ended(self._run.state.packages[package].ended[-1])
        events: list[e.Event] = []
        if outcome.code and outcome.code.by_provider:
            events = self._refused(package, outcome.code, outcome, now)
        elif not outcome.code or not outcome.code.from_base or outcome.seen.calls or outcome.seen.said:
            self._throttle.work(package)
        self._throttle.end(package)
        self.cut_over(now)
        return events

    def terms(self, package: str) -> Terms:
        """How the package's agent may start."""
        agent = self._run.spec.agents.get(package)
        return Terms(agent.record.name, agent.provider, agent.most) if agent else Terms()

    def over_run(self, now: float) -> str:
        """Which limit of the run is used up, by what is at work too, for people; "" when none is."""
        return self._over or spending.used_up(self._whole, self._spent(now))

    def cut_over(self, now: float) -> None:
        """End the agents at work when the run has used up a limit: that costs them no try."""
        if why := self.over_run(now):
            self._over = why  # an attempt may turn out to have taken a little less than it seemed
            for live in self._live.values():
                live.cutoff.cut(Failure.INTERRUPTED, f"the run's limit: {why}")

    def _refused(self, package: str, code: Failure, outcome: Outcome, now: float) -> list[e.Event]:
        told = outcome.seen.limited.until if outcome.seen.limited else 0.0
        refusal = self._throttle.refuse(package, now, told=told, spread=random.uniform(LEAST_SPREAD, 1.0))  # noqa: S311
        terms = self.terms(package)
        provider = terms.provider or terms.agent
        limits = code is Failure.PROVIDER_LIMIT
        until = refusal.until if limits else told
        until = until if until > now else 0.0
        found: list[e.Event] = [e.ProviderLimited(at=now, provider=provider, code=code, why=outcome.why, until=until)]
        if (refusal.pauses or not limits) and not self._run.state.paused:
            correct = self._correction(package) if code is Failure.PROVIDER_AUTH else ""
            found.append(e.RunPaused(at=now, by=provider, why=f"{code}: {outcome.why}", until=until, correct=correct))
        return found

    def _correction(self, package: str) -> str:
        agent = self._run.spec.agents.get(package)
        return readiness.correction(agent) if isinstance(agent, Client) else ""

    def _spent(self, now: float) -> Spent:
        live = (Spent.seen(one.seen, now - one.since - one.slot_wait.seconds) for one in self._live.values())
        return self._ended + spending.total(live)

    def _deadline(self, now: float, live: int) -> float:
        """When the run's minutes are used up by what is at work then."""
        if not self._whole.minutes or not live:
            return math.inf
        return now + max(self._whole.minutes * 60 - self._spent(now).seconds, 0.0) / live
