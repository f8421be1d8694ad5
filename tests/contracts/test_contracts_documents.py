"""What is found in one document: words, places, and references that are never followed out of the repository."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from parallel_impl.contracts import documents, reading, references
from parallel_impl.errors import Problem

TOP: dict[str, Any] = {"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {}}


@pytest.fixture(autouse=True)
def deep_recursion() -> Iterator[None]:
    """As in the child."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(4_000)
    yield
    sys.setrecursionlimit(before)


def problems(document: Any, path: str = "api/v1.json", **others: Any) -> list[Problem]:
    """What is found in `document` beside other files (`x__json` stands for `x.json`)."""
    stored = {f"api/{name.replace('__', '.')}": json.dumps(other).encode() for name, other in others.items()}
    files = references.Files(stored.get)
    file = files.known[path] = reading.read(path, json.dumps(document).encode())
    return list(documents.problems(file, files))


def said(found: list[Problem]) -> list[str]:
    return [f"{problem.path}: {problem.what}" for problem in found]


def schemas(**named: Any) -> dict[str, Any]:
    return {**TOP, "components": {"schemas": named}}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


# -- references


@pytest.mark.parametrize(
    "reference",
    ["http://127.0.0.1:9/x", "https://example.org/x.json", "file:///etc/passwd", "file:///dev/zero",
     "ftp://127.0.0.1/x", "//host/x", "HTTP://127.0.0.1:9/x.json"],
)  # fmt: skip
@pytest.mark.parametrize("key", ["$ref", "$dynamicRef"])
def test_a_reference_by_url_is_refused_and_nothing_is_fetched(key: str, reference: str) -> None:
    wanted = f"the reference {reference!r} leads out of the repository: nothing is fetched"
    assert said(problems(schemas(A={key: reference}))) == [f"/components/schemas/A/{key}: {wanted}"]


@pytest.mark.parametrize(
    ("reference", "path"),
    [("../../secret.json", "secret.json"), ("%2e%2e/%2e%2e/secret.json", "secret.json"), ("/etc/passwd", "etc/passwd"),
     ("gone.json", "api/gone.json"), ("notes.md", "api/notes.md"), ("a%20b.json", "api/a b.json")],
)  # fmt: skip
def test_a_path_is_looked_up_inside_the_repository_only(reference: str, path: str) -> None:
    found = said(problems(schemas(A={"$ref": reference}), notes__md="text"))
    assert found == [
        f"/components/schemas/A/$ref: the reference {reference!r} leads to {path!r}, "
        "which is not there or neither .json nor .yaml"
    ]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (schemas(A=ref("B")), "/components/schemas/A/$ref: the reference '#/components/schemas/B' leads nowhere"),
        (schemas(A={"$ref": "#anchor"}), "/components/schemas/A/$ref: the reference '#anchor' leads nowhere"),
        (schemas(A={"$ref": "#/info/title/x"}),
         "/components/schemas/A/$ref: the reference '#/info/title/x' leads nowhere"),
        (schemas(A={"$ref": "#/info/title"}),
         "/components/schemas/A/$ref: the reference '#/info/title' leads to something that is no object"),
        (schemas(A=ref("A")),
         "/components/schemas/A/$ref: the reference '#/components/schemas/A' leads back to itself"),
        ({**TOP, "paths": {"/a": {"post": {"requestBody": ref("B")}}}},
         "/paths/~1a/post/requestBody/$ref: the reference '#/components/schemas/B' leads nowhere"),
        (schemas(A={"properties": {"default": ref("B")}}),
         "/components/schemas/A/properties/default/$ref: the reference '#/components/schemas/B' leads nowhere"),
        ({**TOP, "components": {"parameters": {"p": {"examples": {"e": {"$ref": "#/components/examples/e"}}}}}},
         "/components/parameters/p/examples/e/$ref: the reference '#/components/examples/e' leads nowhere"),
        (schemas(A={"$id": "https://a/b", "properties": {"p": {"$ref": "#/$defs/x"}}}),
         "/components/schemas/A/properties/p/$ref: the reference '#/$defs/x' leads nowhere"),
    ],
)  # fmt: skip
def test_every_reference_leads_to_an_object(document: dict[str, Any], problem: str) -> None:
    assert said(problems(document)) == [problem]


def test_references_that_lead_round_are_refused() -> None:
    found = said(problems(schemas(A=ref("B"), B=ref("A"))))
    assert sorted(found) == [
        f"/components/schemas/{here}/$ref: the reference '#/components/schemas/{there}' leads back to itself"
        for here, there in ("AB", "BA")
    ]


def test_a_reference_in_data_is_no_reference() -> None:
    data = {"$ref": "http://a/b"}
    assert problems(schemas(A={"example": data, "x-note": data, "examples": [data], "const": data})) == []


def test_in_a_json_schema_references_below_an_id_are_relative_to_it() -> None:
    inner = {"$id": "https://a/b", "$defs": {"x": {"type": "string"}}, "properties": {"p": {"$ref": "#/$defs/x"}}}
    assert problems({"properties": {"a": inner}}, "api/a.schema.json") == []
    (problem,) = problems({"$defs": {"x": {}}, "properties": {"a": {**inner, "$defs": {}}}}, "api/a.schema.json")
    assert problem.what == "the reference '#/$defs/x' leads nowhere"


def test_the_references_of_another_file_are_looked_up_too_and_named_with_it() -> None:
    document = schemas(A={"$ref": "x.json#/x"})
    assert problems(document, x__json={"x": {"properties": {"y": {"$ref": "v1.json#/components/schemas/A"}}}}) == []
    (problem,) = problems(document, x__json={"x": {"properties": {"y": {"$ref": "#/gone"}}}})
    assert (problem.where, problem.path) == ("api/x.json:1:29", "/x/properties/y/$ref")
    assert problem.what == "the reference '#/gone' leads nowhere"


