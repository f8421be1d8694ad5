"""The commit that a package starts from: the run's base with the accepted work of all its dependencies.

A pure function of plan and accepted commits, so a crashed start is redone with the same id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from parallel_impl.git import union
from parallel_impl.git.union import Layer
from parallel_impl.run.run import Ground


def of(ground: Ground, package: str, layers: Mapping[str, Layer]) -> str:
    """The base of `package`; `layers` hold at least all that it depends on."""
    above = ground.order.dependencies(package)
    return lay(ground, package, [layers[name] for name in above])


def lay(ground: Ground, package: str, above: Sequence[Layer]) -> str:
    """The same from the dependencies' work, transitively, in topological order.

    The run's base where there is none; the commit of a dependency that reaches all others, whose tree is this
    union already; else one commit with the run's base and the direct dependencies as parents, on its own ref.
    """
    if not above:
        return ground.base
    order, last = ground.order, above[-1]
    if all(layer is last or order.reaches(last.package, layer.package) for layer in above):
        return last.commit
    direct = set(order.dependencies(package, transitive=False))
    parents = [layer.commit for layer in above if layer.package in direct]
    ref = ground.places.package_base_ref(package)
    ground.watch.expect_any(ref)
    made = union.base_of(ground.repo, ground.base, above, parents, ref=ref, date=ground.date)
    ground.watch.expect(ref, made)
    return made
