"""What of a plan whoever watches a run is told first: titles, tasks, weights, waves. Not what agents may do."""

from __future__ import annotations

from pathlib import Path

import msgspec

from parallel_impl.plan.model import Plan, StepKind
from parallel_impl.plan.order import Order


class PackageOutline(msgspec.Struct, frozen=True, kw_only=True):
    """One package. `weight` says how much work it is beside the others, `manual` which steps a person takes."""

    id: str
    title: str = ""
    tasks: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    weight: float = 1.0
    manual: tuple[str, ...] = ()


class Outline(msgspec.Struct, frozen=True, kw_only=True):
    """A plan in the order in which its packages may start; `state` is the folder with the run's logs and results."""

    change_id: str
    title: str = ""
    revision: int = 1
    jobs: int = 1
    waves: tuple[tuple[str, ...], ...] = ()
    packages: tuple[PackageOutline, ...] = ()
    state: str = ""


def outline(plan: Plan, order: Order, *, state: Path, jobs: int) -> Outline:
    """What is told of this plan."""
    return Outline(
        change_id=plan.feature_id,
        title=plan.title,
        revision=plan.revision,
        jobs=jobs,
        waves=order.waves(),
        packages=tuple(
            PackageOutline(
                id=package.id,
                title=package.title or package.description.partition("\n")[0],
                tasks=package.tasks,
                depends_on=package.depends_on,
                weight=package.weight,
                manual=tuple(step.name for step in package.steps if step.kind is StepKind.MANUAL),
            )
            for package in plan.packages
        ),
        state=str(state),
    )
