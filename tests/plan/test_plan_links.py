"""Scopes that lead into a submodule or behind a symlink."""

from __future__ import annotations

import pytest

from parallel_impl.errors import Severity
from parallel_impl.plan.links import SUBMODULE, Tree, problems, resolved
from parallel_impl.plan.model import Package, Plan, Scope

PATHS = {"packages/common/a.txt", "packages/app/b.txt", "packages/web/shared/c.txt", "AGENTS.md", "src/a.py"}
LINKS = {
    "packages/app/shared": "../common",
    "CLAUDE.md": "AGENTS.md",
    "libs/foo": SUBMODULE,
    "vendor": "libs/foo/src",
    "out": "/etc",
    "up": "../other",
    "round": "round",
    "twice": "packages/app/shared",
    "gone": "nowhere",
}


def said(*write_allow: str) -> list[tuple[Severity, str, str]]:
    plan = Plan("add-it", (Package("wp-a", "", Scope(write_allow)),))
    return [(found.severity, found.what, found.hint) for found in problems(plan, Tree(PATHS, LINKS))]


@pytest.mark.parametrize(
    ("pattern", "leads_to", "hint"),
    [
        ("packages/app/shared/**", "leads to packages/common", 'write "packages/common/**"'),
        ("packages/app/shared/", "leads to packages/common", 'write "packages/common/**"'),
        ("packages/app/shared/x/*.py", "leads to packages/common", 'write "packages/common/x/*.py"'),
        ("packages/app/shared", "leads to packages/common", 'write "packages/common/**", or both'),
        ("packages/a*/shared/new.txt", "leads to packages/common", 'write "packages/common/new.txt"'),
        ("twice/a.txt", "leads to packages/common", 'write "packages/common/a.txt"'),
        ("libs/foo/**", "lies in the submodule libs/foo", "in the repository of libs/foo"),
        ("libs/foo", "lies in the submodule libs/foo", "in the repository of libs/foo"),
        ("libs/foo/src/b.c", "lies in the submodule libs/foo", "in the repository of libs/foo"),
        ("libs/*/b.c", "lies in the submodule libs/foo", "in the repository of libs/foo"),
        ("vendor/b.c", "leads to libs/foo/src, in the submodule libs/foo", "inside the repository"),
        ("out/passwd", "leads to /etc, outside the repository", "inside the repository"),
        ("up/x", "leads to ../other, outside the repository", "inside the repository"),
        ("round/x", "leads to itself", "inside the repository"),
        ("gone/x", "leads to nowhere", 'write "nowhere/x"'),
    ],
)
def test_a_pattern_that_means_only_what_is_behind_a_link_is_an_error(pattern: str, leads_to: str, hint: str) -> None:
    ((severity, what, told),) = said("src/**", pattern)
    assert severity is Severity.ERROR
    assert leads_to in what
    assert hint in told


def test_a_pattern_that_means_other_files_too_or_a_link_to_a_file_is_a_warning() -> None:
    for pattern in ("packages/*/shared/**", "CLAUDE.md"):
        assert [severity for severity, *_ in said(pattern)] == [Severity.WARNING]


@pytest.mark.parametrize(
    "scope",
    [
        ("src/**",), ("**",), ("packages/**",), ("packages/app/*",), ("packages/app/shared2/**",), ("gone",),
        ("packages/app/shared/**", "packages/common/**"), ("packages/app/shared", "packages/common"),
        ("CLAUDE.md", "AGENTS.md"), ("**/shared/x",),
    ],
)  # fmt: skip
def test_a_scope_that_covers_where_the_link_leads_is_sound(scope: tuple[str, ...]) -> None:
    assert said(*scope) == []


def test_a_link_to_the_root_leads_to_no_path() -> None:
    assert resolved("a/b", {"a/b": ".."}) == (None, "the root of the repository")
