"""Preparation as one page: planners side by side, their review, one implementation plan, its sign-off.

Each step is an answer job of `agents.answer`; what stops the work is data, and says what to do next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from parallel_impl import structs
from parallel_impl.agents import answer, spending
from parallel_impl.agents.agent import Agent
from parallel_impl.agents.answer import Desk, Question, Reply
from parallel_impl.agents.budget import Budget
from parallel_impl.agents.spending import Spent
from parallel_impl.errors import printable
from parallel_impl.planning.preparation import coherence, depth, implementation_plan, metrics, scores, sign_off, tracks
from parallel_impl.planning.preparation.coherence import Coherence
from parallel_impl.planning.preparation.depth import Effort, Track
from parallel_impl.planning.preparation.scores import Scores
from parallel_impl.planning.preparation.sign_off import SignOff
from parallel_impl.planning.preparation.tracks import TrackPlan
from parallel_impl.planning.reading.evidence import Table
from parallel_impl.record.codes import Failure

TRIES_AGAIN = 2  # of a planner, each time with a reduced scope
ENOUGH = 0.75  # of the planners, core among them
MINUTES = 30.0  # of one answer

Say = Callable[[str], None]


class Signer(StrEnum):
    """Who signs the plan."""

    LEAD = "lead"  # an agent
    ME = "me"  # the person who reads it


class Unfinished(StrEnum):
    """Why preparation ended before its end."""

    PLANNERS = "too few planners"
    QUESTION = "a person must decide"
    FAILED = "an agent failed"
    REFUSED = "the lead does not sign"
    UNSIGNED = "not signed yet"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for; numbers that are None come from the formula.

    `minutes` and `budget` are of one question; `made_on` is the commit of the code.
    """

    signer: Signer = Signer.LEAD
    complexity: int | None = None
    debt: int | None = None
    minutes: float = MINUTES
    budget: Budget = field(default_factory=Budget)
    made_on: str = ""


@dataclass(frozen=True, slots=True)
class TrackOutcome:
    """What came of one planner: its plan, or the minimal one with the reason."""

    plan: TrackPlan
    retries: int = 0
    failure: str = ""
    interrupted: bool = False
    spent: Spent = field(default_factory=Spent)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The file that was made ("" where none was), why it is not the end (None: it is), and what people are told."""

    text: str = ""
    stop: Unfinished | None = None
    lines: tuple[str, ...] = ()
    spent: Spent = field(default_factory=Spent)


@dataclass(frozen=True, slots=True)
class _Work:
    """What all steps share."""

    agent: Agent
    table: Table
    texts: Mapping[str, str]
    desk: Desk
    wanted: Wanted
    found: Scores
    effort: Effort
    say: Say

    def ask(self, name: str, prompt: str, schema: Mapping[str, Any], check: Callable[[Any], Iterable[str]]) -> Reply:
        limits = (self.wanted.minutes, self.wanted.budget)
        question = Question(name, prompt, schema, lambda value: list(check(value)), *limits)
        return answer.ask(self.agent, question, self.desk)


def prepare(agent: Agent, table: Table, texts: Mapping[str, str], desk: Desk, *, wanted: Wanted, say: Say) -> Prepared:
    """Prepare the implementation of a change. `texts` maps names of its documents to their text.

    `say` is told what goes on, a line each; threads do not call it. What agents wrote is printable in there.
    """
    found = scores.measure(table, complexity=wanted.complexity, debt=wanted.debt)
    effort = depth.choose(found, phased=scores.is_phased(table))
    for line in (*found.lines, effort.line, *effort.rules):
        say(line)
    work = _Work(agent, table, texts, desk, wanted, found, effort, lambda line: say(shown(line)))
    planned = _plan(work)
    spent = spending.total(one.spent for one in planned.values())
    if any(one.interrupted for one in planned.values()):
        return Prepared(stop=Unfinished.INTERRUPTED, spent=spent)
    if lines := _too_few(planned):
        return Prepared(stop=Unfinished.PLANNERS, lines=lines, spent=spent)
    return _review(work, planned, spent)


def _plan(work: _Work) -> dict[Track, TrackOutcome]:
    """All planners side by side; each is told of when it is done, in the order of the tracks."""
    at_once = min(work.effort.concurrency, work.agent.most or work.effort.concurrency)
    with ThreadPoolExecutor(at_once, thread_name_prefix="planner") as pool:
        futures = {track: pool.submit(_plan_track, work, track) for track in Track}
        planned = {}
        for track, future in futures.items():
            planned[track] = one = future.result()
            again = f", asked again {one.retries} times" if one.retries else ""
            work.say(f"{track}: {one.failure or 'planned'}{again}")
    return planned


def _plan_track(work: _Work, track: Track) -> TrackOutcome:
    """One planner, asked again with less to look at and less to answer; else the minimal plan of code."""
    spent, failure, tries = Spent(), "", 0
    for tries in range(TRIES_AGAIN + 1):
        if any(work.desk.launch.stops):
            return TrackOutcome(tracks.minimal(track, work.table, "interrupted"), interrupted=True, spent=spent)
        deep = depth.reduced(work.effort.depth[track], tries)
        prompt = tracks.render(track, work.table, work.texts, deep, work.effort.rules, tries=tries)
        reply = work.ask(
            f"plan-{track}-{tries + 1}",
            prompt,
            tracks.answer_schema(track),
            lambda value, deep=deep: tracks.errors(value, work.table, deep),  # type: ignore[misc]
        )
        spent += reply.spent
        if not reply.code:
            return TrackOutcome(structs.convert(reply.value, TrackPlan), tries, spent=spent)
        failure = reply.failure
        if reply.code is Failure.INTERRUPTED:
            return TrackOutcome(tracks.minimal(track, work.table, failure), tries, interrupted=True, spent=spent)
        if reply.code.by_provider:
            break  # it refuses the next one too
    return TrackOutcome(tracks.minimal(track, work.table, failure), tries, failure, spent=spent)


def _too_few(planned: Mapping[Track, TrackOutcome]) -> tuple[str, ...]:
    """Why it cannot go on with the plans that came; empty when it can."""
    failed = [track for track, one in planned.items() if one.failure]
    if Track.CORE not in failed and len(planned) - len(failed) >= ENOUGH * len(planned):
        return ()
    told = [f"{track}: {planned[track].failure}" for track in failed]
    needed = f"{len(planned) - len(failed)} of {len(planned)} planners planned; three are enough, core among them"
    return (needed, *told, "the same command tries again; their logs lie in the change's state folder")


def _review(work: _Work, planned: Mapping[Track, TrackOutcome], spent: Spent) -> Prepared:
    plans = {track: one.plan for track, one in planned.items()}
    prompt = coherence.render(work.table, work.texts, plans, work.effort.rules)
    reply = work.ask("review", prompt, coherence.answer_schema(), coherence.errors)
    spent += reply.spent
    if reply.code:
        return _failed("the integration reviewer", reply, spent)
    review = structs.convert(reply.value, Coherence)
    if review.critical:
        return Prepared(stop=Unfinished.QUESTION, lines=tuple(_questions(review)), spent=spent)
    for note in review.notes():
        work.say(f"note: {note}")
    return _synthesize(work, planned, review, spent)


def _questions(review: Coherence) -> Iterable[str]:
    yield "the plans contradict each other, and only a person can decide:"
    for one in review.critical:
        yield shown(f"  {' and '.join(one.tracks)}: {one.what}")
        yield shown(f"    {one.question}")
    yield "write the decision into design.md, then give the same command again"


def _synthesize(work: _Work, planned: Mapping[Track, TrackOutcome], review: Coherence, spent: Spent) -> Prepared:
    plans = {track: one.plan for track, one in planned.items()}
    prompt = implementation_plan.render_prompt(work.table, plans, review, work.effort.rules)
    schema = implementation_plan.answer_schema()
    reply = work.ask("synthesis", prompt, schema, lambda value: implementation_plan.errors(value, work.table))
    spent += reply.spent
    if reply.code:
        return _failed("the synthesizer", reply, spent)
    if work.wanted.signer is Signer.ME:
        return _finish(work, planned, review, reply.value, SignOff(signed=False), spent)
    return _sign(work, planned, review, reply.value, spent)


def _sign(
    work: _Work, planned: Mapping[Track, TrackOutcome], review: Coherence, sections: Mapping[str, str], spent: Spent
) -> Prepared:
    """The lead's word: it may rewrite sections, and a plan that it refuses is kept with the reasons."""
    reply = work.ask(
        "sign-off",
        sign_off.render(work.table, work.texts, sections, work.effort.rules),
        sign_off.answer_schema(),
        lambda value: sign_off.errors(value, work.table, sections),
    )
    spent += reply.spent
    if reply.code:
        return _failed("the lead", reply, spent)
    return _finish(work, planned, review, sections, structs.convert(reply.value, SignOff), spent)


