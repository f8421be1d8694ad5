"""Which slot is whose turn: the order in which heavy work starts, as a pure function of all requests.

Work that may share the machine takes one slot; work that must be alone waits until nothing else runs, and while it
waits nothing that came later starts. So the first in line always gets what becomes free next, and nothing starves.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec


class SlotTicket(msgspec.Struct, frozen=True, array_like=True):
    """One request, by the number that it drew: `slots` is how many its own run knows, `slot` the one it has (0: none).

    `waits` is false for one that is in no state to take its turn: its process was stopped.
    """

    number: int
    slots: int
    alone: bool = False
    slot: int = 0
    waits: bool = True


def choose(number: int, tickets: Iterable[SlotTicket]) -> int:
    """The slot, from 1, that the ticket of this number gets now; 0 while it has to wait.

    Runs may know different numbers of slots: the highest that is free is given first, and the low ones, which all
    know, are kept for a run that knows no other and waits already.
    """
    known = sorted(tickets, key=lambda one: one.number)
    taken = {one.slot for one in known if one.slot}
    if any(one.slot and one.alone for one in known):
        return 0
    kept = 0
    for one in (each for each in known if not each.slot and (each.waits or each.number == number)):
        if one.alone:
            return 1 if one.number == number and not taken else 0
        free = [slot for slot in range(kept + 1, one.slots + 1) if slot not in taken]
        if one.number == number:
            return free[-1] if free else 0
        if free:
            taken.add(free[-1])
        else:
            kept = max(kept, one.slots)
    return 0
