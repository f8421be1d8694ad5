"""The commit that a package starts from: the run's base with the accepted work of all its dependencies.

A pure function of plan and accepted commits, so a crashed start is redone with the same id.
"""

from __future__ import annotations

from collections.abc import Sequence

from parallel_impl.git import union
from parallel_impl.git.union import Layer
from parallel_impl.plan.order import Order
from parallel_impl.run.spec import RunSpec, Workspace


def make(spec: RunSpec, workspace: Workspace, order: Order, package: str, above: Sequence[Layer]) -> str:
    """The base of `package`; `above` is its dependencies' work, transitively, in topological order.

    The run's base where there is none; the commit of a dependency that reaches all others, whose tree is this
    union already; else one commit with the run's base and the direct dependencies as parents, on its own ref.
    """
    if not above:
        return spec.base
    last = above[-1]
    if all(layer is last or order.reaches(last.package, layer.package) for layer in above):
        return last.commit
    direct = set(order.dependencies(package, transitive=False))
    parents = [layer.commit for layer in above if layer.package in direct]
    ref = workspace.places.package_base_ref(package)
    workspace.watch.expect_any(ref)
    made = union.base_of(workspace.repo, spec.base, above, parents, ref=ref, date=spec.date, identity=spec.identity)
    workspace.watch.expect(ref, made)
    return made
