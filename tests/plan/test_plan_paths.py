"""What a listing finds for a glob is what matching every path finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.plan.globs import globs
from parallel_impl.plan.model import Scope
from parallel_impl.plan.paths import Paths

PATHS = ("a.py", "a/b.py", "a/b/c.py", "a/bc.py", "a-b/c.py", "ab/c/d.py", "b/[id]/c.py", "b/i/c.py", "b/d/é.py", "a0")
PARTS = st.sampled_from(["a", "b", "ab", "c.py", "*", "**", "?", "[id]", "*.py", "[!a]*", "d", "é.py"])


@given(st.lists(PARTS, min_size=1, max_size=4).map("/".join), st.sampled_from(["", "/"]))
def test_a_glob_is_found_as_it_is_matched(pattern: str, slash: str) -> None:
    glob = f"{pattern}{slash}"
    if globs.problem(glob) is None:
        assert list(Paths(PATHS).matching(glob)) == sorted(path for path in PATHS if globs.match(glob, path))


def test_a_scope_is_what_it_allows_without_what_it_denies() -> None:
    assert Paths(PATHS).in_scope(Scope(("a/**", "a/b", "*.py"), deny=("a/b",))) == ["a.py", "a/b.py", "a/bc.py"]


@pytest.mark.parametrize(("folder", "expected"), [("a", 3), ("a/b", 1), ("a.py", 0), ("x", 0)])
def test_a_folder_is_what_lies_below_it(folder: str, expected: int) -> None:
    assert len(Paths(PATHS).below(folder)) == expected
