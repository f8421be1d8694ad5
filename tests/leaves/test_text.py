"""Text as messages show it."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from parallel_impl import environment
from parallel_impl.text import (
    did_you_mean,
    end_of,
    masked,
    nearest,
    shorten,
    shorten_line,
    shorten_middle,
    tail,
    until,
    useful,
)


def test_a_long_message_keeps_its_begin_and_its_end() -> None:
    assert shorten_middle("abcdef", 6) == "abcdef"
    assert shorten_middle("abcdefg", 6) == "abc…efg"


def test_only_what_is_longer_than_the_limit_is_shortened() -> None:
    assert shorten("abcd", 4) == "abcd"
    assert shorten("abcde", 4) == "abcd…"
    assert shorten_line("a\nb", 4) == "a\\nb"


def test_the_nearest_known_word_is_asked_for_and_a_far_one_is_not() -> None:
    assert did_you_mean("wp-contrcats", ("wp-api", "wp-contracts")) == "did you mean wp-contracts?"
    assert did_you_mean("database", ("wp-api", "wp-contracts")) == ""
    assert nearest("ap", {"api": 1, "db": 2}, cutoff=0.5) == "api"


def test_a_word_of_a_megabyte_is_compared_by_its_beginning() -> None:
    assert nearest("wp-api" * 200_000, ["wp-api"]) == ""


def test_a_secret_that_contains_another_is_masked_whole() -> None:
    assert masked(b"a=secret-2 b=secret", (b"secret", b"secret-2")) == b"a=*** b=***"
    assert environment.masked("a=\udcff-token", (b"\xff-token",)) == "a=***"


@given(st.lists(st.text("abc", min_size=1, max_size=5).map(str.encode), max_size=4), st.text("abc").map(str.encode))
def test_no_byte_of_a_secret_is_left_whatever_it_overlaps(secrets: list[bytes], data: bytes) -> None:
    kept = list(data)
    for secret in secrets:
        for at in range(len(data)):
            if data.startswith(secret, at):
                kept[at : at + len(secret)] = b"*" * len(secret)
    assert re.sub(rb"\*+", b"***", masked(data, secrets)) == re.sub(rb"\*+", b"***", bytes(kept))


def test_the_end_of_a_log_is_shown_without_what_a_terminal_would_act_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"first\nlast \x1b[31m\t\xff\n")

    assert tail(log, 1) == "last \\x1b[31m    \ufffd"
    assert end_of(log, 3) == "\t\ufffd\n"
    assert tail(tmp_path / "none") == ""


def test_useful_lines_are_no_raw_json_but_may_stand_in_brackets() -> None:
    printed = '{"type": "result"}\n\n[API Error: 401 invalid key]\n[1, 2]\n{not json}\n'
    assert useful(printed) == "[API Error: 401 invalid key]\n{not json}"


def test_a_line_that_is_nested_deeper_than_python_reads_is_raw_json() -> None:
    assert useful("why\n" + "[" * 4_000) == "why"
    assert useful("why\n" + '{"a":' * 4_000) == "why"


def test_a_time_that_no_clock_shows_is_not_known() -> None:
    assert until(1.0).startswith(" until 19")
    assert (until(0.0), until(1e30), until(float("inf")), until(float("nan"))) == ("", "", "", "")
