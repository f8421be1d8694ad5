"""What the libraries find in one document: openapi-spec-validator for OpenAPI, jsonschema for JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from parallel_impl.contracts import references
from parallel_impl.contracts.reading import File
from parallel_impl.contracts.references import Pointer
from parallel_impl.errors import Problem, Severity
from parallel_impl.text import shorten_middle

HINT = "correct it there"
MAX_ERRORS, MAX_MESSAGE, MAX_POINTER = 20, 240, 200
_VERSION = re.compile(r"2\.0|3\.[0-2]\.[0-9]+")
_SCHEMA_KEYS = frozenset(("type", "properties", "$defs", "definitions", "allOf", "oneOf", "anyOf", "$ref", "enum"))


def problems(file: File, files: references.Files) -> Iterator[Problem]:
    """What is wrong with a parsed contract, by what it is; nothing for data of no known kind."""
    if isinstance(file.data, dict) and ("openapi" in file.data or "swagger" in file.data):
        wrong = [_problem(*one) for one in references.unresolved(file, files)]
        yield from wrong or _openapi(file, files)
    elif _is_schema(file):
        yield from (_problem(*one) for one in references.unresolved(file, None))
        yield from _schema(file)


def _is_schema(file: File) -> bool:
    """Whether a parsed contract is a JSON Schema: by `$schema`, or by its name and its keywords."""
    named = re.search(r"[.-]schema\.(json|ya?ml)$", file.path)
    if isinstance(file.data, dict):
        return isinstance(file.data.get("$schema"), str) or bool(named and not _SCHEMA_KEYS.isdisjoint(file.data))
    return isinstance(file.data, bool) and named is not None


def _openapi(file: File, files: references.Files) -> Iterator[Problem]:
    from jsonschema.validators import validator_for  # noqa: PLC0415  (with the next two half a second)
    from jsonschema_path import SchemaPath  # noqa: PLC0415
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]  # noqa: PLC0415
    from openapi_spec_validator.shortcuts import get_validator_cls  # noqa: PLC0415

    key = "openapi" if "openapi" in file.data else "swagger"
    if not isinstance(file.data[key], str) or not _VERSION.fullmatch(file.data[key]):
        hint = f'write {key}: "{"3.1.0" if key == "openapi" else "2.0"}" (2.0, 3.0, 3.1 and 3.2 are known)'
        yield _problem(file, (key,), "the version is not a known one in quotes", hint)
        return
    known: Any = get_validator_cls(file.data)
    placed = {name: _placed(name, one) for name, one in known.keyword_validators.items()}
    changed: dict[str, Any] = {"keyword_validators": placed}
    schema = dict(known.schema_validator.schema)
    if "$id" in schema:  # uncrawled, the registry is searched again for each dynamic reference
        crawled = REGISTRY.with_contents([(schema["$id"], schema)]).crawl()
        changed["schema_validator"] = validator_for(schema)(schema, registry=crawled)
    uri, door = references.uri(file.path), {"http": files.load}
    path = SchemaPath.from_dict(file.data, base_uri=uri, handlers=door, resolved_cache_maxsize=10_000)
    yield from _errors(file, type(known.__name__, (known,), changed)(path).iter_errors())


def _placed(name: str, known: Any) -> Any:
    """A keyword validator of the library whose errors say where in the document; its own begin at the schema."""

    class Placed(known):  # type: ignore[misc]
        def __init__(self, registry: Any) -> None:
            super().__init__(registry)
            self.open = set[int]()

        def __call__(self, *arguments: Any, **options: Any) -> Iterator[Any]:
            here = next((one.parts for one in arguments if hasattr(one, "parts")), ())
            for error in super().__call__(*arguments, **options):
                if not hasattr(error, "placed"):
                    error.relative_path.extendleft(reversed((*here, name) if name == "default" else here))
                    error.placed = True
                yield error

        def _collect_properties(self, schema: Any) -> set[str]:
            """As the library's, but with an end where a base lists its kinds and each of them is allOf the base."""
            here = id(schema.read_value())
            if here in self.open:
                return set()
            self.open.add(here)
            found: set[str] = super()._collect_properties(schema)
            self.open.discard(here)
            return found

    return Placed


def _schema(file: File) -> Iterator[Problem]:
    from jsonschema import Draft202012Validator  # noqa: PLC0415  (150 ms)
    from jsonschema.validators import validator_for  # noqa: PLC0415

    dialect: Any = validator_for(file.data, default=None)  # type: ignore[arg-type]
    if dialect is None and isinstance(file.data, dict) and "$schema" in file.data:
        what = "its $schema is no published draft and is not fetched: checked as draft 2020-12"
        yield _problem(file, ("$schema",), what, "", Severity.NOTICE)
    dialect = dialect or Draft202012Validator
    yield from _errors(file, dialect(dialect.META_SCHEMA).iter_errors(file.data))


def _errors(file: File, errors: Iterator[Any]) -> Iterator[Problem]:
    for error in errors:
        best = error
        while best.context:  # of alternatives, the one that came furthest
            best = max(best.context, key=lambda inner: (len(inner.absolute_path), inner.validator != "type"))
        yield _problem(file, tuple(map(str, best.absolute_path)), str(best.message))


def _problem(file: File, pointer: Pointer, what: str, hint: str = HINT, severity: Severity = Severity.ERROR) -> Problem:
    path = "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in pointer)
    what, path = shorten_middle(what, MAX_MESSAGE), shorten_middle(path, MAX_POINTER)
    return Problem(what, file.where(pointer), path, hint, severity)
