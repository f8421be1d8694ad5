"""What a plan promises in time, from the weights of its packages: waves, critical path, speed-up, the heaviest one.

Weights have no unit. All of it is with as many agents as there are packages to start, each equally fast.
"""

from __future__ import annotations

from dataclasses import dataclass

from parallel_impl.plan import order as ordering
from parallel_impl.plan.model import Plan
from parallel_impl.plan.order import Order


@dataclass(frozen=True, slots=True)
class Estimate:
    """`speedup` is against one agent that does all packages one after the other; `share` that of the heaviest."""

    weights: dict[str, float]
    waves: tuple[tuple[str, ...], ...]
    width: int
    critical_path: tuple[str, ...]
    critical_weight: float
    total: float
    heaviest: str

    @property
    def speedup(self) -> float:
        """How many times shorter the critical path is than all the work."""
        return self.total / self.critical_weight if self.critical_weight else 1.0

    @property
    def share(self) -> float:
        """The heaviest package's part of all the work, from 0 to 1."""
        return self.weights[self.heaviest] / self.total if self.total else 1.0


def estimate(plan: Plan, order: Order | None = None) -> Estimate:
    """The estimate of a valid plan; `order` is its order, where that is known."""
    order = order or ordering.of(plan)
    weights = {package.id: package.weight for package in plan.packages}
    path, weight = ordering.critical_path(order.depends_on, weights)
    return Estimate(
        weights=weights,
        waves=order.waves(),
        width=max(order.widths(), default=0),
        critical_path=path,
        critical_weight=weight,
        total=sum(weights.values()),
        heaviest=min(weights, key=lambda name: (-weights[name], name)),
    )
