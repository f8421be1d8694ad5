"""The plan that is made from a change: whatever its documents say, it is a sound plan of one package."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parallel_impl.errors import Severity
from parallel_impl.openspec import single_plan, tasks
from parallel_impl.plan.model import Package, Plan
from parallel_impl.plan.reading import load


def planned(proposal: str = "", task_list: str = "", part: str = "", change_id: str = "add-x") -> Plan:
    made = single_plan.text(
        change_id,
        part=part,
        configuration="parallel-impl.toml",
        proposal=proposal.encode("utf-8", "surrogatepass"),
        task_list=task_list.encode("utf-8", "surrogatepass"),
    )
    plan, problems = load.load(made, "made")
    assert plan is not None, problems
    assert [one for one in problems if one.severity is Severity.ERROR] == []
    return plan


def package(proposal: str = "", task_list: str = "", part: str = "") -> Package:
    (one,) = planned(proposal, task_list, part).packages
    return one


def test_one_package_has_the_whole_repository_but_for_what_others_decide() -> None:
    one = package()
    assert (one.id, one.timeout_minutes, one.retry_budget) == ("wp-single", 240, 1)
    assert one.scope.write_allow == ("**",)
    for path in (
        "openspec/specs/notes/spec.md",
        "openspec/specs",  # as a link, say
        "openspec/changes/archive/2026-01-01-add-y/proposal.md",
        "openspec/changes/add-x/work-packages.yaml",
        "parallel-impl.toml",
    ):
        assert one.scope.refusal(path).startswith("denied by "), path
    for path in ("src/a.py", "openspec/changes/add-x/design.md", "pyproject.toml", "web/openspec/specs/a.md"):
        assert one.scope.refusal(path) == "", path


@pytest.mark.parametrize("change_id", ["true", "null", "no", "on"])
def test_a_change_may_be_called_what_yaml_takes_for_something_else(change_id: str) -> None:
    assert planned(change_id=change_id).feature_id == change_id


def test_in_a_part_the_specs_of_the_part_are_denied_too_whatever_the_part_is_called() -> None:
    scope = package(part="apps/[web]").scope
    for path in ("apps/[web]/openspec/specs/a/spec.md", "apps/[web]/openspec/changes/archive/x", "openspec/specs/a.md"):
        assert scope.refusal(path).startswith("denied by "), path
    assert scope.refusal("apps/[web]/openspec/changes/add-x/design.md") == ""
    assert scope.refusal("apps/[web]/openspec/changes/add-x/work-packages.yaml") != ""


@pytest.mark.parametrize(
    ("proposal", "title"),
    [
        ("# Add notes\n\n## Why\n", "Add notes"),
        ("# Change: Add notes\n", "Add notes"),
        ("# Proposal: Add notes #\n", "Add notes"),
        ("# OpenSpec Change Proposal — Add notes\n", "Add notes"),
        ("# Proposal\n\n## Why\n\nBecause.\n", "add-x"),
        ("# Proposal\n\n# Add notes\n", "Add notes"),
        ("# Change the colour\n", "Change the colour"),
        ("", "add-x"),
        ('# "Quotes": {and} \\n \x07\n', '"Quotes": {and} \\n'),
    ],
)
def test_the_title_is_the_first_heading_that_says_something(proposal: str, title: str) -> None:
    assert package(proposal).title.strip() == title


def test_its_tasks_are_all_boxes_by_their_names() -> None:
    listed = "## 1. Notes\n- [ ] 1.1 Write\n- [x] 1.2 Read\n\n## 2. Rest\n- [ ] Tell everybody about it, please do\n"
    assert package("", listed).tasks == ("1.1", "1.2", "Tell everybody about it, please do")


@given(st.text(), st.text(alphabet=st.sampled_from("-[] x~#1.2\nab\t\x07"), max_size=200))
def test_any_documents_make_a_plan_whose_package_has_every_box(proposal: str, task_list: str) -> None:
    made = package(proposal, task_list)
    found = tasks.read(task_list.encode())
    assigned = tasks.assign(found, {made.id: made.tasks})
    assert assigned.tasks[made.id] == tuple(range(len(found.tasks)))
