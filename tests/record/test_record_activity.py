"""Activity as lines: written exactly, read tolerantly."""

from __future__ import annotations

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from parallel_impl.record.activity import (
    KINDS,
    LONGEST,
    Activity,
    AgentNote,
    Answered,
    Called,
    Concluded,
    Limited,
    Opened,
    Retrying,
    Said,
    Usage,
    Used,
    cut,
    from_line,
    read,
    stamped,
    to_line,
)


def test_a_line_holds_its_kind_and_no_defaults() -> None:
    assert json.loads(to_line(Called(at=5.0, tool="bash", target="make"))) == {
        "did": "called",
        "at": 5.0,
        "tool": "bash",
        "target": "make",
    }
    assert to_line(Opened()) == b'{"did":"opened"}'
    assert to_line(Used(usage=Usage(output=0), whole=True)) == b'{"did":"used","usage":{"output":0},"whole":true}'


@given(st.sampled_from(KINDS).flatmap(st.from_type))
def test_every_activity_comes_back_from_its_line(activity: Activity) -> None:
    assume(b":null" not in to_line(activity))  # Infinity and NaN, which no JSON has
    assert from_line(to_line(activity)) == activity
    assert b"\n" not in to_line(activity)


def test_a_torn_line_a_later_kind_and_a_wrong_field_are_left_out() -> None:
    lines = [
        to_line(Said(text="a")),
        b'{"did":"dreamt","text":"x"}',
        b'{"did":"said","text":5}',
        b'{"did":"said","text":"b","mood":"a later field"}',
        b"",
        to_line(Concluded(ok=True))[:-3],
    ]
    assert list(read(lines)) == [Said(text="a"), Said(text="b")]


@pytest.mark.parametrize("line", [b"", b"5", b"[]", b'{"did":"said"}', b"\xff"])
def test_what_is_no_activity_is_a_value_error(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_line(line)


def test_a_name_that_is_not_unicode_is_written_with_question_marks() -> None:
    assert from_line(to_line(Answered(text="caf\udce9"))) == Answered(text="caf?")


def test_a_stamp_is_set_once() -> None:
    once = stamped(Retrying(status=429), 7.0)
    assert once == Retrying(status=429, at=7.0)
    assert stamped(once, 9.0) == once


def test_unknown_figures_stay_unknown_in_a_sum_and_known_ones_add() -> None:
    assert Usage(input=1, dollars=0.5) + Usage(input=2, output=3) == Usage(input=3, output=3, dollars=0.5)
    assert Usage().tokens is None
    assert Usage(input=1, output=2, cache_write=3, cache_read=100).tokens == 6


def test_a_long_text_is_cut_with_an_ellipsis() -> None:
    assert cut("x" * LONGEST) == "x" * LONGEST
    assert cut("x" * (LONGEST + 1)) == "x" * (LONGEST - 1) + "…"


def test_codes_and_notes_have_defaults_that_readers_rely_on() -> None:
    assert from_line(b'{"did":"limited","terminal":false,"why":"429"}') == Limited(terminal=False, why="429")
    assert from_line(b'{"did":"noted","heading":"deviation","text":"x"}') == AgentNote(heading="deviation", text="x")
