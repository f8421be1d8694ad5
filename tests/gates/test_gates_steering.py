"""What steers a gate, and whether a candidate changed it: by name, by part, and by what the configuration names."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.gates import sections, steering
from parallel_impl.gates.steering import Steered


def changed(command: str, base: Mapping[str, bytes], candidate: Mapping[str, bytes]) -> list[Steered]:
    paths = [path for path in {*base, *candidate} if base.get(path) != candidate.get(path)]
    return steering.differences(steering.of(command, base.get), paths, base=base.get, candidate=candidate.get)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("pytest -q", "tests/unit/conftest.py"),
        ("pytest -q", "pytest.ini"),
        ("mypy src", "mypy.ini"),
        ("ruff check", "src/ruff.toml"),
        ("ruff check", "src/.gitignore"),
        ("npm run test", "vitest.config.ts"),
        ("npx eslint .", ".eslintrc.json"),
        ("tsc --noEmit", "tsconfig.build.json"),
        ("make test", "Makefile"),
        ("cargo test", ".cargo/config.toml"),
        ("pytest -q", ".gitattributes"),
        ("bash check.sh", "check.sh"),
        ("bash check.sh", "tests/conftest.py"),  # a script may run any tool
        ("python -m pytest", "pytest.py"),
    ],
)
def test_a_file_that_steers_the_gate_is_named_whether_it_is_new_changed_or_gone(command: str, path: str) -> None:
    assert changed(command, {}, {path: b"x"}) == [Steered(path)]
    assert changed(command, {path: b"x"}, {path: b"y"}) == [Steered(path)]
    assert changed(command, {path: b"x"}, {}) == [Steered(path)]


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("pytest -q", "ruff.toml"),
        ("pytest -q", "src/conftest_of_mine.py"),
        ("ruff check", "tests/conftest.py"),
        ("mypy src", "Makefile"),
        ("pytest tests/test_x.py", "tests/test_x.py"),
    ],
)
def test_what_steers_another_gate_is_none_of_this_ones(command: str, path: str) -> None:
    assert changed(command, {path: b"x"}, {path: b"y"}) == []


PROJECT = b"""[project]
name = "m"
dependencies = ["a"]

[tool.pytest.ini_options]
testpaths = ["tests"]

[tool.ruff]
line-length = 100
"""


def test_a_new_dependency_beside_the_gates_part_is_no_difference() -> None:
    more = PROJECT.replace(b'["a"]', b'["a", "b"]').replace(b"[tool.ruff]", b"# a comment\n[tool.ruff]")
    for command in ("pytest -q", "ruff check", "mypy src", "make test"):
        assert changed(command, {"pyproject.toml": PROJECT}, {"pyproject.toml": more}) == []


def test_a_part_is_laid_over_and_the_rest_of_the_file_stays_the_candidates() -> None:
    edited = PROJECT.replace(b'["a"]', b'["a", "b"]').replace(b"= 100", b"= 300").replace(b'["tests"]', b'["none"]')
    (one,) = changed("pytest -q", {"pyproject.toml": PROJECT}, {"pyproject.toml": edited})
    assert (one.path, one.part, one.whole) == ("pyproject.toml", "tool.pytest", False)
    assert tomllib.loads(one.content.decode()) == {
        "project": {"name": "m", "dependencies": ["a", "b"]},
        "tool": {"pytest": {"ini_options": {"testpaths": ["tests"]}}, "ruff": {"line-length": 300}},
    }
    assert str(one) == "tool.pytest of pyproject.toml"


def test_a_part_that_the_base_lacks_is_taken_away() -> None:
    (one,) = changed("ruff check", {}, {"src/pyproject.toml": b"[tool.ruff.lint]\nselect = []\n[tool.x]\na = 1\n"})
    assert tomllib.loads(one.content.decode()) == {"tool": {"x": {"a": 1}}}


def test_a_file_that_cannot_be_read_counts_whole() -> None:
    assert changed("pytest", {"pyproject.toml": PROJECT}, {"pyproject.toml": b"["}) == [Steered("pyproject.toml")]
    assert changed("pytest", {"tox.ini": b"[pytest]\n"}, {"tox.ini": b"no header\n"}) == [Steered("tox.ini")]


def test_sections_of_ini_files_and_keys_of_package_json() -> None:
    (one,) = changed("mypy", {"setup.cfg": b"[mypy]\nstrict = true\n[x]\nY = 1\n"}, {"setup.cfg": b"[x]\nY = 2\n"})
    assert sections.read("setup.cfg", one.content, ("*",)) == {"x": {"Y": "2"}, "mypy": {"strict": "true"}}
    (one,) = changed(
        "npm test",
        {"package.json": b'{"scripts": {"test": "vitest"}}'},
        {"package.json": b'{"scripts": {"test": "true"}, "dependencies": {"a": "1"}}'},
    )
    assert sections.read("package.json", one.content, ("*",)) == {
        "scripts": {"test": "vitest"},
        "dependencies": {"a": "1"},
    }


@pytest.mark.parametrize(
    ("command", "file", "content", "path"),
    [
        ("ruff check", "ruff.toml", b'extend = "rules/strict.toml"\n', "rules/strict.toml"),
        ("pytest", "conftest.py", b'pytest_plugins = ["tests.plugin"]\n', "tests/plugin.py"),
        ("pytest", "pytest.ini", b"[pytest]\naddopts = -q -p tests.plugin\n", "tests/plugin.py"),
        ("mypy", "mypy.ini", b"[mypy]\nplugins = ./tools/plugin.py\n", "tools/plugin.py"),
        ("tsc", "tsconfig.json", b'{"extends": "./config/base"}', "config/base.json"),
    ],
)
def test_what_the_bases_configuration_names_steers_too(command: str, file: str, content: bytes, path: str) -> None:
    base = {file: content, path: b"x"}
    assert changed(command, base, base | {path: b"y"}) == [Steered(path)]


VALUES = st.recursive(
    st.booleans() | st.integers(-(2**40), 2**40) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text('ab. "é', min_size=1), below, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text('ab."\\ é\x7f', min_size=1), VALUES, max_size=4))
def test_a_document_of_toml_is_written_as_it_is_read(document: dict[str, object]) -> None:
    written = sections.replace("pyproject.toml", b"", ("tool.x",), {"tool.x": document})
    assert tomllib.loads(written.decode()) == {"tool": {"x": document}}
