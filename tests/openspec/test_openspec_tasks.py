"""Reading task lists: which lines are boxes, what belongs to them, and whose they are."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.openspec.tasks import Mark, TaskList, assign, encoded, excerpt, read, tasks_hash


def tasks(text: str) -> TaskList:
    return read(text.encode())


def given_to(text: str, **names: list[str]) -> dict[str, str]:
    """What each package is given of a list, its words in capitals only."""
    found = tasks(text)
    own = assign(found, names).tasks
    return {
        package: " ".join(word for word in excerpt(found, own[package]).split() if word.isalpha() and word.isupper())
        for package in names
    }


@pytest.mark.parametrize(
    ("line", "number", "text", "mark"),
    [
        ("- [ ] 1.1 Make it", "1.1", "Make it", Mark.OPEN),
        ("* [x] 1.1 Make it", "1.1", "Make it", Mark.DONE),
        ("  - [X] 1.1.1 Make it", "1.1.1", "Make it", Mark.DONE),
        ("+ [ ] 1.1 Make it", "1.1", "Make it", Mark.OPEN),
        ("1. [ ] 2.2 Make it", "2.2", "Make it", Mark.OPEN),
        ("12) [ ] 2.2 Make it", "2.2", "Make it", Mark.OPEN),
        ("- [~] 1.1 Make it", "1.1", "Make it", Mark.PARTIAL),
        ("- [ ]1.1 Make it", "1.1", "Make it", Mark.OPEN),
        ("-[ ] 1.1 Make it", "1.1", "Make it", Mark.OPEN),
        ("-\t[\t]\t1.1 Make it", "1.1", "Make it", Mark.OPEN),
        ("- [\u00a0] 1.1 Make it", "1.1", "Make it", Mark.OPEN),
        ("\ufeff- [ ] 1.1 Make it", "1.1", "Make it", Mark.OPEN),
        ("- [ ] **1.1** Make it", "1.1", "Make it", Mark.OPEN),
        ("- [ ] 1.1: Make it", "1.1", "Make it", Mark.OPEN),
        ("- [ ] **1.1 Make it**", "1.1", "Make it**", Mark.OPEN),
        ("- [ ] T001 [P] [US1] Make it", "T001", "[P] [US1] Make it", Mark.OPEN),
        ("- [ ] Task 3: Make it", "3", "Make it", Mark.OPEN),
        ("- [ ] T3.7-partial-1 Make it", "T3.7-partial-1", "Make it", Mark.OPEN),
        ("- [ ] 1.1a Make it", "1.1a", "Make it", Mark.OPEN),
        ("- [ ] Make it", "", "Make it", Mark.OPEN),
        ("- [ ]", "", "", Mark.OPEN),
    ],
)
def test_a_box_is_read_in_every_form_that_people_write(line: str, number: str, text: str, mark: Mark) -> None:
    found = tasks(f"{line}\r\n")
    (task,) = found.tasks
    assert (task.number, task.text, task.mark) == (number, text, mark)
    assert found.lines[0][task.column - 1] == "["
    assert found.lines[0][task.column + 1] == "]"
    assert found.unreadable == ()


@pytest.mark.parametrize(
    "line",
    [
        "- [] 1.2 Make it", "- [-] 1.2 Make it", "- [ x] 1.2 Make it", "- [done] 1.2 Make it", "- [✓] 1.2 Make it",
        "[ ] 1.2 Make it", "> - [ ] 1.2 Make it", "• [ ] 1.2 Make it", "a) [ ] 1.2 Make it", "- ☐ 1.2 Make it",
        "- 1.2 [ ] Make it", "- [ 1.2 Make it", "- ] 1.2 Make it", "-- [x] 1.2 Make it", "  - [/] 1.2 Make it",
    ],
)  # fmt: skip
def test_a_box_that_cannot_be_read_is_reported_and_nobodys(line: str) -> None:
    found = tasks(f"- [ ] 1.1 First\n{line}\n    more of it\n- [ ] 1.3 Third\n")
    assert found.unreadable == (2,)
    assert [task.lines for task in found.tasks] == [(1,), (4,)]


@pytest.mark.parametrize(
    "line",
    ["- [a link](x.md)", "- [1]: note", "- [P] parallel", "[wp-a] owns it", "- see [ ] there", "- [x](y.md) done", "a"],
)
def test_what_is_no_box_belongs_to_the_task_above(line: str) -> None:
    found = tasks(f"- [ ] 1.1 First\n  {line}\n")
    if not line.startswith("- [x]"):  # OpenSpec counts this one
        assert found.unreadable == ()
        assert [task.lines for task in found.tasks] == [(1, 2)]


def test_a_heading_with_a_box_is_a_section_and_reported() -> None:
    found = tasks("## [x] 1. Store\n- [ ] 1.1 First\n")
    assert (found.sections[0].number, found.unreadable, found.tasks[0].section) == ("1", (1,), 0)


@pytest.mark.parametrize(
    ("heading", "number"),
    [
        ("## 1. Store", "1"), ("# Phase 2: Store", "2"), ("### 1.2 Store", "1.2"), ("## Task Group 3 - Store", "3"),
        ("## P4 — Store", "P4"), ("##5 Store ##", "5"), ("## **6** Store", "6"), ("## Move to Python 3", ""),
    ],
)  # fmt: skip
def test_a_section_has_the_number_that_it_begins_with(heading: str, number: str) -> None:
    assert [section.number for section in tasks(f"{heading}\n").sections] == [number]


LIST = """\
Preamble NOWHERE
## 1. Store
Before STORE
- [ ] 1.1 Make FIRST
  Files: MORE

  - [ ] 1.1.1 Nested INNER
    deeper DEEP
    - [ ] plain PLAIN
  goes on AGAIN
