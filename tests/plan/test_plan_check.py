"""What makes a valid plan a poor one is found, each kind once."""

from __future__ import annotations

from dataclasses import replace
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.plan import order
from parallel_impl.plan.check import Finding, FindingKind, OwnedTask, PlanFacts, TaskOfTests, check, problems
from parallel_impl.plan.model import Contracts, Package, Plan, Scope
from parallel_impl.plan.paths import Paths

FILES = (*(f"src/web/{n}.ts" for n in range(12)), *(f"lib/{n}.py" for n in range(60)), "src/a.py", "tests/test_a.py")
FACTS = PlanFacts(Paths(FILES), has_design=True)


def package(name: str, *above: str, write: tuple[str, ...] = (), weight: float = 1.0, **more: object) -> Package:
    scope = Scope(write or (f"src/{name}.py",))
    return Package(name, "does it", scope, depends_on=above, weight=weight, **more)  # type: ignore[arg-type]


A, B = package("a"), package("b")
ALL = package("all", "a", "b", write=("**",))


def found(*packages: Package, facts: PlanFacts = FACTS, contracts: Contracts | None = None) -> list[str]:
    plan = Plan("x", packages, contracts=contracts or Contracts())
    return [finding.sentence(3) for finding in check(plan, order.of(plan), facts)]


def test_nothing_is_found_about_a_good_plan() -> None:
    tasks = (OwnedTask("1.1", ("a",)), OwnedTask("1.2", ("b",)), OwnedTask("2.1", ("all",)))
    named = tuple(replace(one, tasks=(f"1.{n}",)) for n, one in enumerate((A, B, ALL)))
    facts = replace(FACTS, tasks=tasks, named={"src/a.py": "task 1.1"}, at_risk={"src/b.py": "registry"}, imports={})
    assert found(*named, facts=facts) == []


def test_a_glob_over_a_tenth_of_the_repository_is_found_outside_integration() -> None:
    assert found(package("a", write=("src/web/**", "src/web/1*", "lib/**")), B, ALL) == [
        "globs over a tenth of the repository: src/web/** of a (16%), lib/** of a (81%)"
    ]
    small = replace(FACTS, files=Paths(f"lib/{n}.py" for n in range(10)))
    assert found(package("a", write=("lib/**",)), B, facts=small) == []


def test_a_task_in_no_package_is_found() -> None:
    tasks = (OwnedTask("1.1", ("a",)), OwnedTask("1.2", ()), OwnedTask("1.3", ()))
    facts = replace(FACTS, tasks=tasks)
    assert found(replace(A, tasks=("1.1",)), replace(B, tasks=("1.1",)), facts=facts) == [
        "tasks that no package names: 1.2, 1.3"
    ]


def test_a_task_that_packages_are_told_of_because_they_name_none_is_found() -> None:
    tasks = (OwnedTask("1.1", ("a",)), OwnedTask("1.2", ("b", "c")))
    assert found(replace(A, tasks=("1.1",)), B, package("c"), facts=replace(FACTS, tasks=tasks)) == [
        "tasks that b and c are both told of, as they name none: 1.2"
    ]
    assert found(A, B, facts=replace(FACTS, tasks=tasks)) == ["no package names its tasks: each is told of all 2 tasks"]
    assert found(A, facts=replace(FACTS, tasks=tasks)) == []  # there is only one to do them


def test_a_named_file_without_owner_is_found() -> None:
    named = {"src/a.py": "task 1.1", "src/c.py": "task 1.2", "docs/x.md": "design.md"}
    assert found(A, B, facts=replace(FACTS, named=named)) == [
        "files that the change names and no package may write: src/c.py (task 1.2), docs/x.md (design.md)"
    ]


def test_a_test_may_be_written_with_its_source_or_after_it() -> None:
    facts = replace(FACTS, tests={"src/a.py": ("tests/test_a.py",), "src/c.py": ("tests/test_c.py",)})
    assert found(A, B, facts=facts) == [
        "tests whose source is in scope, and they are not: tests/test_a.py (of src/a.py)"
    ]
    assert found(package("a", write=("src/a.py", "tests/")), B, facts=facts) == []
    assert found(A, B, package("t", "a", write=("tests/",)), facts=facts) == []
    assert found(A, B, package("t", "b", write=("tests/",)), facts=facts) == [
        "tests whose source is in scope, and they are not: tests/test_a.py (of src/a.py)"
    ]


@pytest.mark.parametrize(
    ("first", "second", "facts"),
    [
        (A, package("b", "a", reasons=(("a", "uses its API"),)), {}),
        (replace(A, foundation=True), package("b", "a"), {}),
        (A, package("b", "a", write=("src/a.py",)), {}),
        (replace(A, creates=("src/new.py",)), package("b", "a"), {"imports": {"src/b.py": frozenset({"src/new.py"})}}),
        (A, package("b", "a"), {"imports": {"src/b.py": frozenset({"src/a.py"})}}),
        (A, package("b", "a"), {"tasks": (OwnedTask("1", ("a",)), OwnedTask("2", ("b",), requires=("1",)))}),
    ],
)
def test_a_dependency_has_evidence(first: Package, second: Package, facts: dict[str, object]) -> None:
    known = replace(FACTS, files=Paths((*FILES, "src/b.py")), imports={})
    kept = [one for one in found(first, second, package("c"), facts=replace(known, **facts)) if "depend" in one]  # type: ignore[arg-type]
    assert kept == []


def test_a_dependency_without_evidence_is_found_unless_imports_are_not_known() -> None:
    packages = (A, package("b", "a"), package("c"), package("all", "b", "c"))
    assert found(*packages, facts=replace(FACTS, imports={})) == [
        "dependencies that nothing shows a reason for: b on a"
    ]
    assert found(*packages) == []
    author = package("a", write=("openspec/changes/x/contracts/**",))
    contracts = Contracts(primary="contracts/v1.yaml", files=("contracts/v1.yaml",))
    assert found(author, *packages[1:], facts=replace(FACTS, imports={}), contracts=contracts) == []


