"""Which tasks one agent does, which files it may write, and whom it waits for."""

from __future__ import annotations

import pytest

from parallel_impl.plan.globs.globs import covers
from parallel_impl.planning.grouping.balance import PartitionLimits
from parallel_impl.planning.grouping.grouped import GroupedPackage, Grouping
from parallel_impl.planning.grouping.grouping import group
from parallel_impl.planning.reading.evidence import ClueKind, Table
from tests.planning.drawn_tables import clue, table

# Two sections of four files each that have nothing to do with each other.
APART = {
    "1.1": "src/cart/a.py src/cart/b.py",
    "1.2": "src/cart/c.py src/cart/d.py",
    "2.1": "src/mail/a.py src/mail/b.py",
    "2.2": "src/mail/c.py src/mail/d.py",
}


def package_of(grouped: Grouping, task: str) -> GroupedPackage:
    return next(one for one in grouped.packages if task in one.tasks)


def tasks_of(grouped: Grouping) -> list[tuple[str, ...]]:
    return [one.tasks for one in grouped.packages]


def test_sections_that_share_nothing_are_packages_of_their_own() -> None:
    grouped = group(table(APART))
    assert tasks_of(grouped) == [("1.1", "1.2"), ("2.1", "2.2")]
    assert [one.depends_on for one in grouped.packages] == [(), ()]


def test_a_package_waits_for_what_its_tasks_require_and_says_so() -> None:
    grouped = group(table(APART, requires={"2.1": "1.1 1.2", "2.2": "1.1"}))
    later = package_of(grouped, "2.1")
    why = ("task 2.1 requires 1.1", "task 2.1 requires 1.2", "task 2.2 requires 1.1")
    assert later.reasons == {package_of(grouped, "1.2").id: why}


def test_packages_that_change_one_file_wait_for_each_other_and_both_may_write_it() -> None:
    named = {"1.1": f"{APART['1.1']} {APART['1.2']}", "2.1": f"{APART['2.1']} {APART['2.2']} src/cart/a.py"}
    grouped = group(table(named))
    first, second = package_of(grouped, "1.1"), package_of(grouped, "2.1")
    assert second.reasons == {first.id: ("same file src/cart/a.py",)}
    assert "src/cart/a.py" in first.write_allow
    assert "src/cart/a.py" in second.write_allow


@pytest.mark.parametrize(
    "shared", ["CHANGELOG.md", "uv.lock", "pyproject.toml", "Dockerfile", ".github/workflows/ci.yml"]
)
def test_a_shared_kind_that_several_packages_name_is_written_by_the_integration_package_only(shared: str) -> None:
    named = {task: f"{paths} {shared}" if task.endswith(".1") else paths for task, paths in APART.items()}
    grouped = group(table(named))
    last = grouped.packages[-1]
    assert last.integration
    assert [(one.path, one.rule, one.package) for one in grouped.shared_files] == [
        (shared, "integration-only", last.id)
    ]
    assert [one.id for one in grouped.packages if shared in one.write_allow] == [last.id]
    assert set(last.depends_on) == {one.id for one in grouped.packages[:-1]}


def test_a_file_that_every_other_commit_changes_is_a_shared_kind() -> None:
    named = {task: f"{paths} src/routes.py" if task.endswith(".1") else paths for task, paths in APART.items()}
    hot = {"src/routes.py": 60, "src/cart/a.py": 2}
    assert [one.path for one in group(table(named, hot=hot)).shared_files] == ["src/routes.py"]


def test_there_is_no_integration_package_where_nothing_is_to_be_integrated() -> None:
    assert not any(one.integration for one in group(table(APART)).packages)


def test_tasks_that_look_at_the_whole_are_the_integration_package_s_and_need_change_nothing() -> None:
    grouped = group(table({**APART, "3.1": ""}, titles=("Cart", "Mail", "Validation")))
    last = package_of(grouped, "3.1")
    assert last.integration
    assert last.may_be_empty
    assert len(last.depends_on) == 2


def test_a_final_task_that_names_code_is_work_of_its_own() -> None:
    grouped = group(table({**APART, "3.1": "src/x/a.py src/x/b.py src/x/c.py"}, titles=("Cart", "Mail", "Validation")))
    assert not package_of(grouped, "3.1").integration


