"""The published schema and our checker of it agree, and the checker says what to write instead."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from parallel_impl import schema
from parallel_impl.plan.reading import shape

check = shape.compiled(schema.document("work-packages"))

FULL: dict[str, Any] = {
    "schema_version": 1,
    "feature": {"id": "orders", "title": "Orders", "plan_revision": 2, "created_by": "me", "created_at": "2026-01-01"},
    "change_id": "orders",
    "tier": "sequential",
    "contracts": {
        "revision": 1,
        "openapi": {"primary": "contracts/v1.yaml", "files": ["contracts/v1.yaml"]},
        "generated": {"pydantic_dir": "gen"},
        "mocks": {"prism": {"enabled": True}},
    },
    "plan_base_commit": "0" * 40,
    "tasks_hash": "0" * 64,
    "shared_files": [{"path": "src/x.py", "rule": "owner", "package": "wp-a"}],
    "defaults": {"priority": 5, "timeout_minutes": 60, "retry_budget": 1, "verification_tier_required": "A"},
    "packages": [
        {
            "package_id": "wp-a",
            "title": "A",
            "description": "does A",
            "task_type": "implement",
            "tasks": ["1.1", 2],
            "creates": ["src/new.py"],
            "reasons": {"wp-b": "imports it"},
            "weight": 3,
            "evidence": {"src/x.py": "named by task 1.1"},
            "foundation": False,
            "depends_on": ["wp-b"],
            "priority": 1,
            "timeout_minutes": 5,
            "retry_budget": 0,
            "scope": {"write_allow": ["src/**"], "read_allow": ["**"], "deny": ["src/x"]},
            "locks": {"files": ["a.py"], "keys": ["env:x"], "ttl_minutes": 3, "reason": "r"},
            "worktree": {"name": "wp-a", "mode": "isolated"},
            "verification": {
                "tier_required": "B",
                "steps": [
                    {
                        "name": "unit",
                        "kind": "command",
                        "command": ["pytest", "-q"],
                        "cwd": ".",
                        "env": {"CI": "1", "N": 2},
                        "expect_exit_code": 0,
                        "writes": True,
                        "evidence": {"artifacts": ["a.xml"], "result_keys": ["tests"]},
                    },
                    {"name": "look", "kind": "manual", "manual_instructions": "look"},
                    {"name": "ci", "kind": "ci", "ci": {"provider": "github", "required_checks": ["test"]}},
                    {"name": "lint", "command": "ruff check"},
                ],
            },
            "inputs": {"anything": [1]},
            "outputs": {"result_keys": ["k"], "artifacts": ["x"]},
            "metadata": {"loc": 3},
            "context_impact": {"surfaces": ["apis"]},
            "decomposition": "stacked",
            "stack_position": 0,
            "min_trust_level": 0,
        }
    ],
}


def places(node: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of every value in `node` but the root."""
    members = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [found for name, member in members for found in ((*path, name), *places(member, (*path, name)))]


PLACES = places(FULL)
VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 11, 256, 20_000, "", " ", "x", "wp-a", "wp-a\n", "A", "a\nb", "a b", "ab" * 300,
    "0.5", "0.0", "manual", "ci",
    [], {}, [""], ["x", "x"], ["wp-a"], [1], [None], {"x": 1}, {"x": "y"}, {"name": "n"}, {"steps": [{"name": "n"}]},
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(PLACES), st.sampled_from(["set", "delete", "add"]), st.sampled_from(VALUES)),
        max_size=3,
    )
)
def test_our_checker_and_jsonschema_agree(changes: list[tuple[tuple[str | int, ...], str, Any]]) -> None:
    data = copy.deepcopy(FULL)
    for path, action, value in changes:
        change(data, path, action, copy.deepcopy(value))
    said = {error.path for error in check(data)}
    assert bool(said) == (not Draft202012Validator(schema.document("work-packages")).is_valid(data))


def change(data: Any, path: tuple[str | int, ...], action: str, value: Any) -> None:
    """Set, delete or add beside what stands at `path`, unless an earlier change took it away."""
    for part in path[:-1]:
        present = part in data if isinstance(data, dict) else isinstance(data, list) and part in range(len(data))
        if not present:
            return
        data = data[part]
    if not isinstance(data, dict) or not isinstance(path[-1], str):
        return
    if action == "set":
        data[path[-1]] = value
    elif action == "add":
        data[f"{path[-1]}s"] = value
    else:
        data.pop(path[-1], None)


def test_the_schema_is_a_valid_one() -> None:
    Draft202012Validator.check_schema(schema.document("work-packages"))
    assert check(FULL) == []


