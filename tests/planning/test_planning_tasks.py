"""Tasks of a list as a graph: ids that a plan can name, requirements from the lines that say them, no circles."""

from __future__ import annotations

from graphlib import TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.openspec import tasks as task_list
from parallel_impl.planning.reading.task_graph import Planned, plan

LIST = """\
## 1. First
- [ ] 1.1 A
- [ ] 1.2 B
- [ ] 1.3 C
## 2. Second
- [ ] 2.1 D{}
"""


def planned(text: str) -> Planned:
    return plan(task_list.read(text.encode("utf-8", "surrogatepass")))


def requires(said: str) -> tuple[str, ...]:
    return planned(LIST.format(said)).tasks[-1].requires


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("\n  **Dependencies**: 1.1, 1.2", ("1.1", "1.2")),
        ("\n  - Dependencies: 1.1 and 1.3", ("1.1", "1.3")),
        ("\n  **Dependencies:** None", ()),
        ("\n  Depends on: 1.1-1.3", ("1.1", "1.2", "1.3")),
        ("\n  Depends on: 1.1\u20133", ("1.1", "1.2", "1.3")),
        ("\n  Depends on: 1.1 through 1.2", ("1.1", "1.2")),
        ("\n  Requires: Phase 1", ("1.1", "1.2", "1.3")),
        ("\n  Depends on: 1.x", ("1.1", "1.2", "1.3")),
        ("\n  Depends on: 1", ("1.1", "1.2", "1.3")),
        (" (depends on 1.1, 1.2)", ("1.1", "1.2")),
        (" (after 1.2)", ("1.2",)),
        ("\n  **Dependencies**: 1.1,\n  1.2\n  **Size**: M", ("1.1", "1.2")),
        ("\n  **Dependencies**: none (but 1.1 helps)", ()),
        ("\n  Needs httpx 0.27 and D3", ()),
        (" so that it depends on nothing", ()),
    ],
)
def test_a_dependency_line_names_tasks(said: str, expected: tuple[str, ...]) -> None:
    assert requires(said) == expected


def test_spec_kit_marks_are_read() -> None:
    task = planned("- [ ] T001 A\n- [ ] T003 [P] [US1] B in `a.py` (depends on T001)\n").tasks[1]
    assert (task.id, task.parallel, task.story, task.requires) == ("T003", True, "US1", ("T001",))
    assert task.text == "B in `a.py` (depends on T001)"


def test_a_task_that_does_not_exist_is_dropped_with_words() -> None:
    found = planned(LIST.format("\n  **Dependencies**: 1.1, 7.7"))
    assert found.tasks[-1].requires == ("1.1",)
    assert found.notes == ("tasks.md:6: 2.1 depends on 7.7, which is no task",)


def test_of_a_circle_the_edge_down_the_list_is_dropped_with_words() -> None:
    found = planned("- [ ] 1.1 A\n  Depends on: 1.2\n- [ ] 1.2 B\n  Depends on: 1.1\n")
    assert [task.requires for task in found.tasks] == [(), ("1.1",)]
    assert found.notes == ("1.1 depends on 1.2, which depends on 1.1: left out",)


def test_tasks_without_numbers_get_as_many_words_as_tell_them_apart() -> None:
    found = planned(
        "- [ ] Add the first of all the many files\n- [ ] Add the first of all the many folders\n- [ ] Go\n"
    )
    assert [task.id for task in found.tasks] == [
        "Add the first of all the many files",
        "Add the first of all the many folders",
        "Go",
    ]


def test_repeated_numbers_are_told_apart_by_words() -> None:
    assert [task.id for task in planned("- [ ] 1.1 One\n- [ ] 1.1 Two\n- [ ] 1.1 Two\n").tasks] == [
        "1.1 One",
        "1.1 Two",
        "1.1 Two (2)",
    ]


WORDS = st.sampled_from(
    ["1.1", "1.2", "T001", "Add", "it", "2", "[P]", "(depends on 1.1)", "Depends", "**x**", "\u00e4"]
)
LINES = st.one_of(
    st.builds(lambda words: "- [ ] " + " ".join(words), st.lists(WORDS, max_size=5)),
    st.builds(lambda words: "  Depends on: " + ", ".join(words), st.lists(WORDS, max_size=4)),
    st.builds(lambda words: "## " + " ".join(words), st.lists(WORDS, max_size=3)),
    st.text(max_size=10),
)


@given(st.lists(LINES, max_size=12))
def test_no_task_is_lost_ids_are_unique_and_requirements_have_an_order(lines: list[str]) -> None:
    found = task_list.read("\n".join(lines).encode("utf-8", "surrogatepass"))
    result = plan(found)
    ids = [task.id for task in result.tasks]
    assert [task.lines for task in result.tasks] == [task.lines for task in found.tasks]
    assert len(set(ids)) == len(ids)
    assert {one for task in result.tasks for one in task.requires} <= set(ids)
    TopologicalSorter({task.id: task.requires for task in result.tasks}).prepare()


@given(st.lists(LINES, max_size=10))
def test_a_plan_that_names_an_id_gets_that_task(lines: list[str]) -> None:
    found = task_list.read("\n".join(lines).encode("utf-8", "surrogatepass"))
    for n, name in enumerate(task_list.names(found)):
        texts = [(task.number, task.text) for task in found.tasks]
        if texts.count(texts[n]) == 1 and any(map(str.isalnum, texts[n][1])):
            assert n in task_list.assign(found, {"a": [name]}).tasks["a"]
