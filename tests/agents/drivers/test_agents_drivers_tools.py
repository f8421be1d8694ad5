"""The tools of our own agent, in this process: editor, searches, shell, and what they may touch."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from parallel_impl.agents.drivers import search, shell
from parallel_impl.agents.drivers.editor import CallError, Editor
from parallel_impl.agents.drivers.reach import Reach, ScopeError
from parallel_impl.agents.drivers.shell import Shell
from parallel_impl.plan.model import Scope
from parallel_impl.processes import orphans
from parallel_impl.processes.launch import Stop
from tests.agents.drivers.scene import make_worktree


@pytest.fixture
def reach(tmp_path: Path) -> Reach:
    root = make_worktree(tmp_path / "worktree")
    return Reach(root, Scope(("src/**",), deny=("src/private/**",)), (tmp_path / "result.json",))


@pytest.fixture
def bash(reach: Reach) -> Shell:
    return Shell(reach.root, dict(os.environ), Stop())


def test_paths_are_judged_where_they_really_lead(reach: Reach) -> None:
    (reach.root / "src/out").symlink_to("/etc")
    (reach.root / "src/in").symlink_to("greet")
    assert reach.writable("src/in/a.py") == reach.root / "src/greet/a.py"
    assert reach.writable(str(reach.root / "src/a.py")) == reach.root / "src/a.py"
    assert reach.writable(str(reach.also[0])) == reach.also[0]
    for path in ("src/out/hosts", "src/../README.md", "src/private/a", ".git/config", "src/../../x", "/etc/x", "a\0b"):
        with pytest.raises(ScopeError):
            reach.writable(path)
    with pytest.raises(ScopeError, match="outside the worktree"):
        reach.readable("src/out/hosts")


def test_the_refusal_names_the_scope_but_not_a_thousand_patterns(reach: Reach) -> None:
    many = Reach(reach.root, Scope(tuple(f"f{number}" for number in range(1000))))
    with pytest.raises(ScopeError, match=r"README.md is outside .* f29 and 970 more$"):
        many.writable("README.md")
    with pytest.raises(ScopeError, match="you may write nothing"):
        Reach(reach.root, Scope(())).writable("README.md")


def test_an_edit_changes_the_one_place_and_no_line_end(reach: Reach) -> None:
    editor, place = Editor(reach), reach.root / "src/a.txt"
    editor.create("src/a.txt", "one\r\ntwo\r\ntwo\r\n")
    editor.str_replace("src/a.txt", "one", "1")
    assert place.read_bytes() == b"1\r\ntwo\r\ntwo\r\n"
    for old, why in (("two", "occurs 2 times"), ("three", "does not occur"), ("", "does not occur")):
        with pytest.raises(CallError, match=why):
            editor.str_replace("src/a.txt", old, "x")
    editor.str_replace("src/a.txt", "1\r\n")
    assert place.read_bytes() == b"two\r\ntwo\r\n"


def test_lines_are_inserted_behind_a_line(reach: Reach) -> None:
    editor, place = Editor(reach), reach.root / "src/a.txt"
    editor.create("src/a.txt", "a\nb")
    editor.insert("src/a.txt", 0, "first")
    editor.insert("src/a.txt", 3, "last\n")
    assert place.read_text() == "first\na\nb\nlast\n"
    with pytest.raises(CallError, match="has 4 lines"):
        editor.insert("src/a.txt", 9, "x")


def test_a_view_has_numbers_and_is_cut_with_a_word(reach: Reach) -> None:
    editor = Editor(reach)
    editor.create("src/a.txt", "".join(f"{n}\n" for n in range(1, 20_001)))
    assert editor.view("src/a.txt", (2, 3)) == "     2\t2\n     3\t3"
    assert "[cut at line " in editor.view("src/a.txt") and len(editor.view("src/a.txt")) < 61_000
    with pytest.raises(CallError, match="20001 lines"):
        editor.view("src/a.txt", (30_000, -1))
    assert editor.view("src") == "a.txt\ngreet/"


def test_what_is_no_text_is_not_opened(reach: Reach) -> None:
    editor = Editor(reach)
    os.mkfifo(reach.root / "src/pipe")
    (reach.root / "src/binary").write_bytes(b"\xff\xfe\0")
    for path, why in (("src/pipe", "is no file"), ("src/none", "does not exist"), ("src/binary", "not UTF-8")):
        with pytest.raises(CallError, match=why):
            editor.view(path)


def test_searches_leave_out_what_git_ignores_and_find_what_is_new(reach: Reach) -> None:
    (reach.root / "src/new.py").write_text("needle = 12\n")
    assert search.glob(reach, "**/*.py") == "src/greet/__init__.py\nsrc/new.py"
    assert search.glob(reach, "*.rs") == "no such file"
    assert search.grep(reach, r"needle = \d+") == "src/new.py:1:needle = 12"
    assert search.grep(reach, "NEEDLE", "src", ignore_case=True) == "src/new.py:1:needle = 12"
    assert search.grep(reach, "needle", "README.md") == "no match"
    with pytest.raises(CallError, match="braces are not expanded"):
        search.glob(reach, "*.{py,rs}")
    with pytest.raises(CallError, match="git grep"):
        search.grep(reach, "(")


def test_a_command_begins_where_the_last_one_ended_even_when_it_failed(bash: Shell) -> None:
    assert bash.run("cd src; false") == ("[exit 1]", False)
    assert bash.run("pwd") == (f"{bash.root / 'src'}\n[exit 0]", True)
    bash.run("mkdir gone && cd gone && rmdir ../gone")
    assert bash.run("pwd")[0].splitlines()[0] == str(bash.root)


def test_a_command_is_ended_at_its_limit_with_what_it_started(bash: Shell) -> None:
    orphans.adopt_orphans()
    began = time.monotonic()
    text, ok = bash.run("setsid sleep 987 & echo begun; sleep 987", 1)
    assert not ok and text.startswith("begun\n[ended after 1 s, its limit")
    assert time.monotonic() - began < 60
    assert bash.run("pgrep -f '^sleep 987' || echo none")[0].startswith("none\n")


def test_a_command_has_no_input_and_may_be_long(bash: Shell) -> None:
    assert bash.run("cat; echo end") == ("end\n[exit 0]", True)
    heredoc = "cat > big.txt <<'END'\n" + "0123456789abcde\n" * 20_000 + "END\n"  # more than a word of argv holds
    assert bash.run(heredoc)[1] and (bash.root / "big.txt").stat().st_size == 320_000


def test_long_output_keeps_its_beginning_and_its_end(bash: Shell) -> None:
    text, _ = bash.run("seq 1 100000")
    assert len(text) < shell.KEPT + 200
    assert text.startswith("1\n2\n") and text.endswith("100000\n[exit 0]") and "bytes left out" in text
