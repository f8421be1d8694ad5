"""Regular expressions that take exponential time: a static look at one pattern, nothing is matched.

Used by `plan.openapi`: a validator matches a schema's `default` against its `pattern`, and `^(a+)+$` on 28
characters takes 20 s, doubling with each. The sign looked for is an unbounded repeat around something that can
be split into one or several rounds in more than one way: `(a+)+`, `(a|a)*`, `(.*-)*`; `([a-z]+-)*` is harmless.
"""

from __future__ import annotations

import re
from re import _constants as c  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

MAX_LENGTH = 10_000
MAX_BRANCHES = 64
_SAMPLES = [chr(number) for number in range(128)] + ["é", "Ω", "中", "\U0001f600"]
_REPEATS = (c.MAX_REPEAT, c.MIN_REPEAT)
_ALL = frozenset(_SAMPLES)


def is_catastrophic(pattern: str) -> bool:
    """Whether matching `pattern` can take time exponential in the text; False where Python cannot read it."""
    if len(pattern) > MAX_LENGTH:
        return True
    try:
        return _any_bad(_parser.parse(pattern))
    except (re.error, RecursionError, OverflowError):
        return False  # an ECMAScript pattern that Python does not know: nobody here will match it


def _any_bad(items: Any) -> bool:
    for operator, value in items:
        if operator in _REPEATS and value[1] is c.MAXREPEAT and _splits(value[2]):
            return True
        if any(_any_bad(body) for body in _bodies(operator, value)):
            return True
    return False


def _bodies(operator: Any, value: Any) -> list[Any]:
    """The sub-patterns directly inside one item."""
    if operator in _REPEATS:
        return [value[2]]
    if operator is c.SUBPATTERN:
        return [value[3]]
    if operator is c.BRANCH:
        return list(value[1])
    if operator in (c.ASSERT, c.ASSERT_NOT):
        return [value[1]]
    return [value] if operator is getattr(c, "ATOMIC_GROUP", None) else []


def _splits(body: Any) -> bool:
    """Whether a text that several rounds of `body` match may also be matched by other rounds of it."""
    branches = _branches(body)
    for branch in branches:
        for number, (operator, value) in enumerate(branch):
            if operator in _REPEATS and value[1] is c.MAXREPEAT:
                inside, rest = _first(value[2]), branch[:number] + branch[number + 1 :]
                if inside and all(_nullable([item]) or _first([item]) & inside for item in rest):
                    return True
    return _ambiguous([[_first([item]) for item in branch] for branch in branches if _fixed(branch)])


def _branches(body: Any) -> list[list[Any]]:
    """The alternatives of a body as sequences, with groups and alternatives inside them written out."""
    found: list[list[Any]] = [[]]
    for operator, value in body:
        if operator is c.SUBPATTERN:
            parts = _branches(value[3])
        elif operator is c.BRANCH:
            parts = [part for branch in value[1] for part in _branches(branch)]
        else:
            parts = [[(operator, value)]]
        found = [left + right for left in found for right in parts][:MAX_BRANCHES]
    return found


def _fixed(branch: list[Any]) -> bool:
    """Whether each item of a sequence matches exactly one character."""
    return all(operator in (c.LITERAL, c.NOT_LITERAL, c.IN, c.ANY) for operator, _ in branch)


def _ambiguous(branches: list[list[frozenset[str]]]) -> bool:
    """Whether one alternative's text is also several rounds, or another alternative (`(a|aa)*`, `(a|a)*`)."""
    branches = [branch for branch in branches if branch]
    for whole in branches:
        ways = [1] + [0] * len(whole)  # in how many ways the first n characters are rounds of any alternatives
        for end in range(1, len(whole) + 1):
            for part in branches:
                start = end - len(part)
                if start >= 0 and all(one & other for one, other in zip(part, whole[start:end], strict=True)):
                    ways[end] += ways[start]
        if ways[-1] > 1:
            return True
    return False


def _nullable(items: Any) -> bool:
    """Whether these items can match the empty text."""
    for operator, value in items:
        if operator in _REPEATS:
            empty = value[0] == 0 or _nullable(value[2])
        elif operator is c.SUBPATTERN:
            empty = _nullable(value[3])
        elif operator is c.BRANCH:
            empty = any(_nullable(branch) for branch in value[1])
        else:
            empty = operator in (c.AT, c.ASSERT, c.ASSERT_NOT, c.GROUPREF)
        if not empty:
            return False
    return True


def _first(items: Any) -> frozenset[str]:
    """Which sample characters a match of these items can begin with."""
    found: set[str] = set()
    for item in items:
        operator, value = item
        if operator in (c.AT, c.ASSERT, c.ASSERT_NOT):
            continue
        bodies = _bodies(operator, value)
        found |= set().union(*map(_first, bodies)) if bodies else _characters(operator, value)
        if not _nullable([item]):
            break
    return frozenset(found)


def _characters(operator: Any, value: Any) -> frozenset[str]:
    if operator is c.LITERAL:
        return frozenset((chr(value),))
    if operator is c.NOT_LITERAL:
        return _ALL - {chr(value)}
    if operator is c.IN:
        members = [member for member in value if member[0] is not c.NEGATE]
        found = frozenset(char for char in _SAMPLES if any(_is_in(char, member) for member in members))
        literal = frozenset(chr(one) for kind, one in members if kind is c.LITERAL)
        return _ALL - found if len(members) < len(value) else found | literal
    return _ALL


def _is_in(char: str, member: Any) -> bool:
    kind, value = member
    if kind is c.LITERAL:
        return bool(ord(char) == value)
    if kind is c.RANGE:
        return bool(value[0] <= ord(char) <= value[1])
    classes = {c.CATEGORY_DIGIT: r"\d", c.CATEGORY_NOT_DIGIT: r"\D", c.CATEGORY_SPACE: r"\s",
               c.CATEGORY_NOT_SPACE: r"\S", c.CATEGORY_WORD: r"\w", c.CATEGORY_NOT_WORD: r"\W"}  # fmt: skip
    return bool(re.fullmatch(classes.get(value, r"[\s\S]"), char))
