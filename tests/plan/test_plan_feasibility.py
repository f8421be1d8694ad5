"""How feasible a change is beside others: by the share of its claims that conflict, containment and twins included."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from parallel_impl.errors import UserError
from parallel_impl.plan.feasibility import Comparison, Feasibility, compare, judge, of_claims
from parallel_impl.plan.lock_keys import LockKeyError
from parallel_impl.plan.model import Locks, Package, Scope

FULL, PARTIAL, SEQUENTIAL = Feasibility.FULL, Feasibility.PARTIAL, Feasibility.SEQUENTIAL


def package(
    name: str, *write_allow: str, deny: Sequence[str] = (), files: Sequence[str] = (), keys: Sequence[str] = ()
) -> Package:
    return Package(name, name, Scope(write_allow, deny=tuple(deny)), locks=Locks(tuple(files), tuple(keys)))


@pytest.mark.parametrize(
    ("candidate", "active", "expected"),
    [
        ([], [["a"]], FULL),
        (["a"], [], FULL),
        (["a", "b"], [["c"]], FULL),
        (["a", "b"], [["a"]], PARTIAL),  # exactly half
        (["a", "b", "c", "d"], [["a"], ["b"]], PARTIAL),
        (["a", "b", "c"], [["a", "b"]], SEQUENTIAL),
        (["a", "b", "c"], [["a"], ["b"]], SEQUENTIAL),  # of several runs together
        (["a", "b", "c"], [["a"], ["a"]], PARTIAL),  # one claim counts once
        (["a", "a", "b"], [["a"]], PARTIAL),
        (["a"], [["a"]], SEQUENTIAL),
    ],
)
def test_the_verdict_goes_by_the_share_of_claims_that_conflict(
    candidate: list[str], active: list[list[str]], expected: Feasibility
) -> None:
    assert of_claims(candidate, active) is expected


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("src/pkg/a.py", "src/pkg/**", True),
        ("src/pkg/a.py", "src/pkg", True),
        ("src/pkg/a.py", "src/pkg/", True),
        ("src/*.py", "src/a*", True),
        ("src/*.py", "src/a/x.py", False),
        ("src/Pkg", "src/pkg", True),  # one folder where case does not count
        ("flag:billing/*", "flag:billing/x", True),
        ("flag:billing/*", "flag:billing", False),
        ("api:GET /v1/*", "api: get /v1/users", True),
        ("api:GET /v1/users", "api:POST /v1/users", False),
        ("db:schema:users", "db:schema:users", True),
        ("env:A", "src/env:A", False),
        ("odd:name", "odd:name", True),  # no namespace of lock keys: a path
    ],
)
def test_overlap_and_containment_count_as_conflict_both_ways(one: str, other: str, *, meet: bool) -> None:
    expected = SEQUENTIAL if meet else FULL
    assert of_claims([one], [[other]]) is expected
    assert of_claims([other], [[one]]) is expected


def test_a_claim_that_means_nothing_is_an_error_and_never_free() -> None:
    with pytest.raises(UserError):
        of_claims(["src/{a,b}"], [["x"]])
    with pytest.raises(LockKeyError):
        of_claims(["api:nonsense"], [["x"]])


def test_packages_of_two_changes_are_compared_by_the_rule_of_one_plan() -> None:
    ours = [package("a", "src/**", "docs/a", deny=["src/x/**"]), package("b", "lib", files=["lock"], keys=["env:K"])]
    assert compare(ours, [package("x", "src/x/**")]) == Comparison()
    found = compare(ours, [package("x", "src/y/z"), package("y", "lock/file", keys=["env:K"])])
    assert [(c.first.package, c.first.text, c.second.package, c.witness) for c in found.conflicts] == [
        ("a", "src/**", "x", "src/y/z"),
        ("b", "lock", "y", "lock/file"),
        ("b", "env:K", "y", "env:K"),
    ]
    verdict = judge(ours, [found])
    assert (verdict.feasibility, verdict.conflicting, verdict.claims) == (SEQUENTIAL, 3, 5)
    assert str(verdict) == "SEQUENTIAL: 3 of 5 claims conflict"


def test_packages_of_one_change_are_never_in_each_others_way() -> None:
    ours = [package("a", "src/**"), package("b", "src/**")]
    theirs = [package("x", "lib/**"), package("y", "lib/**")]
    assert compare(ours, theirs).free
    assert judge(ours, [compare(ours, theirs)]).feasibility is FULL


def test_a_claim_stated_by_two_packages_counts_once() -> None:
    ours = [package("a", "src/**", files=["src/**"]), package("b", "src/**"), package("c", "docs")]
    verdict = judge(ours, [compare(ours, [package("x", "src/x")])])
    assert (verdict.feasibility, verdict.conflicting, verdict.claims) == (PARTIAL, 1, 2)


def test_what_takes_too_long_to_decide_counts_as_a_conflict_of_everything() -> None:
    ours = [package("a", "docs", "*a" * 400 + "b")]
    found = compare(ours, [package("x", "*b" * 400 + "*")])
    assert (found.conflicts, len(found.undecided), found.free) == ((), 1, False)
    assert "given up" in found.undecided[0].what
    assert judge(ours, [found]).feasibility is SEQUENTIAL


def test_a_thousand_packages_against_a_thousand_take_a_second_or_so() -> None:
    ours, theirs = (
        [
            package(f"{name}{n}", f"src/{name}{n}/**", f"tests/test_{name}{n}.py", f"docs/**/{name}{n}.md")
            for n in range(1000)
        ]
        for name in "ab"
    )
    began = time.process_time()
    assert compare(ours, theirs).free
    assert time.process_time() - began < 3
