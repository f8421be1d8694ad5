"""Contracts are read tolerantly, and as safely as the plan."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_impl.plan import markup, pointers
from parallel_impl.plan.markup import MarkupError, parse_json, parse_yaml

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(codec="ascii", categories=["L"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60)
@given(VALUES)
def test_json_read_as_yaml_is_the_same_data(value: Any) -> None:
    text = json.dumps(value)
    assert parse_yaml(text) == [value]
    assert parse_json(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("017", 17),
        ("0o17", 15),
        ("0x1F", 31),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("1.0", 1.0),
        ("-.5e2", -50.0),
        ("2024-13-45", "2024-13-45"),
        ("3.1.0", "3.1.0"),
        ("~", None),
        ("-", [None]),
        ("True", True),
        (".inf", float("inf")),
        ("'1'", "1"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_scalars_follow_the_core_schema_of_yaml_1_2(text: str, value: Any) -> None:
    assert parse_yaml(text) == [value]


def test_numeric_keys_anchors_merge_keys_and_several_documents_are_ordinary() -> None:
    text = "200: &ok {description: fine, x: 1}\n404:\n  <<: *ok\n  x: 2\n500: {<<: [*ok, {y: 3}]}\n---\n[a]\n"
    assert parse_yaml(text) == [
        {
            "200": {"description": "fine", "x": 1},
            "404": {"description": "fine", "x": 2},
            "500": {"description": "fine", "x": 1, "y": 3},
        },
        ["a"],
    ]


BOMB = "a0: &a0 [x,x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], k{n}: 1}}\n" for n in range(1, 40))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (BOMB, "aliases stand for more than 100,000 nodes"),
        (MERGES, "aliases stand for more than 100,000 nodes"),
        ("[" * 100_000, "nested deeper than 200 levels"),
        ("&a [*a]", "an alias that contains itself"),
        ("*a", "an alias that has no anchor before it"),
        ("a: !!python/name:os.system x", "YAML tags (!) are not admitted"),
        ("a: 1\na: 2", "this key is here a second time"),
        ("[a]: 1", "a key must be text"),
        ("<<: 3", "a merge key (<<) wants a mapping or a list of them"),
        ("a: [1", "not valid YAML: did not find expected ',' or ']'"),
        ("a: \x00", "not valid YAML: a character that is not text"),
        ("[" + "1," * 300_001 + "]", "more than 300,000 nodes"),
    ],
)
def test_what_is_no_safe_yaml_is_refused(text: str, what: str) -> None:
    with pytest.raises(MarkupError) as refused:
        parse_yaml(text)
    assert refused.value.what == what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('{"a": 1, "a": 2}', 'the key "a" is twice in one object'),
        ("[NaN]", "not valid JSON: NaN and Infinity are no JSON numbers"),
        ("{", "not valid JSON: Expecting property name enclosed in double quotes"),
        ("[" * 100_000, "nested deeper than 200 levels"),
        ("1" * 301, "a number of more than 300 digits"),
        ("", "not valid JSON: Expecting value"),
    ],
)
def test_what_is_no_safe_json_is_refused(text: str, what: str) -> None:
    with pytest.raises(MarkupError) as refused:
        parse_json(text)
    assert refused.value.what == what


def test_bytes_are_utf8_with_the_place_of_the_first_that_is_not() -> None:
    assert markup.decode(b"\xef\xbb\xbfa") == "a"
    with pytest.raises(MarkupError) as refused:
        markup.decode(b"a\nb\xff")
    assert (refused.value.what, refused.value.place) == ("not UTF-8", (2, 2))
    with pytest.raises(MarkupError, match="larger than 16 MB"):
        markup.decode(b"a" * (16 * 2**20 + 1))


def test_pointers_are_found_again_as_line_and_column() -> None:
    text = "a:\n  - b: 1\n    c: {d: 2}\n  - &x e\nf: *x\n"
    wanted = [("a",), ("a", "0", "c", "d"), ("a", "1"), ("f",), ("nowhere",)]
    assert pointers.locate(text, wanted) == {
        ("a",): (1, 1),
        ("a", "0", "c", "d"): (3, 9),
        ("a", "1"): (4, 5),
        ("f",): (5, 1),
    }
    assert pointers.locate("{unclosed: [", [("unclosed",)]) == {("unclosed",): (1, 2)}
    assert pointers.shown(("a/b", "~c")) == "/a~1b/~0c"
