"""One component of a glob: the text between two slashes, read as git's wildmatch.c reads it.

The difference from wildmatch.c: `?` and classes go by characters here, there by bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache

Ranges = tuple[tuple[int, int], ...]  # of code points, sorted, apart, first and last included
Tokens = tuple[Ranges | None, ...]


@dataclass(frozen=True, slots=True)
class Component:
    """One component of a pattern. Each of `tokens` is the set of characters that may be there; None is `*`.

    `text` is as written, `literal` the one name that it matches, where it is one; components with the same two are
    equal (`[a]` read as a class differs from `[a]` read as a name).
    """

    text: str
    tokens: Tokens = field(compare=False)
    literal: str | None

    def accepts(self, name: str) -> bool:
        """Whether the component matches `name`. Only the last `*` is ever tried again."""
        if self.literal is not None:
            return name == self.literal
        token = at = 0
        star = resume = -1
        while at < len(name):
            ranges = self.tokens[token] if token < len(self.tokens) else ()
            if ranges is None:
                star, resume = token, at
                token += 1
            elif holds(ranges, ord(name[at])):
                token += 1
                at += 1
            elif star >= 0:
                token, at = star + 1, resume + 1
                resume += 1
            else:
                return False
        return all(ranges is None for ranges in self.tokens[token:])


ANY = Component("*", (None,), None)

_LAST = 0x10FFFF
# As git's own ctype has them, ASCII only: its [[:space:]] has no vertical tab and no form feed.
CLASSES: dict[str, str] = {
    "alnum": "09AZaz", "alpha": "AZaz", "blank": "\t\t  ", "cntrl": "\x01\x1f\x7f\x7f", "digit": "09", "graph": "!~",
    "lower": "az", "print": " ~", "punct": "!/:@[`{~", "space": "\t\n\r\r  ", "upper": "AZ", "xdigit": "09AFaf",
}  # fmt: skip
NAMED_CLASS = re.compile(r"\[:([^]]*):\]")


def plain(name: str) -> Component:
    """The component that is `name` and nothing else."""
    return Component(name, tuple(((ord(c), ord(c)),) for c in name), name)


@lru_cache(maxsize=16384)
def read(text: str) -> Component | None:
    """`text` read as a glob; None when it has a [ that is not closed, and so matches nothing."""
    tokens = _tokens(text)
    if tokens is None:
        return None
    single = [chr(token[0][0]) for token in tokens if token and len(token) == 1 and token[0][0] == token[0][1]]
    return Component(text, tokens, "".join(single) if len(single) == len(tokens) else None)


def _tokens(text: str) -> Tokens | None:
    """What each character of a component may be; None when a [ is not closed."""
    tokens: list[Ranges | None] = []
    at = 0
    while at < len(text):
        ranges: Ranges | None = ((ord(text[at]), ord(text[at])),)
        if text[at] == "*":
            ranges = None
        elif text[at] == "?":
            ranges = _but_no_slash([(1, _LAST)])
        elif text[at] == "[":
            if (found := _class(text, at)) is None:
                return None
            ranges, at = found
        tokens.append(ranges)
        at += 1
    return tuple(tokens)


def _class(text: str, at: int) -> tuple[Ranges, int] | None:
    """The class whose [ is at `at`, and where its ] is; None when there is none. Step by step as in wildmatch.c."""
    negated = text[at + 1 : at + 2] in ("!", "^")
    at = first = at + 1 + negated
    ranges: list[tuple[int, int]] = []
    previous = ""  # what a range may begin with: not the end of another range, not a named class
    while at < len(text) and (text[at] != "]" or at == first):
        named = NAMED_CLASS.match(text, at)
        following = text[at + 1 : at + 2]
        if text[at] == "-" and previous and following not in ("", "]"):
            ranges.append((ord(previous), ord(following)))
            previous = ""
            at += 1
        elif named:
            ends = CLASSES.get(named[1], "")
            ranges += zip(map(ord, ends[::2]), map(ord, ends[1::2]), strict=True)
            previous = ""
            at = named.end() - 1
        else:
            ranges.append((ord(text[at]), ord(text[at])))
            previous = text[at]
        at += 1
    return (_but_no_slash(_others(ranges) if negated else ranges), at) if at < len(text) else None


def _others(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Every character that is in none of `ranges`."""
    found = []
    low = 1
    for first, last in _but_no_slash(ranges):
        found.append((low, first - 1))
        low = last + 1
    return [*found, (low, _LAST)]


def _but_no_slash(ranges: list[tuple[int, int]]) -> Ranges:
    """`ranges` sorted and joined, without the separator; those that run backwards are empty."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(r for r in ranges if r[0] <= r[1]):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(last, joined[-1][1])
        else:
            joined.append((first, last))
    slash = ord("/")
    split = [half for a, b in joined for half in (((a, slash - 1), (slash + 1, b)) if a <= slash <= b else ((a, b),))]
    return tuple((a, b) for a, b in split if a <= b)


def holds(ranges: Ranges, code_point: int) -> bool:
    """Whether the code point is in one of `ranges`."""
    return any(first <= code_point <= last for first, last in ranges)


def expression(component: Component) -> str:
    """The regular expression of the component and a slash."""
    pieces = [""]
    for token in component.tokens:
        if token is None:
            pieces.append("")
        else:
            pieces[-1] += _set_expression(token)
    if not any(pieces):
        return "[^/]++/"
    first, *between = pieces
    last = f"[^/]*{between.pop()}" if between else ""
    return "".join([first, *(f"(?>[^/]*?{piece})" for piece in between), last, "/"])


def _set_expression(ranges: Ranges) -> str:
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        return re.escape(chr(ranges[0][0]))
    if not ranges:
        return "(?!)"
    if ranges[-1][1] == _LAST:  # re takes 14 ms to compile a range that is nearly all of Unicode
        return f"[^/{_range_expression(_but_no_slash(_others(list(ranges))))}]"
    return f"[{_range_expression(ranges)}]"


def _range_expression(ranges: Ranges) -> str:
    return "".join(f"{re.escape(chr(first))}-{re.escape(chr(last))}" for first, last in ranges)
