"""What makes the plan of a new run a poor or an old one, in a few short warnings.

Only what costs no noticeable time is looked at: the names of files, the tasks. `parallel-plan --check` looks at the
texts and the code too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from parallel_impl.errors import Problem, Severity
from parallel_impl.git.repo import Repo
from parallel_impl.openspec import plan_age, task_owners, tasks
from parallel_impl.plan import check, near
from parallel_impl.plan.check import PlanFacts
from parallel_impl.plan.model import Plan
from parallel_impl.plan.order import Order
from parallel_impl.plan.paths import Paths
from parallel_impl.run.places import Places


def problems(
    repo: Repo, places: Places, base: str, plan: Plan, order: Order, *, paths: Collection[str], listed: bytes | None
) -> Iterator[Problem]:
    """Warnings about the plan of a run on `base`, whose files are `paths`; `listed` is its tasks.md."""
    yield from plan_age.problems(repo, plan, base, listed)
    files = Paths(path for path in paths if not path.startswith(f"{places.folder}/"))
    facts = PlanFacts(
        files=files,
        tests=near.tests(plan, files),
        at_risk=near.at_risk(plan, files),
        tasks=tuple(task_owners.find(tasks.read(listed or b""), plan)),
        has_design=f"{places.folder}/design.md" in paths,
    )
    if findings := check.check(plan, order, facts):
        yield from check.problems(findings, places.plan_file)
        yield Problem(f"more about the plan: parallel-plan {places.change_id} --check", severity=Severity.NOTICE)
