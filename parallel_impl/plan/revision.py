"""What an edited plan means for results that exist already. Pure.

The rule: a package is unchanged when everything is the same that its work is made from and judged by; its
priority, its retries and its time limits may differ, and so may what the plan says about the plan itself: which tasks
are whose, new files, reasons, evidence, weights, shared files, what the plan was made from. What is changed is done
again, and so is whatever depends on it. A change of the contracts (their revision, or which files they are) changes
every package.

Of what is changed, `judged` differs only in what its work is judged by: its scope, its steps, whether it may be empty,
what it depends on. The work is asked for as before, so the one that is there may be right now.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from parallel_impl.plan import order
from parallel_impl.plan.model import Locks, Package, Plan, Scope


@dataclass(frozen=True, slots=True)
class Revision:
    """Packages by what an edit did to them, each in the order of the plan that has it.

    `changed` are in both plans and differ, `below` depend on those and are the same, `kept` are not touched. `judged`
    are those of `changed` whose work is asked for as before.
    """

    changed: tuple[str, ...]
    below: tuple[str, ...]
    kept: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    judged: tuple[str, ...] = ()


def compare(old: Plan, new: Plan) -> Revision:
    """What became of the packages of `old` in `new`; both are valid plans."""
    before, after = ({package.id: _judged_by(package) for package in plan.packages} for plan in (old, new))
    all_differ = (old.contracts.revision, set(old.contracts.files)) != (
        new.contracts.revision,
        set(new.contracts.files),
    )
    changed = {name for name in after if name in before and (all_differ or before[name] != after[name])}
    added = {name for name in after if name not in before}
    below = order.of(new).with_descendants(changed | added) - changed - added
    return Revision(
        changed=tuple(name for name in after if name in changed),
        below=tuple(name for name in after if name in below),
        kept=tuple(name for name in after if name not in changed | added | below),
        new=tuple(name for name in after if name in added),
        gone=tuple(name for name in before if name not in after),
        judged=tuple(
            name for name in after if name in changed and not all_differ and _asks(before[name]) == _asks(after[name])
        ),
    )


def _asks(package: Package) -> Package:
    """The package without what only judges its work; whether that starts from the same tree is seen when it is done."""
    known = replace(package, scope=Scope(()), steps=(), may_be_empty=False, depends_on=(), locks=Locks())
    return replace(known, output_keys=(), output_artifacts=(), tier_required="")


def _judged_by(package: Package) -> Package:
    """The package without what decides only when and how long it runs, and what only says why it is as it is."""
    steps = tuple(replace(step, timeout_minutes=0) for step in package.steps)
    timing = replace(package, priority=0, retry_budget=0, timeout_minutes=0, weight=0.0, steps=steps)
    return replace(timing, tasks=(), creates=(), reasons=(), evidence=(), foundation=False)
