"""Check plain data against one of our JSON Schemas, with messages that name what to write instead.

Knows the keywords that `work-packages.schema.json` uses and refuses a schema with any other, so the published file is
the one source of the rules (a property test holds it against jsonschema). A schema node's `description` and `examples`
become the hint; `x-misspellings` maps keys that people write by mistake to the right ones, or to "" where none of them
is meant.

Why not a library: jsonschema takes a second for 1,000 packages and 150 ms to import, `uniqueItems` is quadratic, and
its messages print whole values. jsonschema-rs 0.61 takes 2.4 ms where this takes 25 (a tenth of reading the file), and
26 to import; its errors know neither the examples nor the misspellings, so this would stay beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parallel_impl.plan.model import YamlPath
from parallel_impl.plan.reading import advice

MAX_VIOLATIONS = 200

Schema = Mapping[str, Any]

_TYPES: dict[str, type] = {
    "object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None),
    "number": int,  # the reader leaves decimals as text
}  # fmt: skip
_ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description", "examples", "default", "x-misspellings"}


@dataclass(frozen=True, slots=True)
class SchemaViolation:
    """One place where the data breaks the schema; `key`: it is the key that is wrong, not the value."""

    path: YamlPath
    what: str
    hint: str
    key: bool = False


Out = list[SchemaViolation]
Check = Callable[[Any, YamlPath, Out], None]


class _EnoughError(Exception):
    """The limit of violations is reached."""


def compiled(schema: Schema) -> Callable[[Any], list[SchemaViolation]]:
    """A function that lists where data breaks `schema` (at most `MAX_VIOLATIONS`); ValueError for a foreign keyword."""
    check = _Compiler(schema).node(schema)

    def violations(data: Any) -> list[SchemaViolation]:
        out: Out = []
        try:
            check(data, (), out)
        except _EnoughError:
            out.append(SchemaViolation((), "more is wrong than is shown", "fix these and validate again"))
        return out

    return violations


class _Compiler:
    """Turns schema nodes into functions, each definition once."""

    def __init__(self, root: Schema) -> None:
        self.root = root
        self.definitions: dict[str, Check] = {}

    def node(self, schema: Schema) -> Check:
        if reference := schema.get("$ref"):
            return self.definition(str(reference))
        wanted = schema.get("type", list(_TYPES))
        types = frozenset(_TYPES[name] for name in ([wanted] if isinstance(wanted, str) else wanted))
        rules: dict[type, list[Check]] = {kind: [] for kind in _TYPES.values()}
        for keyword, value in schema.items():
            if keyword in _ANNOTATIONS or keyword == "type":
                continue
            for kind, rule in self.rules(keyword, value, schema):
                rules[kind].append(rule)
        by_type = {kind: tuple(found) for kind, found in rules.items()}

        def check(value: Any, path: YamlPath, out: Out) -> None:
            kind = type(value)
            if kind not in types:
                what = f"must be {advice.any_of(types)}, not {advice.described(value)}"
                return _wrong(out, path, what, advice.retype(schema, path, value))
            for rule in by_type[kind]:
                rule(value, path, out)
            return None

        return check

    def definition(self, reference: str) -> Check:
        name = reference.removeprefix("#/$defs/")
        if name not in self.definitions:
            self.definitions[name] = self.node(self.root["$defs"][name])  # no definition of ours contains itself
        return self.definitions[name]

    def rules(self, keyword: str, value: Any, schema: Schema) -> Sequence[tuple[type, Check]]:
        if keyword in ("properties", "additionalProperties"):
            return [(dict, self.members(schema))] if keyword == "properties" or "properties" not in schema else []
        if keyword == "required":
            return [(dict, self.required(value, schema))]
        if keyword == "allOf":
            return [(dict, self.condition(part, schema)) for part in value]
        if keyword == "items":
            return [(list, _items(self.node(value), schema["maxItems"]))]
        if keyword == "uniqueItems":
            return [(list, _unique)]
        if keyword in ("const", "enum"):
            admitted = [value] if keyword == "const" else list(value)
            return [(kind, _one_of(admitted, schema)) for kind in dict.fromkeys(_TYPES.values())]
        if keyword == "pattern":
            return [(str, _pattern(value, schema))]
        if keyword in _BOUNDS:
            kind, measure, sign, what = _BOUNDS[keyword]
            return [(kind, _bound(value, measure, sign, what, schema))]
        raise ValueError(f"plan.shape does not know the keyword {keyword!r}")

    def members(self, schema: Schema) -> Check:
        """`properties` and `additionalProperties`: false, a schema, or absent (anything goes)."""
        known = {name: self.node(part) for name, part in schema.get("properties", {}).items()}
        rest = schema.get("additionalProperties", True)
        other = self.node(rest) if isinstance(rest, dict) else None
        misspelt = schema.get("x-misspellings", {})

        def check(value: dict[str, Any], path: YamlPath, out: Out) -> None:
            for name, member in value.items():
                if found := known.get(name, other):
                    found(member, (*path, name), out)
                elif rest is False:
                    hint = advice.meant(name, known, misspelt, value)
                    _wrong(out, (*path, name), f"unknown key {advice.one_line(name)}", hint, key=True)

        return check

    def required(self, names: Sequence[str], schema: Schema) -> Check:
        properties = schema.get("properties", {})
        misspelt = schema.get("x-misspellings", {})

        def check(value: dict[str, Any], path: YamlPath, out: Out) -> None:
            for name in names:
                if name in value or any(misspelt.get(other) == name for other in value if other not in properties):
                    continue  # a misspelt key is already reported with the right one
                hint = advice.example(self.resolved(properties.get(name, {})), (name,))
                _wrong(out, path, f"{name} is missing", hint, key=True)

        return check

    def resolved(self, schema: Schema) -> Schema:
        name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
        found: Schema = self.root["$defs"][name] if name else schema
        return found

    def condition(self, part: Schema, schema: Schema) -> Check:
        """`{"if": {"required"?, "properties": {key: {"const": …}}}, "then": {"required": […]}}`."""
        ((key, node),) = part["if"]["properties"].items()
        known = {"if", "then"}, {"required", "properties"}, {"const"}, {"required"}
        if not all(map(set.issuperset, known, (part, part["if"], node, part["then"]))):
            raise ValueError("plan.shape knows allOf only as a list of {if: {one const}, then: {required}}")
        wanted, absent = node["const"], None if part["if"].get("required") else node["const"]
        then = self.required(part["then"]["required"], schema)

        def check(value: Any, path: YamlPath, out: Out) -> None:
            if value.get(key, absent) == wanted:
                then(value, path, out)

        return check


def _wrong(out: Out, path: YamlPath, what: str, hint: str, *, key: bool = False) -> None:
    out.append(SchemaViolation(path, what, hint, key))
    if len(out) >= MAX_VIOLATIONS:
        raise _EnoughError


def _items(item: Check, limit: int) -> Check:
    """Check every entry; none of a list that is too long, which `maxItems` reports."""

    def check(value: list[Any], path: YamlPath, out: Out) -> None:
        for number, member in enumerate(value if len(value) <= limit else ()):
            item(member, (*path, number), out)

    return check


def _unique(value: list[Any], path: YamlPath, out: Out) -> None:
    texts = [member for member in value if isinstance(member, str)]
    if len(set(texts)) == len(texts):
        return
    seen: set[str] = set()
    for number, member in enumerate(value):
        if isinstance(member, str) and member in seen:
            _wrong(out, (*path, number), f"{advice.one_line(member)} is listed twice", "delete one of them")
        elif isinstance(member, str):
            seen.add(member)


def _one_of(admitted: list[Any], schema: Schema) -> Check:
    called = " or ".join(json.dumps(value) if isinstance(value, bool) else str(value) for value in admitted)

    def check(value: Any, path: YamlPath, out: Out) -> None:
        if not any(type(value) is type(other) and value == other for other in admitted):
            what = f"must be {called}, not {advice.described(value)}"
            _wrong(out, path, what, advice.nearest_value(value, admitted) or advice.example(schema, path))

    return check


def _pattern(pattern: str, schema: Schema) -> Check:
    matches = re.compile(pattern).search

    def check(value: str, path: YamlPath, out: Out) -> None:
        if len(value) <= schema["maxLength"] and not matches(value):
            what = f"{advice.described(value)} cannot be used here" if value.strip() else "must not be empty"
            _wrong(out, path, what, advice.example(schema, path, rule=True))

    return check


def _bound(limit: int, measure: Callable[[Any], int], sign: int, what: str, schema: Schema) -> Check:
    message = what.format(limit=f"{limit:,}")

    def check(value: Any, path: YamlPath, out: Out) -> None:
        if sign * (measure(value) - limit) < 0:
            text = "must not be empty" if not measure(value) and sign > 0 and not isinstance(value, int) else message
            _wrong(
                out, path, f"{text}{f', not {value}' if isinstance(value, int) else ''}", advice.example(schema, path)
            )

    return check


_BOUNDS: dict[str, tuple[type, Callable[[Any], int], int, str]] = {
    "minimum": (int, int, 1, "must be at least {limit}"),
    "exclusiveMinimum": (int, lambda value: value - 1, 1, "must be more than {limit}"),
    "maximum": (int, int, -1, "must be at most {limit}"),
    "minLength": (str, len, 1, "must have at least {limit} characters"),
    "maxLength": (str, len, -1, "must have at most {limit} characters"),
    "minItems": (list, len, 1, "must have at least {limit} entries"),
    "maxItems": (list, len, -1, "must have at most {limit} entries"),
}
