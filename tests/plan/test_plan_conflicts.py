"""Parallel packages that claim the same things are found, named and counted; ordered ones may share."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parallel_impl.plan import conflicts
from parallel_impl.plan.conflicts import Claim, Conflict, ConflictKind, find, problems
from parallel_impl.plan.globs.neighbours import neighbours, pairs
from parallel_impl.plan.globs.overlap import Ends, Overlaps, intersect_scopes
from parallel_impl.plan.model import Locks, Package, Plan, Scope
from parallel_impl.plan.order import of


def package(
    name: str,
    *write_allow: str,
    deny: Sequence[str] = (),
    files: Sequence[str] = (),
    keys: Sequence[str] = (),
    depends_on: Sequence[str] = (),
) -> Package:
    scope = Scope(write_allow, deny=tuple(deny))
    return Package(name, name, scope, depends_on=tuple(depends_on), locks=Locks(tuple(files), tuple(keys)))


def kinds(*packages: Package) -> list[tuple[str, str, str]]:
    """(kind, witness, packages) of all conflicts."""
    plan = Plan("x", packages)
    found = find(plan, of(plan)).conflicts
    return [(c.kind.value, c.witness, f"{c.first.package} {c.second.package}") for c in found]


def test_scopes_that_overlap_conflict_with_a_path_to_show_it() -> None:
    assert kinds(package("a", "src/**/*.py"), package("b", "src/api/**")) == [("scope", "src/api/x.py", "a b")]
    assert kinds(package("a", "src/a/**"), package("b", "src/b/**")) == []


def test_a_denied_overlap_is_none() -> None:
    assert kinds(package("a", "src/**", deny=["src/b/**"]), package("b", "src/b/**")) == []
    assert kinds(package("a", "src/**", deny=["src/b/*.py"]), package("b", "src/b/**")) == [("scope", "src/b/x", "a b")]


def test_a_denied_file_is_no_folder_of_anybody_s() -> None:
    assert kinds(package("a", "src/**", deny=["**/a.py"]), package("b", "src/a.py")) == []
    assert kinds(package("a", "src/A.py/x", deny=["src/A.py"]), package("b", "src/a.py")) == []


def test_packages_of_which_one_waits_for_the_other_may_share() -> None:
    a, b = package("a", "src/**"), package("b", "other", depends_on=["a"])
    c = package("c", "src/**", depends_on=["b"], files=["src/x"], keys=["env:x"])
    assert kinds(c, b, a) == []
    assert kinds(a, b, c, package("d", "src/x.py", depends_on=["b"])) == [("scope", "src/x.py", "c d")]


def test_what_packages_read_is_no_conflict() -> None:
    reader = Package("a", "a", Scope(("a/**",), read_allow=("b/**",)))
    assert kinds(reader, package("b", "b/**")) == []


def test_a_locked_file_is_closed_to_locks_and_scopes_of_parallel_packages() -> None:
    assert kinds(package("a", files=["x.py"]), package("b", files=["x.py"])) == [("lock", "x.py", "a b")]
    assert kinds(package("a", files=["src/"]), package("b", "src/x.py")) == [("lock", "src/x.py", "a b")]
    assert kinds(package("a", "src/*"), package("b", files=["src/[ab]*"])) == [("lock", "src/a", "a b")]
    assert kinds(package("a", "src/*", deny=["src/x.py"]), package("b", files=["src/x.py"])) == []
    assert kinds(package("a", "x.py", files=["x.py"])) == []


def test_lock_keys_are_compared_with_their_wildcards() -> None:
    a = package("a", keys=["env:x", "flag:billing/*"])
    assert kinds(a, package("b", keys=["flag:billing/x"])) == [("lock", "flag:billing/x", "a b")]
    assert kinds(package("b", keys=["flag:billing/x/*"]), a) == [("lock", "flag:billing/x/*", "a b")]
    assert kinds(a, package("b", keys=["flag:billing", "flag:billings", "env:x2", "env:X"])) == []


def test_one_pair_has_at_most_one_conflict_of_each_kind() -> None:
    claims = {"files": ["src/a", "src/b"], "keys": ["env:x", "env:y"]}
    assert kinds(package("a", "src/**", "lib", **claims), package("b", "src/**", "lib", **claims)) == [
        ("scope", "src/x", "a b"),
        ("lock", "src/a", "a b"),
    ]


def test_locked_files_that_differ_in_case_or_unicode_form_are_one_file() -> None:
    locks = package("a", "a", files=("src/A.py",)), package("b", "b", files=("src/a.py",))
    assert kinds(*locks) == [("lock", "src/a.py", "a b")]
    assert kinds(package("a", "Src/a.py"), package("b", "b", files=("src",))) == [("lock", "src/a.py", "a b")]
    left_out = package("a", "Src", deny=("Src/a.py",))
    assert kinds(left_out, package("b", "b", files=("src/a.py",))) == []
    assert kinds(left_out, package("b", "b", files=("src/b.py",))) == [("lock", "src/b.py", "a b")]


def test_literal_paths_that_differ_in_case_or_unicode_form_are_twins() -> None:
    assert kinds(package("a", "src/A.py"), package("b", "src/a.py")) == [("twin", "src/a.py", "a b")]
    assert kinds(package("a", "caf\u00e9"), package("b", "cafe\u0301/x")) == [("twin", "cafe\u0301/x", "a b")]
    assert kinds(package("a", "Src"), package("b", "src/a.py")) == [("twin", "src/a.py", "a b")]
    assert kinds(package("a", "Src", deny=["Src/a.py"]), package("b", "src/a.py")) == []
    assert kinds(package("a", "Src/b.py"), package("b", "src/a.py")) == []
    assert kinds(package("a", "SRC/**"), package("b", "src/a.py")) == []
    assert kinds(package("a", "Src", "src"), package("b", "src/a.py")) == [
        ("scope", "src/a.py", "a b"),
        ("twin", "src/a.py", "a b"),
    ]


def test_the_message_names_both_packages_globs_path_and_the_line_to_write() -> None:
    packages = (package("base", "x"), package("wp-b", "src/b/**", depends_on=["base"]), package("wp-a", "y", "src/**"))
    positions = {("packages", 1, "scope", "write_allow", 0): (12, 9), ("packages", 2, "scope"): (20, 5)}
    plan = Plan("x", packages, position=positions)
    assert [str(problem) for problem in problems(plan, of(plan))] == [
        'work-packages.yaml:12:9: error: wp-b and wp-a may run at the same time and may both write "src/b/x": '
        '"src/b/**" of wp-b overlaps "src/**" of wp-a (line 20) (packages[1].scope.write_allow[0])\n'
        "    write for wp-b: depends_on: [base, wp-a]; or keep it out of the scope of one of them (deny)"
    ]


def test_all_advised_lines_together_make_no_cycle() -> None:
    packages = [package("z", "1/**"), package("y", "1/a", "2/**"), package("x", "2/a", depends_on=[])]
    plan = Plan("x", (package("a", "1/a/b", depends_on=["x"]), *packages))
    found = find(plan, of(plan)).conflicts
    index = of(plan).index
    assert len(found) == 4
    assert all(index[conflict.first.package] < index[conflict.second.package] for conflict in found)


def test_hints_and_globs_that_are_long_are_shortened() -> None:
    names = [f"p{n}" for n in range(30)]
    plan = Plan("x", (*(package(name, name) for name in names), package("q", "x" * 3000, depends_on=names)))
    one = Claim("p1", "x" * 3000, ("packages", 1))
    said = str(Conflict(ConflictKind.SCOPE, one, Claim("q", "x" * 3000, ("packages", 30)), "x" * 3000).problem(plan))
    assert len(said) < 1000
    assert "p19, …, p1]" in said


def test_after_two_hundred_conflicts_the_rest_is_counted() -> None:
    plan = Plan("x", tuple(package(f"p{n:03}", "src/**") for n in range(24)))
    found = find(plan, of(plan))
    assert (len(found.conflicts), found.unlisted, found.uncompared) == (200, 76, 0)
    assert problems(plan, of(plan))[-1].what == "76 more conflicts are not listed"
    plan = Plan("x", tuple(package(f"p{n:03}", "src/**") for n in range(300)))
    found = find(plan, of(plan))
    assert (len(found.conflicts), found.unlisted, found.uncompared) == (200, 2000, 44850 - 2200)
    assert [problem.what for problem in problems(plan, of(plan))[200:]] == [
        "2000 more conflicts are not listed",
        "up to 42650 more pairs of packages may conflict and were not compared",
    ]


def test_a_comparison_that_was_given_up_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conflicts, "Overlaps", partial(Overlaps, steps=1000))
    hard = "*a" * 100
    plan = Plan("x", (package("p", f"src/{hard}b"), package("q", f"src/{hard}c*b"), package("r", "src/**")))
    found = problems(plan, of(plan))
    assert "q and p: comparing globs took too many steps; given up at whether" in found[0].what
    assert found[1].what == "up to 3 more pairs of packages may conflict and were not compared"
    monkeypatch.setattr(conflicts, "COMPARED", 10)
    plan = Plan("x", tuple(package(f"p{n}", "src/**", deny=["src/**"]) for n in range(6)))
    assert [problem.what for problem in problems(plan, of(plan))] == [
        "up to 5 more pairs of packages may conflict and were not compared"
    ]


def crowd(count: int, *globs: str) -> Plan:
    """Parallel packages, each with these globs, in which `@` is its number."""
    return Plan("x", tuple(package(f"p{n}", *(glob.replace("@", str(n)) for glob in globs)) for n in range(count)))


@pytest.mark.parametrize(
    "globs",
    [
        ["src/m@/**", "tests/m@/**", "docs/m@.md", "lib/x/m@/*.py", "web/m@/"],
        [f"**/m@_{n}.py" for n in range(5)],
        [f"**/*_m@_{n}.py" for n in range(5)],
        [f"tests/**/test_m@_{n}_*.py" for n in range(5)],
    ],
)
def test_a_thousand_packages_are_not_compared_pair_by_pair(globs: list[str]) -> None:
    plan = crowd(1000, *globs)
    order = of(plan)
    start = time.process_time()
    assert find(plan, order) == conflicts.Findings(())
    assert time.process_time() - start < 2  # 0.1 s on a quiet machine; pair by pair it takes a minute


PATTERNS = st.sampled_from(
    [
        *("src", "src/a", "src/a/**", "src/**", "src/*", "src/*.py", "src/a*", "src/b/", "src/[ab]", "src/A", "SRC/a"),
        *("**/a.py", "**/*.py", "**/a*", "**/*b", "**", "s*/a", "a.py", "**/ab", "src/**/b", "src/?", "lib/x.py", "*"),
    ]
)
PACKAGES = st.lists(st.tuples(st.lists(PATTERNS, max_size=3), st.lists(PATTERNS, max_size=1)), min_size=2, max_size=12)


@settings(max_examples=60, deadline=None)
@given(PACKAGES)
def test_the_index_misses_no_pair(drawn: list[tuple[list[str], list[str]]]) -> None:
    packages = tuple(package(f"p{n:02}", *allow, deny=deny) for n, (allow, deny) in enumerate(drawn))
    found = {claim[2] for claim in kinds(*packages) if claim[0] == "scope"}
    expected = {
        f"{one.id} {two.id}"
        for number, one in enumerate(packages)
        for two in packages[number + 1 :]
        if intersect_scopes(one.scope.write_allow, one.scope.deny, two.scope.write_allow, two.scope.deny)
    }
    assert found == expected


@settings(max_examples=100)
@given(st.lists(st.builds(Ends, *[st.text(alphabet="ab", max_size=3)] * 3), max_size=30))
def test_neighbours_are_those_whose_texts_are_alike(drawn: list[Ends]) -> None:
    found = set(pairs(neighbours(enumerate(drawn), len(drawn))))
    for one, first in enumerate(drawn):
        for two, second in enumerate(drawn[one + 1 :], one + 1):
            alike = all(a.startswith(b) or b.startswith(a) for a, b in zip(first, second, strict=True))
            assert not alike or (one, two) in found
    assert all(one < two for one, two in found)
