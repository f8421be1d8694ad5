"""What `parallel-plan --agent` and `--prepare` do beside planning by code: an agent is asked while signals end it."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from parallel_impl.cli.output import put
from parallel_impl.cli.owner import work_as_owner
from parallel_impl.errors import Problem, Severity, UserError
from parallel_impl.plan.ids import IMPLEMENTATION_PLAN

if TYPE_CHECKING:
    from parallel_impl.planning.grouping.draft import Draft
    from parallel_impl.planning.grouping.plan_text import PlanOrigin
    from parallel_impl.planning.preparation.prepare import Prepared, Wanted
    from parallel_impl.planning.proposal import Drafting, Subject
    from parallel_impl.planning.respondent import Respondent


@contextmanager
def respondent(subject: Subject, typed: str) -> Iterator[Respondent]:
    """The agent, ready to be asked; a signal ends what it does, and this command when the block ends."""
    from parallel_impl.planning import respondent as respondents  # noqa: PLC0415
    from parallel_impl.processes.orphans import adopt_orphans  # noqa: PLC0415
    from parallel_impl.processes.procfs import forbid_tracing  # noqa: PLC0415
    from parallel_impl.run.interruption import Interruption  # noqa: PLC0415

    dropped = click.get_current_context().obj or {}
    work_as_owner(f"parallel-plan {subject.sources.change_id}", dropped, wanted=False)
    adopt_orphans()
    forbid_tracing()  # an agent sees the variables that it was given, not all of this process
    with Interruption() as interruption:
        inherited = {**os.environ, **dropped}
        found = respondents.find(subject.sources, typed, Path.cwd(), inherited, interruption.stop)
        for note in (*found.notes, f"asked in an empty folder; its files: {found.desk.files}"):
            put(f"agent: {note}", err=True)
        interruption.defer()
        yield found
        if interruption.stop:
            raise KeyboardInterrupt


def drafting(typed: str, template: str) -> Drafting:
    """How a draft is made by the agent; it is code's own, with a warning, where no sound one comes."""

    def made(subject: Subject, origin: PlanOrigin) -> Draft:
        from parallel_impl.planning import agent_plan, proposal  # noqa: PLC0415
        from parallel_impl.planning import respondent as respondents  # noqa: PLC0415

        own = proposal.by_code(subject, origin, template=template)
        with respondent(subject, typed) as found:
            texts = respondents.texts(subject.sources)
            asked = agent_plan.Briefing(subject.table, own, texts, subject.read, origin, found.minutes, found.budget)
            plan = agent_plan.make(found.agent, asked, found.desk)
        put(respondents.told(plan.reply.spent), err=True)
        if plan.warning:
            put(str(Problem(plan.warning, severity=Severity.WARNING)), err=True)
        return plan.draft

    return made


def prepare(subject: Subject, typed: str, wanted: Wanted, *, fresh: bool, yes: bool) -> bool:
    """Write the implementation plan; whether it is signed, and the packages may be made of it."""
    from parallel_impl.contracts import plan_check  # noqa: PLC0415
    from parallel_impl.planning import proposal  # noqa: PLC0415
    from parallel_impl.planning import respondent as respondents  # noqa: PLC0415
    from parallel_impl.planning.preparation import prepare as preparing  # noqa: PLC0415
    from parallel_impl.planning.sources import content  # noqa: PLC0415

    proposal.require_tasks(subject)
    sources = subject.sources
    file = sources.plan_file.with_name(IMPLEMENTATION_PLAN)
    named = file.relative_to(sources.top).as_posix()
    before = content(file)
    if before is not None and not fresh:
        hint = "leave --prepare away to plan by it, or replace it: --fresh"
        raise UserError("there is an implementation plan already", where=named, hint=hint)
    with respondent(subject, typed) as found:
        texts = {name: text for name, text in respondents.texts(sources).items() if name != IMPLEMENTATION_PLAN}
        prepared = preparing.prepare(
            found.agent,
            subject.table,
            texts,
            found.desk,
            wanted=preparing.limited(wanted, found.minutes, found.budget),
            say=lambda line: put(line, err=True),
        )
    put(respondents.told(prepared.spent), err=True)
    for line in prepared.lines:
        put(line, err=True)
    if prepared.text:
        proposal.put_file(file, prepared.text.encode(), before)
        lines = plan_check.commit_lines(shlex.quote(os.path.relpath(file, Path.cwd())), sources.change_id)
        put("\n    ".join((f"{named}: written; a run reads what is committed:", *lines)), err=True)
    return _is_signed(prepared, file, yes=yes)


def _is_signed(prepared: Prepared, file: Path, *, yes: bool) -> bool:
    """Whether the plan is signed, by the lead or now by the person at the terminal."""
    from parallel_impl.planning import proposal  # noqa: PLC0415
    from parallel_impl.planning.preparation import prepare as preparing  # noqa: PLC0415

    if prepared.stop is None:
        return True
    asks = prepared.stop is preparing.Unfinished.UNSIGNED and not yes and sys.stdin.isatty() and sys.stderr.isatty()
    if asks and click.confirm(f"sign {file}", err=True):
        now = file.read_bytes()  # they may have edited it before they signed
        text = preparing.signed(now.decode("utf-8", "surrogateescape"))
        proposal.put_file(file, text.encode("utf-8", "surrogateescape"), now)
        return True
    put(f"stopped: {prepared.stop}", err=True)
    if prepared.stop is preparing.Unfinished.UNSIGNED:
        put("read it; whoever commits it signs it, and parallel-plan without --prepare plans by it", err=True)
    return False