def test_what_a_task_requires_is_never_left_to_the_integration_package() -> None:
    named = {"1.1": "docs/plan.md", **{f"{int(task[0]) + 1}{task[1:]}": paths for task, paths in APART.items()}}
    grouped = group(table(named, requires={"2.1": "1.1", "3.1": "1.1"}, titles=("Documents", "Cart", "Mail")))
    assert not package_of(grouped, "1.1").integration


def test_a_test_is_done_by_the_package_of_what_it_tests() -> None:
    named = {**APART, "3.1": "tests/mail/test_a.py"}
    mirror = clue("tests/mail/test_a.py", "2.1", ClueKind.TEST_MIRROR, 0.6, because="src/mail/a.py")
    grouped = group(table(named, more=[mirror], titles=("Cart", "Mail", "Tests")))
    assert package_of(grouped, "3.1") == package_of(grouped, "2.1")


def test_a_test_that_nobody_names_follows_its_source() -> None:
    mirror = clue("+tests/mail/test_a.py", "2.1", ClueKind.TEST_MIRROR, 0.6, because="src/mail/a.py")
    grouped = group(table(APART, more=[mirror]))
    assert "tests/mail/test_a.py" in package_of(grouped, "2.1").write_allow
    assert "tests/mail/test_a.py" not in package_of(grouped, "2.1").creates


def test_three_new_files_that_are_alike_are_done_by_one_agent() -> None:
    widgets = {f"1.{n}": f"+web/{name}Widget.tsx web/{name}/a.ts web/{name}/b.ts" for n, name in enumerate("ABC", 1)}
    grouped = group(table({**widgets, "2.1": "src/a.py src/b.py src/c.py"}))
    assert package_of(grouped, "1.1").tasks == ("1.1", "1.2", "1.3")


def test_one_user_story_is_done_by_one_agent() -> None:
    grouped = group(table(APART, stories={"1.1": "US1", "2.2": "US1"}))
    assert package_of(grouped, "1.1") == package_of(grouped, "2.2")


def test_a_heavy_section_is_split_by_folder() -> None:
    named = {
        f"1.{n}": f"{part}/a.py {part}/b.py {part}/c.py" for n, part in enumerate(("api", "web", "jobs", "cli"), 1)
    }
    grouped = group(table(named))
    assert len(grouped.packages) >= 3
    assert all(one.depends_on == () for one in grouped.packages)


def test_the_two_halves_of_one_file_are_never_two_packages() -> None:
    named = {"1.1": "src/a.py", "1.2": "src/a.py", "2.1": "src/b.py src/c.py src/d.py"}
    grouped = group(table(named))
    assert package_of(grouped, "1.1") == package_of(grouped, "1.2")


def test_a_section_that_is_a_small_part_of_the_work_is_joined_to_another() -> None:
    named = {f"{n}.1": " ".join(f"src/{n}/{k}.py" for k in range(size)) for n, size in ((1, 15), (2, 5), (3, 15))}
    grouped = group(table({**named, "4.1": "src/2/z.py"}, requires={"4.1": "2.1"}))
    assert package_of(grouped, "4.1") == package_of(grouped, "2.1")


def test_what_all_others_require_is_the_foundation() -> None:
    named = {"1.1": "+src/types.py", "2.1": "src/a/x.py src/a/y.py", "3.1": "src/b/x.py src/b/y.py"}
    grouped = group(table(named, requires={"2.1": "1.1", "3.1": "1.1"}))
    assert [one.foundation for one in grouped.packages] == [True, False, False]
    assert grouped.packages[0].creates == ("src/types.py",)


def test_a_file_in_the_folder_of_another_package_is_denied_there() -> None:
    named = {**APART, "1.1": "src/cart/a.py +src/new/", "2.1": "src/mail/a.py +src/new/b.py src/mail/x.py"}
    grouped = group(table(named))
    assert "src/new/**" in package_of(grouped, "1.1").write_allow
    assert package_of(grouped, "1.1").deny == ("src/new/b.py",)
    assert "src/new/b.py" in package_of(grouped, "2.1").write_allow


