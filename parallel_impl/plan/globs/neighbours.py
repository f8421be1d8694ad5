"""Which packages must be compared at all: those whose patterns begin and end alike.

A thousand parallel packages with five globs each are twelve million pairs of globs, and nearly all of them lie in
different folders. Sorted by the plain text that they begin with, the patterns that may meet one are those whose text is
a prefix of its own, which is a stack; among those that begin alike, the text at the end and the text with which the
last name begins decide.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import or_

from parallel_impl.plan.globs.overlap import Ends


class _Texts:
    """The packages (bit sets) of patterns, by a text that all paths of a pattern have at the same place."""

    def __init__(self, texts: Iterable[tuple[str, int]]) -> None:
        self._packages: dict[str, int] = {}
        for text, packages in texts:
            self._packages[text] = self._packages.get(text, 0) | packages
        self._all = reduce(or_, self._packages.values())
        self._sorted = sorted(self._packages)

    def near(self, text: str) -> int:
        """The packages of all texts that continue `text` or are continued by it."""
        if not text or self._sorted == [""]:
            return self._all
        found = reduce(or_, (self._packages.get(text[:size], 0) for size in range(len(text) + 1)))
        for at in range(bisect.bisect_left(self._sorted, text), len(self._sorted)):
            if not self._sorted[at].startswith(text):
                break
            found |= self._packages[self._sorted[at]]
        return found


class _Bucket:
    """All patterns that begin with the same text: their packages by end and head (`plan.globs.overlap.Ends`)."""

    def __init__(self, start: str, patterns: Mapping[tuple[str, str], int]) -> None:
        self.start = start
        self._patterns = patterns
        self._texts: tuple[_Texts, _Texts] | None = None

    def near(self, end: str, head: str) -> int:
        """The packages of the patterns whose ends and whose last names may be alike."""
        if len(self._patterns) < 8:
            return reduce(
                or_, (bits for (e, h), bits in self._patterns.items() if _alike(e, end) and _alike(h, head)), 0
            )
        if not self._texts:
            items = self._patterns.items()
            self._texts = _Texts((key[0], bits) for key, bits in items), _Texts((key[1], bits) for key, bits in items)
        return self._texts[0].near(end) & self._texts[1].near(head)


def _alike(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def neighbours(patterns: Iterable[tuple[int, Ends]], count: int) -> list[int]:
    """For each of `count` packages the bit set of those to compare it with, by the patterns that packages have.

    Each pair is in the set of at least one of its two packages; no package is in its own set.
    """
    starts: dict[str, dict[tuple[str, str], int]] = {}
    for package, (start, end, head) in patterns:
        here = starts.setdefault(start, {})
        here[end, head] = here.get((end, head), 0) | 1 << package
    found = [0] * count
    stack: list[_Bucket] = []
    for start in sorted(starts):
        while stack and not start.startswith(stack[-1].start):
            stack.pop()
        stack.append(_Bucket(start, starts[start]))
        for (end, head), packages in starts[start].items():
            near = 0
            for bucket in stack:
                near |= bucket.near(end, head)
            if near != packages or near & (near - 1):
                for package in members(packages):
                    found[package] |= near & ~(1 << package)
    return found


def pairs(near: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Each pair in `near`, once, the lower number first."""
    for one, others in enumerate(near):
        for other in members(others):
            if other > one or not near[other] >> one & 1:
                yield min(one, other), max(one, other)


def members(bits: int) -> Iterator[int]:
    """The numbers in a bit set, in ascending order."""
    while bits:
        low = bits & -bits
        yield low.bit_length() - 1
        bits ^= low
