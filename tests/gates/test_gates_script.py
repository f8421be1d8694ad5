"""What the lexer says about shell scripts, and that the shell itself is asked whether they parse."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_impl.gates import shell
from parallel_impl.gates.script import read

Said = list[tuple[str | None, str | None, bool]]


def calls(script: str) -> Said:
    return [(call.program, call.cwd, call.sure) for call in read(script).calls]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("pytest -q", [("pytest", ".", True)]),
        ("cd x && .venv/bin/python -m pytest", [(".venv/bin/python", "./x", True)]),
        ("VAR=1 OTHER='a b' cmd", [("cmd", ".", True)]),
        ("a | b 2>/dev/null", [("a", ".", True), ("b", ".", True)]),
        ("! grep -rE 'from (a|b)' src/", [("grep", ".", True)]),
        ("a && b; c", [("a", ".", True), ("b", ".", True), ("c", ".", True)]),
        ("a \\\n  b\nc # d", [("a", ".", True), ("c", ".", True)]),
        ("'my prog' x", [("my prog", ".", True)]),
        ("env A=1 b", [("env", ".", True), ("b", ".", True)]),
        ("exec b", [("b", ".", True)]),
        ("[ -f x ] && [[ a < b && -f c ]] && d", [("d", ".", True)]),
        ('test -z "$(git grep x)" && c', [("c", ".", True)]),
        ("set -euo pipefail; a", [("a", ".", True)]),
        ("(cd x && y); z", [("y", "./x", True), ("z", ".", True)]),
        ("cd /abs && c", [("c", "/abs", True)]),
    ],
)
def test_the_first_word_of_each_simple_command_is_found(script: str, expected: Said) -> None:
    assert calls(script) == expected


@pytest.mark.parametrize(
    ("script", "unsure"),
    [
        ("a || b", ["a", "b"]),
        ("{ a; b; } || c", ["a", "b", "c"]),
        ("if a; then b; fi", ["a", "b"]),
        ("for i in x y; do z; done", ["z"]),
        ("command -v x && x", ["x"]),
        ("a & true", ["a"]),
        ("set +e; a", ["a"]),
    ],
)
def test_a_command_on_a_condition_is_not_sure(script: str, unsure: list[str]) -> None:
    assert calls(script) == [(program, ".", False) for program in unsure]


@pytest.mark.parametrize("script", ["$X a", '"$P" -m x', "~/x", "PATH=a:$PATH; y", "PATH=a y", "source v && y", "`a`"])
def test_a_name_that_only_running_tells_is_not_known(script: str) -> None:
    assert {program for program, _, _ in calls(script)} == {None}


@pytest.mark.parametrize("script", ["cat <<E\nx\nE", "case x in a) b;; esac", "f() { a; }; f", "(( x > 1 )) && a"])
def test_a_script_with_parts_that_are_not_read_says_so(script: str) -> None:
    assert not read(script).whole


@pytest.mark.parametrize(
    ("script", "cwd"), [('cd "$d" && y', None), ("cd - && y", None), ("if a; then cd b; fi; y", None)]
)
def test_a_folder_that_only_running_tells_is_not_known(script: str, cwd: None) -> None:
    assert read(script).calls[-1].program == "y"
    assert read(script).calls[-1].cwd is cwd


def test_scripts_that_do_not_parse_are_found_among_many_and_nothing_is_run() -> None:
    good = [f"echo {n} && for i in a; do echo $i; done" for n in range(40)]
    bad = ["if x", "a; fi", 'echo "x', "cat <<E\nfoo", "echo a; } ; echo b"]

    said = shell.parse_errors([*good[:20], *bad, *good[20:], "touch /nonexistent/x"], os.environ)

    assert sorted(said) == sorted(bad)
    assert "syntax error near unexpected token `fi'" in said["a; fi"]


def test_a_script_that_closes_its_neighbours_block_does_not_hide() -> None:
    assert sorted(shell.parse_errors(["if true; then", "fi"], os.environ)) == ["fi", "if true; then"]


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet="ab \t\n'\"\\$`(){}[];&|<>#!=~*-/", max_size=30))
def test_any_text_is_read_without_an_exception(text: str) -> None:
    assert isinstance(read(text).whole, bool)


def test_a_string_is_shell_with_pipefail_and_a_list_is_argv() -> None:
    assert shell.argv("a | b", os.environ["PATH"]) == ["bash", "-euo", "pipefail", "-c", "a | b"]
    assert shell.argv("a | b", "/nonexistent") == ["sh", "-ec", "a | b"]
    assert shell.argv(("a", "b c"), "") == ["a", "b c"]
