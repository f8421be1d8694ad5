"""Checks plain data against one of our JSON Schemas, with messages that say what to write instead.

Used by `plan.load`. Understands the keywords that `work-packages.schema.json` uses and refuses a schema with
any other, so the published file is the one source of the rules (a property test holds it against jsonschema).
Why not jsonschema itself: 1,000 packages take it a second and 150 ms to import, `uniqueItems` is quadratic,
and its messages print whole values. A schema node's `description` and `examples` become the hint;
`x-misspellings` maps keys that people write by mistake to the right ones.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from parallel_impl.plan.model import YamlPath

MAX_VIOLATIONS = 200

Schema = Mapping[str, Any]

_TYPES: dict[str, type] = {
    "object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None),
}  # fmt: skip
_CALLED: dict[type, str] = {
    dict: "a mapping", list: "a list", str: "text", int: "a whole number", bool: "true or false", type(None): "nothing",
}  # fmt: skip
_ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description", "examples", "default", "x-misspellings"}


@dataclass(frozen=True, slots=True)
class Violation:
    """One place where the data breaks the schema; `key`: it is the key that is wrong, not the value."""

    path: YamlPath
    what: str
    hint: str
    key: bool = False


Out = list[Violation]
Check = Callable[[Any, YamlPath, Out], None]


class _EnoughError(Exception):
    """So many violations that more of them help nobody."""


def compiled(schema: Schema) -> Callable[[Any], list[Violation]]:
    """A function that lists where data breaks `schema` (at most `MAX_VIOLATIONS`); ValueError for a foreign keyword."""
    check = _Compiler(schema).node(schema)

    def violations(data: Any) -> list[Violation]:
        out: Out = []
        try:
            check(data, (), out)
        except _EnoughError:
            out.append(Violation((), "more is wrong than is shown", "correct these and validate again"))
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
                what = f"must be {_any_of(types)}, not {_described(value)}"
                return _wrong(out, path, what, _retype(schema, path, value))
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
            return [(kind, _one_of(admitted, schema)) for kind in _TYPES.values()]
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
                    hint = _meant(name, known, misspelt, value)
                    _wrong(out, (*path, name), f"unknown key {_one_line(name)}", hint, key=True)

        return check

    def required(self, names: Sequence[str], schema: Schema) -> Check:
        properties = schema.get("properties", {})
        misspelt = schema.get("x-misspellings", {})

        def check(value: dict[str, Any], path: YamlPath, out: Out) -> None:
            for name in names:
                if name in value or any(misspelt.get(other) == name for other in value if other not in properties):
                    continue  # a misspelt key is already reported with the right one
                hint = _example(self.resolved(properties.get(name, {})), (name,))
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
    out.append(Violation(path, what, hint, key))
    if len(out) >= MAX_VIOLATIONS:
        raise _EnoughError


def _items(item: Check, limit: int) -> Check:
    """Every entry; none of a list that is too long, about which `maxItems` says enough."""

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
            _wrong(out, (*path, number), f"{_one_line(member)} is listed twice", "delete one of them")
        elif isinstance(member, str):
            seen.add(member)


def _one_of(admitted: list[Any], schema: Schema) -> Check:
    called = " or ".join(json.dumps(value) if isinstance(value, bool) else str(value) for value in admitted)

    def check(value: Any, path: YamlPath, out: Out) -> None:
        if not any(type(value) is type(other) and value == other for other in admitted):
            what = f"must be {called}, not {_described(value)}"
            _wrong(out, path, what, _nearest_value(value, admitted) or _example(schema, path))

    return check


def _pattern(pattern: str, schema: Schema) -> Check:
    matches = re.compile(pattern).search

    def check(value: str, path: YamlPath, out: Out) -> None:
        if len(value) <= schema["maxLength"] and not matches(value):
            what = f"{_described(value)} cannot be used here" if value.strip() else "must not be empty"
            _wrong(out, path, what, _example(schema, path, rule=True))

    return check


def _bound(limit: int, measure: Callable[[Any], int], sign: int, what: str, schema: Schema) -> Check:
    said = what.format(limit=f"{limit:,}")

    def check(value: Any, path: YamlPath, out: Out) -> None:
        if sign * (measure(value) - limit) < 0:
            text = "must not be empty" if not measure(value) and sign > 0 and not isinstance(value, int) else said
            _wrong(out, path, f"{text}{f', not {value}' if isinstance(value, int) else ''}", _example(schema, path))

    return check


_BOUNDS: dict[str, tuple[type, Callable[[Any], int], int, str]] = {
    "minimum": (int, int, 1, "must be at least {limit}"),
    "maximum": (int, int, -1, "must be at most {limit}"),
    "minLength": (str, len, 1, "must have at least {limit} characters"),
    "maxLength": (str, len, -1, "must have at most {limit} characters"),
    "minItems": (list, len, 1, "must have at least {limit} entries"),
    "maxItems": (list, len, -1, "must have at most {limit} entries"),
}


def _any_of(types: frozenset[type]) -> str:
    return " or ".join(name for kind, name in _CALLED.items() if kind in types)


def _described(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    return json.dumps(_short(value), ensure_ascii=False) if isinstance(value, str) else _CALLED[type(value)]


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"


def _one_line(text: str) -> str:
    return _short(text).replace("\n", "\\n")


def _retype(schema: Schema, path: YamlPath, value: Any) -> str:
    """What to write for a value of the wrong type."""
    wanted = schema.get("type")
    if wanted == "string" and isinstance(value, (int, bool)):
        return f'quote it: "{_described(value)}"'
    if wanted == "array" and isinstance(value, str) and path and isinstance(path[-1], str):
        return f"write {path[-1]}: [{json.dumps(_short(value), ensure_ascii=False)}]"
    if wanted == "integer" and isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return f"write it without quotes: {int(value)}"
    return _example(schema, path)


def _example(schema: Schema, path: YamlPath, *, rule: bool = False) -> str:
    """What to write, from the schema's examples; the rule itself (its description) where that helps more."""
    examples = schema.get("examples")
    text = _flow(examples[0]) if examples else ""
    name = path[-1] if path else ""
    shown = f"write e.g. {name}: {text}" if isinstance(name, str) and name else f"write e.g. {text}"
    described = str(schema.get("description", ""))
    if not text:
        return described
    return f"{shown} ({described[:1].lower()}{described[1:].rstrip('.')})" if rule and described else shown


def _flow(value: Any) -> str:
    """A value as people write it on one line of YAML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_flow(member)}" for name, member in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return value if isinstance(value, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9 _./-]*", value) else json.dumps(value)


def _meant(name: str, known: Mapping[str, Check], misspelt: Mapping[str, str], value: Mapping[str, Any]) -> str:
    near = misspelt.get(name) or next(iter(difflib.get_close_matches(name.lower()[:60], known, 1)), None)
    if near is None:
        return f"delete it; known keys: {', '.join(known)}"
    return f"did you mean {near}?{f' It is there already: delete {_one_line(name)}' if near in value else ''}"


def _nearest_value(value: Any, admitted: list[Any]) -> str:
    texts = {str(other).lower(): other for other in admitted if isinstance(other, str)}
    near = difflib.get_close_matches(value.lower()[:60], texts, 1) if isinstance(value, str) else []
    return f"did you mean {texts[near[0]]}?" if near else ""
