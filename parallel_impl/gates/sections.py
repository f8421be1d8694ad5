"""The parts of a configuration file that several tools share: read, put in the place of another version's. Pure.

TOML and JSON files have keys (`tool.ruff`), ini files have sections; both are named by patterns.
"""

from __future__ import annotations

import ast
import configparser
import copy
import datetime
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from parallel_impl import toml

Parts = dict[str, Any]  # by the name of a part, `tool.ruff` or `tool:pytest`
BARE = re.compile(r"[A-Za-z0-9_-]+")
EXTENDS = ("extend", "extends", "plugins", "setupFiles", "setupFilesAfterEnv", "globalSetup", "globalTeardown")
PLUGIN = re.compile(r"(?:^|\s)-p[\s=]*([\w.]+)")


def read(path: str, content: bytes | None, keys: Sequence[str]) -> Parts | None:
    """The parts of a file that have one of these names; none of a file that is not there, None of a broken one."""
    if content is None:
        return {}
    try:
        document = _load(path, content)
    except (ValueError, configparser.Error, RecursionError):
        return None
    return {name: value for key in keys for name, value in _find(document, _split(path, key))}


def replace(path: str, candidate: bytes, keys: Sequence[str], parts: Parts) -> bytes:
    """The candidate's file with `parts` in the place of its own parts of these names; comments are lost.

    ValueError when the candidate's cannot be read.
    """
    document = copy.deepcopy(_load(path, candidate))
    for name in read(path, candidate, keys) or {}:
        _remove(document, _split(path, name))
    for name, value in parts.items():
        _put(document, _split(path, name), value)
    return _dump(path, document)


def named(path: str, content: bytes | None) -> Iterator[str]:
    """The files that a configuration names as part of it, from the root of the repository.

    What `extend` and its like name, mypy's plugins that are files, modules that pytest loads as plugins.
    """
    if content is None:
        return
    if path.endswith(".py"):
        yield from (_module(name) for name in _pytest_plugins(content))
        return
    try:
        document = _load(path, content)
    except (ValueError, configparser.Error, RecursionError):
        return
    for key, value in _walk(document):
        texts = [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
        if key in EXTENDS:
            yield from (name for text in texts for name in _paths(text))
        elif key == "addopts":
            yield from (_module(name) for name in PLUGIN.findall(" ".join(texts)))


def _paths(text: str) -> Iterator[str]:
    for word in re.split(r"[\s,]+", text):
        plain = word.removeprefix("<rootDir>/").removeprefix("./")
        if plain and not plain.startswith(("/", "..")):
            yield plain
            if "." not in plain.rpartition("/")[2]:
                yield f"{plain}.json"


def _module(name: str) -> str:
    return name.replace(".", "/") + ".py"


def _pytest_plugins(content: bytes) -> Iterator[str]:
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(one, ast.Name) and one.id == "pytest_plugins" for one in targets):
            assert isinstance(node, ast.Assign)  # noqa: S101  (only that one has targets here)
            strings = (one for one in ast.walk(node.value) if isinstance(one, ast.Constant))
            yield from (one.value for one in strings if isinstance(one.value, str))


# -- files


def _split(path: str, name: str) -> list[str]:
    """The keys that lead to a part; names of sections may have dots."""
    return [name] if path.endswith((".cfg", ".ini")) else name.split(".", 1)


def _load(path: str, content: bytes) -> Any:
    if path.endswith(".toml"):
        return toml.load(content)
    text = content.decode()
    if path.endswith(".json"):
        return json.loads(text)
    parser = _parser()
    parser.read_string(text)
    return {name: dict(parser.items(name)) for name in parser.sections()}


def _parser() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, default_section="")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    return parser


def _dump(path: str, document: Mapping[str, Any]) -> bytes:
    if path.endswith(".toml"):
        return "".join(f"{_key(name)} = {_toml(value)}\n" for name, value in document.items()).encode()
    if path.endswith(".json"):
        return json.dumps(document, indent=2).encode()
    parser, out = _parser(), io.StringIO()
    parser.read_dict(document)
    parser.write(out)
    return out.getvalue().encode()


def _toml(value: object) -> str:
    """A value of a TOML document on one line."""
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return repr(value)
        case str():
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case dict():
            return "{" + ", ".join(f"{_key(name)} = {_toml(one)}" for name, one in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
        case _:
            raise TypeError(f"TOML has no {type(value).__name__}")


def _key(name: str) -> str:
    return name if BARE.fullmatch(name) else _toml(name)


# -- parts of documents


def _find(document: object, key: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for name, value in document.items() if isinstance(document, dict) else ():
        if fnmatchcase(name, key[0]) and key[1:]:
            yield from ((f"{name}.{below}", one) for below, one in _find(value, key[1:]))
        elif fnmatchcase(name, key[0]):
            yield name, value


def _remove(document: Parts, name: Sequence[str]) -> None:
    for key in name[:-1]:
        document = document[key]
    document.pop(name[-1], None)


def _put(document: Parts, name: Sequence[str], value: object) -> None:
    for key in name[:-1]:
        below = document.setdefault(key, {})
        if not isinstance(below, dict):
            raise ValueError(f"{key} is no table")
        document = below
    document[name[-1]] = value


def _walk(document: object) -> Iterator[tuple[str, Any]]:
    todo = [document]
    while todo:
        here = todo.pop()
        if isinstance(here, dict):
            for key, value in here.items():
                yield key, value
                todo.append(value)
        elif isinstance(here, list):
            todo += here
