"""What an attempt tells the world: its work as a commit on its ref, and its result in the shape of the schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from parallel_impl import environment
from parallel_impl.gates.steps import StepResult, StepStatus
from parallel_impl.git import staging
from parallel_impl.git.repo import GitError
from parallel_impl.git.staging import Snapshot, Staging, Work
from parallel_impl.plan.model import StepKind

if TYPE_CHECKING:
    from parallel_impl.run.attempt.attempt import Attempt

TRAILERS = """\
Work-Package: {package}
Change-Id: {change}
Attempt: {number}
Agent: {agent}
Plan-Revision: {plan}
Contracts-Revision: {contracts}
"""


def take(attempt: Attempt, taking: Staging, before: Snapshot) -> None:
    """Commit the work on the package's base and put it on the attempt's ref."""
    ground, job = attempt.ground, attempt.job

    def anchor(work: Work) -> str:
        told = message(attempt, changed=bool(work.changes))
        commit = ground.repo.commit_tree(work.tree, [attempt.base], told, date=ground.date)
        ground.set_ref(ground.places.attempt_ref(job.package.id, job.number), commit)
        attempt.commit = commit
        return commit

    try:
        attempt.work = staging.take(taking, before, anchor=anchor, known=attempt.base)
    except GitError:
        if attempt.commit:  # a ref to a commit that lacks objects would fail every gc of the user's
            ground.delete_ref(ground.places.attempt_ref(job.package.id, job.number), attempt.commit)
            attempt.commit = ""
        raise


def message(attempt: Attempt, *, changed: bool) -> str:
    """The commit's message: the package's title, and trailers that say where it comes from."""
    ground, package = attempt.ground, attempt.package
    subject = " ".join((package.title or package.description).split())[:72] or package.id
    trailers = TRAILERS.format(
        package=package.id,
        change=ground.places.change_id,
        number=attempt.job.number,
        agent=" ".join(ground.agent_spec.split()),
        plan=ground.plan.revision,
        contracts=ground.plan.contracts.revision,
    )
    return f"{package.id}: {subject}\n\n{'' if changed else 'No changes.' + chr(10) * 2}{trailers}"


def result(attempt: Attempt, seconds: float) -> dict[str, Any]:
    """The result as `schemas/work-queue-result.schema.json` describes it."""
    ground, package, verification = attempt.ground, attempt.package, attempt.verification
    head = {"commit": attempt.commit} if attempt.commit else {}
    ref = ground.places.attempt_ref(package.id, attempt.job.number)
    found: dict[str, Any] = {
        "schema_version": 1,
        "feature_id": ground.plan.feature_id,
        "package_id": package.id,
        "attempt": attempt.job.number,
        "plan_revision": ground.plan.revision,
        "contracts_revision": ground.plan.contracts.revision,
        "status": "failed" if attempt.code else "completed",
        "agent": ground.agent_spec,
        "locks": {"files": list(package.locks.files), "keys": list(package.locks.keys)},
        "scope": {
            "write_allow": list(package.scope.write_allow),
            "read_allow": list(package.scope.read_allow),
            "deny": list(package.scope.deny),
        },
        "scope_check": {"passed": not attempt.outside, "violations": [str(one) for one in attempt.outside]},
        "files_modified": [change.path for change in attempt.work.changes],
        "files_ignored": [f"{one.path} ({one.rule})" for one in attempt.left_out],
        "no_changes": bool(attempt.commit) and not attempt.work.changes,
        "git": {"base": {"commit": attempt.base} if attempt.base else {}, "head": {"ref": ref, **head}},
        "verification": _verification(attempt),
        "for_a_person": list(verification.for_a_person) if verification else [],
        "result_keys": _keys(attempt),
        "not_reported": list(_not_reported(attempt)),
        "seconds": round(seconds, 3),
        "setup_seconds": round(attempt.setup_seconds, 3),
        "escalations": [],
    }
    if attempt.code:
        found |= {"error_code": attempt.code, "error": attempt.why}
    return found


def _verification(attempt: Attempt) -> dict[str, Any]:
    verification = attempt.verification
    if verification is None:
        return {"passed": False, "steps": []}
    tier = {"tier": verification.tier} if verification.tier else {}
    return {**tier, "passed": verification.passed, "steps": [_step(attempt, step) for step in verification.steps]}


def _step(attempt: Attempt, step: StepResult) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": step.name,
        "kind": str(step.kind),
        "passed": step.status is StepStatus.PASSED,
        "exit_code": step.exit_code,
        "seconds": round(step.seconds, 3),
        "why": step.why,
        "evidence": {"artifacts": list(step.artifacts), "metrics": dict(step.keys)},
    }
    if step.kind is StepKind.COMMAND:
        found["command"] = step.command if isinstance(step.command, str) else list(step.command)
    if step.log:
        found["log"] = str(step.log.relative_to(attempt.folder))
    return found


def _reported(attempt: Attempt) -> dict[str, Any] | None:
    """What the agent wrote to its result file; None when it wrote none, or no JSON object."""
    try:
        written = (attempt.folder / "reported.json").read_bytes()[:1_000_000]
        found = json.loads(environment.masked(written.decode(), attempt.ground.mask))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _keys(attempt: Attempt) -> dict[str, Any]:
    known = dict(attempt.verification.keys) if attempt.verification else {}
    return {"files_modified": len(attempt.work.changes), **known, **(_reported(attempt) or {})}


def _not_reported(attempt: Attempt) -> list[str]:
    """Declared keys that nobody wrote, where neither the agent nor a step wrote a result file."""
    if attempt.verification is None or _reported(attempt) is not None:
        return []
    known = _keys(attempt)
    return [key for key in attempt.verification.not_reported if key not in known]
