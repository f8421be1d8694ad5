"""What the lexer says about shell scripts, and that the shell itself is asked whether they parse."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
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
        ('test -z "$(git grep x)" && c', [("git", ".", False), ("c", ".", True)]),
        ("set -euo pipefail; a", [("a", ".", True)]),
        ("(cd x && y); z", [("y", "./x", True), ("z", ".", True)]),
        ("cd /abs && c", [("c", "/abs", True)]),
        ("cat <<E\nif x\nE\nb", [("cat", ".", True), ("b", ".", True)]),
        ("cat <<'E' | a && b\n$(x)\nE\nc", [("cat", ".", True), ("a", ".", True), ("b", ".", True), ("c", ".", True)]),
        ("f() { a; }; function g { cd x; f; }; g; ./y", [("a", "./x", True), ("./y", "./x", True)]),
        ("f() ( cd x; a ); f; b", [("a", "./x", True), ("b", ".", True)]),
        ("f() { a; }; command f", [("f", ".", True)]),
        ("f() { a; f; }; f; g() { b; }", [("a", ".", True)]),
        ("f() { f() { a; }; }; f; f", [("a", ".", True)]),
        ("(( x > 1 )) && a", [("a", ".", True)]),
        ("time -p a; nohup >log b", [("a", ".", True), ("nohup", ".", True), ("b", ".", True)]),
        ("cd x || exit 1; ./y", [("./y", "./x", True)]),
        ("cd x || { echo no; exit 1; }; ./y", [("./y", "./x", True)]),
        ("cd x | a; ./y", [("a", ".", True), ("./y", ".", True)]),
        ("my\\ prog; 'your'\" prog\"", [("my prog", ".", True), ("your prog", ".", True)]),
        ("a &&\n# b\nc", [("a", ".", True), ("c", ".", True)]),
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
        ("set +o errexit; a", ["a"]),
        ("case $x in a|b) a;; *) b;; esac", ["a", "b"]),
        ("f() { a; }; f || b", ["a", "b"]),
        ("if f() { a; }; then f; fi", ["a"]),
        ("false || f() { a; }; f", ["a"]),
        ("echo $(a) `b` <(c); X=$(d | e); export Y=$(f)", ["a", "b", "c", "d", "e", "f"]),
        ("for i in $(a); do b; done; for ((i=0; i<3; i++)); do c; done", ["a", "b", "c"]),
        ("while read -r l; do b; done < <(a)", ["a", "b"]),
        ("cat() { :; }; cat <<E\n$(a)\nE", ["a"]),
    ],
)
def test_a_command_on_a_condition_is_not_sure(script: str, unsure: list[str]) -> None:
    assert calls(script) == [(program, ".", False) for program in unsure]


@pytest.mark.parametrize(
    "script", ["$X a", '"$P" -m x', "~/x", "PATH=a:$PATH; y", "PATH+=:a; y", "PATH=a y", "source v && y", "a{b,c}"]
)
def test_a_name_that_only_running_tells_is_not_known(script: str) -> None:
    assert {program for program, _, _ in calls(script)} == {None}


def test_what_makes_a_name_is_read_although_the_name_is_not_known() -> None:
    assert calls("`a` x") == [("a", ".", False), (None, ".", True)]


def test_after_set_minus_e_a_command_is_sure_again() -> None:
    assert calls("set +e; a; set -eu; b") == [("a", ".", False), ("b", ".", True)]


@pytest.mark.parametrize(
    "rest", ["cat <<E; c\nx\nE", "coproc c", "time { c; }", "fi", "( c", "if c; then", "'c'\\ 'd'", "c\\\nd"]
)
def test_a_script_is_read_up_to_the_part_that_is_not_understood_and_says_so(rest: str) -> None:
    assert not read(f"a; b && {rest}").whole
    assert [program for program, *_ in calls(f"a\n(cd x; b)\n{rest}")][:2] in (["a", "b"], [])


@pytest.mark.parametrize(
    "script",
    [
        "a; " * 7_000 + "a",
        "( " * 200 + "a" + " )" * 200,
        "".join(f"f{n}() {{ f{n - 1}; f{n - 1}; }};" for n in range(99)) + "f98",
    ],
    ids=["long", "deep", "doubling"],
)
def test_a_script_without_end_is_not_followed_without_end(script: str) -> None:
    began = time.process_time()

    assert not read(script).whole
    assert time.process_time() - began < 5


def test_a_chain_of_thousands_is_read() -> None:
    assert len(read(" && ".join(["a"] * 3_000)).calls) == 3_000


@pytest.mark.parametrize(
    ("script", "cwd"),
    [('cd "$d" && y', None), ("cd - && y", None), ("if a; then cd b; fi; y", None), ("cd x || true; y", None)],
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


PROGRAMS = [f"prog{n}" for n in range(6)]


def scripts() -> st.SearchStrategy[str]:
    """Scripts of bash that parse, of every kind of command, nested."""
    simple = st.sampled_from([*PROGRAMS, f"X=1 {PROGRAMS[0]} y", f"{PROGRAMS[1]} $({PROGRAMS[2]})", ":", "X=$(prog5)"])

    def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        shapes = [
            "{{ {0}; }} && {{ {1}; }}", "{{ {0}; }} || {{ {1}; }}", "{{ {0}; }} | {{ {1}; }}", "{0}\n{1}",
            "( {0}; {1} )", "{{ {0}; {1}; }}", "! {0}", "[[ -n x$( {0} ) ]]; {1}",
            "if {0}; then {1}; else {0}; fi", "for i in 1 2; do {0}; {1}; done", "while {0}; do {1}; break; done",
            "case $((RANDOM % 2)) in 0) {0};; *) {1};; esac", "f() {{ {0}; }}; f; {1}", "g() ( {0} ); {1}; g",
            "cat <<E\n$(prog4 | cat)\nE\n{0}", "cat <<'E' >/dev/null && prog3\nif $(x\nE\n{1}",
            "{{ {0}; }} >/dev/null 2>&1; {1}", "{{ {0}; }} & wait; {1}",
        ]  # fmt: skip
        return st.builds(lambda shape, one, two: shape.format(one, two), st.sampled_from(shapes), inner, inner)

    return st.recursive(simple, nested, max_leaves=6)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], set[str]]:
    """Runs a script with bash and tells which of PROGRAMS it started; their exit codes are a program's text."""
    folder = tmp_path_factory.mktemp("bin")
    log = folder / "log"
    for name in PROGRAMS:
        (folder / name).write_text(f"#!/bin/sh\ntrap '' PIPE\necho {name} >>{log}\necho {name}\n. {folder}/code\n")
        (folder / name).chmod(0o755)

    def run(script: str, code: str) -> set[str]:
        (folder / "code").write_text(code)
        log.write_text("")
        env = {"PATH": f"{folder}:{os.environ['PATH']}"}
        argv = shell.argv(script, env["PATH"])
        subprocess.run(argv, env=env, cwd=folder, capture_output=True, timeout=60, check=False)
        return set(log.read_text().split())

    return run


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(script=scripts())
def test_what_bash_starts_was_read_and_what_is_sure_it_starts(
    started: Callable[[str, str], set[str]], script: str
) -> None:
    reading = read(script)
    named = {call.program for call in reading.calls}
    sure = {call.program for call in reading.calls if call.sure and call.program in PROGRAMS}

    assert reading.whole or "<<" in script or "!" in script
    if reading.whole:
        assert started(script, "exit $(($$ % 2))") <= named
        if "!" not in script:
            assert sure <= started(script, "exit 0")


def test_a_string_is_shell_with_pipefail_and_a_list_is_argv() -> None:
    assert shell.argv("a | b", os.environ["PATH"]) == ["bash", "-euo", "pipefail", "-c", "a | b"]
    assert shell.argv("a | b", "/nonexistent") == ["sh", "-ec", "a | b"]
    assert shell.argv(("a", "b c"), "") == ["a", "b c"]
