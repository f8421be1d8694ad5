"""Whether globs meet: a path that two scopes may both write. Exact.

Each answer comes from walking automata over the components of paths; `plan.globs.names` does the same inside one
component. An answer "yes" comes with a path as its witness. What would take too long is `UndecidedError`, an error: it
is never taken for "no".
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from parallel_impl.errors import UserError
from parallel_impl.plan.globs import names
from parallel_impl.plan.globs.component import ANY, Component
from parallel_impl.plan.globs.globs import Reading, quoted, readings

STEPS = 100_000  # of all searches of one `Overlaps`, 10 to 50 microseconds each

_SPECIALS = re.compile(r"[*?\[]")
_SPECIALS_BACKWARDS = re.compile(r"[*?\]]")


class UndecidedError(UserError):
    """The globs are so intricate that the question was given up."""


@dataclass(frozen=True, slots=True)
class Witness:
    """`path` is in both scopes: `first` and `second` are the globs that allow it there."""

    path: str
    first: str
    second: str


def intersect(first: str, second: str) -> str | None:
    """A path that both patterns mean, a short one of letters where possible; None when there is none.

    It has no `*` or `?` in it: a file so named fails its attempt. UserError for a refused pattern.
    """
    witness = intersect_scopes((first,), (), (second,), ())
    return witness.path if witness else None


def intersect_scopes(
    allow_a: Sequence[str], deny_a: Sequence[str], allow_b: Sequence[str], deny_b: Sequence[str]
) -> Witness | None:
    """A path which some pattern of `allow_a` and some of `allow_b` mean, and no denied one covers; or None."""
    for pattern in (*allow_a, *deny_a, *allow_b, *deny_b):
        readings(pattern)
    return Overlaps().scopes(allow_a, deny_a, allow_b, deny_b)


class Overlaps:
    """Answers questions about many globs and remembers the answers; `steps` bounds the work of all together."""

    def __init__(self, steps: int = STEPS) -> None:
        self._left = steps
        self._pairs: dict[tuple[str, str, tuple[str, ...]], str | None] = {}
        self._names: dict[tuple[Component, Component, tuple[Component, ...]], tuple[names.Name, ...]] = {}

    def scopes(
        self, allow_a: Iterable[str], deny_a: Sequence[str], allow_b: Sequence[str], deny_b: Sequence[str]
    ) -> Witness | None:
        """As `intersect_scopes`; `UndecidedError` when the steps are used up."""
        denies = (*deny_a, *deny_b)
        for first in allow_a:
            for second in allow_b:
                if path := self.pair(first, second, denies):
                    return Witness(path, first, second)
        return None

    def pair(self, first: str, second: str, denies: Sequence[str] = ()) -> str | None:
        """A path in `first` and in `second` that none of `denies` covers, or None."""
        if not may_meet(first, second):
            return None
        key = (first, second, tuple(denies))
        if key not in self._pairs:
            near = tuple(dict.fromkeys(deny for deny in denies if may_cover(deny, first) and may_cover(deny, second)))
            try:
                self._pairs[key] = self._decide(first, second, near)
            except UndecidedError:
                carved = f" outside {', '.join(map(quoted, near[:3]))}{', …' if len(near) > 3 else ''}" if near else ""
                raise UndecidedError(
                    "comparing globs took too many steps; "
                    f"given up at whether {quoted(first)} and {quoted(second)} meet{carved}",
                    hint="begin the globs with a folder, with fewer * and ? in them",
                ) from None
        return self._pairs[key]

    def _decide(self, first: str, second: str, denies: tuple[str, ...]) -> str | None:
        closed = _Closed([reading for deny in denies for reading in readings(deny)])
        for one in readings(first):
            for two in readings(second):
                if path := self._search(one, two, closed):
                    return path
        return None

    def _search(self, first: Reading, second: Reading, closed: _Closed) -> str | None:
        """The cheapest path in both readings that is not closed (Dijkstra; states: two places and a bit set)."""
        heap = [(0, 0, 0, closed.start, "")]
        seen: dict[tuple[int, int], list[int]] = {}
        while heap:
            cost, i, j, state, path = heapq.heappop(heap)
            self._spend(1)
            if state & closed.final or not names.is_new(seen.setdefault((i, j), []), state):
                continue
            ends = i == len(first), j == len(second)
            if all(ends):
                return path
            if not ends[0] and first[i] is None:
                heapq.heappush(heap, (cost, i + 1, j, state, path))
            if not ends[1] and second[j] is None:
                heapq.heappush(heap, (cost, i, j + 1, state, path))
            if not any(ends):
                others, bits = closed.active(state)
                for name in self._common(first[i] or ANY, second[j] or ANY, others):
                    reached = closed.after(state, bits, name.matched)
                    longer = f"{path}/{name.text}" if path else name.text
                    there = (i + (first[i] is not None), j + (second[j] is not None))
                    heapq.heappush(heap, (cost + name.cost + 1, *there, reached, longer))
        return None

    def _common(self, first: Component, second: Component, others: tuple[Component, ...]) -> tuple[names.Name, ...]:
        key = (first, second, others)
        if key not in self._names:
            self._names[key] = names.common(first, second, others, self._spend)
        return self._names[key]

    def _spend(self, steps: int) -> None:
        self._left -= steps
        if self._left < 0:
            raise UndecidedError("too many steps")


class _Closed:
    """Readings that neither a path nor a folder above it may match: one automaton over components.

    Its states are bit sets. A path that has been in one of `final` is closed, and so is whatever continues it.
    """

    def __init__(self, closed: Sequence[Reading]) -> None:
        self.start = self.final = self._deep = 0
        self._at: dict[int, Component] = {}
        self._active: dict[int, tuple[tuple[Component, ...], tuple[int, ...]]] = {}
        place = 1
        for reading in closed:
            self.start |= place
            for part in reading:
                if part is None:
                    self._deep |= place
                else:
                    self._at[place] = part
                place <<= 1
            self.final |= place
            place <<= 1
        self.start = self._open(self.start)

    def active(self, state: int) -> tuple[tuple[Component, ...], tuple[int, ...]]:
        """The components that the next name may match in `state`, and the places of each."""
        if state not in self._active:
            found: dict[Component, int] = {}
            for place, component in self._at.items():
                if state & place:
                    found[component] = found.get(component, 0) | place
            self._active[state] = tuple(found), tuple(found.values())
        return self._active[state]

    def after(self, state: int, places: Sequence[int], matched: int) -> int:
        """The state after a name that matches those of the active components that are in `matched`."""
        moved = 0
        for n, bits in enumerate(places):
            if matched >> n & 1:
                moved |= bits
        return self._open(state & self._deep | moved << 1)

    def _open(self, state: int) -> int:
        return state | (state & self._deep) << 1


class Ends(NamedTuple):
    """Plain text that all paths of a pattern have in common; a path is written with a slash in front and behind.

    `start` is what they begin with, less the slash in front; `end` what they end with, less the slash behind and
    reversed; `head` what the last name begins with. Two patterns may meet only where, of each of the three, the
    one's is a prefix of the other's.
    """

    start: str
    end: str = ""
    head: str = ""


def may_meet(first: str, second: str) -> bool:
    """False when the plain text in two patterns rules out a common path; cheap."""
    one, two = ends(first), ends(second)
    return all(a.startswith(b) or b.startswith(a) for a, b in zip(one, two, strict=True))


def may_cover(deny: str, pattern: str) -> bool:
    """False when the plain text at the beginning of two patterns rules out that `deny` covers a path of `pattern`."""
    one, two = ends(deny).start, ends(pattern).start
    return one.startswith(two) or two.startswith(one)


@lru_cache(maxsize=65536)
def ends(pattern: str) -> Ends:
    """The plain text in `pattern`."""
    start = pattern[: _first(_SPECIALS, pattern)]
    if start == pattern:
        return Ends(f"{pattern.rstrip('/')}/")
    name = pattern.rpartition("/")[2]
    if name in ("", "**") or not ("*" in pattern or "?" in pattern):  # may mean everything below it
        return Ends(start)
    backwards = pattern[::-1]
    return Ends(start, backwards[: _first(_SPECIALS_BACKWARDS, backwards)], _head(name))


def _head(name: str) -> str:
    size = _first(_SPECIALS, name)
    return name[:size] if size < len(name) else f"{name}/"


def _first(expression: re.Pattern[str], text: str) -> int:
    found = expression.search(text)
    return found.start() if found else len(text)