def test_a_test_task_is_done_with_what_it_tests_or_after_it() -> None:
    facts = replace(
        FACTS,
        tasks=(OwnedTask("1.1", ("a",)), OwnedTask("1.2", ("b",))),
        split_tests=(TaskOfTests("1.1", "1.2", ("tests/test_new.py",)),),
    )
    first, second = replace(A, tasks=("1.1",)), replace(B, tasks=("1.2",))
    assert found(first, second, facts=facts) == [
        "tests that are written beside what they test: tests/test_new.py of b (task 1.2 tests what 1.1 of a makes)"
    ]
    assert found(first, replace(second, depends_on=("a",)), facts=facts) == []
    together = (OwnedTask("1.1", ("a",)), OwnedTask("1.2", ("a",)))
    assert found(replace(A, tasks=("1.1", "1.2")), B, facts=replace(facts, tasks=together)) == []


def test_a_stated_use_is_a_reason_for_a_dependency_and_found_where_there_is_none() -> None:
    tasks = (OwnedTask("1.1", ("a",)), OwnedTask("2.1", ("b",), uses={"1.1": 'speaks of "key ring"'}))
    facts = replace(FACTS, tasks=tasks, imports={})
    first, second = replace(A, tasks=("1.1",)), replace(B, tasks=("2.1",))
    assert found(first, second, facts=facts) == [
        'packages that use what is made beside them: b on a (speaks of "key ring")'
    ]
    assert found(first, replace(second, depends_on=("a",)), facts=facts) == []
    assert found(replace(first, depends_on=("b",)), second, package("c"), facts=facts)[-1:] == [
        "dependencies that nothing shows a reason for: a on b"
    ]


def test_parallel_packages_share_a_design_or_a_contract() -> None:
    without = replace(FACTS, has_design=False)
    expected = "packages run side by side, and neither design.md nor a contract says what they agree on"
    assert found(A, B, facts=without) == [expected]
    assert found(A, package("b", "a"), facts=without) == []
    assert found(A, B, facts=without, contracts=Contracts(files=("contracts/x.md",))) == []


def test_the_heaviest_package_is_found_with_what_would_split_it() -> None:
    heavy = package("a", write=("src/web/x.ts", "src/api/**", "top.py"), weight=6)
    assert found(heavy, B, package("c")) == ["a is 75% of the work; its scope has 3 folders: src/web, src/api, top.py"]
    tasks = (OwnedTask("1.1", ("a",), section="Core"), OwnedTask("2.1", ("a",), section="Web"))
    assert found(replace(heavy, tasks=("1", "2")), B, package("c"), facts=replace(FACTS, tasks=tasks)) == [
        "a is 75% of the work; its tasks are of 2 sections: Core, Web"
    ]
    assert found(package("a", weight=6), B) == ["a is 86% of the work; a contract between its layers would split it"]
    assert found(A, B) == []  # a half is the least of two
    assert found(package("a", weight=6)) == []


def test_a_file_at_risk_is_found_where_nobody_owns_it() -> None:
    facts = replace(FACTS, at_risk={"src/a.py": "registry", "Dockerfile": "container"})
    assert found(A, B, facts=facts) == ["files beside the scopes that often change too: Dockerfile (container)"]


def test_a_new_file_that_exists_is_found() -> None:
    assert found(replace(A, creates=("src/a.py", "src/new.py")), B) == [
        "files to be created that are there already: src/a.py of a"
    ]


def test_a_run_gets_one_line_of_a_kind_with_few_names_and_a_check_everything() -> None:
    finding = Finding(FindingKind.UNOWNED, "files", ("a", "b", "c", "d", "e"), "add them")
    assert [str(one) for one in problems([finding], "p.yaml")] == ["p.yaml: warning: files: a, b, c and 2 more"]
    assert [str(one) for one in problems([finding], "p.yaml", brief=False)] == [
        "p.yaml: warning: files: a, b, c, d, e\n    add them"
    ]


GLOBS = st.sampled_from(["src/a.py", "src/web/**", "lib/**", "**", "lib/1*.py", "tests/"])


@given(st.lists(st.tuples(st.lists(GLOBS, max_size=3), st.sets(st.integers(0, 4))), min_size=1, max_size=5))
def test_every_plan_can_be_checked(rows: list[tuple[list[str], set[int]]]) -> None:
    packages = tuple(
        Package(f"p{n}", "does it", Scope(tuple(globs)), depends_on=tuple(f"p{one}" for one in above if one < n))
        for n, (globs, above) in enumerate(rows)
    )
    plan = Plan("x", packages)
    facts = replace(FACTS, named=dict.fromkeys(FILES, ""), tests={"src/a.py": ["tests/test_a.py"]}, imports={})
    kinds = [finding.kind for finding in check(plan, order.of(plan), facts)]
    assert len(kinds) == len(set(kinds))
    unowned = [path for path in FILES if all(package.scope.refusal(path) for package in packages)]
    assert (FindingKind.UNOWNED in kinds) == bool(unowned)


def test_a_hundred_thousand_files_take_no_noticeable_time() -> None:
    files = [f"dir{n % 500}/sub{n % 7}/file{n}.py" for n in range(100_000)]
    packages = tuple(package(f"p{n}", write=(f"dir{n}/**", f"dir{n}/sub1/*.py", f"new/{n}")) for n in range(20))
    plan = Plan("x", packages)
    began = process_time()
    check(plan, order.of(plan), replace(FACTS, files=Paths(files)))
    assert process_time() - began < 1
