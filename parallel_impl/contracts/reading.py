"""YAML and JSON of contracts to plain data, with the place of any pointer in the text."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from parallel_impl.errors import UserError
from parallel_impl.plan.reading import document, tolerant
from parallel_impl.plan.reading.positions import Positions

MARKUP = (".json", ".yaml", ".yml")
MAX_BYTES = 16 * 2**20
MAX_DEPTH = tolerant.MAX_DEPTH  # openapi-spec-validator was seen to survive 220 levels and to break above
LOCATED = 1_000_000  # characters: places in JSON cost a second reading; above this the pointer alone has to do


@dataclass(slots=True)
class File:
    """One file: its data (of a YAML file with several documents the list of all), and where everything stands."""

    path: str
    data: Any
    positions: Positions | None = None
    json: str = ""

    def where(self, pointer: Sequence[str]) -> str:
        """`file:line:column` of the node at `pointer` or the nearest above it; of an entry where its key stands."""
        if self.positions is None and self.json and len(self.json) <= LOCATED:
            text, self.json = self.json, ""
            with contextlib.suppress(UserError):  # a place is a convenience; the problem is reported without it too
                _, self.positions = tolerant.parse(text, self.path)  # JSON mostly is YAML
        if self.positions is None:
            return self.path
        line, column = self.positions.nearest(tuple(pointer), key=True)
        return f"{self.path}:{line}:{column}"


def read(path: str, content: bytes) -> File:
    """The data of a JSON or YAML file, by its suffix; UserError with what is wrong and where."""
    text = decode(path, content)
    if path.lower().endswith(".json"):
        return _read_json(path, text)
    if text.lstrip()[:1] == "{":
        with contextlib.suppress(UserError):  # flow style that is no JSON
            return _read_json(path, text)  # ten times as fast, and the same data
    found, positions = tolerant.parse(text, path)
    return File(path, found[0] if len(found) == 1 else found, positions)


def decode(path: str, content: bytes) -> str:
    """`content` as text without a byte order mark; UserError when it is too large or not UTF-8."""
    if len(content) > MAX_BYTES:
        hint = "split it into files that refer to each other"
        raise UserError(f"larger than {MAX_BYTES // 2**20} MB", where=path, hint=hint)
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line, column = content.count(b"\n", 0, error.start) + 1, error.start - content.rfind(b"\n", 0, error.start)
        raise UserError("not UTF-8", where=f"{path}:{line}:{column}", hint="save it as UTF-8") from None


def _read_json(path: str, text: str) -> File:
    """A JSON text (RFC 8259, and no name twice in one object: `json` keeps the last one and says nothing)."""
    try:
        with document.uncollected():
            data = json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant, parse_int=_integer)
    except json.JSONDecodeError as error:  # its words differ between versions of Python
        found = repr(text[error.pos]) if error.pos < len(text) else "end of the file"
        where, hint = f"{path}:{error.lineno}:{error.colno}", "look for what is missing or too many just before it"
        raise UserError(f"not valid JSON: unexpected {found}", where=where, hint=hint) from None
    except RecursionError:
        raise UserError(f"nested deeper than {MAX_DEPTH} levels", where=path, hint="flatten it") from None
    except ValueError as error:
        raise UserError(str(error), where=path, hint="correct it there") from None
    _check_depth(path, data)
    return File(path, data, json=text)


def _check_depth(path: str, data: Any) -> None:
    level, depth = [data], 0
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        if depth > MAX_DEPTH:
            raise UserError(f"nested deeper than {MAX_DEPTH} levels", where=path, hint="flatten it, or use references")
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        for name, _ in pairs:
            if name not in found:
                raise ValueError(f"the key {name[:60]!r} is twice in one object")
            del found[name]
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"not valid JSON: {name} is no JSON number")


def _integer(text: str) -> int:
    if len(text) > tolerant.MAX_DIGITS:
        raise ValueError(f"a number of more than {tolerant.MAX_DIGITS} digits")
    return int(text)
