"""The evidence table of a change: which files its words and their neighbours name, and for which task."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from parallel_impl.planning.reading import table
from parallel_impl.planning.reading.code import Code
from parallel_impl.planning.reading.documents import document
from parallel_impl.planning.reading.evidence import Clue, ClueKind, Resolution, Table
from parallel_impl.planning.reading.phases import Phases

TASKS = """\
# Tasks

## 1. Shop
- [ ] 1.1 Extend `src/shop/cart.py`
- [ ] 1.2 Add `src/shop/discount.py`
  **Dependencies**: 1.1
"""
FILES = ("src/shop/__init__.py", "src/shop/cart.py", "tests/shop/test_cart.py", "pyproject.toml", "docs/a.md")


def nothing(paths: Collection[str]) -> dict[str, bytes]:
    return dict.fromkeys(paths, b"")


def build(tasks: str = TASKS, contents: Mapping[str, bytes] = MappingProxyType({})) -> Table:
    read = document("tasks.md", tasks.encode())
    assert read
    code = Code(dict.fromkeys(FILES, 10), (), lambda paths: {path: contents.get(path, b"") for path in paths})
    return table.build("shop", [read], code)


def clue(found: Table, path: str, kind: ClueKind) -> Clue:
    return next(one for one in found.evidence if (one.path, one.kind) == (path, kind))


def test_a_file_that_a_task_names_is_evidence_for_that_task() -> None:
    assert clue(build(), "src/shop/cart.py", ClueKind.TASK).task == "1.1"


def test_a_file_that_does_not_exist_is_new_in_its_known_folder() -> None:
    assert clue(build(), "src/shop/discount.py", ClueKind.TASK).resolution is Resolution.NEW


def test_tests_follow_from_their_source_existing_or_not() -> None:
    found = build()
    assert clue(found, "tests/shop/test_cart.py", ClueKind.TEST_MIRROR).resolution is Resolution.EXACT
    assert clue(found, "tests/shop/test_discount.py", ClueKind.TEST_MIRROR).resolution is Resolution.NEW


def test_dependency_lines_become_requirements() -> None:
    assert [task.requires for task in build().tasks] == [(), ("1.1",)]


def test_a_tasks_file_without_boxes_is_a_note_with_the_way_on() -> None:
    found = build("# Tasks\n### T1: A\n")
    assert found.tasks == ()
    assert found.notes == (
        "tasks.md has no box (`- [ ] 1.1 \u2026`): where its headings are the tasks, read it as a spec with --from",
    )


def test_prose_counts_less_where_the_tasks_name_their_files() -> None:
    proposal = document("proposal.md", b"# P\nSee `docs/a.md`.\n")
    assert proposal

    def certainty(tasks: str) -> float:
        read = document("tasks.md", tasks.encode())
        assert read
        found = table.build("shop", [read, proposal], Code(dict.fromkeys(FILES, 10), (), nothing))
        return clue(found, "docs/a.md", ClueKind.PROPOSAL).certainty

    assert certainty("- [ ] 1.1 Do it\n") == 0.6
    assert certainty(TASKS) == 0.09


def test_a_task_that_names_a_function_touches_the_file_that_defines_it() -> None:
    source = b"class CartTotal:\n    def add_discount(self): ...\n"
    found = build("- [ ] 1.1 Let `CartTotal.add_discount` round\n", {"src/shop/cart.py": source})
    assert clue(found, "src/shop/cart.py", ClueKind.SYMBOL).task == "1.1"


def test_documents_of_the_change_are_no_code() -> None:
    found = build("- [ ] 1.1 Write `contracts/api.yaml`, `openspec/specs/x/spec.md` and `proposal.md`\n")
    assert found.evidence == ()
    assert found.unresolved == ()


def test_phases_are_requirements() -> None:
    read = document("tasks.md", b"## 1. A\n- [ ] 1.1 A\n## 2. B\n- [ ] 2.1 B\n")
    assert read
    code = Code(dict.fromkeys(FILES, 10), (), nothing)
    assert table.build("shop", [read], code, phases=Phases.ORDER).tasks[1].requires == ("1.1",)
    assert table.build("shop", [read], code, phases=Phases.EVIDENCE).tasks[1].requires == ()
