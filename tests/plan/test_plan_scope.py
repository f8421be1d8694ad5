"""The one rule that says which files a package may write, and why not the others."""

from __future__ import annotations

import pytest

from parallel_impl.plan.model import Scope

SCOPE = Scope(("src/**", "docs/guide.md"), deny=("src/vendor/**", "**/*.lock"))


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("src/a.py", ""),
        ("docs/guide.md", ""),
        ("docs/other.md", "outside write_allow"),
        ("src/vendor/a.py", "denied by src/vendor/**"),
        ("src/uv.lock", "denied by **/*.lock"),
        ("uv.lock", "denied by **/*.lock"),
        ("src/uv.lock/x", "denied by **/*.lock"),
        ("src/.git/config", "outside write_allow"),
        ("", "outside write_allow"),
    ],
)
def test_a_path_is_refused_with_its_reason(path: str, why: str) -> None:
    assert SCOPE.refusal(path) == why


def test_what_may_be_read_may_not_be_written() -> None:
    assert Scope((), read_allow=("**",)).refusal("a") == "outside write_allow"
