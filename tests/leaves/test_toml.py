"""TOML of any shape and size is read in a moment, or refused with the reason."""

from __future__ import annotations

import time

import pytest

from parallel_impl import config, toml
from parallel_impl.errors import UserError
from parallel_impl.gates import project_files, sections

LONG_KEY = ".".join("a" * 50_000)
STRANGE = {
    "x = " + "[" * 100_000: "nested deeper than 100 levels",
    "x = " + "{a = " * 100_000: "nested deeper than 100 levels",
    "x = " + "[" * 101 + "]" * 101: "nested deeper than 100 levels",
    f"{LONG_KEY} = 1": "a key of more than 100 parts (at line 1)",
    f"\n\n[[ {LONG_KEY.replace('.', ' . ')} ]]": "a key of more than 100 parts (at line 3)",
    "x = {" + LONG_KEY.replace("a", "'a'") + " = 1}": "a key of more than 100 parts (at line 1)",
    "jobs = " + "9" * 5_000: "4300 digits",
    "x = 1\nx = 2": "Cannot overwrite a value",
    f"x = '{'a' * 5_000_000}'": "larger than 5 MB",
}


@pytest.mark.parametrize(("text", "why"), STRANGE.items(), ids=range(len(STRANGE)))
def test_a_file_of_a_strange_shape_is_refused_at_once_with_the_reason(text: str, why: str) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match=why.replace("(", r"\(").replace(")", r"\)")):
        toml.load(text.encode())
    assert time.monotonic() - began < 5
    with pytest.raises(UserError, match="not valid TOML"):
        config.read(text.encode(), None)
    assert project_files.toml(text.encode()) == {}
    assert sections.read("ruff.toml", text.encode(), ["x"]) is None


def test_what_is_no_utf8_is_refused_too() -> None:
    with pytest.raises(ValueError, match="can't decode byte 0xff"):
        toml.load(b"x = '\xff'")


@pytest.mark.parametrize(
    "text",
    [
        "x = '" + "a." * 400 + "'",
        "# " + "." * 400,
        "x = 1." + "0" * 1_000,
        "x = " + "[" * 90 + "]" * 90,
        ".".join("a" * 100) + " = 1",
        "x = '''" + "'a' " * 20_000 + "'''",
        "x = " + '"' + "a" * 1_000_000 + '"',
    ],
)
def test_what_people_write_is_read_and_in_a_moment(text: str) -> None:
    began = time.monotonic()
    assert toml.load(f"{text}\ny = 1".encode())
    assert time.monotonic() - began < 5
