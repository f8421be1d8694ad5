"""YAML text to plain data: what is admitted, what is refused, and where it is said to stand."""

from __future__ import annotations

import gc
import string
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_impl.errors import UserError
from parallel_impl.plan.reading.document import parse

PLAN = b"""\
schema_version: 1
packages:
  - package_id: wp-a
    depends_on: [wp-b, "wp-c"]
    scope:
      write_allow:
        - src/**
"""


def refusal(content: bytes | str) -> str:
    """What is said about `content`, all of it, on one line each."""
    with pytest.raises(UserError) as caught:
        parse(content.encode() if isinstance(content, str) else content, "p.yaml")
    return str(caught.value).replace("\n    ", " | ")


def value(text: str) -> Any:
    return parse(f"a: {text}\n".encode(), "p.yaml").data["a"]


def test_every_node_keeps_its_position() -> None:
    position = parse(PLAN, "p.yaml").position
    assert position["schema_version",] == (1, 17)
    assert position["packages", 0] == (3, 5)
    assert position["packages", 0, "package_id"] == (3, 17)
    assert position["packages", 0, "depends_on"] == (4, 5)
    assert position["packages", 0, "depends_on", 1] == (4, 24)
    assert position["packages", 0, "scope", "write_allow", 0] == (7, 11)
    assert position[()] == (1, 1)
    assert position.key(("packages", 0, "package_id")) == (3, 5)


def test_an_absent_path_has_the_position_of_its_nearest_ancestor() -> None:
    position = parse(PLAN, "p.yaml").position
    assert position.nearest(("packages", 0, "locks", "keys", 3)) == (3, 5)
    assert position.nearest(("nothing",)) == (1, 1)
    assert position.get(("packages", 7)) is None
    assert position.get(("packages", "x")) is None


def test_positions_are_a_mapping_of_every_path() -> None:
    position = parse(b"a: [1, {b: 2}]\n", "p.yaml").position
    assert list(position) == [(), ("a",), ("a", 0), ("a", 1), ("a", 1, "b")]
    assert len(position) == 5


def test_columns_count_characters_not_bytes() -> None:
    assert parse('"é": [ü, x]\n'.encode(), "p.yaml").position["é", 1] == (1, 10)


def test_what_an_alias_stands_for_is_found_at_its_anchor() -> None:
    document = parse(b"a: &x [1, 2]\nb: *x\n", "p.yaml")
    assert document.data == {"a": [1, 2], "b": [1, 2]}
    assert document.position["b",] == (2, 1)
    assert document.position["b", 1] == (1, 11)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None), ("~", None), ("null", None), ("true", True), ("FALSE", False), ("0", 0), ("-12", -12), ("+7", 7),
        ("999999999999999999", 999999999999999999), ("1.10", "1.10"), ("10.0.0.1", "10.0.0.1"), ("1.2.3", "1.2.3"),
        ("2024-02-29", "2024-02-29"), ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z"), ("1e3", "1e3"),
        ("2024-01-01 10:00:00.5 +01:00", "2024-01-01 10:00:00.5 +01:00"),
        ("8080:80", "8080:80"), ("12e4567", "12e4567"),
        ("'yes'", "yes"), ('"017"', "017"), ("nothing", "nothing"), ("yesterday", "yesterday"), ("--flag", "--flag"),
        ('"a\\tb\\nc"', "a\tb\nc"), ("[]", []), ("{}", {}), ("2024-1-1", "2024-1-1"),
    ],
)  # fmt: skip
def test_a_plain_scalar_that_everybody_reads_alike_is_admitted(text: str, expected: object) -> None:
    found = value(text)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    "text",
    [
        "yes", "No", "ON", "off", "y", "N", "=", "1:30", "12:30:45", "1:30.5", "017", "08", "0b11", "0x1F", "1_000",
        ".5", "5.", "1.5e3", "1_0.5", ".nan", ".inf", "-.INF", "2024-13-45", "2023-02-29", "1900-02-29",
        "2024-01-01T25:00:00Z",
        "1000000000000000000", "9" * 10_000, "1" + "_1" * 100_000, "+.5",
    ],
)  # fmt: skip
def test_an_ambiguous_plain_scalar_is_refused_with_quote_it(text: str) -> None:
    said = refusal(f"a: {text}\n")
    assert said.startswith("p.yaml:1:4: error: unquoted ")
    assert "quote" in said
    assert len(said) < 300


def test_all_that_can_be_told_is_told_at_once() -> None:
    assert refusal("a: yes\na: 017\nb: !x c\n") == (
        'p.yaml:1:4: error: unquoted yes: YAML 1.1 does not read this as text (a) | quote it: "yes"\n'
        "p.yaml:2:1: error: the key a is here a second time (a) | the first is at line 1:1\n"
        "p.yaml:2:4: error: unquoted 017: YAML 1.1 reads this as another number than it looks like (a) "
        '| quote it: "017"\n'
        "p.yaml:3:4: error: the tag !x is not admitted (b) | delete it; quote the value if it is text"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a: {<<: {b: 1}}\n", "merge keys"),
        ("1: a\n", "a key must be text"),
        ("a: {true: b}\n", "a key must be text"),
        ("? [a]\n: b\n", "a key must be text"),
        ("a: ! x\n", "the tag ! is not admitted"),
        ("a: !!str 1\n", "is not admitted"),
        ("a: ! {}\n", "is not admitted"),
        ("%YAML 1.1\n---\na: 1\n", "directives"),
        ("# x\n%TAG ! tag:x,2000:\n---\na: 1\n", "p.yaml:2:1: error: YAML directives"),
        ("a: 1\n---\nb: 2\n", "p.yaml:2:1: error: text after the end"),
        ("a: 1\n...\n%TAG !x! y\n---\n", "text after the end"),
        ("- a\n", "must be a mapping"),
        ("text\n", "must be a mapping"),
        ("", "the file is empty"),
        ("# nothing\n", "the file is empty"),
        ('a: "\\e[31m"\n', "U+001B"),
        ('a: "\\0"\n', "U+0000"),
        ('a: "\\r"\n', "U+000D"),
        ('a: "\\u202e"\n', "U+202E"),
        ("a: b\u202ec\n", "p.yaml:1:5: error: control or invisible character U+202E"),
        ("a: b\x7fc\n", "U+007F"),
        ("a: b\x00c\n", "U+0000"),
        ('a: "\\ud800"\n', "not valid YAML"),
        ("a: \ufffe\n", "cannot be read"),
        ("a: b: c\n", "must be quoted"),
        ("a:\n\tb: 1\n", "not tabs"),
        ("a: [1\n", "not valid YAML"),
        ("a: &x [*x]\n", "contains itself"),
        ("a: *x\n", "has no anchor"),
        ("a: &x [1]\n*x : 2\n", "a key must be text"),
    ],
)
def test_what_no_plan_needs_is_refused(content: str, said: str) -> None:
    assert said in refusal(content)


