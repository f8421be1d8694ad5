"""Ids of changes and packages."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.plan.ids import branch, problem


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
        ("a" * 65, "write " + "a" * 64), ("archive", "write add-archive"), ("con", "write add-con"),
    ],
)  # fmt: skip
def test_any_other_id_is_refused_with_the_nearest_one(text: str, hint: str) -> None:
    found = problem(text)
    assert found is not None
    assert found[1].startswith(hint)


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
