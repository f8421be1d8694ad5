"""Whose turn it is, with literals: number, slots that its run knows, alone, slot that it has."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.processes.slot_order import SlotTicket, choose


@pytest.mark.parametrize(
    ("number", "tickets", "slot"),
    [
        (1, [SlotTicket(1, 2)], 2),
        (2, [SlotTicket(1, 2, slot=2), SlotTicket(2, 2)], 1),
        (3, [SlotTicket(1, 2, slot=2), SlotTicket(2, 2, slot=1), SlotTicket(3, 2)], 0),
        # first come, first served
        (3, [SlotTicket(1, 2, slot=2), SlotTicket(2, 2), SlotTicket(3, 2)], 0),
        (2, [SlotTicket(1, 2, slot=2), SlotTicket(2, 2), SlotTicket(3, 2)], 1),
        # one that is alone waits for all, and all that came later wait for it
        (2, [SlotTicket(1, 2, slot=2), SlotTicket(2, 2, alone=True)], 0),
        (3, [SlotTicket(1, 2, slot=2), SlotTicket(2, 2, alone=True), SlotTicket(3, 2)], 0),
        (2, [SlotTicket(2, 2, alone=True), SlotTicket(3, 2)], 1),
        (3, [SlotTicket(2, 2, alone=True, slot=1), SlotTicket(3, 2)], 0),
        # a run that knows one slot does not keep the others from runs that know more, and gets the one that all know
        (3, [SlotTicket(1, 4, slot=1), SlotTicket(2, 1), SlotTicket(3, 4)], 4),
        (3, [SlotTicket(1, 4, slot=4), SlotTicket(2, 1), SlotTicket(3, 1)], 0),
        (3, [SlotTicket(1, 1, slot=1), SlotTicket(2, 1), SlotTicket(3, 1)], 0),
        # one whose process was stopped keeps nobody waiting, and has its place when it looks again
        (3, [SlotTicket(2, 1, waits=False), SlotTicket(3, 1)], 1),
        (3, [SlotTicket(2, 1, alone=True, waits=False), SlotTicket(3, 1)], 1),
        (2, [SlotTicket(2, 1, waits=False), SlotTicket(3, 1)], 1),
    ],
)
def test_the_first_in_line_gets_what_is_free(number: int, tickets: list[SlotTicket], slot: int) -> None:
    assert choose(number, tickets) == slot


REQUESTS = st.lists(st.tuples(st.integers(1, 4), st.booleans()), min_size=1, max_size=8)


@given(REQUESTS, st.randoms(use_true_random=False))
def test_everyone_gets_a_turn_and_nobody_is_beside_one_that_is_alone(
    requests: list[tuple[int, bool]], random: st.DataObject
) -> None:
    tickets = {n: SlotTicket(n, slots, alone) for n, (slots, alone) in enumerate(requests, 1)}
    served = list[int]()
    while tickets:
        for number in sorted(tickets, key=lambda _: random.random()):  # type: ignore[attr-defined]
            one = tickets[number]
            if not one.slot and (slot := choose(number, tickets.values())):
                tickets[number] = SlotTicket(number, one.slots, one.alone, slot)
                served.append(number)
        running = [one for one in tickets.values() if one.slot]
        assert running, "all wait for each other"
        assert len({one.slot for one in running}) == len(running)
        assert all(one.slot <= one.slots for one in running)
        assert len(running) == 1 or not any(one.alone for one in running)
        del tickets[random.choice(running).number]  # type: ignore[attr-defined]
    assert sorted(served) == list(range(1, len(requests) + 1))
