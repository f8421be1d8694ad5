"""Contracts: where they may lie, what must be there, and what is never read or shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from parallel_impl.errors import Problem, Severity
from parallel_impl.plan import contract_process, contracts
from parallel_impl.plan.contract_process import Job, Verdict
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
        ("a.json", b'{"a": 1,\n}', f"{FOLDER}/a.json:2:1: error: not valid JSON: Expecting property name enclosed in"),
    ],
)
def test_unreadable_contracts_are_refused_with_their_place(name: str, content: bytes, problem: str) -> None:
    (found,) = check({name: content})
    assert str(found).startswith(problem)


def test_a_json_schema_is_checked_against_its_metaschema() -> None:
    document = {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"type": "strin"}}}
    (problem,) = check({"a.json": document})
    assert problem.path == "/properties/a/type"
    assert problem.what.startswith("must be one of the known values: array, boolean")
    assert problem.where == f"{FOLDER}/a.json:1:77"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"$ref": "#/$defs/b", "$defs": {"a": {}}}, "/$ref: the reference leads nowhere"),
        ({"$defs": {"a": {"$ref": "#/$defs/a"}}}, "/$defs/a: the reference leads back to itself"),
    ],
)
def test_references_within_a_json_schema_lead_somewhere(document: dict[str, Any], problem: str) -> None:
    assert said(check({"a.schema.json": document})) == [problem]


def test_a_metaschema_of_ones_own_is_not_fetched_and_that_is_said() -> None:
    (problem,) = check({"a.json": {"$schema": "https://example.org/meta", "type": "object"}})
    assert (problem.severity, problem.path) == (Severity.NOTICE, "/$schema")


# -- OpenAPI: what the look at the structure refuses, before any validator runs


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"p": schema}}
    return schema


LADDER = {f"S{n}": {"allOf": [ref(f"S{n + 1}"), ref(f"S{n + 1}")]} for n in range(25)} | {"S25": {"type": "object"}}
ELSEWHERE = "a reference to another place by URL: nothing is fetched"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (schemas(A={"$ref": "http://127.0.0.1:9/x"}), f"/components/schemas/A/$ref: {ELSEWHERE}"),
        (schemas(A={"$ref": "file:///etc/passwd"}), f"/components/schemas/A/$ref: {ELSEWHERE}"),
        (schemas(A={"$ref": "ftp://127.0.0.1/x"}), f"/components/schemas/A/$ref: {ELSEWHERE}"),
        (schemas(A={"$ref": "//host/x"}), f"/components/schemas/A/$ref: {ELSEWHERE}"),
        (schemas(A={"$ref": "../../../secret.json"}),
         "/components/schemas/A/$ref: a reference that leaves the change folder"),
        (schemas(A={"$ref": "%2e%2e/%2e%2e/%2e%2e/secret.json"}),
         "/components/schemas/A/$ref: a reference that leaves the change folder"),
        (schemas(A={"$ref": "/etc/passwd"}), "/components/schemas/A/$ref: a reference that leaves the change folder"),
        (schemas(A={"$ref": "gone.json"}),
         "/components/schemas/A/$ref: the reference leads to a file that is not there"),
        (schemas(A={"properties": {"default": {"$ref": "file:///x"}}}),
         f"/components/schemas/A/properties/default/$ref: {ELSEWHERE}"),
        ({**TOP, "paths": {"/a": {"$ref": "http://a/b"}}}, f"/paths/~1a/$ref: {ELSEWHERE}"),
        (schemas(A=ref("B")), "/components/schemas/A/$ref: the reference leads nowhere"),
        (schemas(A={"$ref": "#anchor"}), "/components/schemas/A/$ref: a reference by anchor"),
        (schemas(A={"$ref": "#/info/title"}),
         "/components/schemas/A/$ref: the reference leads to something that is no object"),
        (schemas(A=ref("A")), "/components/schemas/A: the reference leads back to itself"),
        (schemas(A=ref("B"), B=ref("A")), "/components/schemas/A: the references go round in a ring"),
        (schemas(A={"allOf": [{"allOf": [ref("A")]}]}),
         "/components/schemas/A/allOf/0/allOf/0: the references go round in a ring"),
        (schemas(**LADDER), "/components/schemas/S12: stands for more than 20,000 schemas when written out"),
        (schemas(A={"pattern": "^(a+)+$", "default": "a!"}),
         "/components/schemas/A/pattern: the pattern takes exponential time on its own default or example"),
        (schemas(A={"$id": "https://a/b"}),
         "/components/schemas/A/$id: $id is not admitted here: nothing is looked up by it"),
        (schemas(A={"$schema": "http://127.0.0.1:9/d"}),
         "/components/schemas/A/$schema: $schema names no published dialect: nothing is fetched"),
        ({**TOP, "jsonSchemaDialect": "http://127.0.0.1:9/d"},
         "/jsonSchemaDialect: jsonSchemaDialect names no published dialect: nothing is fetched"),
        (schemas(A={"$dynamicRef": "http://127.0.0.1:9/x"}),
         "/components/schemas/A/$dynamicRef: $dynamicRef is not admitted here: nothing is looked up by it"),
        ({**TOP, "openapi": 3.1}, "/openapi: the version is not a known one in quotes"),
        ({**TOP, "paths": []}, "/paths: paths is missing or no mapping"),
        ({**TOP, "paths": {"a": {}}}, "/paths/a: a path must begin with /"),
    ],
)  # fmt: skip
def test_what_validators_answer_badly_is_refused_before_they_see_it(document: dict[str, Any], problem: str) -> None:
    assert said(check({"contracts/v1.json": document}, seconds=0.001)) == [problem]  # no validator is this fast


def test_a_schema_nested_too_deep_is_refused() -> None:
    (problem,) = check({"v1.json": schemas(A=nested(100))})
    assert problem.what == "nested deeper than 160 levels"


# -- OpenAPI: what the validator says


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


def test_relative_references_inside_the_change_folder_are_followed_by_us() -> None:
    other = {
        "$id": "https://a/b",
        "x": {"properties": {"y": {"$ref": "#/z"}, "b": {"$ref": "../contracts/v1.json#/components/schemas/B"}}},
    }
    files: dict[str, str | bytes | dict[str, Any]] = {
        "contracts/v1.json": schemas(A={"$ref": "../parts/x.json#/x"}, B={"type": "object"}),
        "parts/x.json": {**other, "z": {"type": "string"}},
    }
    assert check(files) == []
    (problem,) = check({**files, "parts/x.json": {**other, "z": {"type": "strin"}}})
    assert problem.what.startswith("must be one of the known values")


def test_the_validators_errors_come_with_place_and_rule_and_without_values() -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": 4711},
        "paths": {
            "/a/{id}": {"get": {"operationId": "same", "responses": {"200": {"description": "ok"}}}},
            "/b": {"get": {"operationId": "same", "responses": {"200": {}}}},
        },
        "components": {"schemas": {"A": {"type": "string", "enum": ["hush"], "default": "secret"}}},
    }
    problems = check({"v1.json": document})
    assert sorted(said(problems)) == [
        "/components/schemas/A/default: the default does not fit its own schema: must be one of the known values",
        "/info/title: must be of another type",
        "/info: a required field is missing: version",
        "/paths/~1a~1{id}/get: the path's {parameters} and the declared parameters in: path are not the same",
        "/paths/~1b/get/responses/200: a required field is missing: description",
        "/paths/~1b/get: the operationId is used by another operation too",
    ]
    assert all(problem.where.startswith(f"{FOLDER}/v1.json:1:") for problem in problems)
    shown = "\n".join(map(str, problems))
    assert "4711" not in shown
    assert "secret" not in shown
    assert "hush" not in shown


def test_running_out_of_time_names_the_key_that_gives_more() -> None:
    text = {"type": "string", "pattern": "^(a+)+$"}
    slow = schemas(A={"type": "object", "properties": {"a": text}, "default": {"a": "a" * 40 + "!"}})
    problems = check({"slow.json": slow, "fine.json": TOP}, "slow.json", "fine.json", seconds=5)
    (problem,) = problems  # and the other contract was still checked, by another child
    assert problem.what.startswith("no answer about this OpenAPI document within 5 s")
    assert "contracts.openapi_seconds = 30" in problem.hint


def test_a_validator_that_breaks_is_a_refusal() -> None:
    endless = schemas(Base={"oneOf": [ref("Kind")], "default": {}}, Kind={"allOf": [ref("Base")]})
    (problem,) = check({"v1.json": endless})
    assert problem.what.startswith("the validator could not read this OpenAPI document")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://127.0.0.1:9/x", "file:///dev/zero"])
def test_the_child_reads_nothing_even_when_a_reference_gets_past_the_look(url: str) -> None:
    (verdict,) = contract_process.validate([Job("openapi", json.dumps(schemas(A={"$ref": url})))], seconds=10)
    assert verdict.broken
    assert verdict.errors == ()


def test_each_job_gets_its_verdict_in_order_and_a_lost_child_is_replaced() -> None:
    text = {"type": "string", "pattern": "^(a+)+$", "default": "a" * 40 + "!"}
    jobs = [Job("schema", '{"type": 1}'), Job("openapi", json.dumps(schemas(A=text))), Job("schema", "{}")]
    first, second, third = contract_process.validate(jobs, seconds=2)
    assert [error["place"] for error in first.errors] == [["type"]]
    assert second == Verdict(broken="time")
    assert third == Verdict()
