"""The summary as Markdown: headline first, then what was proven, then the timeline and every package."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parallel_impl.errors import printable
from parallel_impl.plan.model import StepKind
from parallel_impl.record.activity import Usage
from parallel_impl.record.result import AgentRecord
from parallel_impl.report.summary import ContractRow, GateRow, PackageRow, StepRow, Summary

DID_NOT_RUN = ("not run", "switched off")  # verdicts of gates


def render(summary: Summary) -> str:
    """The whole summary as GitHub-flavoured Markdown."""
    parts = [
        f"# {summary.change_id}: {summary.status}",
        summary.headline,
        _facts(summary),
        _gates(summary.gates, landed=summary.status == "landed"),
        _list("Switched off", summary.switched_off),
        _list("For a person to check", summary.for_a_person),
        _list("Open tasks", summary.open_tasks),
        _contracts(summary.contracts),
        _usage(summary),
        _timeline(summary),
        "\n\n".join(["## Packages", *(_package(package) for package in summary.packages)]),
        _list("Notes", summary.notes),
    ]
    return printable("\n\n".join(part for part in parts if part) + "\n")


def _facts(summary: Summary) -> str:
    path = " → ".join(summary.critical_path.packages) or "none"
    rows = [
        ("Branch", f"`{summary.branch}`"),
        ("Base", f"`{summary.base}`"),
        ("Commit", f"`{summary.commit}`" if summary.commit else "none"),
        ("Agent", f"{_agents(summary)}, {summary.jobs} at once, {summary.fence}"),
        ("Revisions", f"plan {summary.plan_revision}, contracts {summary.contracts_revision}"),
        ("Makespan", f"{summary.makespan_seconds:.1f} s; bound {summary.bound_seconds:.1f} s"),
        ("Critical path", f"{summary.critical_path.seconds:.1f} s: {path}"),
    ]
    return _table(("", ""), rows)


def _gates(gates: Sequence[GateRow], *, landed: bool) -> str:
    if not gates and not landed:
        return "## Gates\n\nNo gate has run on the whole tree."
    if not gates:
        return "## Gates\n\nNo gate was found or configured: the whole tree was not proven by any."
    rows = [
        (
            gate.name,
            gate.verdict,
            "" if gate.verdict in DID_NOT_RUN else f"{gate.old_failures} old",
            gate.why,
            _code(gate.command),
        )
        for gate in gates
    ]
    failures = [
        _list(f"New failures of {gate.name}", gate.new_failures, level=3)
        + _list(f"Gone from {gate.name}", gate.gone, level=3)
        for gate in gates
    ]
    table = _table(("Gate", "Verdict", "Failures of the base", "Why", "Command"), rows)
    return "\n\n".join(["## Gates", table, *(text for text in failures if text)])


def _contracts(contracts: Sequence[ContractRow]) -> str:
    if not contracts:
        return ""
    rows = [(_code(contract.path), contract.status) for contract in contracts]
    return "## Contracts\n\n" + _table(("Contract", "Compliance"), rows)


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


def _timeline(summary: Summary) -> str:
    attempts = [(package.id, attempt) for package in summary.packages for attempt in package.attempts]
    if not attempts:
        return ""
    chart = ["```mermaid", "gantt", "  dateFormat x", "  axisFormat %M:%S"]
    for name, attempt in attempts:
        start = round(attempt.started * 1000)
        end = start + max(1, round(attempt.seconds * 1000))
        chart += [
            f"  section {name}",
            f"  attempt {attempt.number} :{'crit, ' if attempt.code else ''}{start}, {end}",
        ]
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
    return "\n\n".join(["## Timeline", "\n".join([*chart, "```"]), _table(head, rows)])


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
                ", ".join(map(_code, step.evidence)),
            )
            for step in package.steps
        ]
        lines.append(_table(("Step", "Verdict", "Exit", "Why", "Evidence"), rows))
    lines.append(_list("Files", [_code(path) for path in package.files], level=4))
    lines.append(_list("Left out as ignored", [_code(path) for path in package.ignored], level=4))
    lines.append(_list("Refused to its agent", [_code(call) for call in package.denied], level=4))
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


def _code(text: str) -> str:
    """Text as inline code; a path or command may itself hold backticks."""
    if not text:
        return ""
    fence = "`" * (max((len(run) for run in _runs(text)), default=0) + 1)
    pad = " " if "`" in text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _runs(text: str) -> list[str]:
    return [run for run in "".join(c if c == "`" else " " for c in text).split(" ") if run]
