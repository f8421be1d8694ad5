"""Ticking boxes: for named tasks only, and nothing but the mark changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.openspec import tasks
from parallel_impl.openspec.tasks import Mark, read

BOXES = """\
# Tasks

## 1. Store

- [ ] 1.1 Keep
- [x] 1.2 Read
  * [ ] nested
- [~] 1.3 Later

## 2. Queue
1. [ ] 2.1 Move\t
- [\u00a0] 2.2 Odd
"""


def test_the_boxes_of_named_tasks_are_ticked_and_no_others() -> None:
    found = read(BOXES.encode())
    ticked = tasks.tick(found, tasks.named(found, {"wp-a": ["1"], "wp-rest": []}))
    assert ticked.decode() == BOXES.replace("[ ] 1.1", "[x] 1.1").replace("[ ] nested", "[x] nested")
    second = tasks.tick(found, tasks.named(found, {"wp-b": ["2"]}))
    assert second.decode() == BOXES.replace("[ ] 2.1", "[x] 2.1")


@given(
    st.lists(st.sampled_from([*BOXES.splitlines(), "- [ ] \udcff", "\ufeff- [ ] a", "```", "- [ ]"]), max_size=12),
    st.sampled_from(["\n", "\r\n"]),
    st.data(),
)
def test_ticking_changes_nothing_but_marks(lines: list[str], ending: str, data: st.DataObject) -> None:
    content = tasks.encoded(ending.join(lines))
    found = read(content)
    chosen = data.draw(st.sets(st.sampled_from(range(len(found.tasks))))) if found.tasks else set()
    ticked = tasks.tick(found, chosen)
    assert len(ticked) == len(content)
    differ = [at for at, (old, new) in enumerate(zip(content, ticked, strict=True)) if old != new]
    assert {(content[at - 1 : at + 2], ticked[at - 1 : at + 2]) for at in differ} <= {(b"[ ]", b"[x]")}
    assert len(differ) <= len(chosen)
    again = read(ticked)
    open_before = [found.tasks[index].mark is Mark.OPEN for index in range(len(found.tasks))]
    assert [
        one.mark is Mark.DONE for index, one in enumerate(again.tasks) if index in chosen and open_before[index]
    ] == [
        found.lines[found.tasks[index].lines[0] - 1][found.tasks[index].column] == " "
        for index in range(len(found.tasks))
        if index in chosen and open_before[index]
    ]
    assert tasks.tick(again, chosen) == ticked


WORDS = st.lists(st.tuples(st.sampled_from(["One", "Two", "Three"]), st.booleans()), min_size=1, max_size=5)


@given(WORDS, st.lists(st.sampled_from(["One", "Two", "Three", "New"]), max_size=6))
def test_a_task_is_found_in_another_list_only_where_all_of_its_text_are_done(
    before: list[tuple[str, bool]], after: list[str]
) -> None:
    known = read("".join(f"- [ ] 1.{n} {word}\n" for n, (word, _) in enumerate(before, 1)).encode())
    found = read("".join(f"- [ ] 1.{n} {word}\n" for n, word in enumerate(after, 1)).encode())
    done = [n for n, (_, named) in enumerate(before) if named]
    for task in tasks.same(known, done, found):
        number, text = found.tasks[task].number, found.tasks[task].text
        same = [n for n, (word, _) in enumerate(before) if word == text]
        assert same
        assert all(before[n][1] for n in same) or any(known.tasks[n].number == number for n in same if before[n][1])
    assert tasks.same(known, done, known) == tuple(done)
