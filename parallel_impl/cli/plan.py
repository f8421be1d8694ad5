"""`parallel-plan <change-id>`: from what a change has (tasks.md, design, specs, the code) to a plan, and its check."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from parallel_impl.cli.change import CHANGE
from parallel_impl.cli.output import put, put_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from parallel_impl.errors import Problem
    from parallel_impl.planning.proposal import Drafting, ProposedPlan, Subject


@click.command(
    short_help="Make a plan of work packages for a change.",
    name="plan",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: parallel-plan add-login --write",
)
@click.argument("change_id", metavar="<change-id>", type=CHANGE)
@click.option("--write", is_flag=True, help="Write the plan; one that is there only gets what it lacks.")
@click.option("--fresh", is_flag=True, help="Make the plan again, in place of the one that is there.")
@click.option("--check", is_flag=True, help="Check the plan that is there against the texts and the code.")
@click.option("--from", "spec", metavar="FILE", help="Tasks from a spec with phases and tickets (no tasks.md yet).")
@click.option(
    "--phases",
    type=click.Choice(["sequence", "evidence"]),
    help="What a phase or section waits for: all of the one before, or what files and imports show.",
)
@click.option("--template", metavar="NAME", default="", help="The shape of the work (default: by a rule, printed).")
@click.option("--agent", metavar="NAME|SPEC", default="", help="Let an agent group the tasks: claude, codex, …")
@click.option("--prepare", is_flag=True, help="First write implementation_plan.md: four planners, a review.")
@click.option("--sign-off", type=click.Choice(["lead", "me"]), help="Who signs that: an agent (default), or you.")
@click.option("--complexity", type=click.IntRange(0, 100), metavar="N", help="Instead of what the formula gives.")
@click.option("--debt", type=click.IntRange(0, 100), metavar="N", help="The same for technical debt.")
@click.option("-y", "--yes", is_flag=True, help="Ask nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, and nothing else there.")
def plan(
    change_id: str,
    *,
    write: bool,
    fresh: bool,
    check: bool,
    spec: str | None,
    phases: str | None,
    template: str,
    agent: str,
    prepare: bool,
    sign_off: str | None,
    complexity: int | None,
    debt: int | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Make a plan of work packages for an OpenSpec change: printed, or written with --write.

    Documents are read from the work tree, the code from HEAD. Exit code: 0; 1 not worth running in parallel (a plan
    of one package is made all the same), or not signed off; 2 the change or its plan is not usable.
    """
    from parallel_impl.planning import proposal as proposals  # noqa: PLC0415

    if check and (write or fresh or template or spec or phases or agent or prepare):
        raise click.UsageError("--check looks at the plan that is there: of the others only --json goes with it")
    if not prepare and (sign_off or complexity is not None or debt is not None):
        raise click.UsageError("--sign-off, --complexity and --debt belong to --prepare")
    subject = _subject(change_id, spec, phases)
    if check:
        return _check(subject, as_json=as_json)
    file = subject.sources.plan_file
    if agent and file.is_file() and not fresh and not prepare:
        raise click.UsageError("an agent makes a new plan: add --fresh to replace the one that is there")
    if prepare:
        from parallel_impl.cli import planning_agent  # noqa: PLC0415
        from parallel_impl.planning.preparation.prepare import Signer, Wanted  # noqa: PLC0415

        wanted = Wanted(Signer(sign_off or "lead"), complexity, debt, made_on=subject.sources.commit)
        if not planning_agent.prepare(subject, agent, wanted, fresh=fresh, yes=yes):
            return 1
        subject = _subject(change_id, spec, phases)  # which has one document more
    if subject.sources.plan is not None and not fresh:
        if template:
            raise click.UsageError("--template is for a new plan: add --fresh to make it again")
        proposal = proposals.extended(subject, subject.sources.plan)
    else:
        proposal = proposals.fresh(subject, _drafting(agent, template, prepare=prepare))
    _report([*proposals.documents(subject), *proposal.problems], proposal)
    if write and proposal.plan and not yes and _is_terminal():
        signed = _sign_off(subject, proposal)
        if signed is None:
            put("nothing was written", err=True)
            return 1
        proposal = signed
    return _finish(subject, proposal, write=write, as_json=as_json)


def _subject(change_id: str, spec: str | None, phases: str | None) -> Subject:
    """The change, with the tasks of an implementation spec where one was given."""
    from parallel_impl.planning import proposal as proposals  # noqa: PLC0415
    from parallel_impl.planning import sources  # noqa: PLC0415
    from parallel_impl.planning.reading.phases import Phases  # noqa: PLC0415

    found = sources.find(Path.cwd(), change_id)
    wanted = {"sequence": Phases.ORDER, "evidence": Phases.EVIDENCE}.get(phases or ("sequence" if spec else ""))
    return proposals.Subject(sources.with_spec(found, Path(spec)) if spec else found, wanted)


def _drafting(agent: str, template: str, *, prepare: bool) -> Drafting:
    """How a new plan is drafted: by the agent that was asked for, else by code."""
    from parallel_impl.planning import proposal as proposals  # noqa: PLC0415

    if not agent and not prepare:
        return lambda subject, origin: proposals.by_code(subject, origin, template=template)
    from parallel_impl.cli import planning_agent  # noqa: PLC0415

    return planning_agent.drafting(agent, template)