def test_every_property_of_the_schema_is_described_with_an_example() -> None:
    root = schema.document("work-packages")

    def properties(node: Any) -> list[tuple[str, Any]]:
        if isinstance(node, list):
            return [found for member in node for found in properties(member)]
        if not isinstance(node, dict):
            return []
        own = [item for item in node.get("properties", {}).items() if "const" not in item[1] or "type" in item[1]]
        return own + [found for name, member in node.items() if name != "examples" for found in properties(member)]

    for name, node in properties(root):
        target = root["$defs"][node["$ref"].removeprefix("#/$defs/")] if "$ref" in node else node
        assert target.get("description"), name
        assert "examples" in target, name


def test_every_example_of_the_schema_is_valid() -> None:
    root = schema.document("work-packages")
    for name, node in root["$defs"].items():
        for example in node["examples"]:
            assert Draft202012Validator({**node, "$defs": root["$defs"]}).is_valid(example), name


def said(path: tuple[str | int, ...], value: Any) -> tuple[str, str]:
    """What is said when `value` is put at `path` of a sound plan."""
    data = copy.deepcopy(FULL)
    change(data, path, "set", value)
    (violation,) = check(data)
    return violation.what, violation.hint


PACKAGE = ("packages", 0)


@pytest.mark.parametrize(
    ("path", "value", "what", "hint"),
    [
        (("schema_version",), 99, "must be 1, not 99", "write e.g. schema_version: 1"),
        (("schema_version",), "1", 'must be a whole number, not "1"', "write it without quotes: 1"),
        (("feature", "title"), 2024, "must be text, not 2024", 'quote it: "2024"'),
        ((*PACKAGE, "priority"), 11, "must be at most 10, not 11", "write e.g. priority: 5"),
        ((*PACKAGE, "depends_on"), "wp-b", 'must be a list, not "wp-b"', 'write depends_on: ["wp-b"]'),
        ((*PACKAGE, "depends_on"), ["wp-b", "wp-b"], "wp-b is listed twice", "delete one of them"),
        ((*PACKAGE, "dependencies"), [], "unknown key dependencies", "did you mean depends_on? It is there already"),
        ((*PACKAGE, "prioritty"), 1, "unknown key prioritty", "did you mean priority? It is there already: delete pri"),
        ((*PACKAGE, "retries"), 1, "unknown key retries", "did you mean retry_budget? It is there already"),
        ((*PACKAGE, "scope"), {}, "write_allow is missing", 'write e.g. write_allow: ["src/api/**"]'),
        ((*PACKAGE, "description"), " ", "must not be empty", "write e.g. description: Add the login endpoint"),
        ((*PACKAGE, "verification", "tier_required"), "b", 'must be A or B or C, not "b"', "did you mean B?"),
        ((*PACKAGE, "weight"), 0, "must be more than 0, not 0", "write e.g. weight: 3"),
        ((*PACKAGE, "weight"), "heavy", '"heavy" cannot be used here', "write e.g. weight: 3"),
        (("tasks_hash",), "abc", '"abc" cannot be used here', 'write e.g. tasks_hash: e3b0'),
        (("shared_files", 0, "rule"), "own", 'must be owner or integration-only, not "own"', "did you mean owner?"),
        ((*PACKAGE, "locks"), None, "must be a mapping, not nothing", 'write e.g. locks: {keys: ["db:schema:users"]}'),
    ],
)  # fmt: skip
def test_a_violation_says_what_to_write(path: tuple[str | int, ...], value: Any, what: str, hint: str) -> None:
    found = said(path, value)
    assert found[0] == what
    assert found[1].startswith(hint)


def test_a_misspelt_key_is_not_also_reported_as_missing() -> None:
    data = copy.deepcopy(FULL)
    data["packages"][0]["id"] = data["packages"][0].pop("package_id")
    (violation,) = check(data)
    assert (violation.path, violation.what, violation.hint) == (
        ("packages", 0, "id"),
        "unknown key id",
        "did you mean package_id?",
    )


def test_a_thousand_violations_are_not_all_listed() -> None:
    data = copy.deepcopy(FULL)
    data["packages"] = [{} for _ in range(1000)]
    assert len(check(data)) == shape.MAX_VIOLATIONS + 1


def test_a_violation_does_not_print_whole_values() -> None:
    data = copy.deepcopy(FULL)
    data["packages"][0]["task_type"] = "x" * 100_000
    data["packages"][0]["priority"] = ["y" * 100_000]
    assert all(len(violation.what + violation.hint) < 300 for violation in check(data))


@pytest.mark.parametrize("node", [{"oneOf": []}, {"allOf": [{"not": {}}]}, {"properties": {"a": {"format": "date"}}}])
def test_a_schema_with_a_keyword_that_we_do_not_check_is_refused(node: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError)):
        shape.compiled(node)
