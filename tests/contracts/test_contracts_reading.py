"""JSON and YAML files of contracts: what is no such file is refused with its place."""

from __future__ import annotations

import pytest

from parallel_impl.contracts import reading
from parallel_impl.errors import UserError


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ('{"a": 1, "b": 2, "a": 2}', "the key 'a' is twice in one object", "a.json"),
        ("[NaN]", "not valid JSON: NaN is no JSON number", "a.json"),
        ("{", "not valid JSON: unexpected end of the file", "a.json:1:2"),
        ('{"a": 1\n "b": 2}', "not valid JSON: unexpected '\"'", "a.json:2:2"),
        ("[1]\nx", "not valid JSON: unexpected 'x'", "a.json:2:1"),
        ("[" * 100_000, "nested deeper than 160 levels", "a.json"),
        ("[" * 161 + "]" * 161, "nested deeper than 160 levels", "a.json"),
        ("1" * 301, "a number of more than 300 digits", "a.json"),
        ("", "not valid JSON: unexpected end of the file", "a.json:1:1"),
    ],
)
def test_what_is_no_safe_json_is_refused_in_words_of_our_own(text: str, what: str, where: str) -> None:
    with pytest.raises(UserError) as refused:
        reading.read("a.json", text.encode())
    (problem,) = refused.value.problems
    assert (problem.what, problem.where) == (what, where)


def test_json_of_the_depth_that_is_admitted_is_read() -> None:
    assert reading.read("a.json", b"[" * 160 + b"]" * 160).data


def test_bytes_are_utf8_with_the_place_of_the_first_that_is_not() -> None:
    assert reading.decode("a.md", b"\xef\xbb\xbfa") == "a"
    with pytest.raises(UserError) as refused:
        reading.decode("a.md", b"a\nb\xff")
    assert (refused.value.problems[0].what, refused.value.problems[0].where) == ("not UTF-8", "a.md:2:2")
    with pytest.raises(UserError, match="larger than 16 MB"):
        reading.decode("a.md", b"a" * (16 * 2**20 + 1))


def test_a_yaml_file_may_hold_json_flow_style_or_several_documents() -> None:
    assert reading.read("a.yaml", b'{"a": 1}').data == {"a": 1}
    assert reading.read("a.yaml", b"{a: 1}").data == {"a": 1}
    assert reading.read("a.yml", b"a\n---\nb\n").data == ["a", "b"]


@pytest.mark.parametrize("name", ["a.yaml", "a.json"])
def test_pointers_are_found_again_as_line_and_column(name: str) -> None:
    file = reading.read(name, b'{"a": [\n  {"b": 1}],\n  "c": {"d": 2}}')
    wanted = {
        (): "1:1", ("a",): "1:2", ("a", "0"): "2:3", ("a", "0", "b"): "2:4", ("c", "d"): "3:9",
        ("c", "gone", "deeper"): "3:3", ("gone",): "1:1", ("a", "7"): "1:2", ("a", "x"): "1:2",
    }  # fmt: skip
    assert {pointer: file.where(pointer) for pointer in wanted} == {
        pointer: f"{name}:{place}" for pointer, place in wanted.items()
    }


def test_a_large_json_file_is_named_without_lines() -> None:
    large = b'{"a": "' + b"x" * reading.LOCATED + b'", "b": 1}'
    assert reading.read("a.json", large).where(("b",)) == "a.json"
