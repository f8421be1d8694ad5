"""What limits the agent of one attempt, and how its end is judged by that."""

from __future__ import annotations

from dataclasses import replace

from parallel_impl.agents.agent import Worked
from parallel_impl.agents.seen import Seen
from parallel_impl.record.codes import Failure
from parallel_impl.run.attempt.job import Job, Post, Working


def seconds(job: Job) -> float:
    """How long the agent may work: its time-out, or what is left of the package's minutes."""
    return 60 * min(job.package.timeout_minutes, job.budget.minutes or job.package.timeout_minutes)


def judge(job: Job, worked: Worked, silence_minutes: float) -> Worked:
    """How the work ended, if we ended it for a limit. An agent that was done before is judged as any other."""
    if not worked.code:
        return worked
    if job.cutoff.code:
        return replace(worked, code=job.cutoff.code, why=job.cutoff.why)
    if worked.code is Failure.TIMEOUT and 0 < job.budget.minutes < job.package.timeout_minutes:
        return replace(worked, code=Failure.BUDGET_EXCEEDED, why="the minutes of limits.package are used up")
    if worked.code is Failure.SILENT:
        first, line_end, more = worked.why.partition("\n")
        why = f"{first}: no progress for {silence_minutes:g} minutes (silence_minutes = {silence_minutes:g})"
        return replace(worked, why=why + line_end + more)
    return worked


class Teller:
    """Tells the main thread what an agent has used and that it works: not each of its words."""

    def __init__(self, job: Job, post: Post) -> None:
        self._job, self._post, self._told = job, post, Seen()

    def tell(self, seen: Seen) -> None:
        """Post it where it matters to others."""
        told = self._told
        works = (seen.calls or seen.said) and not (told.calls or told.said)
        counts = seen.usage != told.usage or (seen.usage.turns is None and seen.calls != told.calls)
        if works or counts:
            self._told = seen
            self._post(Working(self._job.package.id, self._job.number, seen))