def test_a_file_that_cannot_be_read_is_named_with_the_reason() -> None:
    files = references.Files({"api/x.json": b"{"}.get)
    file = files.known["api/v1.json"] = reading.read("api/v1.json", json.dumps(schemas(A={"$ref": "x.json"})).encode())
    (problem,) = documents.problems(file, files)
    reason = "not valid JSON: unexpected end of the file"
    assert problem.what == f"the reference 'x.json' leads to 'api/x.json', which cannot be read: {reason}"


# -- what the libraries say


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({**TOP, "openapi": 3.1}, "/openapi: the version is not a known one in quotes"),
        ({**TOP, "openapi": "4.0.0"}, "/openapi: the version is not a known one in quotes"),
        ({**TOP, "paths": {"a": {}}}, "/paths: Unevaluated properties are not allowed ('a' was unexpected)"),
        (schemas(A={"$schema": "http://127.0.0.1:9/d"}),
         "/components/schemas/A: Unknown JSON Schema dialect: 'http://127.0.0.1:9/d'"),
        ({**schemas(A={"type": "string"}), "jsonSchemaDialect": "http://127.0.0.1:9/d"},
         "/components/schemas/A: Unknown JSON Schema dialect: 'http://127.0.0.1:9/d'"),
        (schemas(A={"type": "string", "pattern": "^a$", "default": "b"}),
         "/components/schemas/A/default: 'b' does not match '^a$'"),
        (schemas(A={"type": "object", "properties": {"p": {"enum": []}, "q": {"type": "strin"}}}),
         "/components/schemas/A/properties/q/type: 'strin' is not one of "
         "['array', 'boolean', 'integer', 'null', 'number', 'object', 'string']"),
    ],
)  # fmt: skip
def test_the_librarys_own_words_come_with_the_place_in_the_document(document: dict[str, Any], problem: str) -> None:
    assert said(problems(document)) == [problem]


def test_every_error_comes_with_line_and_pointer() -> None:
    document = {
        "openapi": "3.1.0",
        "info": {"title": 4711},
        "paths": {
            "/a/{id}": {"get": {"operationId": "same", "responses": {"200": {"description": "ok"}}}},
            "/b": {"get": {"operationId": "same", "responses": {"200": {}}}},
        },
        "components": {"schemas": {"A": {"type": "string", "enum": ["a"], "default": "b"}}},
    }
    found = problems(document)
    assert sorted(said(found)) == [
        "/components/schemas/A/default: 'b' is not one of ['a']",
        "/info/title: 4711 is not of type 'string'",
        "/info: 'version' is a required property",
        "/paths/~1a~1{id}/get: Path parameter 'id' for 'get' operation in '/a/{id}' was not resolved",
        "/paths/~1b/get/responses/200: 'description' is a required property",
        "/paths/~1b/get: Operation ID 'same' for 'get' in '/b' is not unique",
    ]
    assert {problem.path: problem.where for problem in found}["/info/title"] == "api/v1.json:1:31"


def test_an_operation_with_parameters_of_its_path_is_named_itself() -> None:
    parameter = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    operation = {"responses": {"200": {"description": "ok"}}}
    document = {**TOP, "paths": {"/a/{id}/{x}": {"parameters": [parameter], "get": operation}}}
    assert said(problems(document)) == [
        "/paths/~1a~1{id}~1{x}/get: Path parameter 'x' for 'get' operation in '/a/{id}/{x}' was not resolved"
    ]


@pytest.mark.parametrize("version", ["2.0", "3.0.3", "3.1.0", "3.2.0"])
def test_sound_documents_of_every_version_are_accepted(version: str) -> None:
    operation = {"get": {"responses": {"200": {"description": "ok"}}}}
    key = "swagger" if version == "2.0" else "openapi"
    assert problems({key: version, "info": TOP["info"], "paths": {"/a": operation}}) == []


def test_sound_recursive_documents_are_accepted() -> None:
    kinds = {"Base": {"oneOf": [ref("Kind")]}, "Kind": {"allOf": [ref("Base")]}}
    value = {"oneOf": [{"type": "string"}, {"type": "array", "items": ref("Value")}]}
    child = {"type": "object", "properties": {"child": ref("A")}}
    assert problems(schemas(A=child, Value=value, Whole={"allOf": [ref("Value")]}, **kinds)) == []


def test_properties_of_alternatives_that_are_no_ring_count_for_required() -> None:
    part = {"type": "object", "properties": {"a": {"type": "string"}}}
    assert problems(schemas(P=part, W={"allOf": [ref("P"), ref("P")], "required": ["a"]})) == []
    (problem,) = problems(schemas(P=part, W={"allOf": [ref("P")], "required": ["b"]}))
    assert (problem.path, problem.what) == (
        "/components/schemas/W",
        "Required list has not defined properties: ['b']",
    )


def test_a_long_message_loses_its_middle_not_the_rule() -> None:
    (problem,) = problems(schemas(A={"type": "string", "default": ["x" * 5_000]}))
    assert len(problem.what) < 250
    assert problem.what.endswith("is not of type 'string'")


def test_a_json_schema_of_an_unpublished_draft_is_checked_as_2020_12_and_that_is_said() -> None:
    notice, wrong = problems({"$schema": "https://example.org/meta", "type": "strin"})
    assert (notice.severity, notice.path) == ("notice", "/$schema")
    assert (wrong.severity, wrong.path) == ("error", "/type")


def test_data_of_no_known_kind_is_not_judged() -> None:
    assert problems({"type": 5}) == []
    assert problems([{"openapi": 3}]) == []
    assert problems(True) == []
