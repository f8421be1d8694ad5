"""Which part of a repository a change-id means."""

from __future__ import annotations

import pytest

from parallel_impl.errors import UserError
from parallel_impl.plan import ids, parts
from parallel_impl.plan.model import Package, Plan, Scope

PATHS = (
    "openspec/changes/add-root/proposal.md",
    "services/api/openspec/changes/add-api/work-packages.yaml",
    "services/api/openspec/changes/archive/2025-01-01-add-old/proposal.md",
    "web/openspec/changes/add-web/specs/a/spec.md",
    "web/openspec/specs/a/spec.md",
    "docs/myopenspec/changes/add-docs/proposal.md",
)


def test_a_folder_lies_in_itself_and_in_all_above_it() -> None:
    assert parts.above("services/api/src") == ("services/api/src", "services/api", "services", "")
    assert parts.above("") == ("",)


@pytest.mark.parametrize(
    ("change", "found"),
    [("add-root", {""}), ("add-api", {"services/api"}), ("add-web", {"web"}), ("add-docs", set()), ("add", set())],
)
def test_a_part_has_a_change_where_files_of_it_lie(change: str, found: set[str]) -> None:
    assert parts.having(change, PATHS) == found


@pytest.mark.parametrize(
    ("change", "folder", "part"),
    [
        ("add-api", "services/api", "services/api"),
        ("add-api", "services/api/src/deep", "services/api"),
        ("add-root", "services/api", ""),
        ("add-root", "", ""),
        ("add-gone", "services/api/src", "services/api"),
        ("add-gone", "docs", ""),
    ],
)
def test_openspec_is_looked_for_from_the_folder_upwards(change: str, folder: str, part: str) -> None:
    assert parts.choose(change, folder, PATHS) == part


def test_a_change_that_does_not_lie_on_the_way_up_is_named_with_the_way_to_it() -> None:
    with pytest.raises(UserError) as error:
        parts.choose("add-api", "web", PATHS)
    assert "services/api has" in str(error.value)
    assert error.value.problems[0].hint == "go there: cd services/api"


@pytest.mark.parametrize("folder", ["", "web", "services/api"])
def test_an_id_that_two_parts_have_is_refused_wherever_it_is_typed(folder: str) -> None:
    both = (*PATHS, "web/openspec/changes/add-api/proposal.md")
    with pytest.raises(UserError) as error:
        parts.choose("add-api", folder, both)
    for part in ("web", "services/api"):
        assert ids.folder("add-api", part) in str(error.value)


@pytest.mark.parametrize("folder", ["", "web", "services/api/src", "docs"])
def test_a_run_goes_on_from_anywhere(folder: str) -> None:
    assert parts.choose("add-api", folder, PATHS, run_in="services/api") == "services/api"


def test_an_id_that_the_run_of_another_part_has_is_refused() -> None:
    with pytest.raises(UserError) as error:
        parts.choose("add-web", "web/src", PATHS, run_in="services/api")
    assert ids.folder("add-web", "web") in str(error.value)
    assert f"there is a run of {ids.folder('add-web', 'services/api')}" in str(error.value)


def test_a_scope_that_begins_with_a_folder_of_the_part_alone_is_a_warning() -> None:
    paths = ("api/src/x", "api/docs/x", "docs/y", "api/README.md")
    scopes = ("src/**", "docs/**", "api/src/x", "README.md", "new/**", "s*/x")
    plan = Plan("add-a", (Package("wp-a", "Does it.", Scope(scopes)),))
    assert [problem.hint for problem in parts.misplaced_scopes(plan, "api", paths)] == ["did you mean api/src/**?"]
    assert list(parts.misplaced_scopes(plan, "", paths)) == []
