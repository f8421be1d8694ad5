"""The execution summary: built once from the journal, the results and the gates, then written twice.

`build` makes the JSON document (`schemas/execution-summary.schema.json`), `markdown` renders the same document for
people.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parallel_impl.plan import order as ordering
from parallel_impl.record import events as e
from parallel_impl.record.state import Progress, State

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class GateRow:
    """One quality gate as the summary shows it."""

    name: str
    verdict: str
    command: str = ""
    why: str = ""
    new_failures: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    old_failures: int = 0
    log: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a summary is built from, beside the journal's events."""

    change_id: str
    branch: str
    order: Sequence[str]
    state: State
    attempts: Path
    status: str
    code: str
    headline: str
    commit: str
    gates: tuple[GateRow, ...] = ()
    contracts: tuple[tuple[str, str], ...] = ()
    switched_off: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def build(facts: Facts, happened: Iterable[e.Event]) -> Document:
    """The summary document. `facts.attempts` is the folder with `<package>/<n>/result.json`."""
    started = facts.state.started
    if started is None:
        raise ValueError("a run that never started has no summary")
    spans = _spans(happened)
    packages = [_package(name, facts.state.packages[name], spans, facts.attempts) for name in facts.order]
    seconds = {p["id"]: sum(a["seconds"] for a in p["attempts"]) for p in packages}
    above = {name: facts.state.packages[name].depends_on for name in facts.order}
    path, longest = ordering.critical_path(above, seconds)
    return {
        "schema_version": 1,
        "change_id": facts.change_id,
        "run_id": started.run_id,
        "status": facts.status,
        "code": facts.code,
        "headline": facts.headline,
        "base": started.base,
        "branch": facts.branch,
        "commit": facts.commit,
        "agent": started.agent,
        "plan_revision": facts.state.plan_revision,
        "contracts_revision": started.contracts_revision,
        "jobs": started.jobs,
        "makespan_seconds": round(max((end for _, end in spans.values()), default=0.0), 3),
        "critical_path": {"packages": list(path), "seconds": round(longest, 3)},
        "bound_seconds": round(max(longest, sum(seconds.values()) / started.jobs), 3),
        "packages": packages,
        "gates": [_without_empty(gate) for gate in facts.gates],
        "contracts": [{"path": path, "status": status} for path, status in facts.contracts],
        "fence": "not fenced",
        "switched_off": list(facts.switched_off),
        "for_a_person": [f"{p['id']}: {s['name']}" for p in packages for s in p["steps"] if s["kind"] != "command"],
        "notes": list(facts.notes),
    }


def _spans(happened: Iterable[e.Event]) -> dict[tuple[str, int], tuple[float, float]]:
    """Start and end of every attempt that ended, in seconds after the run's first event."""
    began, starts, spans = None, dict[tuple[str, int], float](), dict[tuple[str, int], tuple[float, float]]()
    for event in happened:
        began = event.at if began is None else began
        if isinstance(event, e.AttemptStarted):
            starts[event.package, event.number] = event.at - began
        elif isinstance(event, e.AttemptEnded):
            key = (event.package, event.number)
            spans[key] = (starts.get(key, event.at - began), event.at - began)
    return spans


def _package(
    name: str, progress: Progress, spans: Mapping[tuple[str, int], tuple[float, float]], root: Path
) -> Document:
    attempts = [
        {
            "number": ended.number,
            "started": round(spans[name, ended.number][0], 3),
            "seconds": round(ended.seconds, 3),
            "setup_seconds": round(ended.setup_seconds, 3),
            "code": ended.code,
            "why": ended.why,
            "commit": ended.commit,
            "logs": f"attempts/{name}/{ended.number}",
        }
        for ended in progress.ended
    ]
    result = _result(root / name / str(progress.ended[-1].number)) if progress.ended else {}
    return {
        "id": name,
        "state": str(progress.state),
        "why": progress.why,
        "depends_on": list(progress.depends_on),
        "commit": progress.commit,
        "no_changes": bool(result.get("no_changes")),
        "attempts": attempts,
        "files": result.get("files_modified", []),
        "ignored": result.get("files_ignored", []),
        "tier": result.get("verification", {}).get("tier", ""),
        "steps": [_step(step) for step in result.get("verification", {}).get("steps", [])],
        "escalations": result.get("escalations", []),
    }


def _result(folder: Path) -> Document:
    try:
        loaded: Document = json.loads((folder / "result.json").read_bytes())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}  # an attempt that ended before it had a result: its row says so by its code
    return loaded


def _step(step: Document) -> Document:
    kept: Document = {
        key: step[key] for key in ("name", "kind", "passed", "exit_code", "seconds", "why") if key in step
    }
    return {**kept, "evidence": step.get("evidence", {}).get("artifacts", [])}


def _without_empty(gate: GateRow) -> Document:
    row = {
        "command": gate.command,
        "why": gate.why,
        "new_failures": list(gate.new_failures),
        "gone": list(gate.gone),
        "old_failures": gate.old_failures,
        "log": gate.log,
    }
    return {"name": gate.name, "verdict": gate.verdict, **{key: value for key, value in row.items() if value}}