@pytest.mark.parametrize("content", [b"\xff\xfea\x00:\x00", b"a: \xe9\n", b"a: \xed\xa0\x80\n"])
def test_only_utf8_is_read(content: bytes) -> None:
    assert "not UTF-8" in refusal(content)


def test_a_byte_order_mark_and_windows_line_ends_are_ordinary() -> None:
    document = parse("\ufeffa: x\r\nb: |\r\n  y\r\n".encode(), "p.yaml")
    assert document.data == {"a": "x", "b": "y\n"}
    assert document.position["b",] == (2, 4)


def test_one_document_may_have_its_marks() -> None:
    assert parse(b"---\na: 1\n...\n# end\n", "p.yaml").data == {"a": 1}


@pytest.mark.parametrize(
    "content",
    [
        b"a: " + b"[" * 1_000_000,
        b"a: " + b"{a: " * 100_000,
        b"a:\n" + b"- " * 1_000_000,
        b"a: " + b"[" * 65 + b"]" * 65,
        b"a: " + b"[" * 1_001 + b"]" * 1_001,
    ],
)
def test_depth_is_refused_before_it_can_crash_the_process(content: bytes) -> None:
    said = refusal(content)
    assert "error: nested deeper than 64 levels (a" in said
    assert said.endswith(" | flatten it; a plan needs about eight")


def test_depth_through_aliases_counts() -> None:
    levels = "".join(f"k{n}: &k{n} [[[[[[[[[[*k{n - 1}]]]]]]]]]]\n" for n in range(1, 8))
    assert "nested deeper than 64 levels through an alias" in refusal(f"k0: &k0 x\n{levels}")


def test_a_bomb_of_aliases_is_refused() -> None:
    levels = "".join(f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 10)}]\n" for n in range(1, 11))
    assert "aliases stand for more than 10,000 nodes" in refusal(f"k0: &k0 x\n{levels}")


def test_a_few_aliases_are_ordinary() -> None:
    assert parse(b"a: &a {b: 1}\nc: [*a, *a]\n", "p.yaml").data == {"a": {"b": 1}, "c": [{"b": 1}, {"b": 1}]}


def test_a_list_of_a_million_entries_is_refused_early() -> None:
    assert "more than 10,000 entries" in refusal(b"a: [" + b"1," * 1_000_000 + b"1]")


def test_a_file_over_16_mb_is_refused() -> None:
    assert "larger than 16 MB" in refusal(b"a: " + b"x" * (16 * 1024 * 1024))


def test_directives_do_not_cost_quadratic_time() -> None:
    many = b"".join(b"%%TAG !a%d! x:\n" % number for number in range(100_000))
    assert "directives" in refusal(many)
    assert "text after the end" in refusal(b"a: 1\n...\n" + many)


def test_blanks_after_the_document_do_not_cost_exponential_time() -> None:
    assert "text after the end" in refusal("a: 1\n...\n" + " \n" * 10_000 + "x")


def test_no_more_problems_are_listed_than_help() -> None:
    assert refusal("a: 1\n" * 1000).count("a second time") == 50


def test_the_garbage_collector_is_as_it_was() -> None:
    assert gc.isenabled()
    parse(PLAN, "p.yaml")
    refusal("a: [")
    assert gc.isenabled()
    gc.disable()
    try:
        parse(PLAN, "p.yaml")
        assert not gc.isenabled()
    finally:
        gc.enable()


TEXT = st.text(st.sampled_from(string.ascii_letters + string.digits + " :#-é\"'\n\t"), max_size=12)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


class _Quoting(yaml.SafeDumper):
    """Writes every text in quotes: which plain ones are ambiguous is tested above."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002
        return True


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


_Quoting.add_representer(str, _quoted)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(TEXT, DATA, max_size=4))
def test_what_is_written_comes_back(data: dict[str, Any]) -> None:
    written = yaml.dump(data, Dumper=_Quoting, allow_unicode=True, sort_keys=False)
    document = parse(written.encode(), "p.yaml")
    assert document.data == data
    assert all(line >= 1 and column >= 1 for line, column in document.position.values())


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=60) | st.text(st.sampled_from("a:[]{}-&*!?|>%@`'\"#, \n\t<=~0.y"), max_size=40).map(str.encode)
)
def test_bytes_of_any_kind_are_read_or_refused(content: bytes) -> None:
    try:
        parse(content, "p.yaml")
    except UserError as error:
        assert all(problem.where.startswith("p.yaml") and problem.what for problem in error.problems)
