"""The glob language: what is refused, what matches, and that git reads it in the same way."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parallel_impl.errors import UserError
from parallel_impl.plan.globs.component import ANY, Component, plain, read
from parallel_impl.plan.globs.globs import fold, is_literal, is_path, match, problem, quoted, readings

CLASS_NAMES = "alnum, alpha, blank, cntrl, digit, graph, lower, print, punct, space, upper, xdigit"
REFUSED = [
    ("", 'write ** for the whole repository, or leave the line out'),
    ("/etc/passwd", 'write "etc/passwd"'),
    ("/", 'write "**"'),
    ("./src/a.py", 'write "src/a.py"'),
    (".", 'write "**"'),
    ("src/./a.py", 'write "src/a.py"'),
    ("../x", "name a path inside the repository"),
    ("a/../b", 'write "b"'),
    ("a/../../b", "name a path inside the repository"),
    ("a//b", 'write "a/b"'),
    ("a//", 'write "a/"'),
    ("!docs/**", 'list "docs/**" under scope.deny'),
    ("-rf", 'rename it: write "rf"'),
    ("~/x", 'write "x", relative to the root of the repository'),
    ("$HOME/x", 'write "x", relative to the root of the repository'),
    ("$HOME", 'write "HOME", relative to the root of the repository'),
    (":(glob)src/**", 'write "src/**"'),
    (" a", 'write "a" ([ ] means a blank in a name)'),
    ("a ", 'write "a" ([ ] means a blank in a name)'),
    (" ", "write ** for the whole repository ([ ] means a blank in a name)"),
    ("C:\\src\\x", 'write "src/x"'),
    ("C:/src/x", 'write "src/x"'),
    ("src\\*.py", 'write "src/*.py"'),
    ("a\nb", 'write "a?b"'),
    ("a\x00", 'write "a?"'),
    ("a\u202eb", 'write "a?b"'),
    ("git~1/hooks/x", "delete the line; .gitignore and .github are fine"),
    ("src/GIT~1::$INDEX_ALLOCATION/x", "delete the line; .gitignore and .github are fine"),
    (".git::$DATA", "delete the line; .gitignore and .github are fine"),
    ("a/.git. ./x", "delete the line; .gitignore and .github are fine"),
    (".g\u200cit/x", "delete the line; .gitignore and .github are fine"),
    ("src/a.py::$DATA", 'write "src/a.py"'),
    (".git", "delete the line; .gitignore and .github are fine"),
    ("src/.GIT/hooks/x", "delete the line; .gitignore and .github are fine"),
    ("src/{a,b}.py", 'write "src/a.py", "src/b.py", each on a line of its own'),
    ("{a,{b,c}}/x", 'write "a/x", "b/x", "c/x", each on a line of its own'),
    ("{a,b}{c,d}{e,f}", 'write "ace", "acf", "ade", "adf" and so on, each on a line of its own'),
    ("x{1..3}", "write one pattern for each name, each on a line of its own"),
    ("**.py", 'write "*.py", or "**/*.py"'),
    ("src/a**", 'write "src/a*", or "src/a*/**"'),
    ("src/a**b", 'write "src/a*b"'),
    ("***", 'write "*", or "**"'),
    ("src/a[b/*", 'write "src/a[[]b/*" if it is a plain ['),
    ("[[:letter:]]", "write one of " + CLASS_NAMES + ""),
    ("a" * 5000, "no path is longer than 4096; name a folder"),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "hint"), REFUSED, ids=[quoted(pattern) for pattern, _ in REFUSED])
def test_what_is_no_pattern_is_refused_with_the_form_to_write(pattern: str, hint: str) -> None:
    found = problem(pattern)
    assert found is not None
    assert found.hint == hint
    with pytest.raises(UserError, match=re.escape(hint)):
        match(pattern, "a")


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "src/pkg/a.py",
            ".github/workflows/**",
            ".gitignore",
            "src/lib/$types.ts",
            "a b/c",
            "{{cookiecutter.name}}/x",
        ),
        *("app/[id]/page.tsx", "app/[[...slug]]/page.tsx", "a[b", "a]b", "docs/", "naïve/ü.md", "a..b/...", "**", "*/"),
    ],
)
def test_odd_names_that_repositories_really_have_are_patterns(pattern: str) -> None:
    assert problem(pattern) is None


SAME = [
    ("src/api/**", "src/api/v1/users.py", True),
    ("src/api/**", "src/api", False),
    ("src/api/", "src/api/users.py", True),
    ("src/api/", "src/api", False),
    ("src/api", "src/api", True),
    ("src/api", "src/api/v1/users.py", True),
    ("src/api", "src/api.py", False),
    ("**", ".github/workflows/ci.yml", True),
    ("**/*.md", "README.md", True),
    ("**/*.md", "docs/a/b.md", True),
    ("src/**/x.py", "src/x.py", True),
    ("src/**/x.py", "src/a/b/x.py", True),
    ("a/**/**", "a/b", True),
    ("a/**/**", "a", False),
    ("**/**", "a", True),
    ("src/*", "src/a/b.py", False),
    ("src/*/", "src/a/b.py", True),
    ("src/*/", "src/a", False),
    ("*", ".hidden", True),
    ("src/?.py", "src/a.py", True),
    ("src/?.py", "src/.py", False),
    ("src/?.py", "src/\udcff.py", True),
    ("?", "é", True),
    ("a?b", "a/b", False),
    ("a[!x]b", "a/b", False),
    ("SRC/*", "src/a", False),
    ("**", "a\nb", True),
    ("*.p?", "x\n.py", True),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "path", "expected"), SAME)
def test_a_pattern_means_its_paths_and_no_others(pattern: str, path: str, expected: bool) -> None:
    assert match(pattern, path) is expected


@pytest.mark.parametrize(
    ("text", "matched", "others"),
    [
        ("[ab]", "ab", "c]["),
        ("[!a]", "b!", "a"),
        ("[^a]", "b^", "a"),
        ("[a-c]", "abc", "d-"),
        ("[a-]", "a-", "b"),
        ("[-a]", "a-", "b"),
        ("[]a]", "]a", "b["),
        ("[!]a]", "b", "]a"),
        ("[z-a]", "z", "am-"),
        ("[user-id]", "userd", "fi-"),
        ("[a-c-e]", "abc-e", "d"),
        ("[[:upper:]]", "AZ", "az0["),
        ("[[:digit:]_]", "09_", "a:"),
        ("[![:alnum:]]", "_.é", "aZ0"),
        ("[[:space:]]", " \t\n\r", "\x0b\x0c"),
        ("[[:punct:]]", "!:@`~", "a0 "),
        ("[[:xdigit:]-z]", "afAF09-z", "g"),
        ("[:alpha:]", ":alph", "z"),
        ("[[:]", "[:", "]"),
        ("[é-ü]", "éü", "e"),
    ],
)
def test_a_class_has_the_characters_that_git_gives_it(text: str, matched: str, others: str) -> None:
    component = read(text)
    assert component is not None
    assert [c for c in matched + others if component.accepts(c)] == list(matched)
    assert [c for c in matched + others if match(f"{text}*", f"{c}x")] == list(matched)


def test_a_pattern_with_brackets_only_is_also_the_path_that_it_spells() -> None:
    assert match("app/[id]/page.tsx", "app/[id]/page.tsx")
    assert match("app/[id]/page.tsx", "app/i/page.tsx")
    assert match("app/[id]", "app/[id]/page.tsx")
    assert not match("app/[id]", "app/i/page.tsx")
    assert match("app/[id]/", "app/[id]/page.tsx")
    assert match("app/[id]/", "app/i/page.tsx")
    assert match("a[b", "a[b/c")
    assert not match("app/[id]/*", "app/[id]/page.tsx")


def test_no_pattern_means_anything_in_a_git_folder_or_what_is_no_path() -> None:
    for path in (".git/config", "a/.GiT/x", "a/.git", "", "/a", "a//b", "a/", "./a", "a/../b", "a\0b"):
        assert not is_path(path)
        assert not match("**", path)
    assert not match("*/.gi[t]/*", "a/.git/b")
    assert is_path(".gitignore")
    for path in (
        "git~1/x",
        "a/GIT~1",
        ".git./x",
        ".git  . /x",
        "a/.git:x",
        ".g\u200ci\u200dt/x",
        ".git::$DATA",
        "a\\.git",
    ):
        assert not is_path(path)
        assert not match("**", path)
    for path in (".gitx", "git~2", "x.git", "a.git/b", "git~10", "git", "a/git:x", ".git.x", "digit .py"):
        assert is_path(path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("/".join(["**", "a*"] * 40 + ["z"]), "/".join(["a" * 20] * 190)),
        ("*a" * 200 + "b", "a" * 4000),
        ("*" + "?" * 300 + "b", "a" * 4000),
        ("**/" + "[!b]*a*/**/" * 60 + "b", "/".join(["a" * 20] * 190)),
    ],
)
def test_no_pattern_makes_matching_backtrack(pattern: str, path: str) -> None:
    start = time.process_time()
    assert not match(pattern, path)
    assert time.process_time() - start < 2  # milliseconds; exponential ones take years


def test_twins_are_paths_that_fold_to_one() -> None:
    assert fold("SRC/Straße.md") == fold("src/strasse.md")
    assert fold("caf\u00e9") == fold("cafe\u0301") == fold("CAF\u00c9")
    assert fold("a\udcff") == "a\udcff"
    assert fold("a/b") != fold("a/c")


def test_a_pattern_without_specials_is_literal() -> None:
    assert is_literal("src/a b/")
    assert not is_literal("src/[id]")


def test_equal_components_are_told_apart_by_their_reading() -> None:
    assert read("[a]") == Component("[a]", (), "a")
    assert read("[a]") != plain("[a]")
    assert read("[a") is None
    assert readings("**/a") == ((None, plain("a")),)
    assert readings("a/**") == ((plain("a"), ANY, None),)


PIECES = ["a", "b", "*", "?", "[ab]", "[!a]", "[a-b]", ".", "[[:upper:]]", "[b-]", "B", "-"]
NAMES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map(lambda parts: re.sub(r"\*+", "*", "".join(parts)))
PATTERNS = (
    st.lists(st.one_of(st.just("**"), NAMES), min_size=1, max_size=4)
    .map("/".join)
    .filter(lambda pattern: problem(pattern) is None)
)


@pytest.fixture(scope="session")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose index has a few thousand paths; nothing is on disk."""
    folder = tmp_path_factory.mktemp("oracle")
    subprocess.run(["git", "init", "-q", folder], check=True)
    short = ["a", "b", "ab", "ba", "B", "a.b", "x-", ".a", "bab"]
    paths = [f"{one}~" for one in short] + [
        f"{one}0/{two}1/{three}" for one in short for two in short for three in short
    ]
    paths += [f"{one}2/{two}" for one in short for two in short] + ["[ab]", "[!a]3/b", "a-b", "-a", "b", "a4/[ab]"]
    entries = "".join(f"100644 e69de29bb2d1d6434b8b29ae775ad8c2e48c5391 0\t{path}\0" for path in paths)
    plain_ones = [f"{one}/{two}/{three}" for one in short[:3] for two in short[1:4] for three in short]
    entries += "".join(f"100644 e69de29bb2d1d6434b8b29ae775ad8c2e48c5391 0\t{path}\0" for path in plain_ones if path)
    subprocess.run(["git", "update-index", "-z", "--index-info"], cwd=folder, input=entries.encode(), check=True)
    return folder


