"""The result of an attempt: what a package may be accepted on, checked against schema, revisions and plan.

`run.attempt.attempt` writes `result.json` in this shape; `run.runner` accepts a package only when `problems` finds
nothing. The scope and the steps that count are the plan's, never those that a result echoes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parallel_impl import schema
from parallel_impl.plan.model import Package, StepKind

TIERS = ("A", "B", "C")  # A is the strongest


@dataclass(frozen=True, slots=True)
class Expected:
    """What a result must agree with."""

    feature_id: str
    plan_revision: int
    contracts_revision: int
    package: Package


def problems(result: Mapping[str, Any], expected: Expected) -> list[str]:
    """Everything that keeps a package from being accepted on this result; empty when nothing does."""
    found = [
        f"{error.json_path.removeprefix('$').removeprefix('.') or 'result'}: {error.message[:200]}"
        for error in schema.validator("work-queue-result").iter_errors(dict(result))
    ]
    if found:
        return found
    found += _identity(result, expected)
    if result["status"] == "completed":
        found += _scope(result, expected.package)
        found += _verification(result, expected.package)
        found += _keys(result, expected.package)
    else:
        found.append(f"status: the attempt failed ({result['error_code']})")
    return found


def _identity(result: Mapping[str, Any], expected: Expected) -> list[str]:
    wanted = {
        "feature_id": expected.feature_id,
        "package_id": expected.package.id,
        "plan_revision": expected.plan_revision,
        "contracts_revision": expected.contracts_revision,
    }
    return [
        f"{key}: {result[key]!r}, but {value!r} is current" for key, value in wanted.items() if result[key] != value
    ]


def _scope(result: Mapping[str, Any], package: Package) -> list[str]:
    refusals = ((path, package.scope.refusal(path)) for path in result["files_modified"])
    return [f"files_modified: {path!r}: {why}" for path, why in refusals if why]


def _verification(result: Mapping[str, Any], package: Package) -> list[str]:
    reported = result["verification"]
    steps = {step["name"]: step for step in reported["steps"]}
    found = [
        f"verification: step {step['name']!r} did not pass"
        for step in reported["steps"]
        if step["kind"] == "command" and not step["passed"]
    ]
    for step in package.steps:
        ran = steps.get(step.name)
        if ran is None:
            found.append(f"verification: the plan's step {step.name!r} is missing")
        elif step.kind is StepKind.COMMAND and (ran["kind"] != "command" or ran.get("exit_code") is None):
            found.append(f"verification: the plan's step {step.name!r} was not run")
        elif step.kind is not StepKind.COMMAND and ran["passed"]:
            found.append(f"verification: step {step.name!r} is for a person and cannot be reported as passed")
        elif step.kind is StepKind.COMMAND and ran["exit_code"] != step.expect_exit_code:
            found.append(f"verification: step {step.name!r}: exit {ran['exit_code']}, not {step.expect_exit_code}")
    tier = reported.get("tier")
    required = package.tier_required
    if tier in TIERS and required in TIERS and TIERS.index(tier) > TIERS.index(required):
        found.append(f"verification: tier {tier} was reached, {required} is required")
    return found


def _keys(result: Mapping[str, Any], package: Package) -> list[str]:
    """Declared output keys: one that is missing fails, unless nobody wrote a result file (then: not reported)."""
    known = {*result, *result.get("result_keys", {})}
    for step in result["verification"]["steps"]:
        known |= set(step.get("evidence", {}).get("metrics", {}))
    excused = set(result.get("not_reported", ()))
    return [
        f"result_keys: {key!r} is declared and missing" for key in package.output_keys if key not in known | excused
    ]


def dump(result: Mapping[str, Any]) -> bytes:
    """The file's content: indented JSON with a last newline."""
    return (json.dumps(result, indent=1, ensure_ascii=True) + "\n").encode()
