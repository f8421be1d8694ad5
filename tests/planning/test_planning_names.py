"""Which words of a text may name a path, and which have only the look of one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.planning.reading.named_paths import find


def names(text: str) -> list[str]:
    return [name.text for name in find(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Extend `src/a.py` and src/b.py.", ["src/a.py", "src/b.py"]),
        ("**Files**: `a/x.ts`, a/y.ts", ["a/x.ts", "a/y.ts"]),
        ("at `src/a.py:12`, `src/b.py:3-9` and `src/c.py#L4`", ["src/a.py", "src/b.py", "src/c.py"]),
        ("`tests/test_a.py::test_x`", ["tests/test_a.py"]),
        ("`./src/a.py` (see ./b.md)", ["src/a.py", "b.md"]),
        ("`src/{a,b}.ts`", ["src/a.ts", "src/b.ts"]),
        ("`src/{a, b}.ts`", ["src/a.ts", "src/b.ts"]),
        (r"`src\shop\cart.cs`", ["src/shop/cart.cs"]),
        ("`docs/<name>.md` and `docs/{name}.md`", ["docs/*.md"]),
        ("[guide](docs/guide.md#start)", ["docs/guide.md"]),
        ("`src/foo/*.py` and `src/foo/**`", ["src/foo/*.py", "src/foo/**"]),
        ("**src/a.py**: new", ["src/a.py"]),
        ("`pkg/__main__.py`, `__init__.py`", ["pkg/__main__.py", "__init__.py"]),
        ("Edit the Dockerfile", ["Dockerfile"]),
        ("`.gitignore`", [".gitignore"]),
        ("`app/[id]/page.tsx`", ["app/[id]/page.tsx"]),
    ],
)
def test_paths_are_found_as_people_write_them(text: str, expected: list[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "see https://example.org/a/b.html",
        "`http://localhost:8080/x`",
        "`GET /v1/items`",
        "`@scope/name`",
        "version 1.2.3 and v2.0",
        "2026/01/02 and 1/2",
        "`--flag=x/y.py`",
        "`../outside.py`",
        "`opts().json`",
        "`$HOME/x.py`",
        "`/etc/passwd`",
        "wait... then",
        "**bold** text",
    ],
)
def test_what_only_looks_like_a_path_is_none(text: str) -> None:
    assert names(text) == []


def test_a_drawn_tree_names_whole_paths() -> None:
    text = """\
```
skills/shop/
├── SKILL.md          # new
├── scripts/
│   ├── cart.py
│   └── pay.py
└── tests/
```
"""
    assert names(text) == [
        "skills/shop/", "skills/shop/SKILL.md", "skills/shop/scripts/", "skills/shop/scripts/cart.py",
        "skills/shop/scripts/pay.py", "skills/shop/tests/",
    ]  # fmt: skip


def test_a_name_in_backticks_counts_as_quoted() -> None:
    assert [(name.line, name.quoted) for name in find("src/a.py\n`src/a.py`")] == [(1, False), (2, True)]


@given(st.text(alphabet="ab/.{},*`|<>[]() \n\\-_:#├─└│", max_size=80))
def test_any_text_can_be_read_and_names_are_relative_paths(text: str) -> None:
    for name in find(text):
        parts = name.text.removesuffix("/").split("/")
        assert not name.text.startswith("/")
        assert not {"", ".", ".."} & set(parts)
        assert 1 <= name.line <= text.count("\n") + 1


@given(st.lists(st.from_regex(r"[a-z]{1,8}(/[a-z_]{1,8}){0,3}\.(py|ts|md)", fullmatch=True), max_size=6))
def test_no_path_in_backticks_is_lost(paths: list[str]) -> None:
    text = "\n".join(f"- change `{path}` now" for path in paths)
    assert names(text) == paths
