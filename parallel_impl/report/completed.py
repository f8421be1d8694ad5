"""The page of an accepted package: what was asked, what changed and why, where it deviates, and the evidence.

Pure, and without times, hashes, costs or numbers of attempts: the page may be committed with the work, and the same
work gives the same page whenever and however often it was done.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import UNSET

from parallel_impl.errors import printable
from parallel_impl.plan.model import Package, Step, StepKind
from parallel_impl.record.agent_report import AgentReport
from parallel_impl.record.result import Result, StepRecord
from parallel_impl.text import code, one_line


def render(package: Package, changes: Iterable[tuple[str, str]], result: Result | None) -> str:
    """The page as Markdown. `changes` are words with paths: `added`, `a.py`; without a result its parts say so."""
    report = result.report if result and result.report is not UNSET else AgentReport()
    title = one_line(package.title)
    parts = [
        f"# {package.id}{f': {title}' if title else ''}",
        _section("Asked", _asked(package), before=package.description.strip()),
        _section("Changed", (f"{word} {code(path)}" for word, path in changes), empty="Nothing."),
        _section("Why", map(_words, report.notes), empty="Its agent gave no reasons."),
        _section("Deviations", _deviations(report), empty="None reported."),
        _section("Evidence", _evidence(package, result), empty="No step of its own."),
    ]
    return printable("\n\n".join(parts) + "\n")


def _section(title: str, lines: Iterable[str], *, before: str = "", empty: str = "") -> str:
    items = "\n".join(f"- {line}" for line in lines)
    return "\n\n".join(part for part in (f"## {title}", before, items or ("" if before else empty)) if part)


def _asked(package: Package) -> Iterator[str]:
    if package.tasks:
        yield f"tasks {', '.join(map(one_line, package.tasks))}"
    yield f"may write {', '.join(map(code, package.scope.write_allow))}"
    if package.depends_on:
        yield f"builds on {', '.join(package.depends_on)}"


def _deviations(report: AgentReport) -> Iterator[str]:
    for one in report.deviations:
        yield f"{f'{code(one.path)}: ' if one.path else ''}{_words(f'{one.what} ({one.why})')}"
    for wanted in report.scope_requests:
        yield f"{code(wanted.path)} would have to change, which is outside its scope ({_words(wanted.why)})"
    for asked in report.help:
        person = ", which a person has to settle" if asked.requires_human else ""
        yield f"not settled{person}: {_words(asked.summary)}"


def _words(text: str) -> str:
    """What an agent wrote, on one line and without tags: `<details>` or `<!--` would hide what stands below."""
    return one_line(text).replace("<", "&lt;")


def _evidence(package: Package, result: Result | None) -> Iterator[str]:
    if result is None:
        yield "its result cannot be read"
        return
    planned = {step.name: step for step in package.steps}
    for record in result.verification.steps:
        yield _step(record, planned.get(record.name))


def _step(record: StepRecord, planned: Step | None) -> str:
    command = planned.command if planned else ""
    shown = command if isinstance(command, str) else " ".join(command)
    how = f" ({code(one_line(shown))})" if shown else ""
    match record.kind:
        case StepKind.COMMAND:
            return f"{one_line(record.name)}{how}: {'passed' if record.passed else 'failed'}"
        case StepKind.CI:
            return f"{one_line(record.name)}{how}: for CI to answer"
        case _:
            told = f": {one_line(planned.instructions)}" if planned and planned.instructions else ""
            return f"{one_line(record.name)}: for a person to check{told}"
