"""The summary as Markdown, in the order in which a reader asks.

What changed; what was proven and what not; what needs a person; how the time went; every package; hashes and seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from parallel_impl.errors import count, first_line, printable
from parallel_impl.git.diffstat import Diffstat
from parallel_impl.plan.model import StepKind
from parallel_impl.record.activity import Usage
from parallel_impl.record.gate_row import GateRow
from parallel_impl.record.result import AgentRecord
from parallel_impl.record.times import Times
from parallel_impl.report import profile, timeline
from parallel_impl.report.figures import TARGETS, Figures, FigureTarget
from parallel_impl.report.picture import Picture
from parallel_impl.report.profile import RunTimes
from parallel_impl.report.summary import ContractRow, PackageRow, StepRow, Summary
from parallel_impl.text import code

DID_NOT_RUN = ("not run", "switched off")  # verdicts of gates


def render(summary: Summary, drawn: Picture) -> str:
    """The whole summary as GitHub-flavoured Markdown; `drawn` is the same run."""
    parts = [
        f"# {summary.change_id}: {summary.status}",
        first_line(summary.headline),
        _changes(summary),
        _gates(summary.gates, landed=summary.status == "landed"),
        _contracts(summary.contracts),
        _list("Not proven", _not_proven(summary)),
        _needs(summary, drawn),
        _usage(summary),
        _timeline(summary, drawn),
        _figures_of(summary.figures),
        _times(summary.times),
        "\n\n".join(["## Packages", *(_package(package) for package in summary.packages)]),
        _list("Notes", summary.notes),
        _list("Changed in your repository meanwhile", map(code, summary.changed_by_others)),
        "## The run\n\n" + _facts(summary),
    ]
    return printable("\n\n".join(part for part in parts if part) + "\n")


def of_run(package: PackageRow) -> str:
    """What the page of a package says beside its work: by whom, when, at what cost."""
    rows = [
        ("Agent", _agent(package).describe()),
        ("Attempts", len(package.attempts)),
        ("Seconds", f"{package.seconds:.1f}"),
        ("Tokens", "not reported" if package.usage.tokens is None else f"{package.usage.tokens:,}"),
        ("Cost", "not reported" if package.usage.dollars is None else f"${package.usage.dollars:.2f}"),
        ("Commit", f"`{package.commit}`"),
        ("Logs", code(package.attempts[-1].logs) if package.attempts else ""),
    ]
    return "\n" + printable("\n\n".join(["## The run", _table(("", ""), rows)]) + "\n")


def _changes(summary: Summary) -> str:
    """How much changed in all, and a line for each package."""
    whole = [f"{_diffstat(summary.changed)}, against `{summary.base[:12]}`."] if summary.changed.files else []
    lines = "\n".join(f"- {_change(package)}" for package in summary.packages)
    return "\n\n".join(["## What changed", *whole, lines])


def _change(package: PackageRow) -> str:
    title = f", {package.title.rstrip('.')}" if package.title else ""
    if package.state != "accepted":
        return f"{package.id}{title}: {package.state}"  # why is told where a person has to act
    return f"{package.id}{title}: {_diffstat(package.changed) if package.changed.files else 'no changes'}"


def _diffstat(changed: Diffstat) -> str:
    return f"{count(changed.files, 'file')}, +{changed.added} -{changed.removed}"


def _not_proven(summary: Summary) -> Iterator[str]:
    """What nobody should take for proven."""
    for gate in summary.gates:
        if gate.verdict != "passed":
            yield f"{gate.name}: {gate.verdict}" + (f": {first_line(gate.why)}" if gate.why else "")
        elif gate.old_failures:
            yield f"{gate.name}: {count(gate.old_failures, 'failure')} that the base has too"
        if gate.texts and gate.verdict == "passed":
            yield f"{gate.name} checks texts only, not the code"
    for package in summary.packages:
        if package.state == "accepted" and not any(step.kind is StepKind.COMMAND for step in package.steps):
            yield f"{package.id}: no step of its own was run"
    yield from (f"contract {one.path}: {one.status}" for one in summary.contracts if not one.status.startswith("valid"))
    if summary.fence == "not fenced":
        yield "agents were not fenced: nothing kept them from reading or writing outside their worktrees"


def _needs(summary: Summary, drawn: Picture) -> str:
    """What a person has to do, the first thing first."""
    landed = summary.status == "landed"
    items = [] if landed else [line for need in drawn.needs for line in _need(need.what, need.lines, need.command)]
    items += [f"- to check: {step}" for step in summary.for_a_person]
    items += [f"- open task: {task}" for task in summary.open_tasks]
    items += [f"- switched off: {what}" for what in summary.switched_off]
    items += [f"- lacking here: {what}" for what in summary.lacking]
    return "\n".join(["## For a person", "", *items]) if items else ""


def _need(what: str, lines: Iterable[str], command: str) -> Iterator[str]:
    yield f"- {what}"
    yield from (f"  - {line}" for line in lines)
    if command:
        yield f"  - {code(command)}"


def _figures_of(figures: Figures) -> str:
    """How well the time was used, beside what it should be."""
    rows = []
    for target in TARGETS:
        value = getattr(figures, target.field)
        met = "" if value is None else "yes" if target.met(value) else "no"
        aim = f"{target.side} {_amount(target, target.limit)}"
        rows.append((target.name, "not known" if value is None else _amount(target, value), aim, met))
    return "## Figures\n\n" + _table(("", "Measured", "Target", "Met"), rows)


def _times(measured: RunTimes) -> str:
    """The table of `--profile`; nothing where nothing was measured."""
    if measured.work == Times():
        return ""
    return "\n".join(["## Where the time went", "", "```text", *profile.table(measured), "```"])


def _amount(target: FigureTarget, value: float) -> str:
    return f"{value:.0%}" if target.is_share else f"{value:g} s" if value >= 100 else f"{value:.3g} s"


def _facts(summary: Summary) -> str:
    path = " → ".join(summary.critical_path.packages) or "none"
    rows = [
        ("Branch", f"`{summary.branch}`"),
        ("Base", f"`{summary.base}`"),
        ("Commit", f"`{summary.commit}`" if summary.commit else "none"),
        ("Run", f"`{summary.run_id}`"),
        ("Agent", f"{_agents(summary)}, {summary.jobs} at once, {summary.fence}"),
        ("Revisions", f"plan {summary.plan_revision}, contracts {summary.contracts_revision}"),
        *([("Set-up", summary.set_up)] if summary.set_up else []),
        ("Until the last package", f"{summary.makespan_seconds:.1f} s; at best {summary.bound_seconds:.1f} s"),
        ("Longest chain", f"{summary.critical_path.seconds:.1f} s: {path}"),
    ]
    return _table(("", ""), rows)


def _gates(gates: Sequence[GateRow], *, landed: bool) -> str:
    if not gates and not landed:
        return "## Proven\n\nNo gate has run on the whole tree."
    if not gates:
        return "## Proven\n\nNo gate was found or configured: the whole tree was not proven by any."
    rows = [
        (
            gate.name,
            gate.verdict,
            "" if gate.verdict in DID_NOT_RUN else str(gate.old_failures),
            gate.why,
            code(gate.command),
        )
        for gate in gates
    ]
    failures = [
        _list(f"{title} {gate.name}", listed, level=3)
        for gate in gates
        for title, listed in (
            ("New failures of", gate.new_failures),
            ("Accepted by name of", gate.accepted),
            ("Flaky in", gate.flaky),
            ("Unstable on the base in", gate.unstable),
            ("Red under load, and green alone, in", gate.red_under_load),
            ("Gone from", (*gate.gone, *gate.removed)),
            ("Renamed or replaced in", gate.renamed),
            ("What judges", gate.judges),
            ("Otherwise by the base's judge:", gate.differs),
        )
    ]
    table = _table(("Gate", "Verdict", "Failed before", "Why", "Command"), rows)
    return "\n\n".join(["## Proven", table, *(text for text in failures if text)])


def _contracts(contracts: Sequence[ContractRow]) -> str:
    if not contracts:
        return ""
    rows = [(code(contract.path), contract.status) for contract in contracts]
    return "### Contracts\n\n" + _table(("Contract", "Compliance"), rows)


def _usage(summary: Summary) -> str:
    """What the agents reported that they used; nothing where none of them is a client that reports anything."""
    told = [package for package in summary.packages if package.usage != Usage() or _agent(package).model]
    if not told:
        return ""
    rows = [
        (
            package.id,
            _agent(package).name,
            _agent(package).model or "not told",
            *_figures(package.usage),
            package.retries,
        )
        for package in told
    ]
    rows.append(("in all", "", "", *_figures(summary.usage), sum(package.retries for package in told)))
    head = ("Package", "Agent", "Model", "Turns", "Input", "From cache", "Output", "Cost", "Retries")
    return "## Agents\n\n" + _table(head, rows)


def _figures(usage: Usage) -> tuple[str, ...]:
    """Turns, tokens and cost; what was not reported is not 0."""
    figures = (usage.turns, usage.input, usage.cache_read, usage.output)
    cost = None if usage.dollars is None else f"${usage.dollars:.4f}"
    return (*("not told" if figure is None else str(figure) for figure in figures), cost or "not told")


def _agents(summary: Summary) -> str:
    """Each agent that did something, with its kind and model; what was asked for where none did."""
    records = [_agent(package) for package in summary.packages]
    named = (f"`{one.name}`{one.describe().removeprefix(one.name)}" for one in records if one.name)
    return ", ".join(dict.fromkeys(named)) or f"`{summary.agent}`"


def _agent(package: PackageRow) -> AgentRecord:
    """Who did the last attempt; older versions wrote text."""
    return AgentRecord(name=package.agent, kind="") if isinstance(package.agent, str) else package.agent


def _timeline(summary: Summary, drawn: Picture) -> str:
    attempts = [(package.id, attempt) for package in summary.packages for attempt in package.attempts]
    if not attempts:
        return ""
    lines = timeline.draw(drawn.rows)
    chart = ["\n".join(["```text", *lines, "```"])] if lines else []
    rows = [
        (
            name,
            attempt.number,
            f"{attempt.started:.1f}",
            f"{attempt.seconds:.1f}",
            f"{attempt.setup_seconds:.1f}",
            attempt.code or "passed",
        )
        for name, attempt in attempts
    ]
    head = ("Package", "Attempt", "Start (s)", "Seconds", "Set-up (s)", "Outcome")
    return "\n\n".join(["## Timeline", *chart, _table(head, rows)])


def _package(package: PackageRow) -> str:
    marks = ", ".join(
        [
            package.state,
            *(["no changes"] if package.no_changes else []),
            *([f"tier {package.tier}"] if package.tier else []),
        ]
    )
    lines = [f"### {package.id}: {marks}"]
    if package.why and package.state != "accepted":
        lines.append(package.why)
    if package.depends_on:
        lines.append(f"Depends on {', '.join(package.depends_on)}.")
    if package.steps:
        rows = [
            (
                step.name,
                _verdict(step),
                step.exit_code,
                step.why,
                ", ".join(map(code, step.evidence)),
            )
            for step in package.steps
        ]
        lines.append(_table(("Step", "Verdict", "Exit", "Why", "Evidence"), rows))
    lines.append(_list("Files", [code(path) for path in package.files], level=4))
    lines.append(_list("Left out as ignored", [code(path) for path in package.ignored], level=4))
    lines.append(_list("Refused to its agent", [code(call) for call in package.denied], level=4))
    lines.append(_list("Its agent's word", package.report, level=4))
    if package.escalations:
        lines.append(_list("Escalations", [str(escalation) for escalation in package.escalations], level=4))
    return "\n\n".join(line for line in lines if line)


def _verdict(step: StepRow) -> str:
    if step.kind is not StepKind.COMMAND:
        return "for a person"
    if step.passed:
        return "passed, red under load" if step.red_under_load else "passed"
    return "failed"


def _list(title: str, items: Iterable[str], *, level: int = 2) -> str:
    lines = [f"- {item}" for item in items]
    return "\n".join([f"{'#' * level} {title}", "", *lines]) if lines else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines)


def _cell(value: object) -> str:
    return str("" if value is None else value).replace("|", "\\|").replace("\n", " ")
