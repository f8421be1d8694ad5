"""A package is accepted only on a result that holds against schema, revisions and the plan."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from parallel_impl.plan.model import Package, Scope, Step, StepKind
from parallel_impl.record.result import Expected, problems

PACKAGE = Package(
    id="wp-a",
    description="work",
    scope=Scope(("lib/**",), deny=("lib/secret/**",)),
    tier_required="A",
    steps=(Step("unit", command="pytest -q"), Step("look", StepKind.MANUAL, instructions="look at it")),
    output_keys=("test_count",),
)
EXPECTED = Expected("orders", 2, 3, PACKAGE)
UNIT: dict[str, Any] = {
    "name": "unit",
    "kind": "command",
    "passed": True,
    "command": "pytest -q",
    "exit_code": 0,
    "evidence": {"artifacts": [], "metrics": {"test_count": 3}},
}
LOOK: dict[str, Any] = {"name": "look", "kind": "manual", "passed": False}
GOOD: dict[str, Any] = {
    "schema_version": 1,
    "feature_id": "orders",
    "package_id": "wp-a",
    "plan_revision": 2,
    "contracts_revision": 3,
    "status": "completed",
    "scope": {"write_allow": ["**"]},
    "files_modified": ["lib/x.py"],
    "git": {"base": {}, "head": {"commit": "0123abc"}},
    "verification": {"tier": "A", "passed": True, "steps": [UNIT, LOOK]},
    "escalations": [],
}


def changed(path: str, value: object) -> dict[str, Any]:
    """The good result with one value replaced; numbers in `path` are list indexes."""
    result = copy.deepcopy(GOOD)
    *parents, last = path.split("/")
    at: Any = result
    for part in parents:
        at = at[int(part)] if part.isdigit() else at[part]
    at[last] = value
    return result


def test_a_good_result_has_no_problem() -> None:
    assert problems(GOOD, EXPECTED) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("status", "unknown", "status"),
        ("status", "failed", "error_code"),
        ("git/head/commit", "0123ab", "git.head.commit"),
        ("git/head/commit", "0123abc\n", "git.head.commit"),
        ("package_id", "wp-b", "'wp-a' is current"),
        ("plan_revision", 1, "2 is current"),
        ("contracts_revision", 4, "3 is current"),
        ("files_modified", ["lib/x.py", "README.md"], "'README.md': outside write_allow"),
        ("files_modified", ["lib/secret/key"], "'lib/secret/key': denied by lib/secret/**"),
        ("verification/passed", False, "verification.passed"),
        ("verification/tier", "C", "tier C was reached, A is required"),
        ("verification/steps", [LOOK], "the plan's step 'unit' is missing"),
        ("verification/steps/0/passed", False, "step 'unit' did not pass"),
        ("verification/steps/0/exit_code", 1, "exit 1, not 0"),
        ("verification/steps/0/exit_code", None, "step 'unit' was not run"),
        ("verification/steps/1/passed", True, "is for a person"),
        ("verification/steps/0/evidence", {"metrics": {}}, "'test_count' is declared and missing"),
        ("scope_check", {"passed": False, "violations": ["a"]}, "scope_check.passed"),
        ("surprise", 1, "surprise"),
    ],
)
def test_what_does_not_hold_is_said(path: str, value: object, said: str) -> None:
    assert said in "\n".join(problems(changed(path, value), EXPECTED))


def test_a_failed_result_never_passes() -> None:
    failed = {**changed("status", "failed"), "error_code": "TIMEOUT"}
    assert problems(failed, EXPECTED) == ["status: the attempt failed (TIMEOUT)"]


def test_a_key_that_nobody_could_report_is_excused() -> None:
    excused = {**changed("verification/steps/0/evidence", {"metrics": {}}), "not_reported": ["test_count"]}
    assert problems(excused, EXPECTED) == []
