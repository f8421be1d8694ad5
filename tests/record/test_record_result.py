"""A package is accepted only on a result that holds against schema, revisions and the plan."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_impl import schema
from parallel_impl.plan.model import Package, Scope, Step, StepKind
from parallel_impl.record import json_form
from parallel_impl.record.result import AgentRecord, Result, dump, load
from parallel_impl.record.result_check import Expected, is_valid, problems, schema_errors

PACKAGE = Package(
    id="wp-a",
    description="work",
    scope=Scope(("lib/**",), deny=("lib/secret/**",)),
    tier_required="A",
    steps=(Step("unit", command="pytest -q"), Step("look", StepKind.MANUAL, instructions="look at it")),
    output_keys=("test_count",),
)
EXPECTED = Expected("orders", 2, 3, PACKAGE)
AGENTS = (
    (AgentRecord(name="mine", kind="anthropic", version="2.14.0", model="m"), "mine (anthropic 2.14.0, model m)"),
    (AgentRecord(name="claude", kind="claude", version="2.1.9"), "claude (2.1.9)"),
    (AgentRecord(name="claude", kind="claude"), "claude"),
    (AgentRecord(name="command: sh x", kind="command", program="sh"), "command: sh x"),
    (AgentRecord(name="of an older version", kind=""), "of an older version"),
)
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


def read(values: dict[str, Any]) -> Result:
    """The result in a file with these values."""
    return load(json.dumps(values).encode())


def test_a_good_result_has_no_problem() -> None:
    assert problems(read(GOOD), EXPECTED) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
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
    ],
)
def test_what_does_not_hold_is_said(path: str, value: object, said: str) -> None:
    assert said in "\n".join(problems(read(changed(path, value)), EXPECTED))


@pytest.mark.parametrize(
    ("path", "value"), [("status", "unknown"), ("files_modified", "lib"), ("verification/steps/0/kind", "other")]
)
def test_what_is_no_result_is_refused_at_the_door(path: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"\\$.{path.split('/', maxsplit=1)[0]}"):
        read(changed(path, value))


def test_a_failed_result_never_passes() -> None:
    failed = read({**changed("status", "failed"), "error_code": "TIMEOUT"})
    assert problems(failed, EXPECTED) == ["status: the attempt failed (TIMEOUT)"]
    assert problems(read(GOOD).failed("OF_ANOTHER_VERSION", "so"), EXPECTED) == [
        "status: the attempt failed (OF_ANOTHER_VERSION)"
    ]


def test_the_types_show_that_the_schema_holds_and_no_validator_is_needed() -> None:
    assert is_valid(read(GOOD))
    assert is_valid(read({**changed("status", "failed"), "error_code": "TIMEOUT"}))


VALUES: dict[str, list[Any]] = {
    "schema_version": [2],
    "feature_id": ["", "Orders", "a-b", "a--b", "orders\n", "x" * 129],
    "package_id": ["", "a_b", "a_b-c", "-a", "1", "wp-a\n", "x" * 65],
    "attempt": [0, 1, -1],
    "plan_revision": [0],
    "contracts_revision": [0],
    "status": ["failed"],
    "error_code": ["", "X"],
    "agent": ["mine", {"name": "", "kind": ""}],
    "usage": [{"input": -1}, {"input": 0, "dollars": 1, "turns": None}, {"dollars": -0.5}, {"output": 10**30}],
    "denied": [[{"tool": "x"}]],
    "retries": [-1, 1],
    "seconds": [-1, 1, -0.5, 1e300],
    "setup_seconds": [-0.5, 2],
    "scope_check": [{"passed": False}, {"passed": True, "violations": ["lib/\udcff"]}],
    "git/base": [{"commit": "x"}, {"commit": ""}, {"commit": "0123abc", "ref": ""}],
    "git/head": [{}, {"commit": "0" * 65}, {"commit": "0" * 64}, {"commit": "0123abc\n"}],
    "verification/passed": [False],
    "verification/steps/0/name": [""],
    "verification/steps/0/seconds": [-1, 0.5],
    "verification/steps/1/command": [["sh", "-c"]],
    "result_keys": [{"x": [1, None]}],
    "escalations": [[{"x": 1}]],
}


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([(path, value) for path, values in VALUES.items() for value in values]), max_size=4))
def test_what_the_types_show_to_be_valid_is_so_by_the_schema(changes: list[tuple[str, Any]]) -> None:
    made = copy.deepcopy(GOOD)
    for path, value in changes:
        *parents, last = path.split("/")
        at: Any = made
        for part in parents:
            at = at[int(part)] if part.isdigit() else at[part]
        at[last] = value
    found = read(made)
    wrong = list(schema.validator("work-queue-result").iter_errors(json_form.plain(found)))
    assert is_valid(found) <= (not wrong)
    assert bool(schema_errors(found)) is bool(wrong)


def test_a_key_that_nobody_could_report_is_excused() -> None:
    excused = {**changed("verification/steps/0/evidence", {"metrics": {}}), "not_reported": ["test_count"]}
    assert problems(read(excused), EXPECTED) == []


def test_a_field_that_another_version_wrote_is_passed_over() -> None:
    assert read({**GOOD, "of_another_version": {"x": 1}}) == read(GOOD)


def test_names_that_are_no_unicode_survive_the_file() -> None:
    odd = read(changed("files_modified", ["lib/\udcff"]))
    assert load(dump(odd)).files_modified == ("lib/\udcff",)


@pytest.mark.parametrize(
    ("content", "why"), [(b"[" * 200_000, "nested too deeply"), (b'{"a": NaN}', "NaN is not JSON"), (b"\xff", "utf-8")]
)
def test_what_is_no_json_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        json_form.decode(content, dict[str, object])


@pytest.mark.parametrize(("levels", "shallow"), [(99, True), (100, False)])
def test_what_is_nested_too_deeply_to_be_written_again_is_known(levels: int, *, shallow: bool) -> None:
    value: object = {"x": 1}
    for _ in range(levels - 1):
        value = [value]
    assert json_form.is_shallow(value) is shallow


@pytest.mark.parametrize(("agent", "expected"), AGENTS)
def test_an_agent_is_described_with_what_its_name_leaves_open(agent: AgentRecord, expected: str) -> None:
    assert agent.describe() == expected