def _finish(subject: Subject, proposal: ProposedPlan, *, write: bool, as_json: bool) -> int:
    """Print or write the plan; the exit code."""
    from parallel_impl.planning import proposal as proposals  # noqa: PLC0415

    usable = proposal.plan is not None
    lines: tuple[str, ...] = ()
    if write and usable and proposal.added != ():
        lines = proposals.write(subject, proposal.content, Path.cwd())
    if as_json:
        put_json(_as_json(subject, proposal, lines), indent=1)
    elif not write:
        put(proposal.content.decode().rstrip("\n"))
        if usable and proposal.added != ():
            put(f"nothing is written yet: add --write to put this into {subject.source}", err=True)
    elif lines:
        names = " and ".join(subject.written())
        put("\n    ".join((f"{names}: written; a run reads what is committed:", *lines)))
    if lines and not proposal.parallel:
        put("it can be run as it is; exit code 1 says that it is not worth running in parallel", err=True)
    if not usable:
        put(f"{subject.source}: not usable", err=True)
        return 2
    return 0 if proposal.parallel else 1


def _check(subject: Subject, *, as_json: bool) -> int:
    from parallel_impl.contracts import plan_check  # noqa: PLC0415
    from parallel_impl.errors import Severity, count  # noqa: PLC0415
    from parallel_impl.git import links  # noqa: PLC0415
    from parallel_impl.openspec import task_names  # noqa: PLC0415
    from parallel_impl.plan import check  # noqa: PLC0415
    from parallel_impl.planning import proposal as proposals  # noqa: PLC0415

    file = subject.sources.plan_file
    named = str(file) if file.is_file() else subject.sources.change_id
    checked = plan_check.validate(named, Path.cwd(), links.of_index, task_names.problems)
    problems = [*proposals.documents(subject), *checked.problems]
    usable = bool(checked.plan and checked.order and not checked.misnamed)
    findings = []
    if checked.plan and checked.order:
        problems += proposals.age(subject, checked.plan)
        findings = proposals.examine(subject, checked.plan, checked.order)
        problems += check.problems(findings, checked.source, brief=False)
    for problem in problems:
        put(str(problem), err=True)
    warnings = sum(problem.severity is Severity.WARNING for problem in problems)
    found = count(warnings, "finding") if warnings else "nothing found"
    put(f"{checked.source}: {found if usable else 'not usable'}", err=True)
    if as_json:
        row = {"change_id": subject.sources.change_id, "usable": usable, "problems": _problems(problems)}
        kinds = [{"kind": one.kind, "what": one.what, "names": one.names, "hint": one.hint} for one in findings]
        put_json({**row, "findings": kinds}, indent=1)
    return 0 if usable else 2


def _report(problems: Iterable[Problem], proposal: ProposedPlan) -> None:
    """Everything for people, on stderr."""
    from parallel_impl.errors import printable  # noqa: PLC0415

    for problem in problems:
        put(str(problem), err=True)
    for note in proposal.notes:
        put(printable(f"note: {note}"), err=True)
    for line in proposal.screen():
        put(printable(line), err=True)


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _sign_off(subject: Subject, proposal: ProposedPlan) -> ProposedPlan | None:
    """The proposal as the person at the terminal accepts it, edited or not; None when there is no such."""
    from parallel_impl.planning import proposal as proposals  # noqa: PLC0415

    while True:
        choices = "[a]ccept, [e]dit, [q]uit" if proposal.plan else "[e]dit, [q]uit"
        answer = click.prompt(choices, prompt_suffix="? ", err=True).strip().lower()[:1]
        if answer == "q":
            return None
        if answer == "a" and proposal.plan:
            return proposal
        if answer == "e":
            edited = _edited(proposal.content.decode())
            if edited is not None:
                proposal = proposals.again(subject, proposal, edited.encode())
                _report(proposal.problems, proposal)


def _edited(text: str) -> str | None:
    """The text as the person's editor leaves it; None where they leave without saving, or the editor fails."""
    try:
        return click.edit(text, extension=".yaml")
    except click.ClickException as error:
        put(f"{error.format_message()}\n    set EDITOR, or accept the plan and edit the file", err=True)
        return None


def _as_json(subject: Subject, proposal: ProposedPlan, lines: tuple[str, ...]) -> dict[str, Any]:
    from parallel_impl.plan import estimate  # noqa: PLC0415

    found = estimate.estimate(proposal.plan, proposal.order) if proposal.plan else None
    return {
        "change_id": subject.sources.change_id,
        "usable": proposal.plan is not None,
        "parallel": proposal.parallel,
        "recommendation": proposal.recommendation,
        "speedup": round(found.speedup, 3) if found else None,
        "waves": found.waves if found else [],
        "critical_path": found.critical_path if found else [],
        "weights": found.weights if found else {},
        "problems": _problems(proposal.problems),
        "findings": [{"kind": one.kind, "what": one.what, "names": one.names} for one in proposal.findings],
        "notes": proposal.notes,
        "added": proposal.added,
        "plan": proposal.content.decode(),
        "written": subject.written() if lines else [],
        "to_commit": lines,
    }


def _problems(problems: Iterable[Problem]) -> list[dict[str, str]]:
    names = ("what", "where", "path", "hint", "severity")
    return [{name: str(getattr(one, name)) for name in names} for one in problems]
