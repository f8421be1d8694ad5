"""What a name in a text means in a tree: exact, by its end, new, a folder; decided by company or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.planning.reading.evidence import Resolution
from parallel_impl.planning.reading.named_paths import NamedPath
from parallel_impl.planning.reading.resolve import Company, resolve
from parallel_impl.planning.reading.tree import FileTree

TREE = FileTree((
    "README.md", "app/pyproject.toml", "app/src/cart.py", "app/src/pay.py", "app/tests/test_cart.py",
    "scripts/run.sh", "tools/pyproject.toml", "tools/scripts/build.py", "tools/src/cart.py", "web/src/index.ts",
    "web/src/views/Cart.tsx", "shop/orders/models.py",
))  # fmt: skip


def found(text: str, *near: str, quoted: bool = True) -> list[tuple[str, Resolution]]:
    company = Company((frozenset(near),)) if near else None
    return [(one.path, one.resolution) for one in resolve(NamedPath(text, 1, quoted), TREE, company)]


@pytest.mark.parametrize(
    ("text", "path", "resolution"),
    [
        ("app/src/cart.py", "app/src/cart.py", Resolution.EXACT),
        ("src/pay.py", "app/src/pay.py", Resolution.SUFFIX),
        ("Cart.tsx", "web/src/views/Cart.tsx", Resolution.SUFFIX),
        ("app/src/discount.py", "app/src/discount.py", Resolution.NEW),
        ("app/src/", "app/src/", Resolution.FOLDER),
        ("app/src", "app/src/", Resolution.FOLDER),
        ("views/", "web/src/views/", Resolution.FOLDER),
        ("web/src/new/", "web/src/new/", Resolution.NEW),
        ("shop.orders.models", "shop/orders/models.py", Resolution.SUFFIX),
        ("shop.orders.models.Order", "shop/orders/models.py", Resolution.SUFFIX),
    ],
)
def test_a_name_is_resolved_without_company_where_that_decides(text: str, path: str, resolution: Resolution) -> None:
    assert found(text) == [(path, resolution)]


@pytest.mark.parametrize("text", ["src/cart.py", "cart.py", "pyproject.toml", "src/new.py", "and/or", "Node.js"])
def test_what_could_mean_several_is_not_guessed(text: str) -> None:
    assert found(text, quoted=False) == []


def test_company_decides_between_files_of_the_same_name() -> None:
    assert found("src/cart.py", "app/src/pay.py") == [("app/src/cart.py", Resolution.SUFFIX)]
    assert found("cart.py", "tools/scripts/build.py") == [("tools/src/cart.py", Resolution.SUFFIX)]


def test_a_new_file_below_a_folder_that_several_components_have_goes_to_that_of_its_company() -> None:
    near = ("tools/src/cart.py", "tools/scripts/build.py", "README.md")
    assert found("scripts/new.py", *near) == [("tools/scripts/new.py", Resolution.NEW)]
    assert found("scripts/new.py", "README.md") == [("scripts/new.py", Resolution.NEW)]


def test_a_new_file_without_folder_lies_beside_its_company() -> None:
    assert found("discount.py", "app/src/pay.py") == [("app/src/discount.py", Resolution.NEW)]
    assert found("test_discount.py", "app/src/pay.py") == [("app/tests/test_discount.py", Resolution.NEW)]
    assert found("discount.py") == []


def test_a_new_file_of_settings_may_lie_at_the_top_as_well() -> None:
    near = ("app/src/a.yaml",)
    assert found("flags.yaml", *near) == [("app/src/flags.yaml", Resolution.NEW), ("flags.yaml", Resolution.NEW)]


def test_a_glob_means_the_files_that_it_matches() -> None:
    assert found("app/src/*.py") == [("app/src/cart.py", Resolution.EXACT), ("app/src/pay.py", Resolution.EXACT)]
    assert found("app/src/*.rs") == [("app/src/", Resolution.FOLDER)]


@pytest.mark.parametrize("text", ["app/.venv/lib/x.py", "node_modules/a/b.js", ".git/config"])
def test_what_nobody_edits_is_no_path(text: str) -> None:
    assert found(text, "app/src/cart.py") == []


PARTS = st.sampled_from(["src", "tests", "app", "web", "cart", "new", "x"])


@given(
    st.sets(st.builds("/".join, st.lists(PARTS, min_size=1, max_size=4)).map(lambda path: f"{path}.py"), max_size=8),
    st.builds("/".join, st.lists(PARTS, min_size=1, max_size=4)).map(lambda path: f"{path}.py"),
)
def test_what_is_said_to_exist_exists_and_what_is_new_does_not(files: set[str], text: str) -> None:
    tree = FileTree(files)
    company = Company((frozenset(sorted(files)[:3]),))
    several = resolve(NamedPath(text, 1, quoted=True), tree, company)
    for one in several:
        if one.resolution in (Resolution.EXACT, Resolution.SUFFIX):
            assert one.path in tree.files
        elif one.resolution is Resolution.NEW:
            assert one.path not in tree.files
        assert 0 < one.sure <= 1
    if text in files:
        assert [one.path for one in several] == [text]
