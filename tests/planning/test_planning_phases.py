"""What phases require of each other: everything, or what evidence says."""

from __future__ import annotations

from parallel_impl.planning.reading.evidence import Clue, ClueKind, PlannedTask, Resolution
from parallel_impl.planning.reading.phases import in_order, on_evidence

TASKS = (
    PlannedTask("1.1", "types", 0),
    PlannedTask("1.2", "context", 0, requires=("1.1",)),
    PlannedTask("2.1", "widget by contracts/api.yaml", 1),
    PlannedTask("2.2", "docs", 1),
    PlannedTask("3.1", "page of contracts/api.yaml", 2),
)


def clue(path: str, task: str, resolution: Resolution = Resolution.NEW) -> Clue:
    return Clue(path, task, ClueKind.TASK, 0.9, resolution)


def requires(tasks: list[PlannedTask]) -> dict[str, tuple[str, ...]]:
    return {task.id: task.requires for task in tasks}


def test_a_phase_waits_for_the_last_tasks_of_the_one_before() -> None:
    assert requires(in_order(TASKS)) == {
        "1.1": (),
        "1.2": ("1.1",),
        "2.1": ("1.2",),
        "2.2": ("1.2",),
        "3.1": ("2.1", "2.2"),
    }


def test_evidence_is_a_shared_file_an_import_or_a_contract() -> None:
    clues = [
        clue("a.ts", "1.1"),
        clue("a.ts", "3.1"),
        clue("b.ts", "1.2", Resolution.EXACT),
        clue("c.ts", "2.2", Resolution.EXACT),
        clue("src/", "1.1", Resolution.FOLDER),
        clue("src/", "2.2", Resolution.FOLDER),
    ]
    found = on_evidence(TASKS, clues, {"c.ts": frozenset({"b.ts"})}, ("contracts/api.yaml",))
    assert requires(found) == {"1.1": (), "1.2": ("1.1",), "2.1": (), "2.2": ("1.2",), "3.1": ("1.1", "2.1")}
