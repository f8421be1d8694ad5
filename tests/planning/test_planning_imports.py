"""Imports between the files of a tree, read by the real parser of each language."""

from __future__ import annotations

import pytest

from parallel_impl.planning.reading import imports
from parallel_impl.planning.reading.tree import FileTree


def imported(path: str, text: str, *others: str) -> set[str]:
    found, notes = imports.find({path: text.encode()}, FileTree((path, *others)))
    assert notes == ()
    return set(found.get(path, ()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import shop.cart", {"src/shop/cart.py"}),
        ("from shop import cart, pay", {"src/shop/cart.py", "src/shop/__init__.py"}),
        ("from .cart import Cart", {"src/shop/cart.py"}),
        ("from . import cart", {"src/shop/cart.py"}),
        ("from ..other import x", {"src/other.py"}),
        ("import os, json", set()),
        ("def f():\n    from shop.cart import Cart", {"src/shop/cart.py"}),
    ],
)
def test_python_imports_are_followed(text: str, expected: set[str]) -> None:
    others = ("src/shop/cart.py", "src/shop/__init__.py", "src/other.py", "elsewhere/shop/json.py")
    assert imported("src/shop/page.py", text, *others) == expected


def test_a_file_that_does_not_parse_is_a_note() -> None:
    found, notes = imports.find({"a.py": b"def ("}, FileTree(["a.py"]))
    assert found == {}
    assert [note.partition(":")[0] for note in notes] == ["a.py"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import {a} from './cart'", {"web/src/cart.ts"}),
        ("export * from '../lib/index.js'", {"web/lib/index.ts"}),
        ("const a = require('./cart')", {"web/src/cart.ts"}),
        ("const a = await import('./views')", {"web/src/views/index.tsx"}),
        ("import a from '@/cart'", {"web/src/cart.ts"}),
        ("import react from 'react'", set()),
        ("// import a from './cart'", set()),
    ],
)
def test_typescript_imports_are_followed(text: str, expected: set[str]) -> None:
    pytest.importorskip("tree_sitter_typescript")
    others = ("web/src/cart.ts", "web/lib/index.ts", "web/src/views/index.tsx")
    assert imported("web/src/page.ts", text, *others) == expected


def test_go_imports_are_those_of_the_package() -> None:
    pytest.importorskip("tree_sitter_go")
    text = 'package main\nimport (\n  "fmt"\n  "example.org/mod/pkg/cart"\n)\n'
    others = ("pkg/cart/cart.go", "pkg/cart/cart_test.go", "pkg/pay/pay.go")
    assert imported("cmd/main.go", text, *others) == {"pkg/cart/cart.go"}


def test_a_language_without_its_grammar_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "tree_sitter_go", None)
    _, notes = imports.find({"a.go": b"package a"}, FileTree(["a.go"]))
    assert notes == ("imports of Go files are not read: pip install 'parallel-implement[planning]'",)
