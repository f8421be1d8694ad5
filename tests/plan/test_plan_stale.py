"""When a plan is older than what it was made from."""

from __future__ import annotations

import pytest

from parallel_impl.plan.model import Package, Plan, Scope, SharedFile, SharingRule
from parallel_impl.plan.stale import changed_since, named_paths, problems

COMMIT, HASH = "1" * 40, "a" * 64
PLAN = Plan(
    "x",
    (
        Package(
            "a", "does it", Scope(("src/a.py", "src/web/", "lib/**"), deny=("src/web/x",)), creates=("src/new.py",)
        ),
        Package("b", "does it", Scope(("docs",), read_allow=("README.md",))),
    ),
    shared_files=(SharedFile("pyproject.toml", SharingRule.OWNER, "b"),),
    base_commit=COMMIT,
    tasks_hash=HASH,
)


def said(plan: Plan = PLAN, tasks_hash: str = HASH, changed: tuple[str, ...] | None = ()) -> list[str]:
    found = problems(plan, tasks_hash, changed, redo="parallel-plan x --fresh --write")
    return [str(problem).replace("\n    ", " | ") for problem in found]


def test_a_plan_names_literally_what_it_may_write_makes_and_shares() -> None:
    assert named_paths(PLAN) == ("docs", "pyproject.toml", "src/a.py", "src/new.py", "src/web")


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("src/a.py", True),
        ("src/web/deep/x.ts", True),
        ("docs/x.md", True),
        ("src/new.py", True),
        ("pyproject.toml", True),
        ("lib/x.py", False),  # only a glob means it
        ("src/a.pyi", False),
        ("src/webs/x.ts", False),
        ("README.md", False),
    ],
)
def test_what_a_plan_names_has_changed_when_it_or_something_below_it_has(path: str, *, counts: bool) -> None:
    assert changed_since(PLAN, [path, "other"]) == ((path,) if counts else ())


def test_a_plan_is_not_stale_while_nothing_that_it_names_has_changed() -> None:
    assert said() == []
    assert said(Plan("x", PLAN.packages), tasks_hash="", changed=None) == []


def test_what_changed_is_named() -> None:
    assert said(tasks_hash="b" * 64, changed=("src/a.py", "d/1", "d/2", "d/3")) == [
        "work-packages.yaml: warning: tasks.md has changed since the plan was made"
        f' | where the plan fits it still, write tasks_hash: "{"b" * 64}";'
        " or make it again: parallel-plan x --fresh --write",
        "work-packages.yaml: warning: changed since the plan was made on 111111111111: d/1, d/2, d/3 and 1 more"
        " | look at the plan again, or make it again: parallel-plan x --fresh --write",
    ]


def test_tasks_or_a_commit_that_are_gone_are_told() -> None:
    assert said(tasks_hash="", changed=None) == [
        "work-packages.yaml: warning: there is no tasks.md any more | make it again: parallel-plan x --fresh --write",
        "work-packages.yaml: warning: the commit that the plan was made on is not here: 111111111111"
        " | what changed since cannot be told",
    ]
