"""What a pull request tells about a landed run, taken from its summary, its plan and the landed tree."""

from __future__ import annotations

import re

from parallel_impl import storage
from parallel_impl.errors import UserError
from parallel_impl.forge.content import Content, GateEvidence, PackageEvidence, StepOutcome
from parallel_impl.git import diffstat
from parallel_impl.git.repo import Repo
from parallel_impl.openspec import tasks
from parallel_impl.plan.model import Package, Plan, StepKind
from parallel_impl.record import json_form
from parallel_impl.record.gate_row import GateRow
from parallel_impl.record.result import AgentRecord
from parallel_impl.record.state import State
from parallel_impl.report.summary import PackageRow, StepRow, Summary
from parallel_impl.run.places import Places
from parallel_impl.run.resume import pinned

_WHY = re.compile(r"^##\s+Why\s*$(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL | re.IGNORECASE)


def load(repo: Repo, places: Places, state: State) -> Content:
    """The content for a run that landed. UserError where its summary or its plan cannot be read."""
    try:
        summary = json_form.decode(storage.read(places.summary_json), Summary)
    except (OSError, ValueError) as error:
        hint = "it is written when a run lands; without it there is nothing to tell"
        raise UserError(f"the summary cannot be read: {error}", where=str(places.summary_json), hint=hint) from None
    plan = pinned.read_plan(repo, places, state).plan
    commit = state.landed.commit if state.landed else summary.commit
    whole = diffstat.between(repo, summary.base, commit)
    return Content(
        change_id=places.change_id,
        run_id=summary.run_id,
        title=plan.title,
        branch=summary.branch,
        base=summary.base,
        commit=commit,
        headline=summary.headline,
        purpose=_purpose(repo, places, commit),
        lines=(whole.added, whole.removed),
        packages=tuple(_package(row, plan) for row in summary.packages),
        gates=tuple(map(_gate, summary.gates)),
        accepted=tuple(f"{row.name}: {line}" for row in summary.gates for line in row.accepted),
        contracts=tuple((row.path, row.status) for row in summary.contracts),
        switched_off=summary.switched_off,
        fence=summary.fence,
        open_tasks=_open_tasks(repo, places, commit),
        notes=summary.notes,
        seconds=summary.makespan_seconds,
        tokens=summary.usage.tokens,
        dollars=summary.usage.dollars,
    )


def _package(row: PackageRow, plan: Plan) -> PackageEvidence:
    planned = next((one for one in plan.packages if one.id == row.id), None)
    agent = row.agent.describe() if isinstance(row.agent, AgentRecord) else row.agent
    return PackageEvidence(
        id=row.id,
        state=row.state,
        title=(planned.title or planned.description) if planned else "",
        asked=planned.description if planned and planned.title else "",
        tasks=planned.tasks if planned else (),
        lines=(row.changed.added, row.changed.removed),
        depends_on=row.depends_on,
        commit=row.commit,
        files=row.files,
        steps=tuple(_step(step, planned) for step in row.steps),
        tier=row.tier,
        attempts=len(row.attempts),
        agent=agent,
        tokens=row.usage.tokens,
        dollars=row.usage.dollars,
        report=row.report,
        locks=planned.locks.keys if planned else (),
    )


def _step(row: StepRow, planned: Package | None) -> StepOutcome:
    instructions = ""
    if row.kind is not StepKind.COMMAND and planned:
        instructions = next((step.instructions for step in planned.steps if step.name == row.name), "")
    return StepOutcome(row.name, row.kind, row.passed, row.why, instructions)


def _gate(row: GateRow) -> GateEvidence:
    return GateEvidence(
        name=row.name,
        verdict=row.verdict,
        why=row.why,
        command=row.command,
        old_failures=row.old_failures,
        gone=(*row.gone, *row.removed),
        renamed=row.renamed,
        flaky=(*row.flaky, *row.unstable, *row.red_under_load),
        judges=row.judges,
    )


def _purpose(repo: Repo, places: Places, commit: str) -> str:
    """The first paragraph of why the change was proposed."""
    proposal = (repo.read(commit, f"{places.folder}/proposal.md") or b"").decode(errors="replace")
    found = _WHY.search(proposal.replace("\r\n", "\n"))
    return found[1].strip().split("\n\n")[0] if found else ""


def _open_tasks(repo: Repo, places: Places, commit: str) -> tuple[str, ...]:
    return tasks.still_open(tasks.read(repo.read(commit, places.tasks_file) or b""))
