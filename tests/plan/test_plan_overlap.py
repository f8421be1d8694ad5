"""Overlap of globs is exact, and every overlap comes with a path to show it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_impl.errors import UserError
from parallel_impl.plan.globs.globs import covers, is_path, match, problem
from parallel_impl.plan.globs.overlap import (
    Overlaps,
    UndecidedError,
    Witness,
    ends,
    intersect,
    intersect_scopes,
    may_cover,
    may_meet,
)


@pytest.mark.parametrize(
    ("first", "second", "witness"),
    [
        ("src/api/**", "src/api/**", "src/api/x"),
        ("src/api/*", "src/api/v1/users.py", None),
        ("src/*.py", "src/a*", "src/a.py"),
        ("src/api/**", "src/ap?/users.py", "src/api/users.py"),
        ("**/*.md", "docs/**", "docs/x.md"),
        ("**", "x", "x"),
        ("src/api", "src/api/users.py", "src/api/users.py"),
        ("src/api/**", "src/api", "src/api/x"),
        ("src/api/", "src/api", "src/api/x"),
        ("src/[ab].py", "src/a.py", "src/a.py"),
        ("src/[ab].py", "src/[!a].py", "src/b.py"),
        ("src/A.py", "src/a.py", None),
        ("src/[[:upper:]].py", "src/a.py", None),
        ("**/x.py", "x.py", "x.py"),
        ("src/a*", "src/ab/**", None),
        ("src/*b.py", "src/a*", "src/ab.py"),
        ("a/**/c", "a/b/**", "a/b/c"),
        ("a/**/b/**/c", "a/*/c", "a/b/c"),
        ("app/[id]/page.tsx", "app/*/page.tsx", "app/[id]/page.tsx"),
        ("app/[id]/page.tsx", "app/i/page.tsx", "app/i/page.tsx"),
        ("app/[id]", "app/[id]/x.py", "app/[id]/x.py"),
        ("app/[slug]/x", "app/[id]/x", None),
        ("a*b*c", "*b*a*", "abac"),
        ("?", "[!a-z]", "A"),
        ("é*", "*ü", "éü"),
        ("git~?", "?it~1", None),
        (".git*", "*.", ".gitx."),
        (".git?", "*.", None),
        ("git~1*", "*:x", "git~1x:x"),
    ],
)
def test_two_patterns_meet_in_a_path_or_not(first: str, second: str, witness: str | None) -> None:
    assert intersect(first, second) == witness
    assert (intersect(second, first) is None) == (witness is None)


@pytest.mark.parametrize("second", ["a[*]b", "a[?]b", "a[*?]b"])
def test_a_name_that_fails_every_attempt_is_no_overlap(second: str) -> None:
    assert intersect("a?b/*", f"{second}/*") is None


@pytest.mark.parametrize(
    ("first", "second", "witness"),
    [
        (".g?t/x", ".gi*/x", None),
        (".g[ih]t/x", ".?[ij]t/x", None),
        ("a/.[gG]i*", "a/.?i[tT]", None),
        ("[.]/x*", "?/*x", None),
        (".[.]?/x", "?.*/x", "..x/x"),
        (".[.]/x*", "?[.]/*x", None),
        (".g[ij]t/a", ".?[ij]t/*", ".gjt/a"),
    ],
)
def test_what_no_tree_can_hold_is_no_overlap(first: str, second: str, witness: str | None) -> None:
    assert intersect(first, second) == witness


@pytest.mark.parametrize(
    ("allow_a", "deny_a", "allow_b", "deny_b", "witness"),
    [
        (["src/**"], ["src/b/**"], ["src/b/**"], [], None),
        (["src/**"], [], ["src/b/**"], ["src/b/**"], None),
        (["src/**"], ["src/b/a*"], ["src/b/**"], ["src/b/[!a]*"], None),
        (["**"], ["**/*.py"], ["**/*.p?"], [], Witness("x.px", "**", "**/*.p?")),
        (["**"], ["*/**"], ["**"], [], Witness("x", "**", "**")),
        (["**"], ["*"], ["**"], ["*/**"], None),
        (["**"], ["?*/**", "a*"], ["**"], ["[!a]*"], None),
        (["a/x", "b/x"], ["b"], ["b/*", "a/*"], [], Witness("a/x", "a/x", "a/*")),
        (["src/?"], ["src/[a-m]"], ["src/?"], ["src/[o-z]"], Witness("src/n", "src/?", "src/?")),
        (["src/[a-z]"], ["src/[a-m]"], ["src/?"], ["src/[o-z]"], Witness("src/n", "src/[a-z]", "src/?")),
        (["docs"], ["docs/**"], ["docs/**"], [], None),
        (["docs"], ["docs/**"], ["docs"], [], Witness("docs", "docs", "docs")),
        (["**/a/**"], ["**/a/**/b"], ["**/b"], [], None),
        (["src/**"], ["**/a.py"], ["src/a.py"], [], None),
        (["src/**"], ["src/?.py"], ["src/a.py/**", "src/ab.py"], [], Witness("src/ab.py", "src/**", "src/ab.py")),
        (["**/x.txt"], ["**/a.py"], ["src/a.py/*.txt"], [], None),
        (["**"], ["*"], ["**"], [], None),
    ],
)
def test_scopes_meet_only_outside_what_either_denies(
    allow_a: list[str], deny_a: list[str], allow_b: list[str], deny_b: list[str], witness: Witness | None
) -> None:
    found = intersect_scopes(allow_a, deny_a, allow_b, deny_b)
    assert (found and (found.first, found.second)) == (witness and (witness.first, witness.second))
    assert (found and found.path) == (witness and witness.path)


def test_a_pattern_that_is_refused_is_refused_here_too() -> None:
    with pytest.raises(UserError, match="absolute"):
        intersect("/a", "b")
    with pytest.raises(UserError, match="braces"):
        intersect_scopes(["a"], ["{a,b}"], ["c"], [])


def test_what_takes_too_long_is_an_error_and_never_no_overlap() -> None:
    with pytest.raises(UndecidedError, match="given up at whether"):
        Overlaps(steps=1000).pair("*a" * 100 + "b", "*b" * 100 + "*")
    with pytest.raises(UndecidedError, match="outside"):
        Overlaps(steps=5).pair("**/a*/**/*b", "**/*b/**/c*/**/?b", ["**/a?/**"])


def test_an_answer_is_remembered() -> None:
    overlaps = Overlaps(steps=2000)
    for _ in range(1000):
        assert overlaps.pair("src/**/a*", "src/**/*b", ["src/a*/**"]) == "src/ab"


def test_plain_text_at_the_ends_is_enough_to_tell_most_patterns_apart() -> None:
    assert not may_meet("src/a/**", "src/b/**")
    assert not may_meet("src/ab", "src/a")
    assert not may_meet("**/*.py", "**/*.md")
    assert not may_meet("**/a_*.py", "**/b_*.py")
    assert not may_meet("**/ab", "**/a")
    assert may_meet("src/a", "src/a/b.py")
    assert may_meet("**/a_*.py", "**/*_b.py")
    assert may_meet("**/x.py", "x.py")
    assert may_meet("a/[id]", "a/[id]/x.md")
    assert may_meet("*/", "a/b.md")


PIECES = ["a", "b", "*", "?", "[ab]", "[!a]", "."]
NAMES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map(lambda parts: re.sub(r"\*+", "*", "".join(parts)))
PATTERNS = (
    st.tuples(st.lists(st.one_of(st.just("**"), NAMES), min_size=1, max_size=3), st.sampled_from(["", "", "", "/"]))
    .map(lambda parts: "/".join(parts[0]) + parts[1])
    .filter(lambda pattern: problem(pattern) is None)
)
SCOPES = st.lists(PATTERNS, min_size=1, max_size=2)
DENIED = st.lists(PATTERNS, max_size=3)
SHORT = ["a", "b", "ab", "ba", "c", ".a", "aab", "[ab]", ".b."]
ALL_SHORT = [
    "/".join(names)
    for depth in (1, 2, 3)
    for names in itertools.product(SHORT if depth < 3 else SHORT[:4], repeat=depth)
] + ["".join(letters) for size in (1, 2, 3, 4) for letters in itertools.product("abc.", repeat=size)]
PATHS = sorted(path for path in set(ALL_SHORT) if is_path(path))


def in_scope(path: str, allow: Sequence[str], deny: Sequence[str]) -> bool:
    return any(match(glob, path) for glob in allow) and not any(covers(glob, path) for glob in deny)


@settings(max_examples=200, deadline=None)
@given(SCOPES, DENIED, SCOPES, DENIED)
def test_a_witness_is_in_both_scopes_and_without_one_no_path_is(
    allow_a: list[str], deny_a: list[str], allow_b: list[str], deny_b: list[str]
) -> None:
    found = intersect_scopes(allow_a, deny_a, allow_b, deny_b)
    if found:
        assert in_scope(found.path, allow_a, deny_a)
        assert in_scope(found.path, allow_b, deny_b)
        assert match(found.first, found.path)
        assert match(found.second, found.path)
        assert is_path(found.path)
        assert not set("*?") & set(found.path)
    else:
        assert not [p for p in PATHS if in_scope(p, allow_a, deny_a) and in_scope(p, allow_b, deny_b)]


@settings(max_examples=200, deadline=None)
@given(PATTERNS, PATTERNS)
def test_what_is_denied_is_denied_with_all_that_lies_below_it(deny: str, pattern: str) -> None:
    for path in PATHS:
        above = ("/".join(path.split("/")[:depth]) for depth in range(1, path.count("/") + 2))
        assert covers(deny, path) is any(match(deny, folder) for folder in above)
        assert may_cover(deny, pattern) or not (covers(deny, path) and match(pattern, path))


@settings(max_examples=100, deadline=None)
@given(PATTERNS)
def test_all_paths_of_a_pattern_have_its_plain_text(pattern: str) -> None:
    start, end, head = ends(pattern)
    for path in PATHS:
        if match(pattern, path):
            assert f"{path}/".startswith(start)
            assert f"/{path}".endswith(end[::-1])
            assert f"{path.rpartition('/')[2]}/".startswith(head)
