"""The bytes of a plan to text: its size, its encoding, and the characters that no plan needs."""

from __future__ import annotations

import re

from parallel_impl.errors import UserError
from parallel_impl.plan.reading.positions import Place

MAX_BYTES = 16 * 1024 * 1024

# C0, DEL and C1 but tab and the line ends; the characters that reorder what a reviewer sees (U+202A-E, U+2066-9);
# and the two Unicode line ends, which libyaml counts as lines and editors do not.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
CONTROL_IN_SCALAR = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_DIRECTIVE = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*%")


def decode(content: bytes, source: str) -> str:
    """`content` as text; refuses what is too large, not UTF-8, or has characters that no plan needs."""
    if len(content) > MAX_BYTES:
        raise UserError(f"larger than {MAX_BYTES // 2**20} MB", where=source, hint="a plan is a few kilobytes of text")
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line, column = _line_of(content[: error.start].decode("utf-8"), error.start)
        utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        hint = f"save it as UTF-8, e.g. with iconv -f {'UTF-16' if utf16 else 'LATIN1'} -t UTF-8"
        raise UserError("not UTF-8", where=f"{source}:{line}:{column}", hint=hint) from None
    if found := _CONTROL.search(text):
        line, column = _line_of(text, found.start())
        what = f"control or invisible character U+{ord(found[0]):04X}"
        raise UserError(what, where=f"{source}:{line}:{column}", hint="delete it")
    if found := _DIRECTIVE.match(text):
        line, column = _line_of(text, found.end() - 1)
        where = f"{source}:{line}:{column}"
        raise UserError("YAML directives (%) are not admitted", where=where, hint="delete the line")
    return text


def _line_of(text: str, offset: int) -> Place:
    return text.count("\n", 0, offset) + 1, min(offset, len(text)) - (text.rfind("\n", 0, offset) + 1) + 1
