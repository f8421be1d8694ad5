"""What plans of changes written by other hands went wrong on, each as the rule that it broke."""

from __future__ import annotations

import pytest

from parallel_impl.planning.grouping import cohesion, touches
from parallel_impl.planning.grouping.draft import draft
from parallel_impl.planning.reading import history, named_paths, table
from parallel_impl.planning.reading.code import Code
from parallel_impl.planning.reading.documents import ChangeDocument
from parallel_impl.planning.reading.evidence import ClueKind, Table

FILES = ("src/app.py", "src/store.py", "src/mail.py", "src/main.py", "docs/use.md")
CONTENTS = {"src/app.py": b"from src import store\n"}


def built(tasks: str, *, proposal: str = "", files: tuple[str, ...] = FILES) -> Table:
    documents = [
        ChangeDocument("tasks.md", tasks, ClueKind.TASK),
        ChangeDocument("proposal.md", proposal, ClueKind.PROPOSAL),
    ]
    code = Code(dict.fromkeys(files, 1), (), lambda paths: {one: CONTENTS.get(one, b"") for one in paths})
    return table.build("add-orders", documents, code, change_path="openspec/changes/add-orders")


def units(tasks: str) -> list[tuple[str, ...]]:
    found = built(tasks)
    return [one.tasks for one in cohesion.find(found.tasks, touches.find(found), found.sections)]


def test_the_text_of_a_link_is_a_path_without_its_brackets() -> None:
    assert [one.text for one in named_paths.find("see [src/app.py](https://example.org/x)")] == ["src/app.py"]
    assert [one.text for one in named_paths.find("`app/[id]/page.tsx`")] == ["app/[id]/page.tsx"]


def test_a_title_is_neither_the_kind_of_the_document_nor_a_comment_in_code() -> None:
    tasks = "# Tasks\n- [ ] 1.1 Change `src/app.py`\n"
    assert built(tasks, proposal="# Proposal\n\n```sh\n# make it\n```\n").title == "add-orders"
    assert built(tasks, proposal="## Why\n\n# Change: Orders by post\n").title == "Orders by post"


def test_a_task_that_names_no_file_stays_with_the_one_before_it_in_its_section() -> None:
    store = "## 1. Store\n- [ ] 1.1 Change `src/store.py`\n- [ ] 1.2 Send what mail needs\n"
    tasks = f"{store}## 2. Mail\n- [ ] 2.1 `src/mail.py`\n"
    assert units(tasks) == [("1.1", "1.2"), ("2.1",)]


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("`tests/test_store.py`", [("1.1", "1.2"), ("1.3",)]),  # the mirror of what 1.1 names
        ("`tests/test_round_trip.py`", [("1.1", "1.2"), ("1.3",)]),  # a test of no source follows the work before it
        ("`tests/test_main.py`", [("1.1",), ("1.2",), ("1.3",)]),  # a source that no task works on
        ("`tests/test_mail.py`", [("1.1",), ("1.2", "1.3")]),
    ],
)
def test_a_test_stays_with_what_it_tests(test: str, expected: list[tuple[str, ...]]) -> None:
    tasks = f"## 1. Work\n- [ ] 1.1 `src/store.py`\n- [ ] 1.2 Test {test}\n- [ ] 1.3 `src/mail.py`\n"
    files = (*FILES, "tests/test_app.py")
    found = built(tasks, files=files)
    assert [one.tasks for one in cohesion.find(found.tasks, touches.find(found), files=found.files)] == expected


def test_tests_that_name_no_file_go_each_with_what_speaks_of_the_same() -> None:
    tasks = (
        "## 1. Work\n- [ ] 1.1 Keep orders in `src/store.py`\n- [ ] 1.2 Write letters in `src/mail.py`\n"
        "## 2. Tests\n- [ ] 2.1 Assert that letters are written\n- [ ] 2.2 Assert that orders are there again\n"
    )
    assert units(tasks) == [("1.1", "2.2"), ("1.2", "2.1")]


def test_work_that_says_no_order_waits_for_earlier_work_on_what_its_files_import() -> None:
    names = {n: " ".join(f"`src/{n}{k}.py`" for k in range(6)) for n in ("a", "b")}
    tasks = f"## 1. Store\n- [ ] 1.1 `src/store.py` {names['a']}\n## 2. App\n- [ ] 2.1 `src/app.py` {names['b']}\n"
    reasons = [
        why for one in draft(built(tasks)).grouping.packages for several in one.reasons.values() for why in several
    ]
    cut = " ".join(reasons) + draft(built(tasks)).judged.recommendation
    assert "imports src/store.py" in cut or "wait for each other" in cut


def test_ticked_boxes_are_told_of() -> None:
    assert "1 of 2 boxes are ticked already" in " ".join(
        built("- [x] 1.1 `src/app.py`\n- [ ] 1.2 `src/mail.py`\n").notes
    )
    assert "nothing is left to do" in " ".join(built("- [x] 1.1 `src/app.py`\n").notes)


def test_in_a_repository_of_one_commit_no_file_changes_often() -> None:
    assert history.hottest([frozenset({"a"})], frozenset({"a"}), frozenset({"a"})) == {}


def test_a_thousand_tasks_in_a_chain_are_planned() -> None:
    lines = [f"- [ ] {n}.1 Change `src/m{n}.py`\n  **Dependencies**: {n - 1}.1\n" for n in range(1, 1001)]
    drafted = draft(built("".join(lines)))
    assert sorted(task for one in drafted.packages for task in one.tasks) == sorted(f"{n}.1" for n in range(1, 1001))
    assert not [one for one in drafted.problems if one.severity == "error"]


def test_work_that_says_no_order_waits_for_the_contracts_made_before_it() -> None:
    names = {n: " ".join(f"`src/{n}{k}.py`" for k in range(6)) for n in ("a", "b")}
    tasks = (
        "## 1. Contracts\n- [ ] 1.1 Write `api/openapi.yaml`, `api/a.schema.json`, `api/b.schema.json`\n"
        f"## 2. Store\n- [ ] 2.1 {names['a']}\n## 3. Mail\n- [ ] 3.1 {names['b']}\n"
    )
    packages = {one.tasks: one for one in draft(built(tasks)).packages}
    reasons = {why for one in packages.values() for several in one.reasons.values() for why in several}
    assert "uses contract api/a.schema.json" in reasons
