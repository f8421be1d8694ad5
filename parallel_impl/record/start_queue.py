"""The packages that may start, in the order in which they start. Pure.

Putting one in, taking one out and asking for the first costs the same whether ten wait or thousands.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator


class StartQueue:
    """A part of the names of an order, iterated in that order."""

    def __init__(self, order: Iterable[str], waiting: Iterable[str] = ()) -> None:
        self._names = list(order)
        self._place = {name: place for place, name in enumerate(self._names)}
        self._waiting = sorted(self._place[name] for name in waiting)

    def __iter__(self) -> Iterator[str]:
        return (self._names[place] for place in self._waiting)

    def put(self, name: str) -> None:
        """Put a name in that is not in it."""
        insort(self._waiting, self._place[name])

    def take(self, name: str) -> None:
        """Take a name out that is in it."""
        del self._waiting[bisect_left(self._waiting, self._place[name])]