def git_lists(folder: Path, *patterns: str) -> list[str]:
    found = subprocess.run(["git", "ls-files", "-z", "--", *patterns], cwd=folder, capture_output=True, check=True)
    return found.stdout.decode().split("\0")[:-1]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PATTERNS)
def test_git_reads_a_pattern_in_the_same_way(listed: Path, pattern: str) -> None:
    paths = git_lists(listed)
    assert len(paths) > 900
    assert git_lists(listed, f":(glob){pattern}") == [path for path in paths if match(pattern, path)]


@pytest.mark.parametrize("pattern", ["a", "a/b", "a/ab/**", "[ab]", "[!a]3", "a4/[ab]", "**/[ab]", "ab0/b1/x-"])
def test_git_reads_literal_paths_and_folders_in_the_same_way(listed: Path, pattern: str) -> None:
    expected = [path for path in git_lists(listed) if match(pattern, path)]
    assert expected
    assert git_lists(listed, f":(glob){pattern}") == expected


@given(st.text(alphabet="ab/*?[]!-.{},\\~$ \n:g", max_size=12))
def test_every_text_is_either_a_pattern_or_refused_with_a_hint(text: str) -> None:
    found = problem(text)
    if found is None:
        assert match(text, "a/b") in (True, False)
    else:
        assert found.what and found.hint


@settings(max_examples=200)
@given(PATTERNS, st.text(alphabet="abB.-", min_size=1, max_size=5))
def test_the_two_ways_to_match_a_component_agree(pattern: str, name: str) -> None:
    text = pattern.rpartition("/")[2]
    component = read(text)
    if component is not None and text != "**" and is_path(name):
        glob_only = f"?/{text}" if "[" in text else f"*/{text}"  # so that brackets are not read literally
        assert match(glob_only, f"x/{name}") == component.accepts(name)
