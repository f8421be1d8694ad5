"""Contracts: where they may lie, what must be there, and what is never read or shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from parallel_impl.contracts import check as contracts
from parallel_impl.contracts import child_process
from parallel_impl.contracts.child_process import DocumentVerdict
from parallel_impl.errors import Problem, Severity
from parallel_impl.plan.model import Contracts, Package, Plan, Scope

FOLDER = "openspec/changes/add-x"
TOP: dict[str, Any] = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}}


def plan(*files: str, write: tuple[str, ...] = ("src/**",), deny: tuple[str, ...] = ()) -> Plan:
    package = Package("wp-a", "does a", Scope(write, deny=deny))
    return Plan("add-x", (package,), contracts=Contracts(1, "", files))


def check(files: Mapping[str, str | bytes | dict[str, Any]], *named: str, seconds: float = 10) -> list[Problem]:
    """Check the contracts `named` (default: the first) of a change folder that holds `files`."""
    stored = {
        f"{FOLDER}/{path}": json.dumps(content).encode()
        if isinstance(content, dict)
        else content.encode()
        if isinstance(content, str)
        else content
        for path, content in files.items()
    }
    names = named or (next(iter(files)),)
    return contracts.check(plan(*names), stored.get, folder=FOLDER, openapi_seconds=seconds)


def schemas(**named: Any) -> dict[str, Any]:
    return {**TOP, "components": {"schemas": named}}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def said(problems: list[Problem]) -> list[str]:
    return [f"{problem.path}: {problem.what}" for problem in problems]


# -- where


@pytest.mark.parametrize(
    ("path", "folder", "places"),
    [
        ("contracts/a.yaml", FOLDER, (f"{FOLDER}/contracts/a.yaml", "contracts/a.yaml")),
        (f"{FOLDER}/contracts/a.yaml", "openspec/changes/archive/2026-add-x",
         ("openspec/changes/archive/2026-add-x/contracts/a.yaml", f"{FOLDER}/contracts/a.yaml")),
        (f"{FOLDER}/contracts/a.yaml", "", ("contracts/a.yaml", f"{FOLDER}/contracts/a.yaml")),
        ("schemas/a.json", "", ("schemas/a.json",)),
        ("./a.md", FOLDER, (f"{FOLDER}/a.md", "a.md")),
        ("../../etc/passwd", FOLDER, ()),
        ("a/../../b", FOLDER, ()),
        ("/etc/passwd", FOLDER, ()),
        ("a\nb", FOLDER, ()),
        ("", FOLDER, ()),
    ],
)  # fmt: skip
def test_a_path_is_looked_up_in_the_change_folder_then_from_the_root(
    path: str, folder: str, places: tuple[str, ...]
) -> None:
    assert contracts.candidates(plan(path), path, folder) == places


def test_a_path_that_leaves_the_repository_is_an_error() -> None:
    (problem,) = check({}, "../secret.md")
    assert problem.what == "the contract '../secret.md' is not a path inside the repository"


def test_a_missing_contract_is_an_error_that_says_where_it_was_looked_for() -> None:
    (problem,) = check({}, "contracts/a.md")
    assert problem.severity is Severity.ERROR
    assert problem.what == "the contract contracts/a.md does not exist"
    assert f"looked for {FOLDER}/contracts/a.md and contracts/a.md" in problem.hint


def test_a_contract_inside_a_write_scope_may_be_missing_before_and_is_due_after() -> None:
    made = plan("contracts/a.json", write=(f"{FOLDER}/contracts/**",))
    assert contracts.made_by(made, made.packages[0], FOLDER) == ["contracts/a.json"]
    assert contracts.check(made, lambda _: None, folder=FOLDER, openapi_seconds=1) == []
    (problem,) = contracts.check(made, lambda _: None, folder=FOLDER, openapi_seconds=1, only=["contracts/a.json"])
    assert (problem.severity, problem.what) == (Severity.ERROR, "the contract contracts/a.json was not written")


def test_a_denied_path_is_not_the_packages_output() -> None:
    denied = plan("contracts/a.json", write=(f"{FOLDER}/**",), deny=(f"{FOLDER}/contracts/**",))
    assert contracts.made_by(denied, denied.packages[0], FOLDER) == []


def test_a_broken_contract_that_a_package_will_write_is_only_a_warning_before() -> None:
    made = plan("contracts/a.json", write=(f"{FOLDER}/contracts/**",))
    (problem,) = contracts.check(made, lambda _: b"{", folder=FOLDER, openapi_seconds=1)
    assert problem.severity is Severity.WARNING
    (problem,) = contracts.check(made, lambda _: b"{", folder=FOLDER, openapi_seconds=1, only=["contracts/a.json"])
    assert problem.severity is Severity.ERROR


def test_outside_its_change_folder_a_plan_is_warned_about_contracts_not_found() -> None:
    (problem,) = contracts.check(plan("contracts/a.md"), lambda _: None, folder="", openapi_seconds=1)
    assert problem.severity is Severity.WARNING
    assert "outside its change folder" in problem.what


# -- kinds


@pytest.mark.parametrize("name", ["a.md", "db/a.sql", "a.proto", "a.py", "a.yaml", "b.json"])
def test_contracts_of_any_kind_must_not_be_empty(name: str) -> None:
    assert [problem.what for problem in check({name: b" \n"})] == ["the contract is empty"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.md", "# A contract"),
        ("a.sql", "create table a (b int);"),
        ("a.proto", 'syntax = "proto3";'),
        ("a.yaml", "create: {input: {a: string}}\n---\n- on\n"),
        ("a.json", "[1, 2]"),
        ("a.schema.json", '{"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "https://a/b"}'),
        ("a.schema.json", '{"$ref": "https://example.org/other.json"}'),
        ("a.schema.json", '{"$ref": "other.json#/a"}'),
        ("data.json", '{"type": 5}'),
    ],
)
def test_sound_contracts_are_accepted(name: str, content: str) -> None:
    assert check({name: content}) == []


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.md", b"\xff\xfe", f"{FOLDER}/a.md:1:1: error: not UTF-8"),
        ("a.md", b"\0", f"{FOLDER}/a.md: error: the contract is not text"),
        ("a.yaml", b"a: [\n", f"{FOLDER}/a.yaml:2:1: error: not valid YAML: did not find expected node content"),
        ("a.json", b'{"a": 1,\n "b" 2}', f"{FOLDER}/a.json:2:6: error: not valid JSON: unexpected '2'"),
    ],
)
def test_unreadable_contracts_are_refused_with_their_place(name: str, content: bytes, problem: str) -> None:
    (found,) = check({name: content})
    assert str(found).startswith(problem)


def test_a_json_schema_is_checked_against_its_metaschema() -> None:
    document = {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"type": "strin"}}}
    (problem,) = check({"a.json": document})
    assert problem.path == "/properties/a/type"
    assert problem.what.startswith("'strin' is not one of ['array', 'boolean'")
    assert problem.where == f"{FOLDER}/a.json:1:77"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"$ref": "#/$defs/b", "$defs": {"a": {}}}, "/$ref: the reference '#/$defs/b' leads nowhere"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}}, "/$defs/a/$ref: the reference '#/$defs/a' leads back to itself"),
    ],
)
def test_references_within_a_json_schema_lead_somewhere(document: dict[str, Any], problem: str) -> None:
    assert said(check({"a.schema.json": document})) == [problem]


def test_a_metaschema_of_ones_own_is_not_fetched_and_that_is_said() -> None:
    (problem,) = check({"a.json": {"$schema": "https://example.org/meta", "type": "object"}})
    assert (problem.severity, problem.path) == (Severity.NOTICE, "/$schema")


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"p": schema}}
    return schema


# -- what the child finds: its words and places are in test_contracts_documents.py


def test_sound_documents_of_every_version_are_accepted_by_one_child() -> None:
    operation = {"get": {"responses": {"200": {"description": "ok"}}}}
    recursive = {"type": "object", "properties": {"child": ref("A")}}
    kinds = {"Base": {"oneOf": [ref("Kind")]}, "Kind": {"allOf": [ref("Base")]}}
    value = {"oneOf": [{"type": "string"}, {"type": "array", "items": ref("Value")}]}
    documents: dict[str, str | bytes | dict[str, Any]] = {
        "2.json": {"swagger": "2.0", "info": TOP["info"], "paths": {"/a": operation}},
        "30.json": {**TOP, "openapi": "3.0.3", "paths": {"/a": operation}},
        "31.json": schemas(A=recursive, Value=value, Whole={"allOf": [ref("Value")]}, Deep=nested(60), **kinds),
        "32.json": {**TOP, "openapi": "3.2.0", "paths": {"/a": operation}},
        "data.json": schemas(A={"example": {"$ref": "http://a/b"}, "x-note": {"$ref": "file:///x"}}),
        "v1.yaml": "openapi: 3.1.0\ninfo: {title: t, version: '1'}\npaths:\n  /a:\n    get: &g\n"
        "      responses: {200: {description: on}}\n    put: *g\n",
        "a.schema.json": {"type": "object", "properties": {"a": {"type": "string"}}},
    }
    assert check(documents, *documents) == []


def test_files_of_the_repository_are_handed_to_the_child_and_no_others() -> None:
    files: dict[str, str | bytes | dict[str, Any]] = {
        "contracts/v1.json": schemas(A={"$ref": "../parts/x.json#/x"}, B={"type": "object"}),
        "parts/x.json": {
            "x": {"properties": {"y": {"$ref": "#/z"}, "b": {"$ref": "../contracts/v1.json#/components/schemas/B"}}},
            "z": {"type": "string"},
        },
    }
    assert check(files) == []
    _, problem = check({**files, "parts/x.json": {"x": {"$ref": "file:///etc/passwd"}}})
    assert problem.what == "the reference 'file:///etc/passwd' leads out of the repository: nothing is fetched"
    assert problem.where == f"{FOLDER}/parts/x.json:1:8"


def test_values_of_secret_variables_are_masked_in_what_the_library_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVICE_TOKEN", "hush-hush")
    document = schemas(A={"type": "string", "enum": ["a"], "default": "hush-hush"}, **{"hush-hush": {"type": 1}})
    shown = "\n".join(map(str, check({"v1.json": document})))
    assert "/components/schemas/A/default" in shown
    assert "'***' is not one of ['a']" in shown
    assert "hush-hush" not in shown


def test_running_out_of_time_names_the_key_that_gives_more() -> None:
    text = {"type": "string", "pattern": "^(a+)+$"}
    slow = schemas(A={"type": "object", "properties": {"a": text}, "default": {"a": "a" * 40 + "!"}})
    problems = check({"slow.json": slow, "fine.json": TOP}, "slow.json", "fine.json", seconds=5)
    (problem,) = problems  # and the other contract was still checked, by another child
    assert problem.what.startswith("no answer about this document within 5 s")
    assert "contracts.openapi_seconds = 30" in problem.hint


def test_a_validator_that_breaks_is_a_refusal() -> None:
    endless = schemas(Base={"oneOf": [ref("Kind")], "default": {}}, Kind={"allOf": [ref("Base")]})
    (problem,) = check({"v1.json": endless})
    assert problem.what == "the validator could not read this document (RecursionError)"


@pytest.mark.parametrize("value", ["", "auto", "jsonschema-rs", "nonsense"])
def test_the_validator_that_is_used_does_not_depend_on_the_callers_environment(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAPI_SPEC_VALIDATOR_SCHEMA_VALIDATOR_BACKEND", value)
    assert check({"v1.json": TOP}) == []
    assert child_process.ENVIRONMENT == {"OPENAPI_SPEC_VALIDATOR_SCHEMA_VALIDATOR_BACKEND": "jsonschema"}


def test_each_document_gets_its_verdict_in_order_and_a_lost_child_is_replaced() -> None:
    text = {"type": "string", "pattern": "^(a+)+$", "default": "a" * 40 + "!"}
    documents = {"a.schema.json": {"type": 1}, "slow.json": schemas(A=text), "b.schema.json": {"type": "string"}}
    first, second, third = child_process.check(
        [(path, json.dumps(document).encode()) for path, document in documents.items()], lambda _: None, seconds=2
    )
    assert [problem.path for problem in first.problems] == ["/type"]
    assert second == DocumentVerdict(broken="time")
    assert third == DocumentVerdict()
