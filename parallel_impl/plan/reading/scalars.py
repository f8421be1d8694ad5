"""From bytes to scalars: the encoding, the characters that no plan needs, and what one plain scalar means.

A plain scalar that YAML 1.1 reads as anything else (`yes`, `1:30`, `017`) is refused, because its author almost
certainly meant the text. The forms are those of the YAML 1.1 type repository (https://yaml.org/type/); what 1.1 and the
1.2 core schema both read alike as a bool or null is admitted.
"""

from __future__ import annotations

import re

from parallel_impl.errors import UserError

MAX_BYTES = 16 * 1024 * 1024

# C0, DEL and C1 but tab and the line ends; the characters that reorder what a reviewer sees (U+202A-E, U+2066-9);
# and the two Unicode line ends, which libyaml counts as lines and editors do not.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
CONTROL_IN_SCALAR = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_DIRECTIVE = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*%")

Scalar = str | int | bool | None

MAX_DIGITS = 18  # more do not fit in 64 bits, and CPython refuses to convert very long ones with a ValueError

_MEANING: dict[str, Scalar] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_WORDS = frozenset(
    form for word in ("y", "n", "yes", "no", "on", "off") for form in (word, word.capitalize(), word.upper())
) | {"=", "<<"}
_FIRST = frozenset("0123456789+-.")
# A scalar that begins with anything else is text (the empty string: what an empty scalar begins with).
SUSPECT = _FIRST | frozenset(form[:1] for form in (*_MEANING, *_WORDS))
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"[-+]?[0-9]+\.[0-9]+")
_DATE = re.compile(
    r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})"
    r"(?:(?:[Tt]|[ \t]+)([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]*)?(?:[ \t]*(?:Z|[-+][0-9]{1,2}(?::[0-9]{2})?))?)?"
)
_NUMBER = re.compile(
    r"[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?0x[0-9a-fA-F_]+|[-+]?[0-9][0-9_]*|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class AmbiguousError(ValueError):
    """A plain scalar whose meaning differs between readers; the message names the other meaning."""


def resolve(text: str) -> Scalar:
    """The value of a plain (unquoted) scalar; AmbiguousError for what must be quoted."""
    if text in _MEANING:
        return _MEANING[text]
    if text in _WORDS:
        raise AmbiguousError("YAML 1.1 does not read this as text")
    if text[0] not in _FIRST:
        return text
    if _INTEGER.fullmatch(text):
        if len(text.lstrip("+-")) > MAX_DIGITS:
            raise AmbiguousError(f"a number of more than {MAX_DIGITS} digits")
        return int(text)
    return _not_a_number(text)


def _not_a_number(text: str) -> str:
    """`text` itself where it is a plain decimal (such as a version), a valid date, or no number."""
    if _DECIMAL.fullmatch(text):
        return text
    if date := _DATE.fullmatch(text):
        year, month, day, hour, minute, second = (int(part or 0) for part in date.groups())
        if not (1 <= month <= 12 and 1 <= day <= _days(year, month) and hour < 24 and minute < 60 and second < 60):
            raise AmbiguousError("no such date or time exists")
        return text
    if len(text) > 1_000 and _NUMBER.match(text, 0, 1_000):
        raise AmbiguousError("YAML 1.1 may read this as a number")
    if _NUMBER.fullmatch(text):
        raise AmbiguousError("YAML 1.1 reads this as another number than it looks like")
    return text


def _days(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 28 if month == 2 and not leap else _DAYS[month - 1]


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


def _line_of(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, min(offset, len(text)) - (text.rfind("\n", 0, offset) + 1) + 1
