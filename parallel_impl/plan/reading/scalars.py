"""What one YAML scalar means here: text, a whole number, true, false or null, or a question to the author.

A plain scalar that YAML 1.1 reads as anything else (`yes`, `1:30`, `017`) is refused, because its author almost
certainly meant the text. The forms are those of the YAML 1.1 type repository (https://yaml.org/type/); what 1.1 and the
1.2 core schema both read alike as a bool or null is admitted.
"""

from __future__ import annotations

import re

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
    """A plain scalar whose meaning differs between readers; the message says what it could be."""


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
    """`text` itself where it is a plain decimal (a version, as people write them), a valid date, or no number."""
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
