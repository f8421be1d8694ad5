"""The evidence table of a change: which files its words and their neighbours name, and for which task."""

from __future__ import annotations

from parallel_impl.planning import table
from parallel_impl.planning.code import Code
from parallel_impl.planning.documents import document
from parallel_impl.planning.evidence import Clue, ClueKind, Resolution, Table

TASKS = """\
# Tasks

## 1. Shop
- [ ] 1.1 Extend `src/shop/cart.py`
- [ ] 1.2 Add `src/shop/discount.py`
  **Dependencies**: 1.1
"""
FILES = ("src/shop/__init__.py", "src/shop/cart.py", "tests/shop/test_cart.py", "pyproject.toml", "docs/a.md")


def build(tasks: str = TASKS, files: tuple[str, ...] = FILES, **contents: bytes) -> Table:
    read = document("tasks.md", tasks.encode())
    assert read
    code = Code(dict.fromkeys(files, 10), (), lambda paths: {path: contents.get(path, b"") for path in paths})
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