1. [ ] 1.2 Fill SECOND
Files: LAZY

Files: LATER
---
after a RULE
### 1.3 Sub
- [ ] Name THIRD
## 2. Web
- [ ] 2.1 Page FOURTH
- [ ] Add the login FIFTH
"""


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["1.1"], "FIRST MORE INNER DEEP PLAIN AGAIN"),
        (["1.1.1"], "INNER DEEP PLAIN"),
        (["1.2"], "SECOND LAZY LATER"),
        (["1.3"], "THIRD"),
        (["1"], "STORE FIRST MORE INNER DEEP PLAIN AGAIN SECOND LAZY LATER RULE THIRD"),
        (["2.1"], "FOURTH"),
        (["2"], "FOURTH FIFTH"),
        (["Add the login"], "FIFTH"),
        (["add the LOGIN fifth"], "FIFTH"),
        (["2.1 Page"], "FOURTH"),
        (["Web"], "FOURTH FIFTH"),
        (["plain"], "PLAIN"),
        (["1.1.1", "2.1"], "INNER DEEP PLAIN FOURTH"),
    ],
)
def test_a_package_is_given_what_it_names_with_all_that_belongs_to_it(names: list[str], expected: str) -> None:
    assert given_to(LIST, a=names, b=["9"])["a"] == expected


def test_a_nested_box_that_another_package_names_is_that_packages() -> None:
    assert given_to(LIST, a=["1.1"], b=["1.1.1"]) == {"a": "FIRST MORE AGAIN", "b": "INNER DEEP PLAIN"}
    assert given_to(LIST, a=["1"], b=["1.2"], c=["1.3"])["a"] == "FIRST MORE INNER DEEP PLAIN AGAIN"


def test_a_box_that_two_packages_name_is_told_to_both() -> None:
    assert given_to(LIST, a=["2.1"], b=["2.1"]) == {"a": "FOURTH", "b": "FOURTH"}


def test_a_package_that_names_nothing_is_given_what_no_other_names() -> None:
    assert given_to(LIST, a=["1"], b=[], c=["2.1"])["b"] == "FIFTH"
    assert given_to(LIST, a=["1"], b=["9.9"], c=["2.1"])["b"] == "FIFTH"
    assert assign(tasks(LIST), {"a": ["1", "9.9"], "b": []}).unknown == {"a": ("9.9",)}


def test_a_number_goes_on_in_a_flat_list_and_without_a_heading() -> None:
    flat = "## Work\n- [ ] 1.1 A\n- [ ] 1.1.1 B\n- [ ] 1.10 C\n- [ ] 2.1 D\n"
    assert given_to(flat, a=["1.1"], b=["2"]) == {"a": "A B", "b": "D"}
    assert given_to(flat, a=["1"]) == {"a": "A B C"}


def test_the_number_of_a_section_is_not_that_of_a_box_elsewhere() -> None:
    text = "## Phase 1\n- [ ] 1. A\n- [ ] 2. B\n## Phase 2\n- [ ] 3. C\n"
    assert given_to(text, a=["1"], b=["2"]) == {"a": "A B", "b": "C"}


def test_a_box_in_a_code_fence_counts_and_a_heading_in_it_does_not() -> None:
    found = tasks("## 1. A\n```sh\n# 2. no heading\n- [ ] 1.1 X\n[ ] no box\n```\n- [ ] 1.2 Y\n")
    assert [section.number for section in found.sections] == ["1"]
    assert [task.number for task in found.tasks] == ["1.1", "1.2"]
    assert found.unreadable == ()


def test_a_fence_that_nothing_closes_hides_nothing() -> None:
    assert [section.number for section in tasks("```\n## 1. A\n- [ ] 1.1 X\n## 2. B\n").sections] == ["1", "2"]


def test_a_plain_entry_is_no_parent() -> None:
    found = tasks("- [ ] 1.1 A\n- Notes\n  - [ ] 1.2 B\n")
    assert [task.parent for task in found.tasks] == [-1, -1]
    assert [task.lines for task in found.tasks] == [(1, 2), (3,)]


PIECES = st.lists(
    st.sampled_from(
        [
            "- ",
            "* ",
            "+",
            "1. ",
            "[ ]",
            "[x]",
            "[~]",
            "[",
            "]",
            " ",
            "  ",
            "\t",
            "#",
            "## ",
            "1.1",
            "1",
            ".",
            "word",
            "\n",
            "\r\n",
            "\n\n",
            "```",
            "---",
            "~",
            "\x85",
            "\x0b",
            "\ufeff",
            "é",
        ]
    ),
    max_size=30,
).map("".join)


@given(PIECES | st.text(max_size=60) | st.binary(max_size=60))
def test_nothing_is_lost_and_every_line_has_one_owner_at_most(text: str | bytes) -> None:
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    found = read(content)
    assert encoded("".join(found.lines)) == content
    parts = [*(task.lines for task in found.tasks), *(section.lines for section in found.sections)]
    owned = [line for lines in parts for line in lines]
    assert len(owned) == len(set(owned))
    assert not {task.lines[0] for task in found.tasks} & set(found.unreadable)
    for index, task in enumerate(found.tasks):
        mark = found.lines[task.lines[0] - 1][task.column]
        assert task.mark is (Mark.DONE if mark in "xX" else Mark.PARTIAL if mark == "~" else Mark.OPEN)
        assert task.parent < index


@given(PIECES)
def test_every_box_that_openspec_counts_is_a_task(text: str) -> None:
    theirs = re.compile(r"\s*[-*]\s*\[([\sxX])\]\s*(.*)")  # src/utils/task-progress.ts
    lines = {n for n, line in enumerate(text.split("\n"), 1) if theirs.match(line)}
    assert lines <= {task.lines[0] for task in tasks(text).tasks}


@given(PIECES, st.lists(st.sampled_from(["1", "1.1", "word", "2"]), max_size=3))
def test_every_box_is_somebodys_where_one_package_names_nothing(text: str, names: list[str]) -> None:
    found = tasks(text)
    own = assign(found, {"a": names, "b": []}).tasks
    assert sorted({*own["a"], *own["b"]}) == list(range(len(found.tasks)))


@given(PIECES, st.sampled_from("xX~ "))
def test_what_is_ticked_does_not_change_the_hash_of_the_tasks(text: str, mark: str) -> None:
    found = tasks(text)
    lines = list(found.lines)
    for task in found.tasks:
        line = lines[task.lines[0] - 1]
        lines[task.lines[0] - 1] = f"{line[: task.column]}{mark}{line[task.column + 1 :]}"
    assert tasks_hash(tasks("".join(lines))) == tasks_hash(found)


BRIEF = "# Tasks\n## 1. Core\n- [ ] 1.1 Make it\n  - Files: a.py\n- [ ] 1.2 Test it\n"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        (BRIEF.replace("[ ]", "[x]"), True),
        (BRIEF.replace("- [ ] 1.2", "*  [ ]  1.2").replace("\n", "\r\n"), True),
        (BRIEF.replace("## 1. Core", "## 1. The core"), True),
        (BRIEF.replace("a.py", "b.py"), False),
        (BRIEF.replace("1.2", "1.3"), False),
        (BRIEF.replace("Test it", "Test them"), False),
        (f"{BRIEF}- [ ] 1.3 Write it down\n", False),
        (BRIEF.replace("- [ ] 1.1 Make it\n", ""), False),
    ],
)
def test_the_hash_of_the_tasks_is_over_their_numbers_and_texts(text: str, *, same: bool) -> None:
    assert (tasks_hash(tasks(text)) == tasks_hash(tasks(BRIEF))) == same
