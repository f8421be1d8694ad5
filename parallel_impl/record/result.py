"""The result of an attempt: what a package may be accepted on, checked against schema, revisions and plan.

`result.json` has this shape, which `schemas/work-queue-result.schema.json` describes for others. The scope and the
steps that count are the plan's, never those that a result echoes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from parallel_impl import schema
from parallel_impl.plan.model import Locks, Package, Scope, StepKind
from parallel_impl.record import json_form
from parallel_impl.record.activity import Usage
from parallel_impl.record.agent_report import AgentReport

TIERS = ("A", "B", "C")  # A is the strongest
FILE = "result.json"


class ScopeCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether all that changed is the package's to change; each violation as `path: why`."""

    passed: bool
    violations: tuple[str, ...] = ()


class CommitPlace(msgspec.Struct, frozen=True, kw_only=True):
    """A commit, and the ref that holds it."""

    ref: str | UnsetType = UNSET
    commit: str | UnsetType = UNSET


class Commits(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt started from, and what it made of it."""

    base: CommitPlace
    head: CommitPlace


class StepEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What a step left: paths of artifacts, and the result keys that it wrote."""

    artifacts: tuple[str, ...] = ()
    metrics: Mapping[str, object] = {}


class StepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One verification step; `exit_code` is None for one that did not run.

    `old_failures` are tests that failed in it as they do on the base, which its plan allows. `red_under_load`: it did
    not pass beside other heavy work of ours, and passed alone.
    """

    name: str
    kind: StepKind
    passed: bool
    exit_code: int | None = None
    seconds: float = 0.0
    why: str = ""
    evidence: StepEvidence = StepEvidence()
    command: str | tuple[str, ...] | UnsetType = UNSET
    log: str | UnsetType = UNSET
    old_failures: tuple[str, ...] | UnsetType = UNSET
    red_under_load: bool | UnsetType = UNSET


class VerificationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The steps of an attempt; `tier` is absent where none is claimed."""

    passed: bool
    steps: tuple[StepRecord, ...]
    tier: str | UnsetType = UNSET


class AgentRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Who did an attempt. `name` is the configuration's; "" is what is not known."""

    name: str
    kind: str
    program: str = ""
    version: str = ""
    model: str = ""
    session: str = ""

    def describe(self, *more: str) -> str:
        """For people: its name, and what that leaves open: kind, version, model, and `more`."""
        named = self.name == self.kind or self.name.startswith(f"{self.kind}:")
        kind = " ".join(filter(None, ("" if named else self.kind, self.version)))
        told = ", ".join(filter(None, (kind, f"model {self.model}" if self.model else "", *more)))
        return f"{self.name} ({told})" if told else self.name


class DenialRecord(msgspec.Struct, frozen=True):
    """A tool call that was refused, by the client's own rules or by the scope."""

    tool: str
    target: str = ""
    why: str = ""


class SideWorkRecord(msgspec.Struct, frozen=True):
    """Work that an attempt left elsewhere than in its worktree, so that it was not taken: the ref that keeps it."""

    where: str
    ref: str
    commit: str
    paths: tuple[str, ...] = ()


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt as it is published. An attempt that failed says why by `error_code` and `error`.

    `agent` is text in results that older versions wrote. `usage` has what the client reported, and nothing else.
    """

    schema_version: int = 1
    feature_id: str
    package_id: str
    attempt: int = 1
    plan_revision: int
    contracts_revision: int
    status: Literal["completed", "failed"]
    agent: AgentRecord | str = ""
    usage: Usage = Usage()
    denied: tuple[DenialRecord, ...] = ()
    retries: int = 0
    report: AgentReport | UnsetType = UNSET
    locks: Locks = Locks()
    scope: Scope
    scope_check: ScopeCheck = ScopeCheck(passed=True)
    files_modified: tuple[str, ...]
    files_ignored: tuple[str, ...] = ()
    no_changes: bool = False
    elsewhere: tuple[SideWorkRecord, ...] = ()
    git: Commits
    verification: VerificationRecord
    for_a_person: tuple[str, ...] = ()
    result_keys: Mapping[str, object] = {}
    not_reported: tuple[str, ...] = ()
    seconds: float = 0.0
    setup_seconds: float = 0.0
    escalations: tuple[Mapping[str, object], ...]
    error_code: str | UnsetType = UNSET
    error: str | UnsetType = UNSET

    def failed(self, code: str, why: str) -> Result:
        """The same attempt, as one that failed."""
        return msgspec.structs.replace(self, status="failed", error_code=code, error=why)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a result must agree with."""

    feature_id: str
    plan_revision: int
    contracts_revision: int
    package: Package


def problems(result: Result, expected: Expected) -> list[str]:
    """Everything that keeps a package from being accepted on this result; empty when nothing does."""
    found = [
        f"{error.json_path.removeprefix('$').removeprefix('.') or 'result'}: {error.message[:200]}"
        for error in schema.validator("work-queue-result").iter_errors(json_form.plain(result))
    ]
    if found:
        return found
    found += _identity(result, expected)
    if result.status == "completed":
        found += _scope(result, expected.package)
        found += _verification(result.verification, expected.package)
        found += _keys(result, expected.package)
    else:
        found.append(f"status: the attempt failed ({result.error_code})")
    return found


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
    known = {*json_form.plain(result), *result.result_keys}
    for step in result.verification.steps:
        known |= set(step.evidence.metrics)
    excused = set(result.not_reported)
    return [
        f"result_keys: {key!r} is declared and missing" for key in package.output_keys if key not in known | excused
    ]


def dump(result: Result) -> bytes:
    """The file's content."""
    return json_form.encode(result, indent=1)


def load(content: bytes) -> Result:
    """The result in a file's content; ValueError when it is none."""
    return json_form.decode(content, Result)
