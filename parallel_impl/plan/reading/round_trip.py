"""A plan that is edited by code: comments, order and quotes stay, and what comes out is held against what was meant."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

from parallel_impl.errors import UserError
from parallel_impl.plan.reading import document, older

_LISTED = re.compile(r"^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\n(?:[ \t]*(?:#[^\n]*)?\n)*( *)- ", re.MULTILINE)
_START = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\n)*---[ \t\n]")


def fixed(content: bytes, source: str, change_id: str = "") -> tuple[bytes, tuple[str, ...]]:
    """The plan in the spelling of today, and what was rewritten: nothing, and the same bytes, where nothing is older.

    UserError where it cannot be read, or where what is written would not mean the same or lack a comment.
    """
    wanted, said = older.rewritten(document.parse(content, source).data, change_id)
    if not said:
        return content, ()
    return _edited(content, source, wanted, lambda data: older.rewrite(data, change_id)), said


def extended(content: bytes, source: str, more: str) -> bytes:
    """A plan with the packages of the plan `more` behind its own; nothing else of it changes, comments stay.

    UserError where it cannot be read, or where what is written would not mean that or lack a comment.
    """
    wanted = document.parse(content, source).data
    wanted["packages"] = [*wanted["packages"], *document.parse(more.encode(), source).data["packages"]]
    added = _yaml().load(more)["packages"]
    return _edited(content, source, wanted, lambda data: data["packages"].extend(added))


def _edited(content: bytes, source: str, wanted: dict[str, Any], edit: Callable[[Any], object]) -> bytes:
    """The plan after an edit of its nodes, line ends as they were; UserError where it is not what is wanted then."""
    text = content.decode("utf-8").removeprefix("\ufeff")
    crlf = "\r\n" in text
    text = text.replace("\r\n", "\n")
    new = _rewritten(text, edit)
    result = (new.replace("\n", "\r\n") if crlf else new).encode()
    if document.parse(result, source).data != wanted or not _has_comments(new, text):
        raise UserError("this plan cannot be rewritten without loss", where=source, hint="write it by hand")
    return result


def _rewritten(text: str, edit: Callable[[Any], object]) -> str:
    yaml = _yaml()
    yaml.explicit_start = bool(_START.match(text))
    offset = _offset(text)
    yaml.indent(mapping=2, sequence=offset + 2, offset=offset)
    data = yaml.load(text)
    edit(data)
    out = io.StringIO()
    yaml.dump(data, out)
    return out.getvalue()


def _yaml() -> Any:
    from ruamel.yaml import YAML  # noqa: PLC0415  (100 ms, and only this needs it)

    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 1 << 16
    return yaml


def _offset(text: str) -> int:
    """How far the dashes of lists are indented below their key; in most plans 2."""
    found = [len(match[2]) - len(match[1]) for match in _LISTED.finditer(text)]
    return max(set(found), key=found.count) if found else 2


def _has_comments(new: str, old: str) -> bool:
    """Whether everything that stands behind a # is there still."""
    return all(line[line.index("#") :].strip() in new for line in old.split("\n") if "#" in line)
