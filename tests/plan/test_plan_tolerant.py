"""Other people's YAML is read tolerantly, and as safely as the plan."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_impl.errors import UserError
from parallel_impl.plan.reading import tolerant

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.text(st.characters(codec="ascii", categories=["L"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=2), inner, max_size=3),
    max_leaves=8,
)


def parse_yaml(text: str) -> list[Any]:
    documents, _ = tolerant.parse(text, "a.yaml")
    return documents


@settings(max_examples=60)
@given(VALUES)
def test_json_read_as_yaml_is_the_same_data(value: Any) -> None:
    assert parse_yaml(json.dumps(value)) == [value]


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
        ("-.INF", float("-inf")),
        ("'1'", "1"),
        ('"\\e[31m"', "\x1b[31m"),
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


def test_several_merge_keys_the_first_source_counts_and_a_quoted_one_is_a_key() -> None:
    assert parse_yaml("a: &a {x: 1}\nb: &b {x: 2, y: 2}\nc:\n  <<: *a\n  <<: *b\n'<<': 3\n") == [
        {"a": {"x": 1}, "b": {"x": 2, "y": 2}, "c": {"x": 1, "y": 2}, "<<": 3}
    ]


def test_anchors_end_with_their_document_and_an_empty_stream_has_none() -> None:
    assert parse_yaml("") == []
    with pytest.raises(UserError, match=r"the alias \*a has no anchor"):
        parse_yaml("&a x\n---\n*a\n")


def test_merge_keys_that_would_double_at_each_level_are_read_in_no_time() -> None:
    lines = ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}], k{n}: 1}}" for n in range(1, 40))]
    (document,) = parse_yaml("\n".join(lines))
    assert len(document["a39"]) == 40


BOMB = "a0: &a0 [x,x]\n" + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
WIDE = "a0: &a0 {" + ",".join(f"k{n}: 1" for n in range(1000)) + "}\n"
MERGES = WIDE + "b:\n" + "- {<<: *a0}\n" * 101


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (BOMB, "aliases stand for more than 100,000 nodes"),
        (MERGES, "aliases stand for more than 100,000 nodes"),
        ("[" * 100_000, "nested deeper than 160 levels"),
        ("- " * 100_000, "nested deeper than 160 levels"),
        ("[" * 200 + "]" * 200, "nested deeper than 160 levels"),
        ("a: &a " + "[" * 100 + "]" * 100 + "\nb: " + "[" * 100 + "*a" + "]" * 100,
         "nested deeper than 160 levels through an alias"),
        ("&a [*a]", "the alias *a contains itself"),
        ("*a", "the alias *a has no anchor before it"),
        ("a: !!python/name:os.system x", "the tag tag:yaml.org,2002:python/name:os.system is not admitted"),
        ("a: 1\na: 2", "the key a is here a second time"),
        ("1: a\n'1': b", "the key 1 is here a second time"),
        ("[a]: 1", "a key must be text, not a list or mapping"),
        ("<<: 3", "a merge key (<<) wants a mapping or a list of them"),
        ("a: [1", "not valid YAML: did not find expected ',' or ']' while parsing a flow sequence"),
        ("a: \x00", "cannot be read as YAML near here"),
        ("[" + "1," * 600_001 + "]", "more than 600,000 YAML events"),
    ],
)  # fmt: skip
def test_what_is_no_safe_yaml_is_refused(text: str, what: str) -> None:
    with pytest.raises(UserError) as refused:
        parse_yaml(text)
    assert refused.value.problems[0].what == what
    assert len(str(refused.value)) < 2_000


def test_places_are_found_by_pointer_for_merged_entries_at_their_source() -> None:
    _, positions = tolerant.parse("a:\n  - b: 1\n    c: {d: 2}\nm: &m {k: 1}\nn:\n  <<: *m\n  z: 1\n", "a.yaml")
    assert positions is not None
    assert positions.nearest(("a", "0", "c", "d"), key=True) == (3, 9)
    assert positions.nearest(("n", "k"), key=True) == (4, 8)
    assert positions.nearest(("n", "z"), key=True) == (7, 3)
