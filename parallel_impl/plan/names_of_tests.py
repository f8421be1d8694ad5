"""Where the tests of a file are, told by names alone: those that test runners look for, and back again. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from parallel_impl.plan.globs.globs import folders_above

FOLDERS = frozenset(("tests", "test", "__tests__", "spec", "specs", "e2e", "testing"))
TESTED = frozenset((
    ".py", ".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts", ".go", ".java", ".kt", ".rb", ".php", ".cs",
    ".ex", ".vue", ".svelte", ".sh", ".rs", ".scala", ".swift", ".dart", ".c", ".cc", ".cpp",
))  # fmt: skip
SCRIPT = (".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts", ".vue", ".svelte")
# The forms of a test's name; the first of a language is the one that a new test gets where no other says otherwise.
_FORMS: dict[str, tuple[str, ...]] = {
    ".py": ("test_{}.py", "{}_test.py"),
    ".go": ("{}_test.go",),
    ".java": ("{}Test.java", "{}Tests.java", "{}IT.java"),
    ".kt": ("{}Test.kt",),
    ".scala": ("{}Test.scala", "{}Spec.scala"),
    ".swift": ("{}Tests.swift",),
    ".cs": ("{}Tests.cs", "{}Test.cs"),
    ".php": ("{}Test.php",),
    ".rb": ("{}_spec.rb", "{}_test.rb", "test_{}.rb"),
    ".ex": ("{}_test.exs",),
    ".dart": ("{}_test.dart",),
    ".rs": ("{}_test.rs", "test_{}.rs", "{}.rs"),
    ".sh": ("test_{}.sh", "{}.bats", "test_{}.py", "{}_test.sh"),
    ".c": ("test_{}.c", "{}_test.c"),
    ".cc": ("{}_test.cc", "{}_unittest.cc"),
    ".cpp": ("{}_test.cpp", "test_{}.cpp"),
}
_TEST_NAME = re.compile(r"test_.+|.+_test|.+[._-](?:test|spec|e2e|unittest)|.+(?:Test|Tests|IT|Spec)|conftest")


def is_test(path: str) -> bool:
    """Whether a file is a test or lies among tests."""
    stem = _name_of(path).rpartition(".")[0]
    return bool(_TEST_NAME.fullmatch(stem)) or any(part in FOLDERS for part in path.split("/")[:-1])


def is_tested(path: str) -> bool:
    """Whether a file is source that tests are written for."""
    return _extension(path) in TESTED and not is_test(path) and not _name_of(path).startswith("__init__.")


def names(path: str) -> tuple[str, ...]:
    """The names that a test of a source file has, the usual first."""
    stem, _, _ = _name_of(path).rpartition(".")
    ending = _extension(path)
    if ending in SCRIPT:
        own = ending if ending not in (".vue", ".svelte") else ".ts"
        endings = dict.fromkeys((own, ".ts", ".tsx", ".js", ".jsx", ".mjs"))
        return tuple(f"{stem}.{kind}{one}" for one in endings for kind in ("test", "spec"))
    plain = stem.replace("-", "_") if ending in (".sh", ".py") else stem
    return tuple(form.format(plain) for form in _FORMS.get(ending, ()))


def subject(path: str) -> str:
    """The stem of the file that a test tests; "" for what is no test by its name."""
    stem = _name_of(path).rpartition(".")[0]
    bare = re.sub(r"^test_|_test$|[._-](?:test|spec|e2e|unittest)$|(?:Test|Tests|IT|Spec)$", "", stem)
    return bare if bare and bare != stem else ""


def existing(path: str, by_name: Mapping[str, Sequence[str]]) -> list[str]:
    """The tests of a source file that exist: of each name those that belong to the innermost folder around it.

    `by_name` are the files of each file name.
    """
    found: list[str] = []
    around = ["", *folders_above(path)]
    for name in names(path):
        ranks = {
            one: (around.index(_owner(one)), _alike(one, path))
            for one in by_name.get(name, ())
            if one != path and _owner(one) in around
        }
        best = max(ranks.values(), default=(0, 0))
        found += [one for one, rank in ranks.items() if rank == best]
    return list(dict.fromkeys(found))


def _alike(one: str, other: str) -> int:
    """How many folders two paths have in common from the inside: `test/core/x` and `src/core/x` one."""
    count = 0
    for first, second in zip(reversed(one.split("/")[:-1]), reversed(other.split("/")[:-1]), strict=False):
        if first != second:
            break
        count += 1
    return count


def _owner(test: str) -> str:
    """The folder whose code a test is for: the one that its tests folder lies in, else its own."""
    parts = test.split("/")[:-1]
    outer = next((n for n, part in enumerate(parts) if part in FOLDERS), len(parts))
    return "/".join(parts[:outer])


def _name_of(path: str) -> str:
    return path.removesuffix("/").rpartition("/")[2]


def _extension(path: str) -> str:
    stem, dot, ending = _name_of(path).rpartition(".")
    return f".{ending.lower()}" if dot and stem.strip(".") else ""
