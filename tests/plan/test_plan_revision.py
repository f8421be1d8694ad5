"""Which results an edited plan leaves as they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parallel_impl.plan.model import Contracts, Locks, Package, Plan, Scope, SharedFile, SharingRule, Step
from parallel_impl.plan.revision import compare


def package(name: str, *above: str) -> Package:
    step = Step("unit", command="pytest -q")
    return Package(name, f"work on {name}", Scope((f"src/{name}/**",)), depends_on=above, steps=(step,))


DIAMOND = Plan("x", (package("a"), package("b", "a"), package("c", "a"), package("d", "b", "c"), package("e")))


def edited(name: str, **fields: object) -> Plan:
    packages = [replace(one, **fields) if one.id == name else one for one in DIAMOND.packages]  # type: ignore[arg-type]
    return replace(DIAMOND, packages=tuple(packages))


@pytest.mark.parametrize(
    "fields",
    [
        {"description": "other work"},
        {"title": "Other"},
        {"scope": Scope(("src/b/**", "docs/b.md"))},
        {"scope": Scope(("src/b/**",), deny=("src/b/x",))},
        {"locks": Locks(keys=("db:migration-slot",))},
        {"steps": (Step("unit", command="pytest -q -x"),)},
        {"steps": ()},
        {"depends_on": ("a", "e")},
        {"depends_on": ()},
        {"tier_required": "A"},
        {"output_keys": ("tests_passed",)},
    ],
)
def test_what_is_changed_starts_anew_with_all_that_depends_on_it(fields: dict[str, object]) -> None:
    found = compare(DIAMOND, edited("b", **fields))
    assert (found.changed, found.below, found.kept) == (("b",), ("d",), ("a", "c", "e"))


@pytest.mark.parametrize(
    ("fields", "judged"),
    [
        ({"scope": Scope(("src/b/**", "docs/b.md"))}, True),
        ({"scope": Scope(("src/b/**",), deny=("src/b/x",))}, True),
        ({"steps": (Step("unit", command="pytest -q -x"),)}, True),
        ({"steps": ()}, True),
        ({"may_be_empty": True}, True),
        ({"depends_on": ("a", "e")}, True),  # it counts on what tree the work was done
        ({"locks": Locks(keys=("db:migration-slot",))}, True),
        ({"tier_required": "A"}, True),
        ({"output_keys": ("tests_passed",)}, True),
        ({"description": "other work"}, False),
        ({"description": "other work", "steps": ()}, False),
        ({"title": "Other"}, False),
        ({"inputs": "something"}, False),
        ({"role": "tester"}, False),
        ({"task_type": "tests"}, False),
        ({"archetype": "x"}, False),
    ],
)
def test_what_only_judges_the_work_leaves_the_work_as_it_is_asked_for(
    fields: dict[str, object], *, judged: bool
) -> None:
    found = compare(DIAMOND, edited("b", **fields))
    assert (found.changed, found.judged) == (("b",), ("b",) if judged else ())


def test_a_change_of_the_contracts_asks_for_other_work() -> None:
    assert compare(DIAMOND, replace(DIAMOND, contracts=Contracts(revision=2))).judged == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"priority": 1},
        {"retry_budget": 3},
        {"timeout_minutes": 5},
        {"steps": (Step("unit", command="pytest -q", timeout_minutes=1),)},
    ],
)
def test_when_and_how_long_a_package_runs_changes_no_result(fields: dict[str, object]) -> None:
    assert compare(DIAMOND, edited("b", **fields)).kept == ("a", "b", "c", "d", "e")


@pytest.mark.parametrize(
    "fields",
    [
        {"tasks": ("1.2",)},
        {"creates": ("src/b/new.py",)},
        {"reasons": (("a", "imports it"),)},
        {"weight": 3.0},
        {"evidence": (("src/b/x.py", "named by task 1.2"),)},
        {"foundation": True},
    ],
)
def test_what_a_plan_says_about_itself_changes_no_result(fields: dict[str, object]) -> None:
    assert compare(DIAMOND, edited("b", **fields)).kept == ("a", "b", "c", "d", "e")


def test_what_the_plan_was_made_from_and_whose_a_shared_file_is_changes_no_result() -> None:
    shared = (SharedFile("src/b/api.py", SharingRule.OWNER, "b"),)
    new = replace(DIAMOND, shared_files=shared, base_commit="1" * 40, tasks_hash="2" * 64)
    assert compare(DIAMOND, new).kept == ("a", "b", "c", "d", "e")


def test_a_change_far_above_reaches_everything_below_it() -> None:
    found = compare(DIAMOND, edited("a", description="other"))
    assert (found.changed, found.below, found.kept) == (("a",), ("b", "c", "d"), ("e",))


@pytest.mark.parametrize("contracts", [Contracts(revision=2), Contracts(primary="c.md", files=("c.md",))])
def test_a_change_of_the_contracts_changes_every_package(contracts: Contracts) -> None:
    assert compare(DIAMOND, replace(DIAMOND, contracts=contracts)).changed == ("a", "b", "c", "d", "e")


def test_new_and_removed_packages_are_named_and_touch_only_what_depends_on_them() -> None:
    packages = (package("a"), package("b", "a"), package("d", "b", "n"), package("e"), package("n"))
    found = compare(DIAMOND, replace(DIAMOND, packages=packages))
    assert (found.new, found.gone, found.changed, found.below) == (("n",), ("c",), ("d",), ())
    assert found.kept == ("a", "b", "e")


def test_an_order_of_packages_or_a_revision_number_is_no_change() -> None:
    turned = replace(DIAMOND, packages=DIAMOND.packages[::-1], revision=7, title="Other")
    assert compare(DIAMOND, turned).kept == ("e", "d", "c", "b", "a")
