"""What an attempt came to, in the shape of the result schema."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from parallel_impl import text
from parallel_impl.gates.evidence import read_result_file
from parallel_impl.gates.steps import StepResult, StepStatus
from parallel_impl.plan.model import StepKind
from parallel_impl.record import json_form
from parallel_impl.record.result import (
    AgentRecord,
    CommitPlace,
    Commits,
    DenialRecord,
    Result,
    ScopeCheck,
    StepEvidence,
    StepRecord,
    VerificationRecord,
)
from parallel_impl.run.attempt.job import Attempt

MOST_DENIED = 100  # that are listed


def result(attempt: Attempt, seconds: float) -> Result:
    """The attempt as it is published."""
    plan, package, verification = attempt.plan, attempt.package, attempt.verification
    ref = attempt.workspace.places.attempt_ref(package.id, attempt.job.number)
    found = Result(
        feature_id=plan.feature_id,
        package_id=package.id,
        attempt=attempt.job.number,
        plan_revision=plan.revision,
        contracts_revision=plan.contracts.revision,
        status="completed",
        agent=_agent(attempt),
        usage=attempt.seen.usage,
        denied=tuple(DenialRecord(one.tool, one.target, one.why) for one in attempt.seen.denied[:MOST_DENIED]),
        retries=attempt.seen.retries,
        report=attempt.report or UNSET,
        locks=package.locks,
        scope=package.scope,
        scope_check=ScopeCheck(passed=not attempt.outside, violations=tuple(map(str, attempt.outside))),
        files_modified=tuple(change.path for change in attempt.work.changes),
        files_ignored=_files_ignored(attempt),
        no_changes=bool(attempt.commit) and not attempt.work.changes,
        elsewhere=attempt.elsewhere,
        git=Commits(
            base=CommitPlace(commit=attempt.base or UNSET),
            head=CommitPlace(ref=ref, commit=attempt.commit or UNSET),
        ),
        verification=_verification(attempt),
        for_a_person=verification.for_a_person if verification else (),
        result_keys=_keys(attempt),
        not_reported=tuple(_not_reported(attempt)),
        seconds=round(seconds, 3),
        setup_seconds=round(attempt.setup_seconds, 3),
        escalations=(),
    )
    return found.failed(attempt.code, attempt.why) if attempt.code else found


def _agent(attempt: Attempt) -> AgentRecord:
    """Who did it: what was chosen, with the model and the conversation that the client reported."""
    chosen, seen = attempt.job.done_by(attempt.spec), attempt.seen
    return replace(chosen, model=seen.model or chosen.model, session=seen.session)


def _files_ignored(attempt: Attempt) -> tuple[str, ...]:
    if attempt.job.kept:
        return attempt.job.kept.files_ignored
    return tuple(f"{one.path} ({one.rule})" for one in attempt.left_out)


def _verification(attempt: Attempt) -> VerificationRecord:
    verification = attempt.verification
    if verification is None:
        return VerificationRecord(passed=False, steps=())
    return VerificationRecord(
        passed=verification.passed,
        steps=tuple(_step(attempt, step) for step in verification.steps),
        tier=verification.tier or UNSET,
    )


def _step(attempt: Attempt, step: StepResult) -> StepRecord:
    return StepRecord(
        name=step.name,
        kind=step.kind,
        passed=step.status is StepStatus.PASSED,
        exit_code=step.exit_code,
        seconds=round(step.seconds, 3),
        why=step.why,
        evidence=StepEvidence(artifacts=tuple(step.artifacts), metrics=step.keys),
        command=step.command if step.kind is StepKind.COMMAND else UNSET,
        log=str(step.log.relative_to(attempt.files.folder)) if step.log else UNSET,
        old_failures=step.excused or UNSET,
        red_under_load=step.red_under_load or UNSET,
    )


def _reported(attempt: Attempt) -> dict[str, object] | None:
    """What the agent wrote to its result file; None when it wrote none, or no JSON object."""
    try:
        written = read_result_file(attempt.agent_files.reported)
        if written is None:
            return None
        hidden = text.masked(json_form.encode(written), attempt.launch.mask)
        return json_form.decode(hidden, dict[str, object])
    except (OSError, ValueError):
        return None


def _keys(attempt: Attempt) -> dict[str, object]:
    """What is known by keys: what we measured counts, then what steps wrote, and last the agent's word."""
    known = dict(attempt.verification.keys) if attempt.verification else {}
    return {**(_reported(attempt) or {}), **known, "files_modified": len(attempt.work.changes)}


def _not_reported(attempt: Attempt) -> list[str]:
    """Declared keys that nobody wrote, where neither the agent nor a step wrote a result file."""
    if attempt.verification is None or _reported(attempt) is not None:
        return []
    known = _keys(attempt)
    return [key for key in attempt.verification.not_reported if key not in known]
