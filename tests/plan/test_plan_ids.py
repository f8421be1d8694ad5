"""Ids of changes and packages."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import parallel_impl
from parallel_impl.errors import UserError
from parallel_impl.plan.ids import branch, change_of, check, folder, named, plan_file, problem

ROOT = Path(parallel_impl.__file__).parent
SPELT = re.compile(r"openspec/changes|work-packages\.yaml")


def test_a_change_may_have_128_characters_and_a_package_64() -> None:
    assert problem("a" * 128) is None
    assert problem("a" * 129) is not None
    assert problem("a" * 65, package=True) is not None
    assert len(branch("a" * 128, "b" * 64)) < 250  # a file name may have 255, and git adds .lock


def test_a_change_in_a_namespace_is_called_that() -> None:
    found = problem("platform/add-x")
    assert found is not None
    assert "'platform/add-x' is a change in a namespace" in found.what
    assert "git mv openspec/changes/platform/add-x openspec/changes/platform-add-x" in found.hint


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("openspec/changes/add-x/work-packages.yaml", "add-x"),
        ("/r/openspec/changes/archive/2026-01-02-add-x/work-packages.yaml", "add-x"),
        ("openspec/changes/2026-01-02-add-x/work-packages.yaml", "add-x"),
        ("openspec/changes/platform/add-x/work-packages.yaml", ""),
        ("openspec/changes/Add X/work-packages.yaml", ""),
        ("openspec/changes/add-x/other.yaml", ""),
        ("notopenspec/changes/add-x/work-packages.yaml", ""),
        ("work-packages.yaml", ""),
    ],
)
def test_the_change_of_a_plan_is_its_folder(path: str, expected: str) -> None:
    assert change_of(path) == expected


@pytest.mark.parametrize("text", ["add-user-auth", "a", "a1-2", "a" * 64])
def test_a_kebab_id_is_admitted(text: str) -> None:
    assert problem(text) is None
    assert problem(text, package=True) is None


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("../../etc", "write etc"), ("-x", "write x"), ("a.lock", "write a-lock"), ("a@{b", "write a-b"),
        ("wp-a\n", "write wp-a"), ("HEAD", "write e.g. add-login"), ("a:b", "write a-b"), ("a--b", "write a-b"),
        ("a;rm -rf x", "write a-rm-rf-x"), ("ａ", "write e.g. add-login"), ("", "write e.g. add-login"),
        (".", "write e.g. add-login"), ("a\\b", "write a-b"), ("Add Login", "write add-login"), ("1a", "write a"),
        ("a" * 129, "write " + "a" * 128), ("openspec/changes/add-x/", "write add-x"), ("archive", "write add-archive"),
        ("con", "write add-con"),
    ],
)  # fmt: skip
def test_any_other_id_is_refused_with_the_nearest_one(text: str, hint: str) -> None:
    found = problem(text)
    assert found is not None
    assert found.hint.startswith(hint)


def test_only_package_ids_may_have_underscores() -> None:
    assert problem("wp_a", package=True) is None
    assert problem("wp_a") is not None


def test_branches_of_packages_lie_beside_the_branch_of_the_change() -> None:
    assert branch("c1") == "openspec/c1"
    assert branch("c1", "wp-a") == "openspec/c1--wp-a"


@given(st.text(max_size=20) | st.from_regex(r"[a-z0-9-]{1,12}", fullmatch=True))
def test_what_is_admitted_is_a_word_without_double_hyphen(text: str) -> None:
    if problem(text) is None:
        assert text.isascii()
        assert text.replace("-", "").isalnum()
        assert "--" not in text


def test_git_takes_every_admitted_id_as_a_branch() -> None:
    for text in ("add-login", "a", "x" * 64, "v2"):
        subprocess.run(["git", "check-ref-format", f"refs/heads/{branch(text, 'wp_a-1')}"], check=True)


def test_an_id_that_was_typed_wrong_is_an_error_of_the_command_line() -> None:
    check("add-login")
    with pytest.raises(UserError) as raised:
        check("Add Login")
    [wrong] = raised.value.problems
    assert (wrong.where, wrong.what) == ("<change-id>", "'Add Login' is not a change-id")
    assert wrong.hint.startswith("write add-login (")


def test_a_change_has_its_folder_and_plan_where_openspec_keeps_changes() -> None:
    assert folder("c1") == "openspec/changes/c1"
    assert plan_file("c1") == "openspec/changes/c1/work-packages.yaml"


def test_the_place_of_changes_and_the_name_of_a_plan_are_spelt_in_the_plan_room_only() -> None:
    files = [path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] != "plan"]
    spelt = [(path.name, text) for path in files for text in texts(path) if SPELT.search(text)]
    assert spelt == []


def texts(path: Path) -> Iterator[str]:
    """The texts that a module uses: all but its docstrings."""
    tree = ast.parse(path.read_text())
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


@pytest.mark.parametrize(
    ("typed", "place", "meant"),
    [
        ("add-x", "/r/openspec/changes", "add-x"),
        ("openspec/changes/add-x", "/r", "add-x"),
        ("./openspec/changes//add-x/", "/r", "add-x"),
        ("/r/web/openspec/changes/add-x/", "/elsewhere", "add-x"),
        ("../add-x", "/r/openspec/changes/add-y", "add-x"),
        ("openspec/changes/add-x/work-packages.yaml", "/r", "add-x"),
        ("add-x/", "/r", "add-x/"),  # a folder, but of no change
        ("openspec/changes/archive/add-x", "/r", "openspec/changes/archive/add-x"),
        ("openspec/changes/Add_X", "/r", "openspec/changes/Add_X"),
        ("", "/r/openspec/changes/add-x", ""),
    ],
)
def test_a_path_to_the_folder_of_a_change_means_its_id(typed: str, place: str, meant: str) -> None:
    assert named(typed, place) == meant
