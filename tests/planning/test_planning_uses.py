"""What texts say that tasks use of each other, and the order of packages that follows."""

from __future__ import annotations

import pytest

from parallel_impl.plan.globs.globs import covers
from parallel_impl.planning.grouping.draft import draft
from parallel_impl.planning.reading import shared_kinds, table
from parallel_impl.planning.reading.code import Code
from parallel_impl.planning.reading.documents import ChangeDocument
from parallel_impl.planning.reading.evidence import ClueKind, Table

FILES = (
    "pyproject.toml", ".gitignore", ".pre-commit-config.yaml", ".github/workflows/tests.yaml",
    "src/signing/__init__.py",
    "src/signing/encoding.py", "tests/test_signing/__init__.py", "tests/test_signing/test_encoding.py", "CHANGES.rst",
    *(f"docs/{n}.rst" for n in range(40)),
)  # fmt: skip
CONTENTS = {"pyproject.toml": b"[tool.pytest.ini_options]\n"}
TASKS = """\
## 1. Hex encoding
- [ ] 1.1 Add `hex_encode` and `hex_decode` in `src/signing/hexenc.py`
- [ ] 1.2 Test bad characters in `tests/test_signing/test_hexenc.py`
## 2. Key ring
- [ ] 2.1 Add `KeyRing` in `src/signing/keyring.py`
- [ ] 2.2 Test an empty ring in `tests/test_signing/test_keyring.py`
## 3. Serializer
- [ ] 3.1 Add `HexSerializer` in `src/signing/hex_safe.py`{uses}
- [ ] 3.2 Test it in `tests/test_signing/test_hex_safe.py`
## 4. Package
- [ ] 4.1 Export the new names in `src/signing/__init__.py`
- [ ] 4.2 Add an entry to `CHANGES.rst`
"""


def built(tasks: str, design: str = "") -> Table:
    documents = [ChangeDocument("tasks.md", tasks, ClueKind.TASK), ChangeDocument("design.md", design, ClueKind.DESIGN)]
    commits = [frozenset({"src/signing/encoding.py", *FILES[1:4]})] * 10
    code = Code(dict.fromkeys(FILES, 1), tuple(commits), lambda paths: {one: CONTENTS.get(one, b"") for one in paths})
    return table.build("add-hex", documents, code, change_path="openspec/changes/add-hex")


def pairs(found: Table) -> list[tuple[str, str]]:
    return [(one.task, one.used) for one in found.uses]


@pytest.mark.parametrize(
    ("said", "used"),
    [
        ("", []),
        (", using the hex encoding and the key ring", ["1.1", "2.1"]),
        (" on `hexenc` alone", ["1.1"]),
        (" with a `KeyRing`", ["2.1"]),
        (" with key_ring", ["2.1"]),
        (" for a hexenc of old", []),  # one word that is not written as code is only a word
        (" with `hex_encode()`", ["1.1"]),
    ],
)
def test_a_task_uses_what_it_names_of_another_task(said: str, used: list[str]) -> None:
    assert [one for _, one in pairs(built(TASKS.format(uses=said)))] == used


@pytest.mark.parametrize(
    ("design", "found"),
    [
        ("`hex_safe.py` imports `hexenc.py`.", [("3.1", "1.1")]),
        ("`hexenc.py` checks. `keyring.py` is alone.\n`hex_safe.py` imports both.", [("3.1", "1.1"), ("3.1", "2.1")]),
        ("`keyring.py` never uses `hexenc.py`.", []),
        ("`keyring.py` and `hexenc.py` are new.", []),
        ("`hexenc.py` is built on `KeyRing`.", [("1.1", "2.1")]),
    ],
)
def test_a_sentence_of_the_design_says_what_a_file_uses(design: str, found: list[tuple[str, str]]) -> None:
    assert sorted(pairs(built(TASKS.format(uses=""), design))) == found


def test_an_earlier_task_that_only_speaks_of_a_later_one_does_not_wait_for_it() -> None:
    tasks = "## 1. A\n- [ ] 1.1 Add `src/signing/first_one.py`{}\n## 2. B\n- [ ] 2.1 Add `src/signing/second_one.py`\n"
    assert pairs(built(tasks.format(" for the second one"))) == []
    assert pairs(built(tasks.format(", using the second one"))) == [("1.1", "2.1")]


def test_a_package_waits_for_what_it_uses_with_the_words_and_its_tests_stay_with_it() -> None:
    found = draft(built(TASKS.format(uses=", using the hex encoding and the key ring")), read=CONTENTS.get)
    packages = {one.id: one for one in found.grouping.packages}
    assert {one.id: one.tasks for one in packages.values()} == {
        "wp-hex-encoding": ("1.1", "1.2"),
        "wp-key-ring": ("2.1", "2.2"),
        "wp-serializer": ("3.1", "3.2"),
        "wp-integration": ("4.1", "4.2"),
    }
    assert packages["wp-serializer"].reasons == {
        "wp-hex-encoding": ('task 3.1 speaks of "hex encoding"',),
        "wp-key-ring": ('task 3.1 speaks of "key ring"',),
    }
    for one in packages.values():
        own = [path for path in one.named if path.startswith("tests/")]
        assert not [(glob, path) for glob in one.deny for path in own if covers(glob, path)]
    scopes = {path for one in packages.values() for path in one.write_allow}
    assert not scopes & set(FILES[:4])
    commands = [step.command for one in found.plan.packages for step in one.steps] if found.plan else []
    assert commands == [f"pytest -q tests/test_signing/test_{name}.py" for name in ("hexenc", "keyring", "hex_safe")]


def test_configuration_and_ci_that_change_often_need_a_text_that_speaks_of_them() -> None:
    paths = {one.path for one in built(TASKS.format(uses="")).evidence}
    assert not paths & set(FILES[:4])
    spoken = {one.path for one in built(TASKS.format(uses=""), "A CI step runs the linter.").evidence}
    assert set(FILES[1:4]) <= spoken


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("the package has public names", set()),
        ("a new dependency", {"project configuration", "lock file"}),
        ("a step in CI", {"CI"}),
        ("special pages", set()),
        ("the Docker image", {"container"}),
    ],
)
def test_a_text_speaks_of_a_kind_of_shared_file_by_its_words(text: str, kinds: set[str]) -> None:
    assert shared_kinds.spoken_of([text]) == kinds


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (".github/workflows/tests.yaml", "CI"),
        (".pre-commit-config.yaml", "project configuration"),
        (".editorconfig", "project configuration"),
        ("src/a.py", ""),
        ("src/__init__.py", ""),
        ("CHANGES.rst", ""),
    ],
)
def test_only_files_that_change_for_reasons_of_their_own_need_a_ground(path: str, kind: str) -> None:
    assert shared_kinds.kind(path) == kind
