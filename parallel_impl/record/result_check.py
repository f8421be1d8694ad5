"""Whether a package may be accepted on a result: by schema, revisions and plan.

The scope and the steps that count are the plan's, never those that a result echoes. The schema is what counts: where
the strict types below do not show that it holds, it is asked, and finds the words. A validator takes 2 ms a result and
0.1 s to be imported, the types 20 us.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from parallel_impl import schema, structs
from parallel_impl.plan.model import Package, StepKind
from parallel_impl.record import json_form
from parallel_impl.record.activity import Usage
from parallel_impl.record.result import CommitPlace, Commits, Result, StepRecord, VerificationRecord

TIERS = ("A", "B", "C")  # A is the strongest
Count = Annotated[int, Meta(ge=0)]
Number = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(ge=0)]
Text = Annotated[str, Meta(min_length=1)]
Feature = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$(?!\n)", max_length=128)]
PackageName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*(-[a-z0-9_]+)*$(?!\n)", max_length=64)]
CommitName = Annotated[str, Meta(pattern=r"^[0-9a-f]{7,64}$(?!\n)")]


class _Usage(Usage, frozen=True, kw_only=True):
    input: Count | None = None
    output: Count | None = None
    cache_read: Count | None = None
    cache_write: Count | None = None
    dollars: Annotated[float, Meta(ge=0)] | None = None
    turns: Count | None = None


class _Place(CommitPlace, frozen=True, kw_only=True):
    commit: CommitName | UnsetType = UNSET


class _Commits(Commits, frozen=True, kw_only=True):
    base: _Place
    head: _Place


class _Step(StepRecord, frozen=True, kw_only=True):
    name: Text
    seconds: Seconds = 0.0


class _Verification(VerificationRecord, frozen=True, kw_only=True):
    steps: tuple[_Step, ...]


class _Valid(Result, frozen=True, kw_only=True):
    schema_version: Literal[1] = 1
    feature_id: Feature
    package_id: PackageName
    attempt: Number = 1
    plan_revision: Number
    contracts_revision: Number
    usage: _Usage = _Usage()
    retries: Count = 0
    git: _Commits
    verification: _Verification
    seconds: Seconds = 0.0
    setup_seconds: Seconds = 0.0
    error_code: Text | UnsetType = UNSET


@dataclass(frozen=True, slots=True)
class Expected:
    """What a result must agree with."""

    feature_id: str
    plan_revision: int
    contracts_revision: int
    package: Package


def problems(result: Result, expected: Expected) -> list[str]:
    """Everything that keeps a package from being accepted on this result; empty when nothing does."""
    if found := schema_errors(result):
        return found
    found = _identity(result, expected)
    if result.status == "completed":
        found += _scope(result, expected.package)
        found += _verification(result.verification, expected.package)
        found += _keys(result, expected.package)
    else:
        found.append(f"status: the attempt failed ({result.error_code})")
    return found


def schema_errors(result: Result) -> list[str]:
    """Where a result is not as its schema says; by the validator, which takes 2 ms, only where types do not tell."""
    if is_valid(result):
        return []
    return [
        f"{error.json_path.removeprefix('$').removeprefix('.') or 'result'}: {error.message[:200]}"
        for error in schema.validator("work-queue-result").iter_errors(json_form.plain(result))
    ]


def _identity(result: Result, expected: Expected) -> list[str]:
    wanted = {
        "feature_id": (result.feature_id, expected.feature_id),
        "package_id": (result.package_id, expected.package.id),
        "plan_revision": (result.plan_revision, expected.plan_revision),
        "contracts_revision": (result.contracts_revision, expected.contracts_revision),
    }
    return [f"{key}: {ours!r}, but {value!r} is current" for key, (ours, value) in wanted.items() if ours != value]


def _scope(result: Result, package: Package) -> list[str]:
    refusals = ((path, package.scope.refusal(path)) for path in result.files_modified)
    return [f"files_modified: {path!r}: {why}" for path, why in refusals if why]


def _verification(reported: VerificationRecord, package: Package) -> list[str]:
    steps = {step.name: step for step in reported.steps}
    found = [
        f"verification: step {step.name!r} did not pass"
        for step in reported.steps
        if step.kind is StepKind.COMMAND and not step.passed
    ]
    for step in package.steps:
        ran = steps.get(step.name)
        if ran is None:
            found.append(f"verification: the plan's step {step.name!r} is missing")
        elif step.kind is StepKind.COMMAND and (ran.kind is not StepKind.COMMAND or ran.exit_code is None):
            found.append(f"verification: the plan's step {step.name!r} was not run")
        elif step.kind is not StepKind.COMMAND and ran.passed:
            found.append(f"verification: step {step.name!r} is for a person and cannot be reported as passed")
        elif step.old_failures and ran.old_failures:
            continue  # it ended with another exit code, for failures of the base that its plan allows
        elif step.kind is StepKind.COMMAND and ran.exit_code != step.expect_exit_code:
            found.append(f"verification: step {step.name!r}: exit {ran.exit_code}, not {step.expect_exit_code}")
    tier, required = reported.tier, package.tier_required
    if tier in TIERS and required in TIERS and TIERS.index(tier) > TIERS.index(required):
        found.append(f"verification: tier {tier} was reached, {required} is required")
    return found


def _keys(result: Result, package: Package) -> list[str]:
    """Declared output keys: one that is missing fails, unless nobody wrote a result file (then: not reported)."""
    if not package.output_keys:
        return []
    known = {*json_form.plain(result), *result.result_keys}
    for step in result.verification.steps:
        known |= set(step.evidence.metrics)
    excused = set(result.not_reported)
    return [
        f"result_keys: {key!r} is declared and missing" for key in package.output_keys if key not in known | excused
    ]


def is_valid(result: Result) -> bool:
    """Whether it is seen from the types that the schema holds; False says nothing yet."""
    if result.status == "failed":
        complete = result.error_code is not UNSET
    else:
        passed = result.verification.passed and result.scope_check.passed
        complete = passed and result.git.head.commit is not UNSET
    try:
        structs.convert(msgspec.to_builtins(result), _Valid)
    except (msgspec.ValidationError, ValueError):
        return False
    return complete
