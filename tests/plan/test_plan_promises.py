"""What a plan promises beside its scopes is held against them."""

from __future__ import annotations

import pytest

from parallel_impl.plan import order
from parallel_impl.plan.model import Package, Plan, Scope, SharedFile, SharingRule
from parallel_impl.plan.promises import integrations, problems

OWNER, INTEGRATION = SharingRule.OWNER, SharingRule.INTEGRATION_ONLY


def package(name: str, *above: str, write: tuple[str, ...] = (), deny: tuple[str, ...] = ()) -> Package:
    return Package(name, "does it", Scope(write or (f"src/{name}/**",), deny=deny), depends_on=above)


A, B = package("a"), package("b")
ALL = package("all", "a", "b", write=("**",), deny=("src/a/routes.py",))


def said(*packages: Package, shared: tuple[SharedFile, ...] = ()) -> list[str]:
    plan = Plan("x", packages, shared_files=shared, position={("shared_files", 0): (7, 5)})
    return [str(problem).replace("\n    ", " | ") for problem in problems(plan, order.of(plan))]


def test_a_shared_file_whose_owner_alone_may_write_it_is_as_promised() -> None:
    assert said(A, B, ALL, shared=(SharedFile("src/a/routes.py", OWNER, "a"),)) == []
    assert said(A, B, ALL, shared=(SharedFile("README.md", INTEGRATION),)) == []
    assert said(A, B, ALL, shared=(SharedFile("README.md", INTEGRATION, "all"),)) == []


def test_no_other_scope_may_cover_a_shared_file() -> None:
    wide = package("b", write=("docs/**", "src/*/routes.py"))
    assert said(A, wide, ALL, shared=(SharedFile("src/a/routes.py", OWNER, "a"),)) == [
        'work-packages.yaml: error: b may write "src/a/routes.py" ("src/*/routes.py"), which is a\'s (line 7) '
        "(packages[1].scope.write_allow[1]) | write for b: deny: [src/a/routes.py], or let a have it all"
    ]


def test_an_owner_can_write_its_file() -> None:
    assert said(A, B, shared=(SharedFile("README.md", OWNER, "a"),)) == [
        'work-packages.yaml:7:5: error: "README.md" is a\'s, and its scope does not let it write that: outside '
        "write_allow (shared_files[0].package) | add it to the write_allow of a, or name another package"
    ]


@pytest.mark.parametrize(
    ("packages", "named", "what", "hint"),
    [
        ((A, B), "", "no package depends on every other", "add one that depends on all others, or rule: owner"),
        ((A, B), "a", "a does not depend on every other package", "add one that depends on all others"),
        ((A, B, ALL), "a", "a does not depend on every other package: all does", "write package: all"),
    ],
)
def test_a_file_for_integration_only_needs_an_integration_package(
    packages: tuple[Package, ...], named: str, what: str, hint: str
) -> None:
    (found,) = said(*packages, shared=(SharedFile("README.md", INTEGRATION, named),))
    assert f'the rule of "README.md" is integration-only, and {what} (' in found
    assert f"| {hint}" in found


def test_a_new_file_is_inside_the_scope() -> None:
    new = Package("a", "does it", Scope(("src/a/**",), deny=("src/a/old",)), creates=("src/a/x.py", "src/b/x.py"))
    assert said(new) == [
        'work-packages.yaml: error: a is to create "src/b/x.py", and may not write it: outside write_allow '
        "(packages[0].creates[1]) | add it to the write_allow of a, or delete it here"
    ]


def test_every_package_builds_on_each_foundation_and_foundations_not_on_each_other() -> None:
    one = Package("a", "does it", Scope(("a",)), foundation=True)
    two = Package("b", "does it", Scope(("b",)), foundation=True)
    assert said(one, two, package("c", "a", "b"), package("d", "c")) == []
    assert said(one, two, package("c", "a"), package("d")) == [
        "work-packages.yaml: warning: a is a foundation, but d can start without it (packages[0].foundation) "
        "| write a into their depends_on, or delete foundation: true",
        "work-packages.yaml: warning: b is a foundation, but c, d can start without it (packages[1].foundation) "
        "| write b into their depends_on, or delete foundation: true",
    ]


def test_an_integration_package_depends_on_every_other() -> None:
    assert integrations(order.order({"a": (), "b": ("a",), "c": ("b",)})) == ("c",)
    assert integrations(order.order({"a": (), "b": ("a",), "c": ("a",)})) == ()
    assert integrations(order.order({"a": ()})) == ("a",)