def test_no_exception_takes_a_path_out_of_a_scope_that_names_it() -> None:
    named = {
        "1.1": "src/cart/a.py +src/new/ +src/new/tests/test_a.py",
        "2.1": "src/mail/a.py src/mail/b.py src/mail/x.py +src/new/tests/",
    }
    grouped = group(table(named))
    first = package_of(grouped, "1.1")
    assert "src/new/**" in first.write_allow
    assert not any(covers(glob, "src/new/tests/test_a.py") for glob in first.deny)
    assert "src/new/tests/**" not in package_of(grouped, "2.1").write_allow


def test_of_two_patterns_that_could_mean_one_path_the_surer_stays() -> None:
    patterns = [
        clue("tests/test_a*.py", "1.1", ClueKind.TOPIC, 0.5),
        clue("tests/test_*b.py", "2.1", ClueKind.TOPIC, 0.4),
    ]
    grouped = group(table(APART, more=patterns))
    assert "tests/test_a*.py" in package_of(grouped, "1.1").write_allow
    assert not any("tests/test_*b.py" in one.write_allow for one in grouped.packages)


def test_a_large_folder_that_is_only_named_is_in_no_scope() -> None:
    many = " ".join(f"src/cart/old/{n}.py" for n in range(40))
    grouped = group(table({**APART, "1.1": "src/cart/a.py src/cart/b.py src/cart/"}, files=many))
    assert not any("src/cart/**" in one.write_allow for one in grouped.packages)


def test_a_file_that_only_the_design_names_goes_to_the_task_in_its_folder() -> None:
    grouped = group(table(APART, more=[clue("src/mail/queue.py", "", ClueKind.DESIGN, 0.5)], files="src/mail/queue.py"))
    assert "src/mail/queue.py" in package_of(grouped, "2.1").write_allow


def test_what_is_hardly_certain_is_in_no_scope() -> None:
    grouped = group(table(APART, more=[clue("README.md", "", ClueKind.ROOT_CONFIG, 0.04)]))
    assert not any("README.md" in one.write_allow for one in grouped.packages)


def test_a_task_that_names_no_file_stays_with_its_section() -> None:
    grouped = group(table({**APART, "1.3": ""}))
    assert package_of(grouped, "1.3") == package_of(grouped, "1.1")


def test_a_change_without_tasks_is_one_package() -> None:
    empty = Table("shop", "Shop", (), (), (clue("src/a.py"),), frozenset({"src/a.py"}))
    assert [(one.id, one.write_allow) for one in group(empty).packages] == [("wp-shop", ("src/a.py",))]


def test_packages_are_named_after_their_headings() -> None:
    titles = ("Phase 1 — Cart (the big one)", "2. `wp-mailer` Mail")
    assert [one.id for one in group(table(APART, titles=titles)).packages] == ["wp-cart", "wp-mailer"]


def test_the_tests_of_several_packages_wait_for_all_that_they_test() -> None:
    named = {**APART, "3.1": "+tests/test_cart.py +tests/test_mail.py"}
    mirrors = [
        clue("+tests/test_cart.py", "", ClueKind.TEST_MIRROR, 0.5, "src/cart/a.py"),
        clue("+tests/test_mail.py", "", ClueKind.TEST_MIRROR, 0.5, "src/mail/a.py"),
    ]
    grouped = group(table({**named, "4.1": "src/x/a.py src/x/b.py"}, more=mirrors))
    tests, mail = package_of(grouped, "3.1"), package_of(grouped, "2.1")
    assert "1.1" in tests.tasks
    assert tests.reasons == {mail.id: ("tests src/mail/a.py",)}


def test_neither_configuration_nor_what_changes_often_gives_a_name() -> None:
    named = {f"1.{n}": f"src/{part}/a.py src/{part}/b.py src/{part}/c.py" for n, part in enumerate(("cart", "mail"))}
    noise = [
        clue(f".github/workflows/{n}.yaml", "1.0", ClueKind.HOT, 0.9, "in 90% of the commits here") for n in range(9)
    ]
    hot = [clue(f"lib/{n}.py", "1.1", ClueKind.HOT, 0.9, "in 90% of the commits here") for n in range(9)]
    grouped = group(table(named, titles=("Orders",), more=[*noise, *hot]), PartitionLimits(worth=0.1, share=0.6))
    assert sorted(one.id for one in grouped.packages) == ["wp-orders-cart", "wp-orders-mail"]
