"""Candidates that follow from named files: tests, folders, registries, the next number, configuration, hot files."""

from __future__ import annotations

import pytest

from parallel_impl.planning.reading import neighbours, tests_beside
from parallel_impl.planning.reading.evidence import Clue, ClueKind, Resolution
from parallel_impl.planning.reading.tree import FileTree


def candidates(*paths: str, named: str, resolution: Resolution = Resolution.NEW) -> dict[str, ClueKind]:
    clue = Clue(named, "1.1", ClueKind.TASK, 0.9, resolution)
    return {one.path: one.kind for one in neighbours.candidates([clue], FileTree(paths))}


@pytest.mark.parametrize(
    ("named", "others", "test"),
    [
        ("src/cart.py", ["tests/test_a.py"], "tests/test_cart.py"),
        ("src/shop/cart.py", ["tests/test_shop/test_a.py"], "tests/test_shop/test_cart.py"),
        ("app/src/shop/cart.py", ["app/tests/shop/test_a.py"], "app/tests/shop/test_cart.py"),
        ("app/cart.py", ["tests/a_test.py", "tests/b_test.py"], "tests/cart_test.py"),
        ("web/src/cart.ts", ["web/src/a.test.ts", "web/src/a.ts"], "web/src/cart.test.ts"),
        ("web/src/Cart.tsx", ["web/src/__tests__/A.spec.tsx"], "web/src/__tests__/Cart.spec.tsx"),
        ("pkg/cart.go", ["pkg/a.go"], "pkg/cart_test.go"),
    ],
)
def test_a_new_source_gets_its_test_where_the_tree_keeps_them(named: str, others: list[str], test: str) -> None:
    assert candidates(*others, named=named)[test] is ClueKind.TEST_MIRROR


def test_the_test_that_somebody_names_is_the_test_of_a_new_source() -> None:
    named = [
        Clue(path, "1.1", ClueKind.TASK, 0.9, Resolution.NEW) for path in ("src/cart.py", "tests/web/test_cart.py")
    ]
    found = neighbours.candidates(named, FileTree(("tests/test_a.py",)))
    mirrors = [(one.path, one.because) for one in found if one.kind is ClueKind.TEST_MIRROR]
    assert mirrors == [("tests/web/test_cart.py", "src/cart.py")]


def test_an_existing_test_is_found_in_the_innermost_folder_around_its_source() -> None:
    tree = FileTree(("a/src/cart.py", "a/tests/test_cart.py", "tests/test_cart.py", "b/tests/test_cart.py"))
    assert tests_beside.existing("a/src/cart.py", tree) == ["a/tests/test_cart.py"]


def test_of_two_tests_of_one_name_the_one_in_the_same_folders_is_meant() -> None:
    tree = FileTree(("src/a/registry.ts", "src/b/registry.ts", "test/a/registry.test.ts", "test/b/registry.test.ts"))
    assert tests_beside.existing("src/b/registry.ts", tree) == ["test/b/registry.test.ts"]


def test_the_source_of_a_named_test_is_a_candidate() -> None:
    found = candidates("app/src/cart.py", named="app/tests/test_cart.py")
    assert found["app/src/cart.py"] is ClueKind.TEST_MIRROR


def test_a_component_has_the_tests_folder_that_the_tree_keeps_for_others() -> None:
    found = candidates(
        "skills/a/x.py", "skills/b/x.py", "skills/tests/a/test_x.py", "skills/tests/b/test_x.py", named="skills/c/x.py"
    )
    assert found["skills/tests/c/"] is ClueKind.COMPONENT_TESTS


def test_one_folder_of_the_same_name_is_no_convention() -> None:
    assert "tests/c/" not in candidates("a/x.py", "tests/a/test_x.py", "tests/q/test_x.py", named="c/x.py")


def test_a_new_folder_and_a_registry_beside_a_new_module_are_candidates() -> None:
    assert candidates("a/b.py", named="new/x.py")["new/"] is ClueKind.NEW_FOLDER
    assert candidates("a/__init__.py", named="a/x.py")["a/__init__.py"] is ClueKind.REGISTRY


def test_a_large_folder_is_worth_less_than_a_small_one() -> None:
    assert [neighbours.by_size(files) for files in (0, 8, 32, 128)] == [1.0, 1.0, 0.5, 0.25]


def test_the_next_number_of_a_folder_is_a_candidate_where_a_task_speaks_of_it() -> None:
    tree = FileTree([f"db/migrations/00{n}_x.sql" for n in range(1, 6)])
    found = neighbours.sequences([("Write the migration", "1.1"), ("Go on", "1.2")], [], tree)
    assert found == []  # nothing of the change lies there
    clue = Clue("db/x.py", "1.1", ClueKind.TASK, 0.9, Resolution.NEW)
    found = neighbours.sequences([("Write the migration", "1.1"), ("Go on", "1.2")], [clue], tree)
    assert [(one.path, one.task, one.resolution) for one in found] == [
        ("db/migrations/006[_-]*", "1.1", Resolution.PATTERN)
    ]


def test_files_that_changed_with_the_component_are_hot_and_others_are_not() -> None:
    tree = FileTree(("a/package.json", "a/x.ts", "a/routes.ts", "b/package.json", "b/y.ts"))
    named = [Clue("a/x.ts", "1.1", ClueKind.TASK, 0.9, Resolution.EXACT)]
    commits = [frozenset({"a/x.ts", "a/routes.ts"}), frozenset({"a/x.ts"}), frozenset({"b/y.ts"})]
    found = {one.path: one.kind for one in neighbours.shared(named, commits, tree)}
    assert found == {
        "a/package.json": ClueKind.ROOT_CONFIG,  # a component's own build files always count
        "a/routes.ts": ClueKind.HOT,
        "a/x.ts": ClueKind.HOT,
    }


def test_hot_configuration_counts_where_a_text_speaks_of_its_kind() -> None:
    tree = FileTree(("pyproject.toml", ".github/workflows/ci.yml", "a.py"))
    named = [Clue("a.py", "1.1", ClueKind.TASK, 0.9, Resolution.EXACT)]
    commits = [frozenset({"a.py", "pyproject.toml", ".github/workflows/ci.yml"})] * 10
    assert [one.path for one in neighbours.shared(named, commits, tree)] == ["a.py"]
    assert [one.path for one in neighbours.shared(named, commits, tree, {"CI"})] == [".github/workflows/ci.yml", "a.py"]


def test_two_words_of_the_change_id_that_names_know_are_a_topic() -> None:
    tree = FileTree(("app/merge_train.py", "app/pay.py", "app/tests/test_pay.py"))
    named = [Clue("app/pay.py", "1.1", ClueKind.TASK, 0.9, Resolution.EXACT)]
    found = {one.path: one.resolution for one in neighbours.topics("speculative-merge-trains", named, tree, 1.0)}
    assert found == {
        "app/merge_train.py": Resolution.EXACT,
        "app/merge[_-]train*": Resolution.PATTERN,
        "app/tests/test[_-]merge[_-]train*": Resolution.PATTERN,
    }


def test_where_components_have_their_own_tests_the_change_may_have_a_folder_there() -> None:
    tree = FileTree(("skills/a/x.py", "skills/b/x.py", "skills/tests/a/test_x.py", "skills/tests/b/test_x.py"))
    named = [Clue("skills/a/x.py", "1.1", ClueKind.TASK, 0.9, Resolution.EXACT)]
    found = neighbours.topics("new-thing", named, tree, 1.0)
    assert [(one.path, one.resolution) for one in found] == [("skills/tests/new-thing/", Resolution.NEW)]
