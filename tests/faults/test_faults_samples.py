"""Seeded samples of worse than one crash: two of them, torn writes, a power cut, a full disk, pruned objects."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from tests.faults.scene import Fault
from tests.faults.stage import SEED, Endure, Stage

CHUNKS = 10
PREFLIGHT = 40  # points that every start passes
NEED_ROOM = ("file", "fsync", "git-write", "journal", "link", "object", "rename")


def pairs(stage: Stage, chance: random.Random) -> Iterator[tuple[Fault, ...]]:
    """A crash anywhere, and another one while the run goes on."""
    total = len(stage.undisturbed.points)
    while True:
        first = chance.randrange(1, total + 1)
        second = chance.randrange(1, PREFLIGHT + total - first + 1)
        when = chance.choice(("before", "after")), chance.choice(("before", "after"))
        yield Fault(f"#{first}:{when[0]}"), Fault(f"#{second}:{when[1]}")


def single(stage: Stage, chance: random.Random, action: str, *kinds: str) -> Iterator[tuple[Fault, ...]]:
    while True:
        yield (Fault(chance.choice(stage.places_of(*kinds)), action, str(chance.randrange(1_000_000))),)


def chosen(stage: Stage, chunk: int, action: str, count: int, *kinds: str) -> list[tuple[Fault, ...]]:
    """The samples of one chunk, the same for the same seed."""
    chance = random.Random(f"{SEED} {action} {chunk}")
    found = pairs(stage, chance) if action == "pairs" else single(stage, chance, action, *kinds)
    return [next(found) for _ in range(count)]


@pytest.mark.faults
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_run_killed_twice_lands_as_if_nothing_had_happened(stage: Stage, endure: Endure, chunk: int) -> None:
    endure(*chosen(stage, chunk, "pairs", 6))


@pytest.mark.faults
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_line_of_the_journal_that_was_cut_by_a_crash_is_written_again(
    stage: Stage, endure: Endure, chunk: int
) -> None:
    endure(*chosen(stage, chunk, "torn", 3, "journal"))


@pytest.mark.faults
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_what_a_git_command_left_that_was_killed_with_the_run_is_in_nobodys_way(
    stage: Stage, endure: Endure, chunk: int
) -> None:
    endure(*chosen(stage, chunk, "power", 4, "git", "git-write"))


@pytest.mark.faults
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_objects_that_the_user_prunes_meanwhile_are_not_missed(stage: Stage, endure: Endure, chunk: int) -> None:
    endure(*chosen(stage, chunk, "gc", 4, "file", "git", "git-write", "journal", "reaped", "remove", "start"))


@pytest.mark.faults
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_one_write_for_which_there_is_no_room_loses_nothing(stage: Stage, endure: Endure, chunk: int) -> None:
    endure(*chosen(stage, chunk, "full-once", 3, *NEED_ROOM))


@pytest.mark.faults
@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_disk_that_is_full_from_any_write_on_is_told_and_loses_nothing(
    stage: Stage, endure: Endure, chunk: int
) -> None:
    endure(*((Fault(place, "full"),) for place in stage.places_of(*NEED_ROOM)[chunk::CHUNKS]))
