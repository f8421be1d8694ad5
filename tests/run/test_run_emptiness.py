"""When an attempt that changed nothing may be accepted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from parallel_impl.plan.model import Package, Step, StepKind
from parallel_impl.run.attempt import emptiness
from parallel_impl.run.attempt.job import Job
from tests.repository import git
from tests.run.scene import CHANGE, in_force, make_repository, package

STEP = (Step("unit", command="true"),)
MANUAL = (Step("look", kind=StepKind.MANUAL),)


def may_be_empty(name: str, packages: Sequence[Package]) -> bool:
    plan = in_force(packages)
    return emptiness.by_plan(Job(plan.plan.package(name), 1, plan))


def test_the_plan_may_say_so() -> None:
    assert not may_be_empty("wp-a", [package("wp-a")])
    assert may_be_empty("wp-a", [replace(package("wp-a"), may_be_empty=True)])


def test_a_package_that_only_verifies_all_the_others_may_be_empty() -> None:
    others = [package("wp-a"), package("wp-b", "wp-a"), package("wp-c")]
    last = package("wp-last", "wp-b", "wp-c")
    assert may_be_empty("wp-last", [*others, replace(last, steps=STEP)])
    assert not may_be_empty("wp-last", [*others, replace(last, steps=MANUAL)])
    assert not may_be_empty("wp-last", [*others, last])
    assert not may_be_empty("wp-last", [*others, replace(package("wp-last", "wp-b"), steps=STEP)])
    assert not may_be_empty("wp-a", [replace(package("wp-a"), steps=STEP)])


@pytest.mark.parametrize(
    ("message", "done"),
    [
        (f"wp-a: x\n\nWork-Package: wp-a\nChange-Id: {CHANGE}\nAttempt: 1\n", True),
        (f"Squashed\n\nWork-Package: wp-b\nWork-Package: wp-a\nChange-Id: {CHANGE}\n", True),
        (f"wp-a: x\n\nWork-Package: wp-ab\nChange-Id: {CHANGE}\n", False),
        ("wp-a: x\n\nWork-Package: wp-a\nChange-Id: another\n", False),
        (f"About trailers\n\nWork-Package: wp-a\nChange-Id: {CHANGE}\n\nare what they write.\n", False),
    ],
)
def test_work_that_landed_before_is_known_by_the_trailers_of_its_commit(
    message: str, *, done: bool, tmp_path: Path
) -> None:
    repo, base = make_repository(tmp_path / "repo.git")
    landed = git(repo.git_dir, "commit-tree", f"{base}^{{tree}}", "-p", base, "-m", message)
    above = git(repo.git_dir, "commit-tree", f"{base}^{{tree}}", "-p", landed, "-m", "Later")
    assert emptiness.is_done(repo, above, CHANGE, "wp-a") is done
    assert not emptiness.is_done(repo, base, CHANGE, "wp-a")
