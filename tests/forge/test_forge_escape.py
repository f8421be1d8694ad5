"""What agents wrote does nothing in a pull request, and holds no secret there."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.forge import escape, marker

MENTION = re.compile(r"(?<![\w`])@[A-Za-z0-9]")
REFERENCE = re.compile(r"(?:#|GH-|!)\d", re.IGNORECASE)
KEY = "sk-ant-" + "a1B2" * 8


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("thanks @ada", "thanks @&#8203;ada"),
        ("closes #12", "closes #&#8203;12"),
        ("Fixes acme/demo#12, GH-7", "Fixes acme/demo#&#8203;12, GH-&#8203;7"),
        ("resolves https://github.com/a/b/issues/1", "resolves https://&#8203;github.com/a/b/issues/1"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("![x](http://e/p.png)", "!\\[x\\](http://&#8203;e/p.png)"),
        ("a | b", "a \\| b"),
        ("/close", "&#8203;/close"),
        ("# heading", "&#8203;# heading"),
        ("one\n/merge\ntwo", "one /merge two"),
        ("&#64;ada", "&amp;#&#8203;64;ada"),
        ("\u202eevil", "\\\\u202eevil"),
    ],
)
def test_text_is_shown_and_does_nothing(words: str, shown: str) -> None:
    assert escape.inert(words) == shown


ACTIVE = st.lists(
    st.sampled_from(["@", "ada", "#", "12", "GH-", "closes ", "<", "!--", ">", "/", "\n", "`", "\\", "x"])
)


@given(ACTIVE.map("".join))
def test_no_mixture_mentions_refers_or_holds_html(words: str) -> None:
    line = escape.inert(words)
    assert not MENTION.search(line)
    assert not REFERENCE.search(re.sub(r"&#8203;", "\0", line))
    assert "<" not in line
    assert "\n" not in line


@given(ACTIVE.map("".join), ACTIVE.map("".join))
def test_no_text_can_end_the_block_that_it_stands_in(before: str, after: str) -> None:
    marks = f"{escape.inert(marker.END + before)} {escape.code(marker.END + after)}"  # a path may be spelt so
    text = f"{escape.inert(before)} {escape.code(after)} {marks}"
    body = marker.wrapped(text, "c1", "r1")
    assert marker.replaced(body, "", "c1", "r2") == marker.wrapped("", "c1", "r2")


def test_code_keeps_its_backticks_and_refers_to_nothing() -> None:
    assert escape.code("a`b") == "`` a`b ``"
    assert escape.code("fixes #1") == "`fixes #\u200b1`"
    assert escape.code("src/@types/x.ts") == "`src/@types/x.ts`"


@pytest.mark.parametrize(
    "secret",
    ["hunter2-value", KEY, "ghp_" + "a" * 36, "github_pat_" + "b" * 30, "glpat-" + "c" * 20, "AKIA" + "D" * 16],
)
def test_a_secret_is_masked_whether_a_variable_holds_it_or_it_looks_like_one(secret: str) -> None:
    assert escape.masked(f"the key {secret} works", [b"hunter2-value"]) == "the key *** works"


def test_the_password_of_an_address_and_a_private_key_are_masked() -> None:
    assert escape.masked("https://me:pw@host/x", []) == "https://***@host/x"
    pem = "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----"
    assert escape.masked(f"x {pem} y", []) == "x *** y"