def _finish(  # noqa: PLR0917  (the end of all steps: what each made)
    work: _Work,
    planned: Mapping[Track, TrackOutcome],
    review: Coherence,
    written: Mapping[str, str],
    signed: SignOff,
    spent: Spent,
) -> Prepared:
    sections = {**written, **signed.sections}
    plans = {track: one.plan for track, one in planned.items() if not one.failure}  # code's own plans count nothing
    retries = {track: one.retries for track, one in planned.items()}
    for figure in metrics.measure(work.table, plans, review, sections, retries, signed=signed.signed):
        work.say(str(figure))
    text = _file(work, sections, signed, planned, review)
    lines = tuple(shown(f"the lead: {reason}") for reason in signed.reasons)
    stop = Unfinished.UNSIGNED if work.wanted.signer is Signer.ME else Unfinished.REFUSED
    return Prepared(text, None if signed.signed else stop, lines, spent)


def _file(
    work: _Work, sections: Mapping[str, str], signed: SignOff, planned: Mapping[Track, TrackOutcome], review: Coherence
) -> str:
    by = f"signed by the lead ({work.agent.record.name})" if signed.signed else "not signed"
    on = f" on {work.wanted.made_on[:12]}" if work.wanted.made_on else ""
    made = [
        f"Made by parallel-plan --prepare{on}, {by}.",
        *(f"{line[0].upper()}{line[1:]}." for line in work.found.lines),
    ]
    notes = [f"{track} was not planned: {one.failure}" for track, one in planned.items() if one.failure]
    notes += [*review.notes(), *signed.reasons]
    return implementation_plan.render(work.table.change_id, sections, made=made, notes=notes)


def _failed(who: str, reply: Reply, spent: Spent) -> Prepared:
    stop = Unfinished.INTERRUPTED if reply.code is Failure.INTERRUPTED else Unfinished.FAILED
    lines = (f"{who}: {reply.failure}", f"see {reply.files}; the same command tries again")
    return Prepared(stop=stop, lines=lines, spent=spent)


def shown(line: str) -> str:
    """A line with words of an agent, as a terminal may print it."""
    return printable(line).replace("\n", " ")


def limited(wanted: Wanted, minutes: float, budget: Budget) -> Wanted:
    """The same with the limits of one question."""
    return replace(wanted, minutes=minutes, budget=budget)


def signed(text: str) -> str:
    """The file as the person who was asked signed it."""
    return text.replace(", not signed.\n", ", signed by a person.\n", 1)
