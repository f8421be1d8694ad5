"""Names of files that two components of globs have in common.

A name is found by walking the automata of all components side by side. Their characters fall into few classes that
no component tells apart, so one character of each class is enough.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from parallel_impl.plan.globs.component import Component, Ranges, Tokens, plain
from parallel_impl.plan.globs.git_folder import is_git_folder

# Without * and ?: a file so named fails its attempt. In order of preference.
_PREFERRED = "xyzabcdefghijklmnopqrstuvwABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
_ADMITTED = ".-+=,@%^#~()[]{}!&;:'\"<>|`$ "
_NEVER = "\0/*?"
_RANK = {
    ord(c): (cost + rank, c) for cost, group in ((100, _PREFERRED), (1000, _ADMITTED)) for rank, c in enumerate(group)
}
_NO_FIRST = frozenset(_ADMITTED)


def _spelling(name: str, *end: Ranges | None) -> Component:
    letters = tuple(tuple((ord(c), ord(c)) for c in sorted({letter.upper(), letter})) for letter in name)
    return Component(name, (*letters, *end), None)


# of the spellings of `.git` those that the cheapest name may have; the others cost more than one that is none
_RESERVED = (
    plain(""), plain("."), plain(".."),
    _spelling(".git"), _spelling("git~1"), _spelling(".git", ((ord(" "), ord(" ")), (ord("."), ord(".")))),
    *(_spelling(name, ((ord(":"), ord(":")),), None) for name in (".git", "git~1")),
)  # fmt: skip


class Name(NamedTuple):
    """A name, what it costs (short names of letters cost little), and the bit set of `others` that match it."""

    cost: int
    text: str
    matched: int


def common(
    first: Component, second: Component, others: tuple[Component, ...], spend: Callable[[int], None]
) -> tuple[Name, ...]:
    """Names that both components match, by which of `others` match them too; the cheapest of each kind.

    A name that matches more of `others` than another one does, and nothing less, is left out: it would not help.
    `spend` is called with the steps taken, and raises when there were too many. No name is one that no file may have.
    """
    for one, other in ((first, second), (second, first)):
        if one.literal is not None:
            return _literal(one.literal, other, others)
    if _differ(first.tokens, second.tokens) or _differ(first.tokens[::-1], second.tokens[::-1]):
        return ()
    spend(10)
    return _Search(first, second, others).run(spend)


def _differ(first: Tokens, second: Tokens) -> bool:
    """Whether two components have no name in common because of what is before their first `*`."""
    for one, two in zip(first, second, strict=False):
        if one is None or two is None:
            return False
        if one != two and all(a[1] < b[0] or b[1] < a[0] for a in one for b in two):
            return True
    return False


def _literal(name: str, second: Component, others: tuple[Component, ...]) -> tuple[Name, ...]:
    if set(name) & set(_NEVER) or name in ("", ".", "..") or is_git_folder(name) or not second.accepts(name):
        return ()
    return (Name(100 * len(name), name, sum(1 << n for n, other in enumerate(others) if other.accepts(name))),)


@dataclass(slots=True)
class _Row:
    """Several components as one automaton whose states are a bit set: components that need not match."""

    stars: int = 0
    ends: list[int] = field(default_factory=list)
    start: int = 0
    sets: dict[Ranges, int] = field(default_factory=dict)  # which positions each set of characters lets go on
    _size: int = 0

    def add(self, component: Component) -> None:
        """Put one more component behind those that are there."""
        self.start |= 1 << self._size
        for token in component.tokens:
            if token is None:
                self.stars |= 1 << self._size
            else:
                self.sets[token] = self.sets.get(token, 0) | 1 << self._size
            self._size += 1
        self.ends.append(1 << self._size)
        self._size += 1

    def open(self, state: int) -> int:
        """`state` with what a `*` that matches nothing reaches (no two are adjacent)."""
        return state | (state & self.stars) << 1


class _Search:
    """The product of two components, place by place, and of the bit set of all others: cheapest names first."""

    def __init__(self, first: Component, second: Component, others: tuple[Component, ...]) -> None:
        self._first, self._second = first.tokens, second.tokens
        self._row = _Row()
        for component in (*_RESERVED, *others):
            self._row.add(component)
        used = [token for token in (*self._first, *self._second) if token is not None]
        self._letters = _alphabet([*dict.fromkeys([*self._row.sets, *used])])
        self._on = [
            sum(bits for token, bits in self._row.sets.items() if token in letter.sets) for letter in self._letters
        ]
        self._of = {
            token: [n for n, letter in enumerate(self._letters) if token in letter.sets]
            for token in dict.fromkeys(used)
        }
        self._all = list(range(len(self._letters)))
        self._seen: dict[tuple[int, int], list[int]] = {}
        self._heap: list[tuple[int, int, int, int, int, str]] = []

    def run(self, spend: Callable[[int], None]) -> tuple[Name, ...]:
        """All names that differ in what else matches them, as `common` says."""
        found: list[Name] = []
        self._push(0, 0, 0, self._row.open(self._row.start), "")
        while self._heap and not (found and found[-1].matched == 0):
            cost, _, i, j, others, text = heapq.heappop(self._heap)
            if not is_new(self._seen.setdefault((i, j), []), others):
                continue
            if i == len(self._first) and j == len(self._second):
                self._finish(cost, others, text, found)
                continue
            spend(1 + self._go_on(cost, i, j, others, text) // 8)
        return tuple(found)

    def _finish(self, cost: int, others: int, text: str, found: list[Name]) -> None:
        ends = self._row.ends
        if any(others & end for end in ends[: len(_RESERVED)]):
            return
        matched = sum(1 << n for n, end in enumerate(ends[len(_RESERVED) :]) if others & end)
        if all(name.matched & matched != name.matched for name in found):
            found.append(Name(cost, text, matched))

    def _go_on(self, cost: int, i: int, j: int, others: int, text: str) -> int:
        """Push everything that one step reaches; how many steps there are."""
        ends = i == len(self._first), j == len(self._second)
        one = None if ends[0] else self._first[i]
        two = None if ends[1] else self._second[j]
        if not ends[0] and one is None:
            self._push(cost, i + 1, j, others, text)
        if not ends[1] and two is None:
            self._push(cost, i, j + 1, others, text)
        if any(ends):
            return 0
        letters = self._all if one is None else self._of[one]
        for n in letters:
            letter = self._letters[n]
            if two is None or two in letter.sets:
                row = self._row.open((others & self._on[n]) << 1 | others & self._row.stars)
                price = cost + (letter.cost if text else letter.first_cost)
                self._push(price, i + (one is not None), j + (two is not None), row, text + letter.text)
        return len(letters)

    def _push(self, cost: int, i: int, j: int, others: int, text: str) -> None:
        heapq.heappush(self._heap, (cost, len(text), i, j, others, text))


def is_new(seen: list[int], bits: int) -> bool:
    """Whether no set in `seen` is contained in `bits`; `bits` is then put there, in the place of those it is in."""
    if any(old & bits == old for old in seen):
        return False
    seen[:] = [old for old in seen if old & bits != bits]
    seen.append(bits)
    return True


@dataclass(frozen=True, slots=True)
class _Letter:
    """One character for all that no component tells from it, and the sets of characters that it is in."""

    text: str
    sets: frozenset[Ranges]
    cost: int
    first_cost: int


def _alphabet(sets: list[Ranges]) -> list[_Letter]:
    """One letter for each part of Unicode that `sets` divide it into, the cheapest one."""
    borders: dict[int, int] = {0: 0}
    for n, ranges in enumerate(sets):
        for first, last in ranges:
            borders[first] = borders.get(first, 0) ^ 1 << n
            borders[last + 1] = borders.get(last + 1, 0) ^ 1 << n
    places = [*sorted(borders), 0x110000]
    best: dict[int, tuple[int, str]] = {}
    inside = 0
    for here, following in itertools.pairwise(places):
        inside ^= borders[here]
        choice = _cheapest(here, following - 1)
        if choice and (inside not in best or choice < best[inside]):
            best[inside] = choice
    return [
        _Letter(
            text, frozenset(s for n, s in enumerate(sets) if inside >> n & 1), cost, cost + 5000 * (text in _NO_FIRST)
        )
        for inside, (cost, text) in best.items()
    ]


def _cheapest(first: int, last: int) -> tuple[int, str] | None:
    """The cheapest character between two code points and its cost; None when no name may have one of them."""
    ascii_ones = [_RANK[code] for code in range(first, min(last, 0x7E) + 1) if code in _RANK]
    if ascii_ones:
        return min(ascii_ones)
    likely = [code for code in (first, max(first, 0xA1), last) if first <= code <= last and chr(code).isprintable()]
    code = next((code for code in itertools.chain(likely, range(first, last + 1)) if chr(code) not in _NEVER), None)
    return None if code is None else (3000 if likely else 50_000, chr(code))
