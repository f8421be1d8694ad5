"""What to write instead of what the schema refuses (from the schema's own examples) and of what is no YAML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from parallel_impl.plan.model import YamlPath
from parallel_impl.text import nearest, shorten, shorten_line

Schema = Mapping[str, Any]

CALLED: dict[type, str] = {
    dict: "a mapping", list: "a list", str: "text", int: "a whole number", bool: "true or false", type(None): "nothing",
}  # fmt: skip


def any_of(types: frozenset[type]) -> str:
    return " or ".join(name for kind, name in CALLED.items() if kind in types)


def described(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(value)
    return json.dumps(short(value), ensure_ascii=False) if isinstance(value, str) else CALLED[type(value)]


def short(text: str) -> str:
    return shorten(text, 60)


def one_line(text: str) -> str:
    return shorten_line(text, 60)


def retype(schema: Schema, path: YamlPath, value: Any) -> str:
    """What to write for a value of the wrong type."""
    wanted = schema.get("type")
    if wanted == "string" and isinstance(value, (int, bool)):
        return f'quote it: "{described(value)}"'
    if wanted == "array" and isinstance(value, str) and path and isinstance(path[-1], str):
        return f"write {path[-1]}: [{json.dumps(short(value), ensure_ascii=False)}]"
    if wanted == "integer" and isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value):
        return f"write it without quotes: {int(value)}"
    return example(schema, path)


def example(schema: Schema, path: YamlPath, *, rule: bool = False) -> str:
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


def meant(name: str, known: Iterable[str], misspelt: Mapping[str, str], value: Mapping[str, Any]) -> str:
    near = misspelt[name] if name in misspelt else nearest(name.lower(), known)
    if not near:
        return f"delete it; known keys: {', '.join(known)}"
    return f"did you mean {near}?{f' It is there already: delete {one_line(name)}' if near in value else ''}"


def nearest_value(value: Any, admitted: list[Any]) -> str:
    texts = {str(other).lower(): other for other in admitted if isinstance(other, str)}
    near = nearest(value.lower(), texts) if isinstance(value, str) else ""
    return f"did you mean {texts[near]}?" if near else ""


def glimpse(text: str) -> str:
    """The beginning of `text`, on one line."""
    return shorten_line(text, 40)


def quoted(text: str) -> str:
    """How to write a scalar that is meant as text."""
    return f'quote it: "{text}"' if len(text) <= 40 and "\n" not in text else "put it in quotes"


def syntax(message: str) -> str:
    """Where to look after a message of libyaml."""
    if "mapping values are not allowed" in message:
        return 'a value with ": " in it must be quoted; else look at the indentation'
    if "cannot start any token" in message:
        return "indent with blanks, not tabs; quote a value that begins with @, ` or %"
    if "block" in message:
        return "look at the indentation of this line and the one above"
    return "look at quotes, brackets and indentation here and in the line above"
